//! Work: plain bytes are read, headers are made, and all of it is compressed.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use super::steps::{Part, Work};
use super::{Format, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::rootfs::checksum;
use crate::rootfs::gzip::{self, Compressed, Copied, Cursor, End, compress};
use crate::rootfs::layer::{Content, LayerCursor, ZstdCursor};
use crate::rootfs::plan::HeaderChange;
use crate::rootfs::tar;

/// So many layers a worker keeps open.
const OPEN: usize = 4;

/// Work that is done.
pub(super) struct Done {
    pub(super) bytes: Bytes,
    /// What headers had that the new ones have not, and how often.
    pub(super) dropped: BTreeMap<String, u64>,
}

pub(super) enum Bytes {
    Plain(Vec<u8>),
    Compressed(Compressed),
}

/// Does one piece of work after another.
pub(super) struct Worker<'a> {
    sources: &'a [Source],
    format: Format,
    /// The last ones that were used, the latest at the end.
    cursors: Vec<(usize, LayerCursor)>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(sources: &'a [Source], format: Format) -> Self {
        Self { sources, format, cursors: Vec::new() }
    }

    pub(super) fn work(&mut self, work: Work) -> Result<Done> {
        let mut plain = Vec::new();
        if self.format == Format::TarGz
            && let Some((layer, range)) = work.before
        {
            self.read(layer, range, &mut plain)?;
        }
        let start = plain.len();
        let mut anew = Anew { parts: Vec::new(), from: start };
        let mut end_of_work = None;
        let mut dropped = BTreeMap::new();
        for part in work.parts {
            match part {
                Part::Bytes(bytes) => plain.extend_from_slice(&bytes),
                Part::Range { layer, range } => self.read(layer, range, &mut plain)?,
                Part::Beginning { layer, unit, end } => {
                    let copied = self.read_gzip(layer, |cursor| cursor.read_beginning(unit, end, &mut plain))?;
                    anew.copied(copied, &plain);
                }
                Part::Inside { layer, range } => {
                    let copied = self.read_gzip(layer, |cursor| cursor.read_inside(range, &mut plain))?;
                    anew.copied(copied, &plain);
                }
                Part::End { layer, start, end } => {
                    end_of_work = self.read_gzip(layer, |cursor| cursor.read_end(start, end, &mut plain))?;
                }
                Part::Header { layer, header, change } => {
                    let mut original = Vec::new();
                    self.read(layer, header, &mut original)?;
                    put_header(&original, &change, &mut plain, &mut dropped)?;
                }
                Part::Original { original, change } => put_header(&original, &change, &mut plain, &mut dropped)?,
            }
        }
        let bytes = match self.format {
            Format::TarGz => {
                anew.compress(plain.len(), &plain);
                let (mut crc, mut length) = (crc32fast::hash(&plain[start..]), (plain.len() - start) as u64);
                if let Some(End { bits, crc: of_end, length: more }) = end_of_work {
                    anew.parts.extend(bits.into_iter().map(gzip::Part::Bits));
                    (crc, length) = (checksum::joined(crc, of_end, more), length + more);
                }
                Bytes::Compressed(Compressed { parts: anew.parts, crc, length })
            }
            _ => Bytes::Plain(plain),
        };
        Ok(Done { bytes, dropped })
    }

    fn read(&mut self, layer: usize, range: Range<u64>, plain: &mut Vec<u8>) -> Result<()> {
        self.read_with(layer, |cursor| cursor.read(range, plain))
    }

    fn read_gzip<T>(&mut self, layer: usize, read: impl FnOnce(&mut Cursor) -> io::Result<T>) -> Result<T> {
        let no_blocks = || io::Error::other("it has no blocks");
        self.read_with(layer, |cursor| cursor.gzip().ok_or_else(no_blocks).and_then(read))
    }

    fn read_with<T>(&mut self, layer: usize, read: impl FnOnce(&mut LayerCursor) -> io::Result<T>) -> Result<T> {
        let read = || -> io::Result<T> {
            let known = self.cursors.iter().position(|(index, _)| *index == layer);
            let mut cursor = match known {
                Some(known) => self.cursors.remove(known),
                None => {
                    let source = &self.sources[layer];
                    let cursor = LayerCursor::open(&source.blob, &source.content)?;
                    (layer, cursor.ok_or_else(|| io::Error::other("it is read from its beginning only"))?)
                }
            };
            let read = read(&mut cursor.1);
            if self.cursors.len() == OPEN {
                self.cursors.remove(0);
            }
            self.cursors.push(cursor);
            read
        };
        read().map_err(|error| unreadable(layer, &self.sources[layer], error))
    }
}

/// What of the plain bytes is compressed anew, and what is copied in between.
struct Anew {
    parts: Vec<gzip::Part>,
    /// Up to here all is in the parts.
    from: usize,
}

impl Anew {
    fn copied(&mut self, copied: Option<Copied>, plain: &[u8]) {
        if let Some(Copied { bits, plain: range }) = copied {
            self.compress(range.start, plain);
            self.parts.extend(bits.into_iter().map(gzip::Part::Bits));
            self.from = range.end;
        }
    }

    fn compress(&mut self, end: usize, plain: &[u8]) {
        if self.from < end {
            self.parts.push(gzip::Part::Blocks(compress(&plain[..self.from], &plain[self.from..end])));
        }
    }
}

fn put_header(
    original: &[u8],
    change: &HeaderChange,
    plain: &mut Vec<u8>,
    dropped: &mut BTreeMap<String, u64>,
) -> Result<()> {
    let made = tar::header(original, change)?;
    plain.extend_from_slice(&made.bytes);
    for name in made.dropped {
        *dropped.entry(name).or_default() += 1;
    }
    Ok(())
}

/// Reads what only one after the other can be read, before the work is handed out.
pub(super) struct SequentialReader<'a> {
    sources: &'a [Source],
    cursor: Option<(usize, ZstdCursor)>,
}

impl<'a> SequentialReader<'a> {
    pub(super) fn new(sources: &'a [Source]) -> Self {
        Self { sources, cursor: None }
    }

    /// Puts bytes in the place of what a worker could not read.
    pub(super) fn resolve(&mut self, work: &mut Work) -> Result<()> {
        // Reading what stands before would mean to begin anew; a little is compressed a little less.
        work.before = work.before.take().filter(|(layer, _)| !self.is_sequential(*layer));
        for part in &mut work.parts {
            match part {
                Part::Range { layer, range } if self.is_sequential(*layer) => {
                    let (layer, range) = (*layer, range.clone());
                    *part = Part::Bytes(self.read(layer, range)?);
                }
                Part::Header { layer, header, change } if self.is_sequential(*layer) => {
                    let original = self.read(*layer, header.clone())?;
                    *part = Part::Original { original, change: change.clone() };
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn is_sequential(&self, layer: usize) -> bool {
        matches!(self.sources[layer].content, Content::Zstd)
    }

    fn read(&mut self, layer: usize, range: Range<u64>) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let source = &self.sources[layer];
        let read = || -> io::Result<()> {
            let cursor = match self.cursor.take() {
                Some((known, cursor)) if known == layer => cursor,
                _ => ZstdCursor::new(source.blob.open()?)?,
            };
            self.cursor.insert((layer, cursor)).1.read(range, &mut bytes)
        };
        read().map_err(|error| unreadable(layer, source, error))?;
        Ok(bytes)
    }
}

/// What was verified a moment ago cannot be read.
pub(super) fn unreadable(layer: usize, source: &Source, error: io::Error) -> Error {
    let path = source.blob.path.display();
    Error::new(ErrorKind::File, format!("Failed to read layer {} again from {path}: {error}", layer + 1))
        .target(path)
        .caused_by(error)
}
