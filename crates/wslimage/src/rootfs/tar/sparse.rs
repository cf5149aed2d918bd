//! Which parts of a sparse file have data: GNU tar's four ways to say so, and the one to write it.

use super::block::{BLOCK, Block, GNU_IS_EXTENDED, GNU_REAL_SIZE, GNU_SPARSE};
use super::number;

/// Bytes of an offset and a length in a header.
const PAIR: usize = 24;
const EXTENDED: usize = 504;

/// The parts of a file that an archive has data for, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sparse {
    /// The size of the file with its holes.
    pub(super) real_size: u64,
    /// Offsets and lengths.
    pub(super) parts: Vec<(u64, u64)>,
}

impl Sparse {
    /// The map that an old GNU header begins, and whether another block goes on with it.
    pub(super) fn begun_by(header: &Block) -> Result<(Self, bool), String> {
        let real_size = number::field(&header[GNU_REAL_SIZE]).and_then(|size| u64::try_from(size).ok());
        let real_size = real_size.ok_or("the size of a sparse file is not a number")?;
        let mut sparse = Self { real_size, parts: Vec::new() };
        sparse.add_pairs(&header[GNU_SPARSE])?;
        Ok((sparse, header[GNU_IS_EXTENDED] != 0))
    }

    /// Goes on with the map by `block`, and says whether another follows.
    pub(super) fn continued_by(&mut self, block: &Block) -> Result<bool, String> {
        self.add_pairs(&block[..EXTENDED])?;
        Ok(block[EXTENDED] != 0)
    }

    fn add_pairs(&mut self, pairs: &[u8]) -> Result<(), String> {
        for pair in pairs.chunks_exact(PAIR).take_while(|pair| pair[0] != 0) {
            let (offset, length) = pair.split_at(PAIR / 2);
            let read = |field| number::field(field).and_then(|number| u64::try_from(number).ok());
            let part = read(offset).zip(read(length)).ok_or("its sparse map has something that is not a number")?;
            self.parts.push(part);
        }
        Ok(())
    }

    /// Fails unless the parts stand in the file one after the other and are as long as the data together.
    pub(super) fn check(&self, data: u64) -> Result<(), String> {
        let mut end = 0;
        let mut sum = 0_u64;
        for (offset, length) in &self.parts {
            let behind = offset.checked_add(*length).filter(|behind| *offset >= end && *behind <= self.real_size);
            end = behind.ok_or("the parts of its sparse map overlap or go beyond the file")?;
            // No more than the end, since they do not overlap.
            sum += length;
        }
        if i64::try_from(self.real_size).is_err() {
            return Err("the size of a sparse file is too large".to_owned());
        }
        if sum != data {
            return Err(format!("its sparse map is for {sum} bytes of data, but there are {data}"));
        }
        Ok(())
    }

    /// Writes the map into an old GNU header, and returns the blocks that go on with it.
    pub(super) fn write(&self, header: &mut Block) -> Vec<u8> {
        let field = |number: u64, field: &mut [u8]| number::write(i64::try_from(number).unwrap_or(i64::MAX), field);
        field(self.real_size, &mut header[GNU_REAL_SIZE]);
        let mut parts: Vec<(u64, u64)> = self.parts.iter().copied().filter(|(_, length)| *length > 0).collect();
        // As GNU tar does: a hole at the end is an empty part behind it.
        if parts.last().is_none_or(|(offset, length)| offset + length < self.real_size) {
            parts.push((self.real_size, 0));
        }
        let write = |parts: &[(u64, u64)], into: &mut [u8]| {
            for ((offset, length), pair) in parts.iter().zip(into.chunks_exact_mut(PAIR)) {
                let (first, second) = pair.split_at_mut(PAIR / 2);
                field(*offset, first);
                field(*length, second);
            }
        };
        let (first, rest) = parts.split_at(parts.len().min(GNU_SPARSE.len() / PAIR));
        write(first, &mut header[GNU_SPARSE]);
        header[GNU_IS_EXTENDED] = u8::from(!rest.is_empty());
        let mut blocks = vec![0; rest.len().div_ceil(EXTENDED / PAIR) * BLOCK];
        let last = blocks.len() / BLOCK;
        for (at, (block, parts)) in blocks.chunks_exact_mut(BLOCK).zip(rest.chunks(EXTENDED / PAIR)).enumerate() {
            write(parts, &mut block[..EXTENDED]);
            block[EXTENDED] = u8::from(at + 1 < last);
        }
        blocks
    }
}

/// The map of a pax sparse file 1.0: decimal numbers in front of the data, each with a newline, filled up to a block.
#[derive(Debug, Default)]
pub(super) struct DecimalMap {
    numbers: Vec<u64>,
    digits: Vec<u8>,
}

impl DecimalMap {
    /// Reads on in `block`, and says whether the map is complete.
    pub(super) fn read(&mut self, block: &Block) -> Result<bool, String> {
        for byte in block {
            if *byte != b'\n' {
                self.digits.push(*byte);
                continue;
            }
            let number = number::decimal(&self.digits).ok_or("its sparse map has something that is not a number")?;
            self.digits.clear();
            self.numbers.push(number);
            let parts = self.numbers[0];
            // A count that nothing can hold is one that is never reached.
            if parts.saturating_mul(2).saturating_add(1) == self.numbers.len() as u64 {
                return Ok(true);
            }
        }
        // No number has so many digits, so no newline is to come.
        if self.digits.len() > BLOCK {
            return Err("its sparse map has something that is not a number".to_owned());
        }
        Ok(false)
    }

    pub(super) fn parts(&self) -> Vec<(u64, u64)> {
        pairs(self.numbers.get(1..).unwrap_or_default())
    }
}

/// Offsets and lengths, which stand alternately in `numbers`.
pub(super) fn pairs(numbers: &[u64]) -> Vec<(u64, u64)> {
    numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}
