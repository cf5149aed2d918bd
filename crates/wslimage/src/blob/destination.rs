//! The file that is to be: what lies there now stays until the new one is complete.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::progress::Job;

/// How often a partial file that another process works on is looked at again.
const LOCK_INTERVAL: Duration = Duration::from_millis(100);

/// Where a file is to be put.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    path: PathBuf,
}

impl Destination {
    /// Looks at `path` without touching it. A symbolic link stays one; what it points to is replaced.
    pub(crate) fn new(path: &Path) -> Result<Self> {
        let absolute =
            std::path::absolute(path).map_err(|error| unusable(path, &error.to_string()).caused_by(error))?;
        if absolute.file_name().is_none() || ends_in_separator(path) {
            return Err(unusable(&absolute, "It is a folder").advice("Name a file in it."));
        }
        let path = match fs::symlink_metadata(&absolute) {
            Ok(metadata) if metadata.is_symlink() => target_of(&absolute)?,
            _ => absolute,
        };
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => {
                Err(unusable(&path, "There is a folder of that name").advice("Name a file in it."))
            }
            Ok(metadata) if !metadata.is_file() => Err(unusable(&path, "It is a device or a pipe, not a file")),
            _ => Ok(Self { path }),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens `NAME.partial` beside it, empty, for this process alone, and makes the folder where it is missing. While
    /// another process works on it, this one waits.
    pub(crate) async fn open_partial(&self, job: &Job) -> Result<PartialFile> {
        let created_folders = CreatedFolders::up_to(&self.path)?;
        let partial = self.partial_path();
        let mut is_told = false;
        let file = loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&partial)
                .map_err(|error| not_created(&self.path, error))?;
            match file.try_lock() {
                // Whoever had it before may have renamed or removed it between the opening and the lock.
                Ok(()) if is_at(&file, &partial) => break file,
                Ok(()) => continue,
                Err(TryLockError::WouldBlock) => {
                    if !is_told {
                        job.verbose(format!("Waiting for another process that writes {}...", self.path.display()));
                        is_told = true;
                    }
                    drop(file);
                    job.or_cancelled(tokio::time::sleep(LOCK_INTERVAL)).await?;
                }
                Err(TryLockError::Error(error)) => return Err(not_created(&self.path, error)),
            }
        };
        file.set_len(0).map_err(|error| not_created(&self.path, error))?;
        Ok(PartialFile {
            file,
            partial: RemovedUnlessKept { path: partial, is_kept: false },
            destination: self.path.clone(),
            created_folders,
        })
    }

    fn partial_path(&self) -> PathBuf {
        let mut name = OsString::from(self.path.file_name().unwrap_or_default());
        name.push(".partial");
        self.path.with_file_name(name)
    }
}

/// A file in the making. Dropped before [`PartialFile::publish`], it is gone, and the folders made for it too.
pub(crate) struct PartialFile {
    // In the order of the fields: closed, removed, then the folders, which must be empty.
    file: File,
    partial: RemovedUnlessKept,
    destination: PathBuf,
    created_folders: CreatedFolders,
}

impl PartialFile {
    pub(crate) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.partial.path
    }

    /// `error` as it is told of this file.
    pub(crate) fn write_error(&self, error: io::Error) -> Error {
        let reason = error.to_string();
        let failure = Error::new(
            ErrorKind::File,
            format!("Failed to write destination file: {}. {reason}", self.destination.display()),
        )
        .target(self.destination.display());
        let failure = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                failure.advice("Make room on the disk, or name a file on another.")
            }
            _ => failure,
        };
        failure.caused_by(error)
    }

    /// Flushes the file and gives it its final name, in the place of what was there.
    pub(crate) fn publish(mut self) -> Result<()> {
        self.file.sync_all().map_err(|error| self.write_error(error))?;
        fs::rename(&self.partial.path, &self.destination).map_err(|error| self.write_error(error))?;
        self.partial.is_kept = true;
        self.created_folders.0.clear();
        Ok(())
    }
}

struct RemovedUnlessKept {
    path: PathBuf,
    is_kept: bool,
}

impl Drop for RemovedUnlessKept {
    fn drop(&mut self) {
        if !self.is_kept {
            // What cannot be removed now is overwritten by the next try.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Folders that were made for a file, the innermost first. Dropped, those that are empty are removed again.
#[derive(Default)]
struct CreatedFolders(Vec<PathBuf>);

impl CreatedFolders {
    fn up_to(file: &Path) -> Result<Self> {
        let mut created = Self::default();
        let Some(folder) = file.parent() else { return Ok(created) };
        created.0 = folder.ancestors().take_while(|folder| !folder.exists()).map(Path::to_owned).collect();
        fs::create_dir_all(folder).map_err(|error| not_created(file, error))?;
        Ok(created)
    }
}

impl Drop for CreatedFolders {
    fn drop(&mut self) {
        for folder in &self.0 {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
}

fn ends_in_separator(path: &Path) -> bool {
    path.as_os_str().to_string_lossy().ends_with(std::path::is_separator)
}

/// What a symbolic link points to at last, which need not exist.
fn target_of(link: &Path) -> Result<PathBuf> {
    const MOST_LINKS: usize = 40;
    let mut path = link.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(target) = fs::read_link(&path) else { return Ok(path) };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    Err(unusable(link, "Its symbolic links go in a circle"))
}

fn is_at(file: &File, path: &Path) -> bool {
    let same = || -> io::Result<bool> {
        Ok(same_file::Handle::from_file(file.try_clone()?)? == same_file::Handle::from_path(path)?)
    };
    same().unwrap_or(false)
}

fn unusable(path: &Path, reason: &str) -> Error {
    Error::new(ErrorKind::File, format!("Failed to create destination file: {}. {reason}", path.display()))
        .target(path.display())
}

fn not_created(path: &Path, error: io::Error) -> Error {
    unusable(path, &error.to_string()).caused_by(error)
}
