//! A tar archive of files by name, which may be compressed as a whole.
//!
//! Nothing of it is unpacked under a name of its own: names are looked up among those that the documents in it name, and
//! links are followed among them.

use std::cell::Cell;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bytes::Bytes;
use tar::EntryType;

use super::beginning::{BEGINNING, foreign};
use super::outer::Outer;
use crate::digest::Hasher;
use crate::error::{Error, ErrorKind, Result, printable};
use crate::progress::Job;
use crate::registry::LARGEST_CONFIG;
use crate::rootfs::{Blob, Compression};

/// The unit of tar: headers and files are filled up to it.
const BLOCK: u64 = 512;
/// Long names and extended attributes of one file.
const LARGEST_HEADERS: u64 = 1024 * 1024;
/// More than all images of a machine have blobs.
const MOST_ENTRIES: usize = 100_000;
/// What is kept of a compressed archive, so that its documents can be read without going through all of it again.
const MOST_KEPT: usize = 64 * 1024 * 1024;
/// A chain of links is as long as the layers that share a file.
const MOST_LINKS: usize = 100;
/// Folders at the top of a root filesystem, of which no saved image has any.
const OF_A_ROOT: [&str; 6] = ["bin", "dev", "etc", "lib", "usr", "var"];

/// The archive, by the names in it.
pub(super) struct Archive {
    path: PathBuf,
    compression: Compression,
    entries: HashMap<String, Entry>,
    /// By their offsets.
    kept: HashMap<u64, Bytes>,
    /// How often it was gone through.
    #[cfg(test)]
    pub(super) passes: std::sync::atomic::AtomicUsize,
}

enum Entry {
    File(Stored),
    /// To the clean name; `None` where that is outside the archive.
    Link(Option<String>),
}

/// A file in the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    /// Where its bytes begin in the plain archive.
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) beginning: [u8; BEGINNING],
}

impl Archive {
    /// Reads all headers of the archive `path`, which is open as `file`.
    pub(super) fn open(path: &Path, mut file: File, job: &Job) -> Result<Self> {
        let mut beginning = Vec::new();
        let length = file
            .by_ref()
            .take(BEGINNING as u64)
            .read_to_end(&mut beginning)
            .and_then(|_| file.metadata())
            .map_err(unreadable)?
            .len();
        if let Some(form) = foreign(&beginning) {
            return Err(Error::new(
                ErrorKind::UnsupportedImage,
                format!("it is compressed with {form}; archives may be plain, or compressed with gzip or zstd"),
            )
            .advice("Decompress it first."));
        }
        let compression = Compression::of(&beginning);
        let mut archive = Self {
            path: path.to_owned(),
            compression,
            entries: HashMap::new(),
            kept: HashMap::new(),
            #[cfg(test)]
            passes: Default::default(),
        };
        let (mut kept, mut entries, mut count) = (HashMap::new(), HashMap::new(), 0);
        let mut kept_bytes = 0;
        archive.walk(job, |entry| {
            let name = clean(&entry.path_bytes());
            if name.as_deref().is_some_and(is_of_a_root) {
                return Err(of_a_root());
            }
            count += 1;
            if count > MOST_ENTRIES {
                return Err(invalid(format!("it has more than {MOST_ENTRIES} entries")));
            }
            let Some(name) = name else { return Ok(true) };
            let target = entry.link_name_bytes().map(|target| target.into_owned()).unwrap_or_default();
            let found = match entry.header().entry_type() {
                EntryType::Regular | EntryType::Continuous => {
                    let (stored, document) = stored(entry, compression != Compression::None, MOST_KEPT - kept_bytes)?;
                    let end =
                        stored.offset.checked_add(stored.length).and_then(|end| end.checked_next_multiple_of(BLOCK));
                    if compression == Compression::None && end.is_none_or(|end| end > length) {
                        return Err(invalid(format!("it is cut short: {} ends after it does", printable(&name))));
                    }
                    if let Some(document) = document {
                        kept_bytes += document.len();
                        kept.insert(stored.offset, document);
                    }
                    Entry::File(stored)
                }
                EntryType::Link => Entry::Link(clean(&target)),
                EntryType::Symlink => Entry::Link(beside(&name, &target)),
                _ => return Ok(true),
            };
            // Of several with one name the last counts, as when they are unpacked.
            entries.insert(name, found);
            Ok(true)
        })?;
        (archive.entries, archive.kept) = (entries, kept);
        Ok(archive)
    }

    pub(super) fn is_compressed(&self) -> bool {
        self.compression != Compression::None
    }

    /// Whether it has nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The file `name`, behind its links.
    pub(super) fn file(&self, name: &str) -> Option<Stored> {
        let mut name = clean(name.as_bytes())?;
        for _ in 0..MOST_LINKS {
            match self.entries.get(&name)? {
                Entry::File(stored) => return Some(*stored),
                Entry::Link(target) => name = target.clone()?,
            }
        }
        None
    }

    /// The bytes of a file, which the caller knows to be small.
    pub(super) fn read(&self, stored: Stored, job: &Job) -> Result<Bytes> {
        if let Some(kept) = self.kept.get(&stored.offset) {
            return Ok(kept.clone());
        }
        let mut bytes = Vec::new();
        self.with(&[stored], job, |_, data| {
            data.read_to_end(&mut bytes).map_err(unreadable)?;
            Ok(())
        })?;
        Ok(bytes.into())
    }

    /// The SHA-256 of each of `files`, by its offset.
    pub(super) fn hashes(&self, files: &[Stored], job: &Job) -> Result<HashMap<u64, String>> {
        let mut hashes = HashMap::new();
        let mut buffer = vec![0; 1 << 17];
        self.with(files, job, |stored, data| {
            let mut hasher = Hasher::sha256();
            loop {
                match data.read(&mut buffer).map_err(unreadable)? {
                    0 => break,
                    read => hasher.update(&buffer[..read]),
                }
                job.expect_not_cancelled()?;
            }
            hashes.insert(stored.offset, hasher.finish());
            Ok(())
        })?;
        Ok(hashes)
    }

    /// Where the bytes of `files` are on the disk. What is compressed is written into `spool` first, in one pass.
    pub(super) fn blobs(&self, files: &[Stored], spool: &Path, job: &Job) -> Result<Vec<Blob>> {
        if self.compression == Compression::None {
            let of = |stored: &Stored| Blob { path: self.path.clone(), offset: stored.offset, length: stored.length };
            return Ok(files.iter().map(of).collect());
        }
        // An image may have a layer twice.
        let name_of = |stored: &Stored| spool.join(format!("blob-{}", stored.offset));
        self.with(files, job, |stored, data| {
            let path = name_of(&stored);
            let failed = |error: io::Error| {
                Error::new(ErrorKind::File, format!("Failed to write {}: {error}", path.display()))
                    .target(path.display())
                    .caused_by(error)
            };
            let mut file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(failed)?;
            let mut source = Marked { data, failure: None };
            match io::copy(&mut source, &mut file) {
                Ok(_) => Ok(()),
                Err(error) => Err(match source.failure {
                    Some(failure) => unreadable(failure),
                    None => failed(error),
                }),
            }
        })?;
        Ok(files.iter().map(|stored| Blob { path: name_of(stored), offset: 0, length: stored.length }).collect())
    }

    /// Calls `take` with each of `files` once: of a compressed archive in its order, in one pass.
    fn with(
        &self,
        files: &[Stored],
        job: &Job,
        mut take: impl FnMut(Stored, &mut dyn Read) -> Result<()>,
    ) -> Result<()> {
        let mut wanted: HashMap<u64, Stored> = files.iter().map(|stored| (stored.offset, *stored)).collect();
        if self.compression == Compression::None {
            let mut file = File::open(&self.path).map_err(unreadable)?;
            for stored in wanted.into_values() {
                file.seek(SeekFrom::Start(stored.offset)).map_err(unreadable)?;
                take(stored, &mut Whole { data: &mut file, left: stored.length })?;
            }
            return Ok(());
        }
        if wanted.is_empty() {
            return Ok(());
        }
        self.walk(job, |entry| {
            if let Some(stored) = wanted.remove(&entry.raw_file_position()) {
                if entry.size() != stored.length {
                    return Err(changed());
                }
                take(stored, &mut Whole { data: entry, left: stored.length })?;
            }
            Ok(!wanted.is_empty())
        })?;
        if wanted.is_empty() { Ok(()) } else { Err(changed()) }
    }

    /// Visits the entries in their order, until `visit` has had enough.
    fn walk(&self, job: &Job, mut visit: impl FnMut(&mut tar::Entry<'_, Outer>) -> Result<bool>) -> Result<()> {
        #[cfg(test)]
        self.passes.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let allowance = Rc::new(Cell::new(u64::MAX));
        let told = |error: io::Error| cancelled_or(unreadable(error), job);
        let outer = File::open(&self.path)
            .and_then(|file| Outer::new(file, self.compression, allowance.clone(), job))
            .map_err(told)?;
        let mut archive = tar::Archive::new(outer);
        let mut entries = archive.entries_with_seek().map_err(told)?;
        loop {
            allowance.set(LARGEST_HEADERS);
            let Some(entry) = entries.next() else { return Ok(()) };
            let mut entry = entry.map_err(told)?;
            allowance.set(u64::MAX);
            if !visit(&mut entry).map_err(|error| cancelled_or(error, job))? {
                return Ok(());
            }
        }
    }
}

/// Where a file is, and its bytes where it is a document that is worth keeping.
fn stored(entry: &mut tar::Entry<'_, Outer>, keeps: bool, room: usize) -> Result<(Stored, Option<Bytes>)> {
    let (offset, length) = (entry.raw_file_position(), entry.size());
    let mut bytes = Vec::new();
    entry.by_ref().take(BEGINNING as u64).read_to_end(&mut bytes).map_err(unreadable)?;
    let mut beginning = [0; BEGINNING];
    beginning[..bytes.len()].copy_from_slice(&bytes);
    let is_document = matches!(bytes.first(), Some(b'{' | b'[')) && length <= LARGEST_CONFIG.min(room) as u64;
    let document = if keeps && is_document {
        entry.read_to_end(&mut bytes).map_err(unreadable)?;
        Some(bytes.into())
    } else {
        None
    };
    Ok((Stored { offset, length, beginning }, document))
}

/// All of a file, or an error where it ends too soon.
struct Whole<'a> {
    data: &'a mut dyn Read,
    left: u64,
}

impl Read for Whole<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.data.read(&mut into[..most])?;
        if read == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        Ok(read)
    }
}

/// Remembers that it was the reading that failed.
struct Marked<'a> {
    data: &'a mut dyn Read,
    failure: Option<io::Error>,
}

impl Read for Marked<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.data.read(into).map_err(|error| {
            let told = io::Error::from(error.kind());
            self.failure = Some(error);
            told
        })
    }
}

/// `name` without what does not count in it; `None` where it leads out of the archive or is no text.
fn clean(name: &[u8]) -> Option<String> {
    beside("", name.strip_prefix(b"/").unwrap_or(name))
}

/// The clean name of what `target` means in a link at `name`.
fn beside(name: &str, target: &[u8]) -> Option<String> {
    let target = std::str::from_utf8(target).ok()?;
    let mut parts: Vec<&str> = match (target.starts_with('/'), name.rsplit_once('/')) {
        (true, _) => return None,
        (false, Some((folder, _))) => folder.split('/').collect(),
        (false, None) => Vec::new(),
    };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn is_of_a_root(name: &str) -> bool {
    name.split('/').next().is_some_and(|first| OF_A_ROOT.contains(&first))
}

fn of_a_root() -> Error {
    Error::new(ErrorKind::UnsupportedImage, "it is the archive of a root filesystem, and no image")
        .advice("`wsl --import` takes it as it is.")
}

fn unreadable(error: io::Error) -> Error {
    let reason = match error.kind() {
        io::ErrorKind::UnexpectedEof => "it is cut short".to_owned(),
        _ => format!("it cannot be read as an archive: {}", printable(&error.to_string())),
    };
    invalid(reason).caused_by(error)
}

fn invalid(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidResponse, reason)
}

fn changed() -> Error {
    invalid("it is not what it was a moment ago").advice("Try again when nobody writes to it any more.")
}

/// A reader that is told to stop fails.
fn cancelled_or(error: Error, job: &Job) -> Error {
    if job.is_cancelled() { Error::cancelled() } else { error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_the_archive() {
        for (name, expected) in [
            ("a/b", Some("a/b")),
            ("./a//b/", Some("a/b")),
            ("/a/b", Some("a/b")),
            ("a/../b", Some("b")),
            ("../a", None),
            ("a/../../b", None),
            ("/../a", None),
            ("", Some("")),
        ] {
            assert_eq!(clean(name.as_bytes()).as_deref(), expected, "{name}");
        }
        assert_eq!(clean(b"a/\xff"), None);
        for (name, target, expected) in [
            ("a/layer.tar", "../b/layer.tar", Some("b/layer.tar")),
            ("a/layer.tar", "../b.tar", Some("b.tar")),
            ("a", "b", Some("b")),
            ("a/b", "c", Some("a/c")),
            ("a", "../b", None),
            ("a", "/etc/passwd", None),
        ] {
            assert_eq!(beside(name, target.as_bytes()).as_deref(), expected, "{name} -> {target}");
        }
    }
}
