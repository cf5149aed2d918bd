//! Where the deflate blocks of a gzip layer begin, noted while it is read for the first time.

use std::sync::Arc;

use super::member::Header;
use super::windows::WindowPlace;
use super::zlib::{Inflate, Stop};
use super::{Damaged, WINDOW, Windows};
use crate::rootfs::checksum;

const MAGIC: u8 = 0x1f;
/// A member for each file of a large image (as estargz has them), and far from filling the memory.
const MOST_MEMBERS: usize = 4 * 1024 * 1024;
/// Plain bytes are handed on in pieces of this length.
const PIECE: usize = 256 * 1024;
/// How many plain bytes lie between two windows that are kept: what a cut has to read in vain, on average half of it.
const WINDOW_INTERVAL: u64 = 256 * 1024;
/// Blocks that are together shorter than both become one unit, so that a layer of tiny blocks has no giant index.
const UNIT_BITS: u64 = 8 * 8 * 1024;
const UNIT_PLAIN: u64 = 32 * 1024;
/// A stored block begins a unit of its own from this length of the one before it on.
const BEFORE_STORED_BITS: u64 = 8 * 1024;

/// Deflate blocks that are copied together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit {
    /// Where its first block begins, in bits of the compressed bytes.
    pub(super) bit: u64,
    /// Where its first block begins in the plain bytes.
    pub(super) plain: u64,
    /// The CRC-32 of all plain bytes before it.
    pub(super) crc: u32,
}

/// A member of the file: a deflate stream of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    /// Index of its first unit.
    pub(super) first_unit: usize,
    /// Where its last block begins, whose first bit says that it is the last, in bits of the compressed bytes.
    pub(super) last_block_bit: u64,
    /// Where its last block ends, in bits of the compressed bytes.
    pub(super) end_bit: u64,
}

/// A unit from which reading can begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checkpoint {
    pub(super) unit: usize,
    /// `None` at the beginning of a member.
    pub(super) window: Option<WindowPlace>,
}

/// What is known of a gzip layer after it was read once.
pub(crate) struct GzipIndex {
    pub(super) units: Vec<Unit>,
    /// Units whose first block is a stored one, in their order.
    pub(super) stored_first: Vec<usize>,
    /// Units that have a stored block behind their first, in their order.
    pub(super) stored_inside: Vec<usize>,
    pub(super) members: Vec<Member>,
    pub(super) checkpoints: Vec<Checkpoint>,
    pub(super) windows: Option<Arc<Windows>>,
    /// The length of all plain bytes.
    pub(super) plain_size: u64,
    /// The CRC-32 of all plain bytes.
    pub(super) crc: u32,
}

impl GzipIndex {
    /// The CRC-32 of the plain bytes of the units from `first` to before `end`.
    pub(super) fn crc_of(&self, first: usize, end: usize) -> u32 {
        let start = &self.units[first];
        let (plain, crc) = self.units.get(end).map_or((self.plain_size, self.crc), |unit| (unit.plain, unit.crc));
        checksum::behind(start.crc, crc, plain - start.plain)
    }

    /// Where the plain bytes of the units before `end` end.
    pub(super) fn plain_end(&self, end: usize) -> u64 {
        self.units.get(end).map_or(self.plain_size, |unit| unit.plain)
    }

    /// The index of the member that the unit is in.
    pub(super) fn member_of(&self, unit: usize) -> usize {
        self.members.partition_point(|member| member.first_unit <= unit) - 1
    }

    /// The first unit behind a member.
    pub(super) fn end_of(&self, member: usize) -> usize {
        self.members.get(member + 1).map_or(self.units.len(), |next| next.first_unit)
    }
}

/// Takes the plain bytes of a layer, piece by piece.
pub(crate) trait PlainSink {
    /// Takes the next bytes, and gives an empty buffer back where it has one.
    fn put(&mut self, piece: Vec<u8>) -> crate::Result<Vec<u8>>;

    /// The offset before which nobody will begin to read, but in what it has taken.
    fn uncut_until(&self) -> u64 {
        0
    }
}

impl<F: FnMut(Vec<u8>) -> crate::Result<Vec<u8>>> PlainSink for F {
    fn put(&mut self, piece: Vec<u8>) -> crate::Result<Vec<u8>> {
        self(piece)
    }
}

/// Why an index cannot be made.
#[derive(Debug)]
pub(crate) enum Failure {
    Damaged(Damaged),
    Windows(std::io::Error),
    Sink(crate::Error),
}

impl From<Damaged> for Failure {
    fn from(damaged: Damaged) -> Self {
        Self::Damaged(damaged)
    }
}

/// Makes the index of a layer whose bytes are pushed.
pub(crate) struct Indexer {
    index: GzipIndex,
    state: State,
    inflate: Inflate,
    /// How many compressed bytes were read.
    consumed: u64,
    /// The plain bytes that are not handed on yet, in `filled` bytes of the buffer, and the window before them.
    buffer: Vec<u8>,
    filled: usize,
    before: Vec<u8>,
    crc: crc32fast::Hasher,
    hashed: usize,
    /// Where the last window that was kept ends in the plain bytes.
    last_window: u64,
    /// Before this offset nobody begins to read.
    uncut_until: u64,
    last_byte: u8,
}

enum State {
    /// Between members, or in a header.
    Header(Header),
    Blocks(Blocks),
    Trailer {
        bytes: [u8; 8],
        known: usize,
    },
    /// What follows the last member is not gzip, and is not read (as gzip and bsdtar do).
    Over,
}

struct Blocks {
    /// Where the block begins that is being read, in bits.
    bit: u64,
    /// Its beginning, while it is not known yet whether it is a stored one.
    unseen: Option<Unit>,
}

impl Indexer {
    /// Windows are kept in `windows`; without it the layer is only checked.
    pub(crate) fn new(windows: Option<Arc<Windows>>) -> Self {
        Self {
            index: GzipIndex {
                units: Vec::new(),
                stored_first: Vec::new(),
                stored_inside: Vec::new(),
                members: Vec::new(),
                checkpoints: Vec::new(),
                windows,
                plain_size: 0,
                crc: 0,
            },
            state: State::Header(Header::default()),
            inflate: Inflate::new(),
            consumed: 0,
            buffer: vec![0; PIECE],
            filled: 0,
            before: Vec::with_capacity(WINDOW),
            crc: crc32fast::Hasher::new(),
            hashed: 0,
            last_window: 0,
            uncut_until: 0,
            last_byte: 0,
        }
    }

    /// Reads the next compressed bytes.
    pub(crate) fn push(&mut self, mut input: &[u8], sink: &mut dyn PlainSink) -> Result<(), Failure> {
        let mut is_full = false;
        while !input.is_empty() || is_full {
            is_full = false;
            match &mut self.state {
                State::Over => return Ok(()),
                State::Header(header) => {
                    if !header.is_begun() && !self.index.members.is_empty() && input[0] != MAGIC {
                        // Zeros that fill up a tape's block, or junk.
                        if input[0] != 0 {
                            self.state = State::Over;
                            return Ok(());
                        }
                        self.take(&mut input);
                        continue;
                    }
                    if self.index.members.len() == MOST_MEMBERS {
                        return Err(Damaged::TooManyMembers.into());
                    }
                    let is_over = header.push(input[0])?;
                    self.take(&mut input);
                    if is_over {
                        self.begin_member();
                    }
                }
                State::Blocks(_) => {
                    self.see(input)?;
                    let step = self.inflate.until_boundary(input, &mut self.buffer[self.filled..])?;
                    if let Some(last) = step.consumed.checked_sub(1) {
                        self.last_byte = input[last];
                        self.consumed += step.consumed as u64;
                        input = &input[step.consumed..];
                    }
                    self.filled += step.produced;
                    self.index.plain_size += step.produced as u64;
                    match step.stop {
                        Stop::Starved if step.consumed + step.produced == 0 && !input.is_empty() => {
                            return Err(Damaged::Deflate.into());
                        }
                        Stop::Starved => {}
                        Stop::Boundary { unused_bits } => self.begin_block(unused_bits),
                        Stop::End { unused_bits } => self.end_member(unused_bits),
                    }
                    if self.filled == self.buffer.len() {
                        is_full = true;
                        self.hand_on(sink)?;
                    }
                }
                State::Trailer { bytes, known } => {
                    bytes[*known] = input[0];
                    *known += 1;
                    let whole = (*known == bytes.len()).then_some(*bytes);
                    self.take(&mut input);
                    if let Some(bytes) = whole {
                        self.expect_trailer(bytes)?;
                        self.state = State::Header(Header::default());
                    }
                }
            }
        }
        Ok(())
    }

    /// The index, when all is read.
    pub(crate) fn finish(mut self, sink: &mut dyn PlainSink) -> Result<GzipIndex, Failure> {
        match &self.state {
            State::Over => {}
            State::Header(header) if !header.is_begun() && !self.index.members.is_empty() => {}
            _ => return Err(Damaged::Truncated.into()),
        }
        self.index.crc = self.crc_so_far();
        self.hand_on(sink)?;
        self.index.units.shrink_to_fit();
        Ok(self.index)
    }

    fn take(&mut self, input: &mut &[u8]) {
        self.last_byte = input[0];
        *input = &input[1..];
        self.consumed += 1;
    }

    fn begin_member(&mut self) {
        self.inflate.restart(0, 0, &[]);
        let bit = self.consumed * 8;
        let unit = Unit { bit, plain: self.index.plain_size, crc: self.crc_so_far() };
        self.index.members.push(Member { first_unit: self.index.units.len(), last_block_bit: bit, end_bit: bit });
        self.state = State::Blocks(Blocks { bit, unseen: Some(unit) });
    }

    fn begin_block(&mut self, unused_bits: u8) {
        let bit = self.consumed * 8 - u64::from(unused_bits);
        let unit = Unit { bit, plain: self.index.plain_size, crc: self.crc_so_far() };
        self.state = State::Blocks(Blocks { bit, unseen: Some(unit) });
    }

    /// Looks at the first three bits of a block that has begun: is it the last, and its type (RFC 1951 section 3.2.3).
    fn see(&mut self, input: &[u8]) -> Result<(), Failure> {
        let State::Blocks(blocks) = &mut self.state else { return Ok(()) };
        let (Some(unit), Some(next)) = (blocks.unseen, input.first()) else { return Ok(()) };
        blocks.unseen = None;
        let unused = (self.consumed * 8 - unit.bit) as u32;
        let bits = u32::from(self.last_byte).checked_shr(8 - unused).unwrap_or(0) | u32::from(*next) << unused;
        let is_stored = (bits >> 1) & 3 == 0;

        let is_first = self.index.members.last().is_some_and(|it| it.first_unit == self.index.units.len());
        let index = self.index.units.len();
        if is_first || self.begins_unit(&unit, is_stored) {
            self.index.units.push(unit);
            if is_stored {
                self.index.stored_first.push(index);
            }
            if is_first {
                self.index.checkpoints.push(Checkpoint { unit: index, window: None });
                self.last_window = unit.plain;
            } else if unit.plain - self.last_window >= WINDOW_INTERVAL
                // Another one can be kept in time.
                && unit.plain + 2 * WINDOW_INTERVAL >= self.uncut_until
                && let Some(windows) = &self.index.windows
            {
                let kept = windows.keep(self.window()).map_err(Failure::Windows)?;
                self.index.checkpoints.push(Checkpoint { unit: index, window: Some(kept) });
                self.last_window = unit.plain;
            }
        } else if is_stored && self.index.stored_inside.last() != Some(&(index - 1)) {
            self.index.stored_inside.push(index - 1);
        }
        Ok(())
    }

    fn begins_unit(&self, unit: &Unit, is_stored: bool) -> bool {
        let Some(current) = self.index.units.last() else { return true };
        let bits = unit.bit - current.bit;
        bits >= UNIT_BITS || unit.plain - current.plain >= UNIT_PLAIN || is_stored && bits >= BEFORE_STORED_BITS
    }

    /// The plain bytes before this place that later ones can refer to.
    fn window(&self) -> [&[u8]; 2] {
        let in_buffer = self.filled.min(WINDOW);
        let in_before = (WINDOW - in_buffer).min(self.before.len());
        [&self.before[self.before.len() - in_before..], &self.buffer[self.filled - in_buffer..self.filled]]
    }

    fn end_member(&mut self, unused_bits: u8) {
        if let (State::Blocks(blocks), Some(member)) = (&self.state, self.index.members.last_mut()) {
            member.last_block_bit = blocks.bit;
            member.end_bit = self.consumed * 8 - u64::from(unused_bits);
        }
        self.state = State::Trailer { bytes: [0; 8], known: 0 };
    }

    /// CRC-32 and length of the member's plain bytes (RFC 1952 section 2.3.1).
    fn expect_trailer(&mut self, bytes: [u8; 8]) -> Result<(), Damaged> {
        let whole = self.crc_so_far();
        let Some(start) = self.index.members.last().map(|member| self.index.units[member.first_unit]) else {
            return Err(Damaged::Deflate);
        };
        let length = self.index.plain_size - start.plain;
        let expected = (u64::from(checksum::behind(start.crc, whole, length)), length & 0xffff_ffff);
        let trailer = u64::from_le_bytes(bytes);
        if (trailer & 0xffff_ffff, trailer >> 32) == expected { Ok(()) } else { Err(Damaged::Checksum) }
    }

    /// The CRC-32 of all plain bytes up to here.
    fn crc_so_far(&mut self) -> u32 {
        self.crc.update(&self.buffer[self.hashed..self.filled]);
        self.hashed = self.filled;
        self.crc.clone().finalize()
    }

    /// Hands the plain bytes in the buffer on, and keeps those that later ones can refer to.
    fn hand_on(&mut self, sink: &mut dyn PlainSink) -> Result<(), Failure> {
        self.crc_so_far();
        let mut piece = std::mem::take(&mut self.buffer);
        piece.truncate(self.filled);
        let in_piece = piece.len().min(WINDOW);
        let from_before = (WINDOW - in_piece).min(self.before.len());
        self.before.drain(..self.before.len() - from_before);
        self.before.extend_from_slice(&piece[piece.len() - in_piece..]);
        self.buffer = sink.put(piece).map_err(Failure::Sink)?;
        self.uncut_until = sink.uncut_until();
        self.buffer.resize(PIECE, 0);
        (self.filled, self.hashed) = (0, 0);
        Ok(())
    }
}
