//! The one pass over a layer's bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Content;
use super::decompress::Decompressor;
use crate::error::{Error, ErrorKind, Result};
use crate::pipe::{Pieces, Pipe};
use crate::progress::Job;
use crate::rootfs::gzip::{PlainSink, Windows};
use crate::rootfs::layer_entries::LayerEntries;
use crate::rootfs::tar;

const INPUT: usize = 256 * 1024;

/// A layer that was read.
#[derive(Clone)]
pub(crate) struct Layer {
    pub(crate) content: Content,
    /// What its archive has; `None` when its plain bytes are no tar archive.
    pub(crate) archive: Option<LayerArchive>,
    /// The SHA-256 of its plain bytes (OCI image-spec, config.md, "Layer DiffID"), in hexadecimal digits.
    pub(crate) diff_id: String,
    /// The length of its plain bytes.
    pub(crate) plain_size: u64,
}

/// The archive of a layer.
#[derive(Clone)]
pub(crate) struct LayerArchive {
    pub(crate) entries: LayerEntries,
    /// Where the last entry ends in the plain bytes.
    pub(crate) end: u64,
}

/// How many plain bytes all layers of an image may still have.
#[derive(Clone, Debug)]
pub(crate) struct PlainBudget {
    left: Arc<AtomicU64>,
    limit: u64,
}

impl PlainBudget {
    pub(crate) fn new(limit: u64) -> Self {
        Self { left: Arc::new(AtomicU64::new(limit)), limit }
    }

    pub(crate) fn take(&self, count: u64) -> Result<()> {
        let take = |left: u64| left.checked_sub(count);
        match self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::new(
                ErrorKind::UnsupportedImage,
                format!(
                    "the layers have more than {} bytes when they are decompressed, which is the limit",
                    self.limit
                ),
            )
            .advice("Raise the limit if the image is to be trusted.")),
        }
    }

    /// Fails where `count` bytes are more than are left, and takes none.
    pub(crate) fn expect(&self, count: u64) -> Result<()> {
        self.take(count).map(|()| self.give_back(count))
    }

    /// Takes back what a pass has taken that begins anew.
    fn give_back(&self, count: u64) {
        self.left.fetch_add(count, Ordering::Relaxed);
    }
}

/// Reads a layer, of which `next` fills a buffer and says how far, 0 at the end. For a thread that may block, in a
/// runtime: the plain bytes are hashed on a second one. Ranges of a gzip layer can be read later only if there are
/// `windows`.
pub(crate) fn read(
    next: &mut dyn FnMut(&mut [u8]) -> Result<usize>,
    windows: Option<&Arc<Windows>>,
    budget: &PlainBudget,
    job: &Job,
) -> Result<Layer> {
    let mut outlet = Outlet {
        archive: Ok(tar::Reader::new()),
        beginning: Vec::new(),
        entries: LayerEntries::default(),
        hashing: Pipe::start(Pieces::sha256),
        budget,
        plain_size: 0,
    };
    let decompressed = decompress(next, windows, &mut outlet, job);
    let is_meant = outlet.is_meant();
    let Outlet { archive, entries, hashing, plain_size, .. } = outlet;
    let hash = hashing.finish();
    let read = || {
        let content = decompressed?;
        let archive = match archive.and_then(tar::Reader::finish) {
            Ok(end) => Some(LayerArchive { entries, end: end.end }),
            // What is not even compressed may be something else altogether.
            Err(_) if !is_meant && matches!(content, Content::Plain) => None,
            Err(error) => return Err(error),
        };
        Ok(Layer { content, archive, diff_id: hash?, plain_size })
    };
    read().inspect_err(|_| budget.give_back(plain_size))
}

/// Where plain bytes go.
struct Outlet<'a> {
    /// The failure of what is not even meant to be an archive.
    archive: Result<tar::Reader>,
    beginning: Vec<u8>,
    entries: LayerEntries,
    hashing: Pipe<String>,
    budget: &'a PlainBudget,
    plain_size: u64,
}

impl Outlet<'_> {
    /// Whether the plain bytes are meant to be an archive, be it a damaged one.
    fn is_meant(&self) -> bool {
        self.entries.len() > 0 || tar::is_meant(&self.beginning)
    }
}

impl PlainSink for Outlet<'_> {
    fn put(&mut self, piece: Vec<u8>) -> Result<Vec<u8>> {
        self.budget.take(piece.len() as u64)?;
        self.plain_size += piece.len() as u64;
        self.beginning.extend(piece.iter().take(tar::TELLING - self.beginning.len()));
        if let Ok(archive) = &mut self.archive {
            let entries = &mut self.entries;
            let read = archive.push(&piece, &mut |entry| {
                entries.push(&entry);
                expect_bounded(entries)
            });
            match read {
                Err(error) if !self.is_meant() => self.archive = Err(error),
                read => read?,
            }
        }
        self.hashing.put(piece)
    }

    fn uncut_until(&self) -> u64 {
        self.archive.as_ref().map_or(0, tar::Reader::skips_until)
    }
}

fn decompress(
    next: &mut dyn FnMut(&mut [u8]) -> Result<usize>,
    windows: Option<&Arc<Windows>>,
    outlet: &mut Outlet<'_>,
    job: &Job,
) -> Result<Content> {
    let mut decompressor = Decompressor::new(windows.cloned());
    let mut input = vec![0; INPUT];
    loop {
        if job.is_cancelled() {
            return Err(Error::cancelled());
        }
        match next(&mut input)? {
            0 => return decompressor.finish(outlet),
            count => decompressor.push(&input[..count], outlet)?,
        }
    }
}

/// A small file of long names, all alike, is a long list.
fn expect_bounded(entries: &LayerEntries) -> Result<()> {
    const MOST: usize = 512 * 1024 * 1024;
    if entries.bytes() <= MOST {
        return Ok(());
    }
    Err(Error::new(ErrorKind::UnsupportedImage, "its names take more memory than those of any root filesystem"))
}
