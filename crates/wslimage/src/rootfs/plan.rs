//! What the archive is made of, in order.

use std::ops::Range;

use super::entry::Kind;
use super::merge::{Changes, Steps};

/// How a header differs from the one that the entry had in its layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeaderChange {
    /// The name in the archive: clean, without a leading `/` or `./`, folders with a `/` at the end; `./` is the root.
    pub(crate) name: Vec<u8>,
    /// The kind in the archive. A hard link whose target is gone becomes the file that it linked to, by another entry's
    /// header.
    pub(crate) kind: Kind,
    /// The target of a hard link (clean, as `name`) or of a symbolic link (as it was).
    pub(crate) link: Vec<u8>,
}

/// A piece of the archive's plain bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// These plain bytes of a layer, as they are: whole entries, or the data of one whose header stands before.
    Copy { layer: usize, range: Range<u64> },
    /// The header made anew from the one that stands at `header` in the layer's plain bytes.
    Header { layer: usize, header: Range<u64>, change: HeaderChange },
    /// A folder that no layer has an entry for but entries in it: root:root, 0755, at the epoch.
    Folder { name: Vec<u8> },
}

/// The archive, without the two blocks of zeros at its end.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) steps: Steps,
    /// What a user may want to know, such as entries that were left out, each as a line.
    pub(crate) notices: Vec<String>,
    /// What keeps a layer from being the archive as it is.
    pub(crate) changes: Changes,
    /// Whether there is a `/bin/sh`, without which a distribution cannot start.
    pub(crate) has_shell: bool,
    /// Whether there is an `/etc`.
    pub(crate) has_etc: bool,
}

impl Plan {
    /// The pieces in their order, neighbouring copies as one: folders before what is in them, hard links after their
    /// targets, else as in the layers. So a copy may be of a lower layer, or of earlier bytes, than the one before.
    ///
    /// They are made as they are asked for: the names in a million of them would need more memory than all else.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = Piece> + '_ {
        self.steps.pieces()
    }

    /// Which plain bytes of which layers the pieces are made of, in their order.
    pub(crate) fn reads(&self) -> impl Iterator<Item = (usize, Range<u64>)> + '_ {
        self.steps.reads()
    }

    /// Whether the plain bytes of the first layer, whose last entry ends at `layer_end`, make the same as the archive, so
    /// that its blob can be the archive as it came. Otherwise `changes` says why not.
    ///
    /// All of its entries are in the archive then, in their order. Folders that the archive has before what is in them are
    /// made by bsdtar itself where they have no entry or a later one, root:root and 0755 until that.
    pub(crate) fn is_untouched(&self, layer_end: u64) -> bool {
        let mut at = 0;
        for piece in self.pieces() {
            match piece {
                Piece::Copy { layer: 0, range } if range.start == at => at = range.end,
                // A folder's entry that comes once more in its own place.
                Piece::Copy { layer: 0, range } if range.start > at => {}
                Piece::Folder { .. } => {}
                _ => return false,
            }
        }
        at == layer_end
    }
}
