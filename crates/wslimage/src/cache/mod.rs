//! Blobs kept between pulls, by what they hash to.
//!
//! ```text
//! <cache>/blobs/<algorithm>/<hex>             whole and verified; the folders of an OCI image-layout
//! <cache>/partial/<algorithm>-<hex>.lock      held by the one process that works on the blob
//! <cache>/partial/<algorithm>-<hex>.<unique>  a blob in the making, locked by who writes it
//! ```
//!
//! Only a rename puts a blob under `blobs`, and every reading is verified again: disks lose bytes, and other programs may
//! write there. When a blob was used last is its modification time. Content that is named after its hash needs that time
//! for nothing else, and it is read, written and lost together with the blob, which a list of uses beside it would not be.

mod locked_file;
mod slot;
#[cfg(test)]
mod tests;

use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use oci_spec::image::Digest;

use crate::error::{Error, ErrorKind, Result};
use crate::in_use;
use crate::progress::Job;
use locked_file::LockedFile;
pub(crate) use slot::CacheSlot;

/// A folder of blobs that several processes may use at once.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

/// A blob in a [`Cache`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheEntry {
    digest: Digest,
    path: PathBuf,
    size: u64,
    last_used: SystemTime,
}

/// Which blobs [`Cache::remove`] removes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheFilter {
    /// Every blob.
    All,
    /// The blob of this digest.
    Digest(Digest),
    /// Blobs that nobody has used since this time.
    UnusedSince(SystemTime),
    /// Blobs that nobody has used for longest, until those that stay have this many bytes at the most.
    DownTo(u64),
}

/// What [`Cache::remove`] has removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemovedEntries {
    /// The number of blobs.
    pub count: usize,
    /// The bytes that they had, and those of what interrupted processes have left behind.
    pub bytes: u64,
}

impl Cache {
    /// The cache in `folder`, which need not exist: it is made when the first blob is kept.
    ///
    /// # Errors
    /// [`ErrorKind::File`] when there is something else of that name, or the current folder that a relative path starts
    /// from is unknown.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let absolute = std::path::absolute(folder).map_err(|error| failure("open", folder, error))?;
        match fs::metadata(&absolute) {
            Ok(metadata) if !metadata.is_dir() => {
                Err(failure("open", &absolute, io::ErrorKind::NotADirectory.into()).advice("Name a folder."))
            }
            _ => Ok(Self { folder: absolute }),
        }
    }

    /// The folder in which everything is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The blobs, those that were used last first.
    ///
    /// # Errors
    /// [`ErrorKind::File`] when a folder cannot be read. A cache that does not exist yet is empty.
    pub fn entries(&self) -> Result<Vec<CacheEntry>> {
        let mut entries = Vec::new();
        for algorithm in files_of(&self.blobs())? {
            let path = algorithm.path();
            if !path.is_dir() {
                continue;
            }
            let algorithm = algorithm.file_name();
            for blob in files_of(&path)? {
                let digest = format!("{}:{}", algorithm.to_string_lossy(), blob.file_name().to_string_lossy());
                // What is no digest was put there by somebody else.
                let Ok(digest) = digest.parse::<Digest>() else { continue };
                entries.extend(CacheEntry::read(digest, blob.path())?);
            }
        }
        // By digest where the file system's clock is too coarse to tell.
        entries.sort_by(|a, b| b.last_used.cmp(&a.last_used).then_with(|| a.digest.as_ref().cmp(b.digest.as_ref())));
        Ok(entries)
    }

    /// Removes blobs, and what interrupted processes have left behind. What is in use stays.
    ///
    /// # Errors
    /// [`ErrorKind::File`] when a folder cannot be read or a file cannot be removed. What was removed before is gone.
    pub fn remove(&self, filter: &CacheFilter) -> Result<RemovedEntries> {
        let mut removed = RemovedEntries { count: 0, bytes: self.remove_leftovers()? };
        let entries = self.entries()?;
        let mut kept: u64 = entries.iter().map(|entry| entry.size).sum();
        for entry in entries.iter().rev() {
            let is_chosen = |entry: &CacheEntry| match filter {
                CacheFilter::All => true,
                CacheFilter::Digest(digest) => *digest == entry.digest,
                CacheFilter::UnusedSince(time) => entry.last_used < *time,
                CacheFilter::DownTo(bytes) => kept > *bytes,
            };
            if !is_chosen(entry) {
                continue;
            }
            let Some(_lock) = LockedFile::try_lock(&self.lock_path(&entry.digest))? else { continue };
            // Another process may have used or removed it before the lock was had.
            let Some(entry) = CacheEntry::read(entry.digest.clone(), entry.path.clone())? else { continue };
            if is_chosen(&entry) && remove_file(&entry.path)? {
                removed.count += 1;
                removed.bytes += entry.size;
                kept = kept.saturating_sub(entry.size);
            }
        }
        Ok(removed)
    }

    /// Waits until no other process or task works on the blob of `digest`, and keeps them from it until the result is
    /// dropped. Who holds one and waits for another must take them in the order of their digests, else two can wait for
    /// each other.
    ///
    /// [`ErrorKind::File`] when the cache cannot be used, so that the job can go on without it.
    pub(crate) async fn lock(&self, digest: &Digest, job: &Job) -> Result<CacheSlot> {
        let path = self.lock_path(digest);
        let mut is_told = false;
        loop {
            if let Some(lock) = LockedFile::try_lock(&path)? {
                return CacheSlot::new(digest, self.blob_path(digest), self.partial(), lock, job);
            }
            if !is_told {
                job.verbose(format!("Waiting for another process that works on {digest}..."));
                is_told = true;
            }
            job.or_cancelled(tokio::time::sleep(locked_file::INTERVAL)).await?;
        }
    }

    /// Removes what a process that was killed had in the making, and returns how many bytes that were.
    fn remove_leftovers(&self) -> Result<u64> {
        let mut bytes = 0;
        for file in files_of(&self.partial())? {
            let Some(metadata) = metadata_of(&file.path())? else { continue };
            // Nobody who holds a lock on it writes it, so it can go; dropped, it is removed.
            if metadata.is_file() && LockedFile::try_lock_existing(&file.path())?.is_some() {
                bytes += metadata.len();
            }
        }
        Ok(bytes)
    }

    fn blobs(&self) -> PathBuf {
        self.folder.join("blobs")
    }

    fn partial(&self) -> PathBuf {
        self.folder.join("partial")
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(digest.algorithm().as_ref()).join(digest.digest())
    }

    fn lock_path(&self, digest: &Digest) -> PathBuf {
        self.partial().join(format!("{}.lock", digest.as_ref().replacen(':', "-", 1)))
    }
}

impl CacheEntry {
    /// `None` when there is no file of that name, or no longer.
    fn read(digest: Digest, path: PathBuf) -> Result<Option<Self>> {
        let Some(metadata) = metadata_of(&path)?.filter(Metadata::is_file) else { return Ok(None) };
        let last_used = metadata.modified().map_err(|error| failure("read", &path, error))?;
        Ok(Some(Self { digest, path, size: metadata.len(), last_used }))
    }

    /// What it hashes to, if nothing has damaged it.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Its length in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// When it was last put in or read by this library: the file's modification time.
    pub fn last_used(&self) -> SystemTime {
        self.last_used
    }
}

/// What is in `folder`; nothing when there is none.
fn files_of(folder: &Path) -> Result<Vec<DirEntry>> {
    let list = || fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>();
    match list() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        list => list.map_err(|error| failure("read", folder, error)),
    }
}

fn metadata_of(path: &Path) -> Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failure("read", path, error)),
    }
}

/// Whether there was a file to remove.
fn remove_file(path: &Path) -> Result<bool> {
    match in_use::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failure("remove", path, error)),
    }
}

/// What the disk said when `attempt` was made on `path`.
fn failure(attempt: &str, path: &Path, error: io::Error) -> Error {
    let failure = Error::new(ErrorKind::File, format!("Failed to {attempt} {} of the cache: {error}", path.display()))
        .target(path.display());
    let failure = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            failure.advice("Make room on the disk, or keep the cache on another.")
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            failure.advice("Keep the cache in a folder that this user may write to.")
        }
        _ => failure,
    };
    failure.caused_by(error)
}
