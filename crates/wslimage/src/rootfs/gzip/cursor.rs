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
            self.filled = 0;
            self.filled = self.next()?;
            self.output_start = end;
        }
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
        (self.output_start, self.filled, self.stands) = (nearest, 0, true);
        Ok(())
    }

    fn begin_at(&mut self, bit: u64, window: &[u8]) -> io::Result<()> {
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

    /// Reads some plain bytes into the output, and says how many.
    fn next(&mut self) -> io::Result<usize> {
        loop {
            if self.taken == self.input.len() {
                self.fill()?;
            }
            let step = self.inflate.onward(&self.input[self.taken..], &mut self.output).map_err(io::Error::other)?;
            self.taken += step.consumed;
            if let Stop::End { .. } = step.stop {
                self.member += 1;
                let next = self.index.members.get(self.member).map(|member| self.index.units[member.first_unit].bit);
                match next {
                    Some(bit) => self.begin_at(bit, &[])?,
                    None if step.produced == 0 => return Err(damaged()),
                    None => {}
                }
            } else if step.consumed + step.produced == 0 && self.taken < self.input.len() {
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
