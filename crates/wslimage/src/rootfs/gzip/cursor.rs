//! Any range of the plain bytes of a gzip layer.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::Damaged;
use super::index::GzipIndex;
use super::zlib::{Inflate, Stop};
use crate::rootfs::blob::OpenBlob;

const INPUT: usize = 64 * 1024;
const OUTPUT: usize = 64 * 1024;

/// Reads from the nearest place from which that is possible.
pub(crate) struct Cursor {
    blob: OpenBlob,
    index: Arc<GzipIndex>,
    inflate: Inflate,
    /// The next compressed byte that is not in `input`.
    position: u64,
    input: Vec<u8>,
    taken: usize,
    output: Vec<u8>,
    /// How many plain bytes are in the output, and where they begin.
    filled: usize,
    output_start: u64,
    /// Whether the stream stands behind the output.
    stands: bool,
    member: usize,
    /// Where the block begins that is being read, in bits and in the plain bytes.
    block_bit: u64,
    block_plain: u64,
    /// Of all plain bytes before the stream's place.
    crc: crc32fast::Hasher,
}

impl Cursor {
    pub(crate) fn new(blob: OpenBlob, index: Arc<GzipIndex>) -> Self {
        Self {
            blob,
            index,
            inflate: Inflate::new(),
            position: 0,
            input: Vec::with_capacity(INPUT),
            taken: 0,
            output: vec![0; OUTPUT],
            filled: 0,
            output_start: 0,
            stands: false,
            member: 0,
            block_bit: 0,
            block_plain: 0,
            crc: crc32fast::Hasher::new(),
        }
    }

    /// Appends the plain bytes of `range` to `plain`.
    pub(crate) fn read(&mut self, range: Range<u64>, plain: &mut Vec<u8>) -> io::Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        self.go_before(range.start)?;
        loop {
            let (start, end) = (self.output_start, self.output_start + self.filled as u64);
            let wanted = |offset: u64| (offset.clamp(start, end) - start) as usize;
            plain.extend_from_slice(&self.output[wanted(range.start)..wanted(range.end)]);
            if end >= range.end {
                return Ok(());
            }
            // Never further, so that the stream stands where the range ends.
            let room = usize::try_from(range.end - end).unwrap_or(OUTPUT).min(OUTPUT);
            self.filled = 0;
            self.filled = self.next(end, room)?;
            self.output_start = end;
            self.crc.update(&self.output[..self.filled]);
        }
    }

    /// The same, and the stream stands where the range ends.
    pub(super) fn read_to_end(&mut self, range: Range<u64>, plain: &mut Vec<u8>) -> io::Result<()> {
        if self.output_start + self.filled as u64 > range.end {
            self.stands = false;
        }
        self.read(range, plain)
    }

    /// Where the block begins in which the stream stands, or the next one: in bits, and in the plain bytes. And the
    /// compressed byte before which it stands.
    pub(super) fn block(&self) -> (u64, u64, u64) {
        (self.block_bit, self.block_plain, self.byte())
    }

    /// The compressed byte before which the stream stands.
    fn byte(&self) -> u64 {
        self.position - (self.input.len() - self.taken) as u64
    }

    /// Behind the code that makes the next plain byte, in bits: inflate reads it before it sees that there is no room.
    /// `None` where it may have run out of input before that.
    fn behind_next_code(&self) -> Option<u64> {
        (self.taken < self.input.len()).then(|| self.byte() * 8 - self.inflate.unused_bits())
    }

    /// Reads the plain byte `at`, before which the stream stands. Where the byte behind it has another code, it says where
    /// that begins, in bits; at the end of a block, where the next one does.
    pub(super) fn read_byte(&mut self, at: u64, plain: &mut Vec<u8>) -> io::Result<Option<u64>> {
        let before = self.behind_next_code();
        self.read_to_end(at..at + 1, plain)?;
        Ok(before.filter(|bit| self.behind_next_code().is_some_and(|behind| behind != *bit)))
    }

    /// How many bytes were made of the code that makes the next plain byte.
    pub(super) fn made_of_code(&self) -> Option<u64> {
        self.inflate.made_of_code()
    }

    /// The CRC-32 of all plain bytes before the stream's place.
    pub(super) fn crc(&self) -> u32 {
        self.crc.clone().finalize()
    }

    pub(super) fn index(&self) -> &Arc<GzipIndex> {
        &self.index
    }

    /// Fills `buffer` with compressed bytes; at the end of the layer it keeps what it has.
    pub(super) fn read_compressed(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.blob.read_at(&mut buffer[filled..], position + filled as u64)? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(())
    }

    /// Stands so that what is in the output, or comes next, begins at or before `target`.
    fn go_before(&mut self, target: u64) -> io::Result<()> {
        let index = self.index.clone();
        let place = |checkpoint: &super::index::Checkpoint| index.units[checkpoint.unit].plain;
        let found = index.checkpoints.partition_point(|checkpoint| place(checkpoint) <= target);
        let checkpoint = found.checked_sub(1).map(|last| index.checkpoints[last]).ok_or_else(damaged)?;
        let nearest = place(&checkpoint);
        let end = self.output_start + self.filled as u64;
        if self.stands && self.output_start <= target && (target < end || nearest <= end) {
            return Ok(());
        }
        // Until it stands there, it stands nowhere.
        self.stands = false;
        let window = match (checkpoint.window, &index.windows) {
            (Some(place), Some(windows)) => windows.read(place)?,
            _ => Vec::new(),
        };
        self.member = index.member_of(checkpoint.unit);
        self.begin_at(index.units[checkpoint.unit].bit, &window)?;
        self.block_plain = nearest;
        self.crc = crc32fast::Hasher::new_with_initial(index.units[checkpoint.unit].crc);
        (self.output_start, self.filled, self.stands) = (nearest, 0, true);
        Ok(())
    }

    fn begin_at(&mut self, bit: u64, window: &[u8]) -> io::Result<()> {
        self.block_bit = bit;
        let in_input = (bit / 8).checked_sub(self.position - self.input.len() as u64);
        match in_input.and_then(|place| usize::try_from(place).ok()).filter(|place| *place < self.input.len()) {
            Some(place) => self.taken = place,
            None => {
                self.position = bit / 8;
                self.input.clear();
                self.taken = 0;
            }
        }
        let inside = (bit % 8) as u8;
        if inside == 0 {
            self.inflate.restart(0, 0, window);
            return Ok(());
        }
        if self.taken == self.input.len() {
            self.fill()?;
        }
        let byte = *self.input.get(self.taken).ok_or_else(damaged)?;
        self.taken += 1;
        self.inflate.restart(byte >> inside, 8 - inside, window);
        Ok(())
    }

    /// Reads some plain bytes, which stand at `at`, into the output, at most `room`, and says how many.
    fn next(&mut self, at: u64, room: usize) -> io::Result<usize> {
        loop {
            if self.taken == self.input.len() {
                self.fill()?;
            }
            let step = self.inflate.until_boundary(&self.input[self.taken..], &mut self.output[..room]);
            let step = step.map_err(io::Error::other)?;
            self.taken += step.consumed;
            if let Stop::Boundary { unused_bits } = step.stop {
                self.block_bit = self.byte() * 8 - u64::from(unused_bits);
                self.block_plain = at + step.produced as u64;
            }
            if let Stop::End { .. } = step.stop {
                self.member += 1;
                let next = self.index.members.get(self.member).map(|member| self.index.units[member.first_unit].bit);
                match next {
                    Some(bit) => {
                        self.begin_at(bit, &[])?;
                        self.block_plain = at + step.produced as u64;
                    }
                    None if step.produced == 0 => return Err(damaged()),
                    None => {}
                }
            } else if step.stop == Stop::Starved && step.consumed + step.produced == 0 && self.taken < self.input.len()
            {
                return Err(damaged());
            }
            if step.produced > 0 {
                return Ok(step.produced);
            }
            if step.stop == Stop::Starved && self.input.is_empty() {
                return Err(damaged());
            }
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.input.resize(INPUT, 0);
        let count = self.blob.read_at(&mut self.input, self.position)?;
        self.input.truncate(count);
        self.position += count as u64;
        self.taken = 0;
        Ok(())
    }
}

/// The blob has changed since its index was made.
fn damaged() -> io::Error {
    io::Error::other(Damaged::Truncated)
}
