//! Copying a part of a block: a block can begin at any of its codes, when its own header stands before, and end behind any,
//! when its end-of-block code follows. So little of a long block around a cut has to be compressed anew.

use std::io;
use std::ops::Range;

use super::codes::{Codes, Place};
use super::cursor::Cursor;
use super::index::GzipIndex;
use super::{WINDOW, checksum};

/// Less is compressed anew: the header has to be paid for.
const LEAST: u64 = 1024;
/// More than the codes have for 258 bytes, and than a reader takes at once, in bytes.
const FURTHER: usize = 2048;
/// In so many bytes another code begins: one makes 258 at most (RFC 1951 section 3.2.5).
const NEAR: u64 = 259;

/// Bits of deflate blocks: those of `bytes` from `start`, which is below eight, to before `end`.
#[derive(Debug)]
pub(crate) struct Bits {
    pub(super) bytes: Vec<u8>,
    pub(super) start: u32,
    pub(super) end: u64,
}

/// What is copied of the plain bytes that were read.
pub(crate) struct Copied {
    pub(crate) bits: Vec<Bits>,
    /// Which of all plain bytes that were read so far.
    pub(crate) plain: Range<usize>,
}

/// What is copied behind the plain bytes that were read.
pub(crate) struct End {
    pub(crate) bits: Vec<Bits>,
    pub(crate) length: u64,
    pub(crate) crc: u32,
}

impl Cursor {
    /// Appends the plain bytes from the beginning of a unit to before `end`, which is in that unit, and copies the blocks
    /// as far as they go.
    pub(crate) fn read_beginning(&mut self, unit: usize, end: u64, plain: &mut Vec<u8>) -> io::Result<Option<Copied>> {
        let index = self.index().clone();
        let place = index.units[unit].plain;
        // Members without any bytes may stand before it.
        let unit = index.units.partition_point(|unit| unit.plain <= place) - 1;
        let first = index.units[unit];
        let before = plain.len();
        let near = self.read_past_code(first.plain..end, plain)?;
        let behind = index.units.partition_point(|unit| unit.plain < end);
        if end - first.plain < LEAST || has_stored(&index, unit, behind) {
            return Ok(None);
        }
        let (block, block_plain, _) = self.block();
        let mut bits = Vec::new();
        let mut rest = end - block_plain;
        if rest < LEAST {
            bits.push(self.bits(first.bit, block)?);
        } else {
            let Some(Around { codes, before: (code, made), .. }) = self.codes_around(end, near)? else {
                return Ok(None);
            };
            rest -= made;
            bits.push(self.bits(first.bit, code)?);
            bits.push(codes.end_code);
        }
        Ok(Some(Copied { bits, plain: before..plain.len() - rest as usize }))
    }

    /// Appends the plain bytes of `range`, in which there is no whole unit, and copies what it can from codes to codes.
    pub(crate) fn read_inside(&mut self, range: Range<u64>, plain: &mut Vec<u8>) -> io::Result<Option<Copied>> {
        let index = self.index().clone();
        let first = index.units.partition_point(|unit| unit.plain <= range.start).saturating_sub(1);
        let behind = index.units.partition_point(|unit| unit.plain < range.end);
        let is_in_member = index.member_of(first) == index.member_of(behind - 1);
        let is_long = range.end - range.start >= WINDOW as u64 + 2 * LEAST;
        if !is_long || !is_in_member || has_stored(&index, first, behind) {
            self.read_to_end(range, plain)?;
            return Ok(None);
        }
        let at = range.start + WINDOW as u64;
        let near = self.read_past_code(range.start..at, plain)?;
        let (block, block_plain, _) = self.block();
        let found =
            self.codes_around(at, near)?.map(|around| (around.codes.begin, around.first_behind(at - block_plain)));
        let from = plain.len();
        let near = self.read_past_code(at..range.end, plain)?;
        let Some((begin, (start, made))) = found else { return Ok(None) };
        let from = from + (block_plain + made - at) as usize;
        let member = index.member_of(first);
        let (end, to, end_code) = if range.end == index.plain_end(index.end_of(member)) {
            (index.members[member].end_bit, plain.len(), None)
        } else {
            let (_, last_plain, _) = self.block();
            let Some(Around { codes, before: (end, made), .. }) = self.codes_around(range.end, near)? else {
                return Ok(None);
            };
            (end, plain.len() - (range.end - last_plain - made) as usize, Some(codes.end_code))
        };
        if end <= start || from >= to {
            return Ok(None);
        }
        let mut bits = vec![self.bits(block, begin)?, self.bits(start, end)?];
        bits.extend(end_code);
        Ok(Some(Copied { bits, plain: from..to }))
    }

    /// Appends the plain bytes from `start` to where blocks can be copied that nothing before `start` is needed for, at
    /// most to the beginning of the unit `end`, and copies them to there.
    pub(crate) fn read_end(&mut self, start: u64, end: usize, plain: &mut Vec<u8>) -> io::Result<Option<End>> {
        let index = self.index().clone();
        let stop = index.plain_end(end);
        let first = index.units.partition_point(|unit| unit.plain <= start).saturating_sub(1);
        let is_in_member = end < index.units.len() && index.member_of(first) == index.member_of(end);
        // A code makes 258 bytes at most.
        if stop - start < WINDOW as u64 + LEAST || !is_in_member || has_stored(&index, first, end) {
            self.read_to_end(start..stop, plain)?;
            return Ok(None);
        }
        let mut at = start + WINDOW as u64;
        let near = self.read_past_code(start..at, plain)?;
        let (block, block_plain, _) = self.block();
        let end_bit = index.units[end].bit;
        let mut bits = Vec::new();
        if at == block_plain {
            bits.push(self.bits(block, end_bit)?);
        } else if let Some(around) = self.codes_around(at, near)? {
            let (code, made) = around.first_behind(at - block_plain);
            self.read_to_end(at..block_plain + made, plain)?;
            at = block_plain + made;
            bits.push(self.bits(block, around.codes.begin)?);
            bits.push(self.bits(code, end_bit)?);
        } else {
            self.read_to_end(at..stop, plain)?;
            return Ok(None);
        }
        let crc = checksum::behind(self.crc(), index.units[end].crc, stop - at);
        Ok(Some(End { bits, length: stop - at, crc }))
    }

    /// Bits of the layer; the last block of its member is not the last one any more.
    fn bits(&self, start: u64, end: u64) -> io::Result<Bits> {
        let first = start / 8;
        let mut bytes = vec![0; (end.div_ceil(8) - first) as usize];
        self.read_compressed(&mut bytes, first)?;
        let index = self.index();
        let next = index.members.partition_point(|member| member.last_block_bit < start);
        if let Some(bit) = index.members.get(next).map(|member| member.last_block_bit).filter(|bit| *bit < end) {
            bytes[(bit / 8 - first) as usize] &= !(1 << (bit % 8));
        }
        Ok(Bits { bytes, start: (start % 8) as u32, end: end - first * 8 })
    }

    /// Appends the plain bytes of `range`, and says where a code begins that is near to their end. The stream stands where they
    /// end.
    fn read_past_code(&mut self, range: Range<u64>, plain: &mut Vec<u8>) -> io::Result<Option<Place>> {
        let mut at = range.start.max(range.end.saturating_sub(NEAR));
        self.read_to_end(range.start..at, plain)?;
        let mut code = None;
        while at > range.start && at < range.end && code.is_none() {
            code = self.read_byte(at, plain)?.map(|bit| (bit, at + 1));
            at += 1;
        }
        self.read_to_end(at..range.end, plain)?;
        Ok(code)
    }

    /// The codes around the plain byte `wanted`, before which the stream stands. What is `near` saves reading its block
    /// from the beginning.
    fn codes_around(&self, wanted: u64, near: Option<Place>) -> io::Result<Option<Around>> {
        let (block, block_plain, end) = self.block();
        let first = block / 8;
        let mut bytes = vec![0; (end - first) as usize + FURTHER];
        self.read_compressed(&mut bytes, first)?;
        let Some(mut codes) = Codes::read(bytes, first * 8, block % 8) else { return Ok(None) };
        let wanted = wanted - block_plain;
        let near = near.filter(|(bit, plain)| *bit >= codes.begin && *plain >= block_plain);
        let found = near.and_then(|(bit, plain)| {
            let around = codes.around((bit, plain - block_plain), wanted);
            // As inflate has it, which has seen the block from its beginning.
            around.filter(|(before, _)| Some(wanted - before.1) == self.made_of_code())
        });
        let found = found.or_else(|| codes.around((codes.begin, 0), wanted));
        Ok(found.map(|(before, behind)| Around { codes, before, behind }))
    }
}

/// The codes of a block, and the places before and behind the one that makes a wanted byte.
struct Around {
    codes: Codes,
    before: Place,
    behind: Place,
}

impl Around {
    /// Where the first code begins before which at least `wanted` bytes are made, the same that were asked for.
    fn first_behind(&self, wanted: u64) -> Place {
        if self.before.1 == wanted { self.before } else { self.behind }
    }
}

fn has_stored(index: &GzipIndex, first: usize, end: usize) -> bool {
    [&index.stored_first, &index.stored_inside].into_iter().any(|units| {
        let next = units.partition_point(|unit| *unit < first);
        units.get(next).is_some_and(|unit| *unit < end)
    })
}
