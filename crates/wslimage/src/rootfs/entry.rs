//! An entry of a layer's tar archive.

/// What an entry makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    File,
    HardLink,
    Symlink,
    CharacterDevice,
    BlockDevice,
    Folder,
    Fifo,
}

/// What keeps an entry's header from going into the archive as it is, or the entry from going there at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// bsdtar as WSL runs it refuses the header, or makes something else of it than the appliers of layers: it has to be
    /// written anew.
    pub(crate) rewriting: bool,
    /// It is a character device 0:0, overlayfs's whiteout, which has no place in an archive.
    pub(crate) leaving_out: bool,
}

/// An entry of a layer's archive: what applying it makes, and where it stands in the layer's plain (uncompressed) bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    /// The name as the archive has it, raw bytes, neither cleaned nor checked.
    pub(crate) name: Vec<u8>,
    /// The target of a hard or symbolic link, raw bytes; empty for other kinds.
    pub(crate) link: Vec<u8>,
    /// Where its first header block begins, extension headers (GNU L and K, pax x) included.
    pub(crate) start: u64,
    /// Where its headers end and its data begins. A sparse map in front of the data belongs to the headers.
    pub(crate) data: u64,
    /// Where it ends, padding included: the next entry begins here.
    pub(crate) end: u64,
    pub(crate) needs: Needs,
    /// Whether it has extended attributes that are kept.
    pub(crate) has_xattrs: bool,
}
