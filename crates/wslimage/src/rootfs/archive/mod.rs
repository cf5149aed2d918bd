//! The archive, written as planned.
//!
//! `steps` makes of the plan what has to be done: blocks to copy, and work, which is plain bytes to be read, headers to be
//! made and all of it to be compressed. One thread goes through the plan, as many as there are processors work (`work`),
//! and the caller's writes what comes, in its order.

mod output;
mod steps;
#[cfg(test)]
mod tests;
mod work;
mod write;

pub(crate) use write::{Archive, write};

use super::blob::Blob;
use super::layer::Content;

/// What the archive is written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u32)]
#[non_exhaustive]
pub enum Format {
    /// A tar archive, compressed with gzip: what WSL recommends.
    #[default]
    TarGz = 0,
    /// A tar archive as it is.
    Tar = 1,
    /// A tar archive, compressed with xz: smaller, and slow to make. Older versions of WSL do not read it.
    TarXz = 2,
    /// The blob of the only layer, whatever it is.
    Original = 3,
}

/// A layer of which pieces go into the archive.
pub(crate) struct Source {
    pub(crate) blob: Blob,
    pub(crate) content: Content,
}
