//! Ranges of the plain bytes of a layer that can be read from any place.

use std::io;
use std::ops::Range;

use super::Content;
use crate::rootfs::blob::{Blob, OpenBlob};
use crate::rootfs::gzip;

/// Reads ranges in any order.
pub(crate) enum LayerCursor {
    Gzip(Box<gzip::Cursor>),
    Plain(OpenBlob),
}

impl LayerCursor {
    /// `None` for a layer that can be read from its beginning only.
    pub(crate) fn open(blob: &Blob, content: &Content) -> io::Result<Option<Self>> {
        Ok(match content {
            Content::Gzip(index) => Some(Self::Gzip(Box::new(gzip::Cursor::new(blob.open()?, index.clone())))),
            Content::Plain => Some(Self::Plain(blob.open()?)),
            Content::Zstd => None,
        })
    }

    /// The cursor of a gzip layer.
    pub(crate) fn gzip(&mut self) -> Option<&mut gzip::Cursor> {
        match self {
            Self::Gzip(cursor) => Some(cursor),
            Self::Plain(_) => None,
        }
    }

    /// Appends the plain bytes of `range` to `plain`.
    pub(crate) fn read(&mut self, range: Range<u64>, plain: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Self::Gzip(cursor) => cursor.read(range, plain),
            Self::Plain(blob) => {
                let mut filled = plain.len();
                let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
                plain.resize(filled + length, 0);
                let mut at = range.start;
                while filled < plain.len() {
                    let count = blob.read_at(&mut plain[filled..], at)?;
                    if count == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    filled += count;
                    at += count as u64;
                }
                Ok(())
            }
        }
    }
}
