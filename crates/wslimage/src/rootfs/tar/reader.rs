//! The entries of a layer, whose plain bytes come piece by piece.

use super::block::{self, BLOCK, Block};
use super::description::Description;
use super::headers::{Headers, Step, fault};
use crate::error::Result;
use crate::rootfs::entry::Entry;

/// Reads the entries of a layer. The data of files are passed over.
#[derive(Debug)]
pub(crate) struct Reader {
    /// How many plain bytes are read.
    position: u64,
    /// How many of the next bytes are data, or an extension that is ignored.
    skipped: u64,
    /// Whose data they are.
    skipping: Vec<u8>,
    /// The beginning of a block whose rest is to come.
    partial: Vec<u8>,
    headers: Headers,
    zeros: u8,
    end: u64,
    is_archive: bool,
}

/// How an archive ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TarEnd {
    /// The plain offset at which the last entry ends; 0 without entries. The end-of-archive blocks begin here, or global
    /// pax headers that nothing follows.
    pub(crate) end: u64,
    /// Whether there was a header or an end-of-archive block at all: a layer of no bytes has neither.
    pub(crate) is_archive: bool,
}

impl Reader {
    /// A reader at the beginning of a layer.
    pub(crate) fn new() -> Self {
        Self {
            position: 0,
            skipped: 0,
            skipping: Vec::new(),
            partial: Vec::new(),
            headers: Headers::at(0),
            zeros: 0,
            end: 0,
            is_archive: false,
        }
    }

    /// Takes the next plain bytes, and calls `found` for each entry whose headers end in them. Nothing more can be read
    /// after an error, which is [`ErrorKind::UnsupportedImage`](crate::ErrorKind::UnsupportedImage) unless it is
    /// `found`'s.
    pub(crate) fn push(&mut self, plain: &[u8], found: &mut dyn FnMut(Entry) -> Result<()>) -> Result<()> {
        let mut rest = plain;
        while !rest.is_empty() && self.zeros < 2 {
            if self.skipped > 0 {
                let skipped = usize::try_from(self.skipped).unwrap_or(usize::MAX).min(rest.len());
                self.skipped -= skipped as u64;
                self.position += skipped as u64;
                rest = &rest[skipped..];
                continue;
            }
            if self.partial.is_empty()
                && let Some((block, behind)) = rest.split_first_chunk()
            {
                rest = behind;
                self.take(block, found)?;
                continue;
            }
            let (taken, behind) = rest.split_at(rest.len().min(BLOCK - self.partial.len()));
            self.partial.extend_from_slice(taken);
            rest = behind;
            if let Some(block) = self.partial.first_chunk().copied() {
                self.partial.clear();
                self.take(&block, found)?;
            }
        }
        Ok(())
    }

    /// Where the data end, in the plain bytes, in which it stands.
    pub(crate) fn skips_until(&self) -> u64 {
        self.position.saturating_add(self.skipped)
    }

    /// Says where the archive ended, when no bytes are to come.
    pub(crate) fn finish(self) -> Result<TarEnd> {
        let Self { position, end, is_archive, .. } = self;
        if self.zeros < 2 {
            if self.skipped > 0 {
                return Err(fault(position, &self.skipping, "the archive ends within its data"));
            }
            let cut = position + self.partial.len() as u64;
            if !self.headers.are_empty() {
                return Err(self.headers.cut(cut));
            }
            if !self.partial.is_empty() {
                return Err(fault(cut, b"", "the archive ends within a header"));
            }
        }
        Ok(TarEnd { end, is_archive })
    }

    fn take(&mut self, block: &Block, found: &mut dyn FnMut(Entry) -> Result<()>) -> Result<()> {
        let at = self.position;
        self.position += BLOCK as u64;
        if self.zeros == 1 && !block::is_zeros(block) {
            return Err(fault(at, b"", "one block of zeros is followed by something else"));
        }
        match self.headers.take(block)? {
            Step::More => {}
            Step::Zeros => {
                self.zeros += 1;
                self.headers = Headers::at(self.position);
            }
            Step::Global(size) => {
                self.skip(at, size, b"")?;
                self.headers = Headers::at(self.position + self.skipped);
            }
            Step::Entry(description) => {
                let start = self.headers.start;
                let data = self.position;
                let padded = block::padded(description.size).unwrap_or(u64::MAX);
                let end = self.skip(at, padded, &description.name)?;
                self.end = end;
                self.headers = Headers::at(end);
                self.is_archive = true;
                return found(entry(*description, start, data, end));
            }
        }
        self.is_archive = true;
        Ok(())
    }

    /// Passes over the next `size` bytes, and says where they end.
    fn skip(&mut self, at: u64, size: u64, name: &[u8]) -> Result<u64> {
        let end = self.position.checked_add(size).filter(|end| i64::try_from(*end).is_ok());
        let end = end.ok_or_else(|| fault(at, name, "its size is too large"))?;
        self.skipped = size;
        self.skipping.clear();
        self.skipping.extend_from_slice(name);
        Ok(end)
    }
}

fn entry(description: Description, start: u64, data: u64, end: u64) -> Entry {
    Entry {
        kind: description.kind,
        name: description.name,
        link: description.link,
        start,
        data,
        end,
        needs: description.needs,
        has_xattrs: !description.xattrs.is_empty(),
    }
}
