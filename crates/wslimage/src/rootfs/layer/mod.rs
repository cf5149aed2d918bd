//! One layer read for the first time: which compression it has, the entries of its archive, its DiffID.
//!
//! `pass` goes once over the compressed bytes, while they arrive or from where they lie; `decompress` makes plain bytes of
//! them. `cursor` reads ranges of the plain bytes later, of zstd from the beginning on only; where that would happen again
//! and again, `unpack` makes a plain layer of it.

mod cursor;
mod decompress;
mod pass;
#[cfg(test)]
mod tests;
mod unpack;
mod zstd;

pub(super) use cursor::LayerCursor;
pub(crate) use decompress::Compression;
pub(crate) use pass::{Layer, PlainBudget, read};
pub(crate) use unpack::{unpack, worth_unpacking};
pub(super) use zstd::ZstdCursor;

use std::sync::Arc;

use super::gzip::GzipIndex;

/// How a layer's plain bytes are had again.
#[derive(Clone)]
pub(crate) enum Content {
    /// From any of its blocks.
    Gzip(Arc<GzipIndex>),
    /// From its beginning only.
    Zstd,
    /// They are what lies there.
    Plain,
}

impl Content {
    pub(crate) fn compression(&self) -> Compression {
        match self {
            Self::Gzip(_) => Compression::Gzip,
            Self::Zstd => Compression::Zstd,
            Self::Plain => Compression::None,
        }
    }
}
