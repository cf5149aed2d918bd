//! One gzip stream of blocks from several.

use std::{io, mem};

use super::cut::Cut;
use super::deflate::{Compressed, Part};
use super::index::GzipIndex;
use crate::rootfs::blob::OpenBlob;
use crate::rootfs::checksum;

/// What is written at a time.
const PIECE: usize = 256 * 1024;

/// A gzip stream in the making, which `sink` gets piece by piece; it gives a buffer back.
pub(crate) struct Splice<S> {
    sink: S,
    output: Vec<u8>,
    input: Vec<u8>,
    /// The bits behind the last whole byte of the output, and how many there are: fewer than eight.
    pending: u8,
    pending_count: u32,
    crc: u32,
    length: u64,
}

impl<S: FnMut(Vec<u8>) -> crate::Result<Vec<u8>>> Splice<S> {
    /// Begins a stream with `header`.
    pub(crate) fn new(header: &[u8], sink: S) -> Self {
        let mut output = Vec::with_capacity(2 * PIECE);
        output.extend_from_slice(header);
        Self { sink, output, input: vec![0; PIECE], pending: 0, pending_count: 0, crc: 0, length: 0 }
    }

    /// Appends blocks that were compressed anew, with parts of copied ones around them.
    pub(crate) fn append(&mut self, compressed: &Compressed) -> crate::Result<()> {
        for part in &compressed.parts {
            match part {
                Part::Blocks(blocks) => {
                    self.align();
                    self.put_bytes(blocks);
                }
                Part::Bits(bits) => self.put(&bits.bytes, bits.start, bits.end),
            }
        }
        self.count(compressed.crc, compressed.length);
        self.flush()
    }

    /// Appends units of a layer as they are.
    pub(crate) fn copy(&mut self, index: &GzipIndex, blob: &OpenBlob, cut: &Cut) -> Result<(), CopyError> {
        let mut unit = cut.units.start;
        while unit < cut.units.end {
            // Each member begins at a byte.
            self.align();
            let member = index.member_of(unit);
            let member_end = index.end_of(member);
            let stop = member_end.min(cut.units.end);
            let (end, last_block) = if stop == member_end {
                (index.members[member].end_bit, Some(index.members[member].last_block_bit))
            } else {
                (index.units[stop].bit, None)
            };
            let start = index.units[unit].bit;
            let stored = &index.stored_first[index.stored_first.partition_point(|it| *it < unit)..];
            match stored.first().filter(|stored| **stored < stop && !start.is_multiple_of(8)) {
                Some(stored) => {
                    let block = index.units[*stored].bit;
                    self.copy_bits(blob, start, block, last_block)?;
                    // Its header, not the last and of type 0, then its length at the next byte.
                    self.put_bits(0, 3);
                    self.pad();
                    self.copy_bits(blob, (block + 3).next_multiple_of(8), end, last_block)?;
                }
                None => self.copy_bits(blob, start, end, last_block)?,
            }
            unit = stop;
        }
        self.count(index.crc_of(cut.units.start, cut.units.end), cut.plain.end - cut.plain.start);
        Ok(())
    }

    /// Ends the stream and says how many plain bytes it has.
    pub(crate) fn finish(mut self) -> crate::Result<u64> {
        // An empty block of type 1, the last one.
        self.put_bits(0b011, 3);
        self.put_bits(0, 7);
        self.pad();
        let (crc, length) = (self.crc, self.length);
        self.put_bytes(&crc.to_le_bytes());
        self.put_bytes(&(length as u32).to_le_bytes());
        (self.sink)(self.output)?;
        Ok(length)
    }

    fn count(&mut self, crc: u32, length: u64) {
        self.crc = checksum::joined(self.crc, crc, length);
        self.length += length;
    }

    /// Copies bits from `start` to before `end`. The block that begins at `last_block` is not the last one any more.
    fn copy_bits(&mut self, blob: &OpenBlob, start: u64, end: u64, last_block: Option<u64>) -> Result<(), CopyError> {
        let mut at = start;
        while at < end {
            let first_byte = at / 8;
            let wanted = usize::try_from(end.div_ceil(8) - first_byte).unwrap_or(PIECE).min(PIECE);
            let mut input = mem::take(&mut self.input);
            let count = blob.read_at(&mut input[..wanted], first_byte).map_err(CopyError::Read)?;
            if count == 0 {
                return Err(CopyError::Read(io::ErrorKind::UnexpectedEof.into()));
            }
            let stop = end.min((first_byte + count as u64) * 8);
            if let Some(bit) = last_block.filter(|bit| (at..stop).contains(bit)) {
                input[(bit / 8 - first_byte) as usize] &= !(1 << (bit % 8));
            }
            self.put(&input[..count], (at - first_byte * 8) as u32, stop - first_byte * 8);
            self.input = input;
            at = stop;
            self.flush().map_err(CopyError::Write)?;
        }
        Ok(())
    }

    /// Appends the bits of `bytes` from `start`, which is below eight, to before `end`.
    fn put(&mut self, bytes: &[u8], start: u32, end: u64) {
        let whole = (end / 8) as usize;
        let mut next = 0;
        if start > 0 {
            let stop = end.min(8) as u32;
            self.put_bits(bytes[0] >> start, stop - start);
            next = 1;
        }
        if next < whole {
            self.put_bytes(&bytes[next..whole]);
        }
        let rest = (end % 8) as u32;
        if rest > 0 && (whole > 0 || start == 0) {
            self.put_bits(bytes[whole], rest);
        }
    }

    /// Appends the `count` lowest bits, at most eight.
    fn put_bits(&mut self, bits: u8, count: u32) {
        let mask = (1u16 << count) - 1;
        let bits = u16::from(self.pending) | (u16::from(bits) & mask) << self.pending_count;
        let count = self.pending_count + count;
        if count >= 8 {
            self.output.push(bits as u8);
            self.pending = (bits >> 8) as u8;
            self.pending_count = count - 8;
        } else {
            self.pending = bits as u8;
            self.pending_count = count;
        }
    }

    fn put_bytes(&mut self, bytes: &[u8]) {
        let shift = self.pending_count;
        if shift == 0 {
            self.output.extend_from_slice(bytes);
            return;
        }
        let mut pending = u64::from(self.pending);
        let (words, rest) = bytes.as_chunks::<8>();
        self.output.reserve(bytes.len());
        for word in words {
            let word = u64::from_le_bytes(*word);
            self.output.extend_from_slice(&(pending | word << shift).to_le_bytes());
            pending = word >> (64 - shift);
        }
        self.pending = pending as u8;
        for byte in rest {
            self.put_bits(*byte, 8);
        }
    }

    /// Fills the last byte up with zeros.
    fn pad(&mut self) {
        if self.pending_count > 0 {
            self.put_bits(0, 8 - self.pending_count);
        }
    }

    /// Goes on at a byte: an empty stored block takes the bits up to there.
    fn align(&mut self) {
        if self.pending_count > 0 {
            self.put_bits(0, 3);
            self.pad();
            self.output.extend_from_slice(&[0, 0, 0xff, 0xff]);
        }
    }

    fn flush(&mut self) -> crate::Result<()> {
        if self.output.len() >= PIECE {
            self.output = (self.sink)(mem::take(&mut self.output))?;
            self.output.clear();
        }
        Ok(())
    }
}

/// Why units cannot be copied.
#[derive(Debug)]
pub(crate) enum CopyError {
    Read(io::Error),
    Write(crate::Error),
}
