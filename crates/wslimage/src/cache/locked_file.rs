//! Files that one process has for itself, and that are gone when it is done with them.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::failure;
use crate::error::Result;
use crate::file_identity::is_at;
use crate::in_use::replace;

/// How often a lock that another process holds is tried again.
pub(super) const INTERVAL: Duration = Duration::from_millis(50);
/// So often a folder is made again that somebody removes at once.
const ATTEMPTS: usize = 10;

/// A file under an exclusive lock. Dropped, it is removed, unless it was given another name.
#[derive(Debug)]
pub(super) struct LockedFile {
    file: File,
    path: PathBuf,
    is_kept: bool,
}

impl LockedFile {
    /// Locks the file at `path`, which is made where it is missing, its folder too. `None` while somebody else holds it.
    pub(super) fn try_lock(path: &Path) -> Result<Option<Self>> {
        Self::acquire(path, OpenOptions::new().read(true).write(true).create(true).truncate(false))
    }

    /// Locks the file at `path`. `None` when there is none, and while somebody else holds it.
    pub(super) fn try_lock_existing(path: &Path) -> Result<Option<Self>> {
        match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => match Self::lock(file, path)? {
                Locked::Here(file) => Ok(Some(file)),
                Locked::Elsewhere | Locked::Gone => Ok(None),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failure("open", path, error)),
        }
    }

    /// Makes and locks a file, its folder too. `None` when there is one, or somebody else was quicker to lock it.
    pub(super) fn create_new(path: &Path) -> Result<Option<Self>> {
        Self::acquire(path, OpenOptions::new().read(true).write(true).create_new(true))
    }

    fn acquire(path: &Path, options: &OpenOptions) -> Result<Option<Self>> {
        for attempt in 1..=ATTEMPTS {
            let file = match options.open(path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::NotFound && attempt < ATTEMPTS => {
                    make_folder_of(path)?;
                    continue;
                }
                Err(error) => return Err(failure("open", path, error)),
            };
            match Self::lock(file, path)? {
                Locked::Here(file) => return Ok(Some(file)),
                Locked::Elsewhere => return Ok(None),
                Locked::Gone => {}
            }
        }
        Ok(None)
    }

    fn lock(file: File, path: &Path) -> Result<Locked> {
        match file.try_lock() {
            // Who had it before may have removed it between the opening and the lock.
            Ok(()) if is_at(&file, path) => Ok(Locked::Here(Self { file, path: path.to_owned(), is_kept: false })),
            Ok(()) => Ok(Locked::Gone),
            Err(TryLockError::WouldBlock) => Ok(Locked::Elsewhere),
            Err(TryLockError::Error(error)) => Err(failure("lock", path, error)),
        }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Flushes the file and gives it the name `path`, in the place of what was there.
    pub(super) fn publish(mut self, path: &Path) -> Result<()> {
        self.file.sync_all().map_err(|error| failure("write", &self.path, error))?;
        make_folder_of(path)?;
        replace(&self.path, path).map_err(|error| failure("write", path, error))?;
        self.is_kept = true;
        Ok(())
    }
}

impl Drop for LockedFile {
    fn drop(&mut self) {
        // Before the lock ends with the closing: who gets it next sees that the file is gone.
        if !self.is_kept && is_at(&self.file, &self.path) {
            // What cannot be removed now is locked and removed again by the next one.
            let _ = fs::remove_file(&self.path);
        }
    }
}

enum Locked {
    Here(LockedFile),
    Elsewhere,
    Gone,
}

fn make_folder_of(path: &Path) -> Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    fs::create_dir_all(folder).map_err(|error| failure("make the folder", folder, error))
}
