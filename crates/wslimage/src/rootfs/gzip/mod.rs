//! Gzip layers (RFC 1952) of which parts are copied without being compressed again.
//!
//! `index` notes, while a layer is read for the first time, where its deflate blocks begin. `cursor` reads any range of
//! the plain bytes with that, `cut` finds the blocks that can be copied whole, `inside` copies a part of a block, and
//! `splice` writes them, bit by bit, behind one another into one new stream, together with what `deflate` compresses anew.

mod codes;
mod cursor;
mod cut;
mod deflate;
mod index;
mod inside;
mod member;
mod splice;
mod stamp;
#[cfg(test)]
mod tests;
mod windows;
mod zlib;

use super::checksum;
pub(super) use cursor::Cursor;
pub(super) use cut::{Cut, cut};
pub(super) use deflate::{Compressed, Part, compress};
pub(super) use index::{Failure, GzipIndex, Indexer, PlainSink};
pub(super) use inside::{Copied, End};
pub(super) use splice::{CopyError, Splice};
pub(crate) use stamp::{header, stamped};
pub(crate) use windows::Windows;

/// How far back deflate refers, in bytes (RFC 1951 section 2).
const WINDOW: usize = 32 * 1024;

/// Why bytes are not a gzip file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Damaged {
    #[error("it does not begin as a gzip file")]
    Header,
    #[error("its compressed bytes are damaged")]
    Deflate,
    #[error("its bytes do not match the checksum behind them")]
    Checksum,
    #[error("it ends too early")]
    Truncated,
    #[error("it has more gzip members than files could be in it")]
    TooManyMembers,
}
