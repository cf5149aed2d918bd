//! Plain bytes compressed anew, as deflate blocks that end at a byte.

use zlib_rs::{Deflate, DeflateFlush, Status};

use super::WINDOW;
use super::inside::Bits;

/// What is compressed anew stands around cuts, or is a whole layer that was not gzip. Level 6 takes half as long again, for
/// archives that are smaller by less than 1%.
const LEVEL: i32 = 3;

/// Deflate blocks, none of which is the last one of its stream.
#[derive(Debug, Default)]
pub(crate) struct Compressed {
    pub(crate) parts: Vec<Part>,
    /// CRC-32 and length of the plain bytes.
    pub(crate) crc: u32,
    pub(crate) length: u64,
}

#[derive(Debug)]
pub(crate) enum Part {
    /// Compressed anew: whole bytes.
    Blocks(Vec<u8>),
    /// Of copied blocks.
    Bits(Bits),
}

/// Compresses `plain` to whole bytes, which will stand behind plain bytes that end in `before`.
pub(crate) fn compress(before: &[u8], plain: &[u8]) -> Vec<u8> {
    // One that was used gives other bytes: with a dictionary zlib-rs (0.6.8) hashes a byte of what was there before.
    let mut deflate = Deflate::new(LEVEL, false, 15);
    if !before.is_empty() {
        let window = &before[before.len().saturating_sub(WINDOW)..];
        deflate.set_dictionary(window).expect("a raw stream takes a dictionary before its first byte");
    }
    // What cannot be compressed grows by 5 bytes a stored block.
    let mut blocks = vec![0; plain.len() + plain.len() / 1024 + 64];
    let (mut taken, mut filled) = (0, 0);
    loop {
        let (before_in, before_out) = (deflate.total_in(), deflate.total_out());
        let status = deflate.compress(&plain[taken..], &mut blocks[filled..], DeflateFlush::SyncFlush);
        assert!(matches!(status, Ok(Status::Ok | Status::BufError)), "deflate has no reason to fail: {status:?}");
        taken += (deflate.total_in() - before_in) as usize;
        filled += (deflate.total_out() - before_out) as usize;
        if taken == plain.len() && filled < blocks.len() {
            break;
        }
        blocks.resize(blocks.len() * 2, 0);
    }
    blocks.truncate(filled);
    blocks
}
