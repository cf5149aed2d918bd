//! The place of one blob, for the one who has its lock.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use oci_spec::image::Digest;

use super::locked_file::LockedFile;
use super::{failure, remove_file};
use crate::digest::Hasher;
use crate::error::{Error, ErrorKind, Result};
use crate::progress::{Job, Notice};

const BUFFER_SIZE: usize = 1024 * 1024;
/// So much is copied between two looks at whether the job was cancelled.
const COPY_STEP: u64 = 16 * 1024 * 1024;

/// The place of one blob. Other processes and tasks that want it wait until this is dropped.
///
/// Nothing here waits for others, but all of it waits for the disk. What cannot be read is told as a warning and counts
/// as missing; what cannot be written is an [`ErrorKind::File`].
pub(crate) struct CacheSlot {
    digest: Digest,
    path: PathBuf,
    partial: PathBuf,
    job: Job,
    // Held, never read.
    _lock: LockedFile,
}

/// A blob of the cache, opened to be read. Its length is right; its bytes were not looked at.
pub(crate) struct CachedBlob {
    file: File,
    size: u64,
}

impl CacheSlot {
    pub(super) fn new(digest: &Digest, path: PathBuf, partial: PathBuf, lock: LockedFile, job: &Job) -> Result<Self> {
        // Bytes that cannot be verified are not kept.
        Hasher::for_digest(digest)?;
        Ok(Self { digest: digest.clone(), path, partial, job: job.clone(), _lock: lock })
    }

    /// The blob, marked as used now. `None` when it is not there. One that has not `size` bytes is removed.
    pub(crate) fn open(&self, size: u64) -> Option<CachedBlob> {
        let blob = self.open_any()?;
        if blob.size == size {
            return Some(blob);
        }
        self.discard(&format!("it has {} bytes instead of {size}", blob.size));
        None
    }

    /// The whole blob if it has no more than `limit` bytes. A damaged one is removed.
    pub(crate) fn read_verified(&self, limit: u64) -> Option<Bytes> {
        let blob = self.open_any().filter(|blob| blob.size <= limit)?;
        let mut bytes = Vec::new();
        if let Err(error) = (&blob.file).take(limit).read_to_end(&mut bytes) {
            self.discard(&error.to_string());
            return None;
        }
        if crate::digest::verify(&bytes, &self.digest).is_err() {
            self.discard("it does not match its digest");
            return None;
        }
        Some(bytes.into())
    }

    /// Hands the blob of `size` bytes to `write`, piece by piece, and says whether it was there and whole. When it was
    /// not, what was handed on before must be thrown away; it is removed. Fails only as `write` does, or when the job is
    /// cancelled.
    pub(crate) fn copy_verified(&self, size: u64, write: impl FnMut(&[u8]) -> Result<()>) -> Result<bool> {
        let Some(blob) = self.open(size) else { return Ok(false) };
        match self.hash(&blob.file, write)? {
            Ok(hash) if hash == self.digest.digest() => return Ok(true),
            Ok(_) => self.discard("it does not match its digest"),
            Err(error) => self.discard(&error.to_string()),
        }
        Ok(false)
    }

    /// Keeps a copy of the file at `source`, if it hashes to the digest.
    pub(crate) fn insert_file(&self, source: &Path) -> Result<()> {
        let mut source_file = File::open(source).map_err(|error| failure("read what is to be part", source, error))?;
        let copy = self.create_partial()?;
        let not_written = |error| failure("write", copy.path(), error);
        // The buffer is only for systems that cannot copy, or share blocks, inside the kernel.
        let mut writer = BufWriter::with_capacity(BUFFER_SIZE, copy.file());
        while io::copy(&mut (&mut source_file).take(COPY_STEP), &mut writer).map_err(not_written)? > 0 {
            self.job.expect_not_cancelled()?;
        }
        writer.flush().map_err(not_written)?;
        drop(writer);
        copy.file().rewind().map_err(not_written)?;
        // What lies on the disk is verified, not what was read for it.
        let hash = self.hash(copy.file(), |_| Ok(()))?.map_err(|error| failure("read", copy.path(), error))?;
        if hash != self.digest.digest() {
            return Err(Error::new(
                ErrorKind::DigestMismatch,
                format!(
                    "{} is not kept in the cache: it does not match its digest. Expected: {}, Actual: {hash}",
                    source.display(),
                    self.digest.digest()
                ),
            )
            .target(source.display()));
        }
        copy.publish(&self.path)
    }

    /// Keeps `bytes`, if they hash to the digest.
    pub(crate) fn insert_bytes(&self, bytes: &[u8]) -> Result<()> {
        crate::digest::verify(bytes, &self.digest)?;
        let copy = self.create_partial()?;
        copy.file().write_all(bytes).map_err(|error| failure("write", copy.path(), error))?;
        copy.publish(&self.path)
    }

    /// The blob, whatever its length.
    fn open_any(&self) -> Option<CachedBlob> {
        // Windows sets times only through a handle that may write; a read-only file is read all the same.
        let open = || OpenOptions::new().read(true).write(true).open(&self.path).or_else(|_| File::open(&self.path));
        let read = || -> io::Result<CachedBlob> {
            let file = open()?;
            let metadata = file.metadata()?;
            if !metadata.is_file() {
                return Err(io::Error::other("it is no file"));
            }
            Ok(CachedBlob { file, size: metadata.len() })
        };
        match read() {
            Ok(blob) => {
                // Another user's file keeps its time: it may be removed sooner, nothing else.
                let _ = blob.file.set_modified(SystemTime::now());
                Some(blob)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                self.warn(&format!("cannot be read and is fetched again: {error}"));
                None
            }
        }
    }

    /// Reads `file` to its end and returns its hash, or why it cannot be read. Fails as `each` does, and when the job is
    /// cancelled.
    fn hash(&self, mut file: &File, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<io::Result<String>> {
        let mut hasher = Hasher::for_digest(&self.digest)?;
        let mut buffer = vec![0; BUFFER_SIZE];
        loop {
            self.job.expect_not_cancelled()?;
            let piece = match file.read(&mut buffer) {
                Ok(0) => return Ok(Ok(hasher.finish())),
                Ok(length) => &buffer[..length],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Ok(Err(error)),
            };
            hasher.update(piece);
            each(piece)?;
        }
    }

    fn create_partial(&self) -> Result<LockedFile> {
        static UNIQUE: AtomicU64 = AtomicU64::new(0);
        let name = self.digest.as_ref().replacen(':', "-", 1);
        loop {
            let unique = format!("{name}.{}-{}", std::process::id(), UNIQUE.fetch_add(1, Ordering::Relaxed));
            // Not one that a process of this number has left behind, or that is about to be cleared away.
            if let Some(file) = LockedFile::create_new(&self.partial.join(unique))? {
                return Ok(file);
            }
        }
    }

    fn discard(&self, reason: &str) {
        self.warn(&format!("is damaged and is fetched again: {reason}"));
        if let Err(error) = remove_file(&self.path) {
            self.job.verbose(error.to_string());
        }
    }

    fn warn(&self, what: &str) {
        let line = format!("The blob {} of the cache {what}.", self.path.display());
        self.job.observer().notice(Notice::Warning(line));
    }
}
