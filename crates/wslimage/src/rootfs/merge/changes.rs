//! What the archive does not take from the layers as it is.

/// A reason why a layer cannot be the archive as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Layers,
    Whiteout,
    Replaced,
    Device,
    LeftOut,
    GlobalHeader,
    Header,
    UncleanName,
    NameThroughLink,
    Attributes,
    LinkTarget,
    LinkWithoutOriginal,
    LinkToSpecial,
}

impl Change {
    const ALL: [Self; 13] = [
        Self::Layers,
        Self::Whiteout,
        Self::Replaced,
        Self::Device,
        Self::LeftOut,
        Self::GlobalHeader,
        Self::Header,
        Self::UncleanName,
        Self::NameThroughLink,
        Self::Attributes,
        Self::LinkTarget,
        Self::LinkWithoutOriginal,
        Self::LinkToSpecial,
    ];

    fn words(self) -> &'static str {
        match self {
            Self::Layers => "several layers",
            Self::Whiteout => "a whiteout",
            Self::Replaced => "an entry that is gone or replaced later",
            Self::Device => "a device 0:0",
            Self::LeftOut => "an entry that makes nothing",
            Self::GlobalHeader => "a header for all entries",
            Self::Header => "a header that WSL refuses",
            Self::UncleanName => "a name with superfluous parts",
            Self::NameThroughLink => "a name through a symbolic link",
            Self::Attributes => "a folder with other attributes before",
            Self::LinkTarget => "a hard link to another name",
            Self::LinkWithoutOriginal => "a hard link without its original",
            Self::LinkToSpecial => "a hard link to something other than a file",
        }
    }
}

/// All reasons of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes(u16);

impl Changes {
    pub(super) fn add(&mut self, change: Change) {
        self.0 |= 1 << change as u16;
    }

    /// Each as words such as "a whiteout".
    pub(crate) fn words(self) -> impl Iterator<Item = &'static str> {
        Change::ALL.into_iter().filter(move |change| self.0 & (1 << *change as u16) != 0).map(Change::words)
    }
}
