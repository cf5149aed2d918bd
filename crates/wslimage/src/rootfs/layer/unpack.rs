//! Layers that are read from their beginning only, and in which a plan goes back again and again: to take their plain
//! bytes from the disk costs less, and what it costs does not grow with the number of steps back.

use std::collections::BTreeMap;
use std::ops::Range;

use super::ZstdCursor;
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Job;
use crate::rootfs::blob::Blob;

/// So often a layer is decompressed from its beginning.
const MOST_BEGINNINGS: u32 = 2;
const PIECE: u64 = 1024 * 1024;

/// The layers, among those that `is_sequential` says of, that `reads` would decompress more often; each with the place to
/// which it needs their plain bytes.
pub(crate) fn worth_unpacking(
    reads: impl Iterator<Item = (usize, Range<u64>)>,
    is_sequential: impl Fn(usize) -> bool,
) -> BTreeMap<usize, u64> {
    let mut layers: BTreeMap<usize, (u32, u64)> = BTreeMap::new();
    // Where the one cursor stands.
    let mut at: Option<(usize, u64)> = None;
    for (layer, range) in reads.filter(|(layer, _)| is_sequential(*layer)) {
        let (beginnings, end) = layers.entry(layer).or_default();
        if at.is_none_or(|(known, position)| known != layer || range.start < position) {
            *beginnings += 1;
        }
        *end = range.end.max(*end);
        at = Some((layer, range.end));
    }
    layers.retain(|_, (beginnings, _)| *beginnings > MOST_BEGINNINGS);
    layers.into_iter().map(|(layer, (_, end))| (layer, end)).collect()
}

/// Hands the first `length` plain bytes of a zstd layer to `put`, piece by piece.
pub(crate) fn unpack(blob: &Blob, length: u64, put: &mut dyn FnMut(&[u8]) -> Result<()>, job: &Job) -> Result<()> {
    let unreadable = |error: std::io::Error| {
        let path = blob.path.display();
        Error::new(ErrorKind::File, format!("Failed to read {path} again: {error}")).target(path).caused_by(error)
    };
    let mut cursor = ZstdCursor::new(blob.open().map_err(unreadable)?).map_err(unreadable)?;
    let mut plain = Vec::new();
    let mut at = 0;
    while at < length {
        job.expect_not_cancelled()?;
        let end = length.min(at + PIECE);
        plain.clear();
        cursor.read(at..end, &mut plain).map_err(unreadable)?;
        put(&plain)?;
        at = end;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_that_are_begun_again_and_again_are_worth_it() {
        let worth = |reads: &[(usize, Range<u64>)]| worth_unpacking(reads.iter().cloned(), |layer| layer < 2);
        assert_eq!(worth(&[(0, 0..5), (1, 0..5), (0, 5..9), (1, 7..9)]), BTreeMap::new());
        assert_eq!(worth(&[(0, 5..9), (0, 0..5), (0, 9..12)]), BTreeMap::new());
        assert_eq!(worth(&[(0, 5..9), (0, 0..5), (0, 2..3)]), [(0, 9)].into());
        assert_eq!(worth(&[(0, 0..5), (1, 0..5), (0, 5..9), (1, 5..7), (0, 9..11)]), [(0, 11)].into());
        // Layers that can be read from anywhere do not count, and do not come between.
        assert_eq!(worth(&[(2, 0..5), (0, 0..5), (2, 0..5), (0, 5..6), (2, 0..5), (0, 6..7)]), BTreeMap::new());
    }
}
