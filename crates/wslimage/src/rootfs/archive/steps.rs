//! What has to be done, in order, for the archive that is planned.

use std::ops::Range;

use super::{Format, Source};
use crate::rootfs::gzip::{Cut, cut};
use crate::rootfs::layer::Content;
use crate::rootfs::plan::{HeaderChange, Piece};
use crate::rootfs::tar;

/// Work is cut into parts of so many plain bytes, whatever the machine, so that the same image gives the same bytes.
const WORK: u64 = 512 * 1024;
/// How far back what is compressed anew may refer.
const WINDOW: u64 = 32 * 1024;
/// A part of a block is looked at as a whole, so that a longer one is compressed anew, piece by piece: zlib's blocks are
/// shorter.
const LONGEST_PART: u64 = 8 * WORK;
/// About as long as a header is.
const HEADER: u64 = 1024;

/// The next thing to do.
pub(super) enum Step {
    /// Blocks that are copied.
    Copy { layer: usize, cut: Cut },
    /// Plain bytes.
    Work(Work),
}

/// Plain bytes that belong together.
#[derive(Default)]
pub(super) struct Work {
    /// The plain bytes of a layer that stand right before them.
    pub(super) before: Option<(usize, Range<u64>)>,
    pub(super) parts: Vec<Part>,
    /// About how many there are, in bytes.
    pub(super) length: u64,
}

pub(super) enum Part {
    Bytes(Vec<u8>),
    Range {
        layer: usize,
        range: Range<u64>,
    },
    /// What is left of a gzip layer from the beginning of a unit of blocks to `end`: the first part of its work.
    Beginning {
        layer: usize,
        unit: usize,
        end: u64,
    },
    /// Plain bytes of a gzip layer in which there is no whole unit of blocks.
    Inside {
        layer: usize,
        range: Range<u64>,
    },
    /// What is left of a gzip layer from `start` to the beginning of the unit `end`: the last part of its work.
    End {
        layer: usize,
        start: u64,
        end: usize,
    },
    Header {
        layer: usize,
        header: Range<u64>,
        change: HeaderChange,
    },
    /// As a header, whose original is read already.
    Original {
        original: Vec<u8>,
        change: HeaderChange,
    },
}

/// Makes steps of pieces.
pub(super) struct Stepper<'a> {
    sources: &'a [Source],
    format: Format,
    work: Work,
}

impl<'a> Stepper<'a> {
    pub(super) fn new(sources: &'a [Source], format: Format) -> Self {
        Self { sources, format, work: Work::default() }
    }

    /// The steps for the next piece, of which some may come later.
    pub(super) fn piece<E>(&mut self, piece: Piece, each: &mut impl FnMut(Step) -> Result<(), E>) -> Result<(), E> {
        match piece {
            Piece::Copy { layer, range } => self.copy(layer, range, each),
            Piece::Header { layer, header, change } => {
                let length = HEADER + (header.end - header.start);
                self.add(Part::Header { layer, header, change }, length);
                self.end_full_work(each)
            }
            Piece::Folder { name } => {
                self.add(Part::Bytes(tar::folder(&name)), HEADER);
                self.end_full_work(each)
            }
        }
    }

    /// The last steps: what is left, and the end of the archive.
    pub(super) fn finish<E>(mut self, each: &mut impl FnMut(Step) -> Result<(), E>) -> Result<(), E> {
        self.add(Part::Bytes(tar::END.to_vec()), HEADER);
        self.end_work(each)
    }

    fn copy<E>(
        &mut self,
        layer: usize,
        range: Range<u64>,
        each: &mut impl FnMut(Step) -> Result<(), E>,
    ) -> Result<(), E> {
        let index = match &self.sources[layer].content {
            Content::Gzip(index) if self.format == Format::TarGz => index,
            _ => return self.read(layer, range, each),
        };
        let Some(cut) = cut(index, &range) else {
            let length = range.end - range.start;
            if !(WINDOW..LONGEST_PART).contains(&length) {
                return self.read(layer, range, each);
            }
            self.add(Part::Inside { layer, range }, length);
            return self.end_full_work(each);
        };
        let (before, behind) = (range.start..cut.plain.start, cut.plain.end..range.end);
        if before.end - before.start >= LONGEST_PART {
            self.read(layer, before, each)?;
        } else if !before.is_empty() {
            self.add(Part::End { layer, start: before.start, end: cut.units.start }, WINDOW);
        }
        self.end_work(each)?;
        let (copied, unit) = (cut.plain.clone(), cut.units.end);
        each(Step::Copy { layer, cut })?;
        self.work.before = Some((layer, tail(&copied)));
        if behind.end - behind.start >= LONGEST_PART {
            return self.read(layer, behind, each);
        }
        if !behind.is_empty() {
            let length = behind.end - behind.start;
            self.add(Part::Beginning { layer, unit, end: behind.end }, length);
        }
        Ok(())
    }

    fn read<E>(
        &mut self,
        layer: usize,
        mut range: Range<u64>,
        each: &mut impl FnMut(Step) -> Result<(), E>,
    ) -> Result<(), E> {
        while !range.is_empty() {
            let count = (range.end - range.start).min(WORK.saturating_sub(self.work.length).max(1));
            let part = range.start..range.start + count;
            range.start = part.end;
            self.add(Part::Range { layer, range: part }, count);
            self.end_full_work(each)?;
        }
        Ok(())
    }

    fn add(&mut self, part: Part, length: u64) {
        self.work.parts.push(part);
        self.work.length += length;
    }

    fn end_full_work<E>(&mut self, each: &mut impl FnMut(Step) -> Result<(), E>) -> Result<(), E> {
        if self.work.length >= WORK { self.end_work(each) } else { Ok(()) }
    }

    fn end_work<E>(&mut self, each: &mut impl FnMut(Step) -> Result<(), E>) -> Result<(), E> {
        if self.work.parts.is_empty() {
            return Ok(());
        }
        let before = match self.work.parts.last() {
            Some(Part::Range { layer, range } | Part::Inside { layer, range }) => Some((*layer, tail(range))),
            _ => None,
        };
        let work = std::mem::replace(&mut self.work, Work { before, ..Work::default() });
        each(Step::Work(work))
    }
}

fn tail(range: &Range<u64>) -> Range<u64> {
    range.start.max(range.end.saturating_sub(WINDOW))..range.end
}
