//! The file that is to be: what lies there now stays until the new one is complete.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Component, Path, PathBuf, Prefix};
use std::time::Duration;

use oci_spec::image::Digest;

use super::file_name;
use crate::digest::Hasher;
use crate::error::{Error, ErrorKind, Result};
use crate::file_identity::is_at;
use crate::in_use::{is_in_use, remove_file, replace};
use crate::progress::Job;

/// How often a partial file that another process works on is looked at again.
const LOCK_INTERVAL: Duration = Duration::from_millis(100);
/// So often a folder is made again that somebody removes at once.
const FOLDER_ATTEMPTS: usize = 200;
const FOLDER_INTERVAL: Duration = Duration::from_millis(1);
/// What is less than this is not worth files that stay, in bytes.
pub(crate) const WORTH_KEEPING: u64 = 1024 * 1024;
/// The longest name of what lies beside a file while it is in the making begins with its name and ends so.
const LONGEST_SUFFIX: &str = ".partial.digest";
const MAKE_ROOM: &str = "Make room on the disk, or name a file on another.";

const CLOSE_IT: &str = "Another program may have the file open, or you may not change it: close the program and run the same command again.";

/// Which file is locked while a partial file is worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Locked {
    /// The partial file itself.
    Partial,
    /// `NAME.partial.lock`, which is there as long as the lock.
    Beside,
}

/// A lock on Windows keeps everybody from reading, also this process by another handle (LockFileEx), and layers are read
/// while they arrive.
const LOCKED: Locked = if cfg!(windows) { Locked::Beside } else { Locked::Partial };

/// Where a file is to be put.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    path: PathBuf,
}

impl Destination {
    /// Looks at `path` without touching it. A symbolic link stays one; what it points to is replaced.
    pub(crate) fn new(path: &Path) -> Result<Self> {
        // As it was given: made absolute, a device is no file, and dots and spaces at the end are gone.
        if let Some(reason) = impossible_on_windows(path) {
            return Err(unusable(path, &reason).advice("Name another file."));
        }
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
            // On Unix that says who may write into the file, and not whether another one may take its place.
            Ok(metadata) if cfg!(windows) && metadata.permissions().readonly() => {
                Err(unusable(&path, "The file that is there is read-only")
                    .advice("Take its attribute off (attrib -R), or name another file."))
            }
            _ => Ok(Self { path }),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it holds the blob `digest` of `size` bytes.
    pub(crate) fn holds(&self, digest: &Digest, size: u64, job: &Job) -> Result<bool> {
        let same = || -> io::Result<bool> {
            let mut file = File::open(&self.path)?;
            let metadata = file.metadata()?;
            if !metadata.is_file() || metadata.len() != size {
                return Ok(false);
            }
            let Ok(mut hasher) = Hasher::for_digest(digest) else { return Ok(false) };
            let mut buffer = vec![0; 1024 * 1024];
            loop {
                match file.read(&mut buffer)? {
                    0 => return Ok(hasher.finish() == digest.digest()),
                    count => hasher.update(&buffer[..count]),
                }
                if job.is_cancelled() {
                    return Ok(false);
                }
            }
        };
        // What cannot be read is replaced.
        let holds = same().unwrap_or(false);
        if job.is_cancelled() { Err(Error::cancelled()) } else { Ok(holds) }
    }

    /// Opens `NAME.partial` beside it, as it was left, for this process alone, and makes the folder where it is missing.
    /// While another process works on it, this one waits.
    pub(crate) async fn open_partial(&self, job: &Job) -> Result<PartialFile> {
        self.open_partial_locked_by(LOCKED, job).await
    }

    async fn open_partial_locked_by(&self, locked: Locked, job: &Job) -> Result<PartialFile> {
        let partial = self.partial_path();
        let mark = with_suffix(&partial, ".digest");
        let lock = match locked {
            Locked::Partial => partial.clone(),
            Locked::Beside => with_suffix(&partial, ".lock"),
        };
        let mut is_told = false;
        let mut attempts = 0;
        let (lock_file, created_folders) = loop {
            let (file, created_folders) = match self.open_in_folder(&lock) {
                Ok(opened) => opened,
                // Whoever made the folder removes it again, as it was left empty.
                Err(error) if is_retried(&error, &lock) && attempts < FOLDER_ATTEMPTS => {
                    attempts += 1;
                    job.or_cancelled(tokio::time::sleep(FOLDER_INTERVAL)).await?;
                    continue;
                }
                Err(error) => return Err(not_created(&self.path, error)),
            };
            match file.try_lock() {
                // Whoever had it before may have renamed or removed it between the opening and the lock.
                Ok(()) if is_at(&file, &lock) => break (file, created_folders),
                Ok(()) => continue,
                Err(TryLockError::WouldBlock) => {
                    if !is_told {
                        job.verbose(format!("Waiting for another process that writes {}...", self.path.display()));
                        is_told = true;
                    }
                    drop((file, created_folders));
                    job.or_cancelled(tokio::time::sleep(LOCK_INTERVAL)).await?;
                }
                Err(TryLockError::Error(error)) => return Err(not_created(&self.path, error)),
            }
        };
        let (file, lock) = match locked {
            Locked::Partial => (lock_file, None),
            Locked::Beside => {
                let lock = LockFile { path: lock, _file: lock_file };
                (open(&partial).map_err(|error| not_created(&self.path, error))?, Some(lock))
            }
        };
        Ok(PartialFile {
            partial: RemovedUnlessKept { path: partial, mark, is_kept: false },
            file,
            _lock: lock,
            destination: self.path.clone(),
            created_folders,
        })
    }

    fn open_in_folder(&self, path: &Path) -> io::Result<(File, CreatedFolders)> {
        let created_folders = CreatedFolders::up_to(&self.path)?;
        Ok((open(path)?, created_folders))
    }

    /// `NAME.layers` beside it, where the blobs of several layers lie until the archive is complete.
    pub(crate) fn layers_folder(&self) -> PathBuf {
        with_suffix(&self.path, ".layers")
    }

    fn partial_path(&self) -> PathBuf {
        with_suffix(&self.path, ".partial")
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path.file_name().unwrap_or_default());
    name.push(suffix);
    path.with_file_name(name)
}

/// A file in the making. Beside it lies `NAME.partial.digest`, which says of what. Dropped before [`PartialFile::publish`], it is gone, and the folders made for it too.
pub(crate) struct PartialFile {
    // In the order of the fields: removed while the lock is held, closed, then the folders, which must be empty.
    partial: RemovedUnlessKept,
    file: File,
    _lock: Option<LockFile>,
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

    /// How many bytes of the blob `digest` an earlier run has left here, if it is of that blob.
    pub(crate) fn kept_of(&self, digest: &Digest) -> Option<u64> {
        let mark = fs::read_to_string(&self.partial.mark).ok()?;
        (mark.trim_end() == digest.as_ref()).then_some(())?;
        self.file.metadata().ok().map(|metadata| metadata.len())
    }

    /// Empties it and says that it is for the blob `digest`.
    pub(crate) fn begin(&mut self, digest: &Digest) -> Result<()> {
        // In this order: a mark never stands beside bytes of another blob.
        self.file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .and_then(|_| fs::write(&self.partial.mark, format!("{digest}\n")))
            .map_err(|error| self.write_error(error))
    }

    /// Empties it: only its lock is used.
    pub(crate) fn begin_empty(&mut self) -> Result<()> {
        // One that is not there says nothing.
        let _ = fs::remove_file(&self.partial.mark);
        self.file.set_len(0).map_err(|error| self.write_error(error))
    }

    /// Fails where the disk has no room for `bytes` more.
    pub(crate) fn expect_room(&self, bytes: u64) -> Result<()> {
        let folder = self.partial.path.parent().unwrap_or(Path::new(""));
        // A file system that does not say is tried.
        let Ok(available) = fs4::available_space(folder) else { return Ok(()) };
        if available >= bytes {
            return Ok(());
        }
        let name = self.destination.display();
        Err(Error::new(
            ErrorKind::File,
            format!(
                "Failed to write destination file: {name}. It needs {bytes} bytes more, and the disk has {available}"
            ),
        )
        .target(name)
        .advice(MAKE_ROOM))
    }

    /// Leaves it for a later run, where that is worth it, and says how many bytes it holds. It is not flushed: whoever has
    /// cancelled does not wait for the disk, and that run reads it and fetches again what is damaged.
    fn keep(&mut self) -> Option<u64> {
        let length = self.file.metadata().ok()?.len();
        if length < WORTH_KEEPING {
            return None;
        }
        self.partial.is_kept = true;
        self.created_folders.0.clear();
        Some(length)
    }

    /// Leaves what has arrived for a later run after `error`, which says so where it is worth it.
    pub(crate) fn keep_after(mut self, error: Error) -> Error {
        let Some(kept) = self.keep() else { return error };
        match (error.kind(), error.recommended_action()) {
            // The same bytes would fail in the same way.
            (ErrorKind::Cancelled | ErrorKind::UnsupportedImage, _) | (_, Some(_)) => error,
            _ => error
                .advice(format!("The {kept} bytes that have arrived are kept: the same command goes on from there.")),
        }
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
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => failure.advice(MAKE_ROOM),
            _ if is_in_use(&error) => failure.advice(CLOSE_IT),
            _ => failure,
        };
        failure.caused_by(error)
    }

    /// Flushes the file and gives it its final name, in the place of what was there.
    pub(crate) fn publish(mut self) -> Result<()> {
        self.file.sync_all().map_err(|error| self.write_error(error))?;
        let mark = fs::read(&self.partial.mark).ok();
        // Before the renaming: after it, the mark is that of whoever comes next.
        let _ = remove_file(&self.partial.mark);
        let Err(error) = replace(&self.partial.path, &self.destination) else {
            self.partial.is_kept = true;
            self.created_folders.0.clear();
            return Ok(());
        };
        let can_wait = is_in_use(&error);
        let error = self.write_error(error);
        match mark.filter(|mark| can_wait && fs::write(&self.partial.mark, mark).is_ok()) {
            // It is whole: only its name is missing.
            Some(_) => Err(self.keep_after(error)),
            None => Err(error),
        }
    }

    /// Gives `archive`, which is flushed, the final name, in the place of what was there. What is in the partial file is
    /// not wanted any more.
    pub(crate) fn publish_instead(&mut self, archive: &Path) -> Result<()> {
        replace(archive, &self.destination).map_err(|error| self.write_error(error))?;
        self.created_folders.0.clear();
        Ok(())
    }
}

/// A locked file. Dropped, it is removed, and then closed.
struct LockFile {
    path: PathBuf,
    _file: File,
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // What cannot be removed now is locked and removed again by the next one.
        let _ = fs::remove_file(&self.path);
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

struct RemovedUnlessKept {
    path: PathBuf,
    mark: PathBuf,
    is_kept: bool,
}

impl Drop for RemovedUnlessKept {
    fn drop(&mut self) {
        if !self.is_kept {
            // What cannot be removed now is overwritten by the next try. The mark first: without the file, it is that of
            // whoever comes next.
            let _ = fs::remove_file(&self.mark);
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Folders that were made for a file, the innermost first. Dropped, those that are empty are removed again.
#[derive(Default)]
struct CreatedFolders(Vec<PathBuf>);

impl CreatedFolders {
    fn up_to(file: &Path) -> io::Result<Self> {
        let mut created = Self::default();
        let Some(folder) = file.parent() else { return Ok(created) };
        created.0 = folder.ancestors().take_while(|folder| !folder.exists()).map(Path::to_owned).collect();
        fs::create_dir_all(folder)?;
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

/// Whether the folder of `path` may be made in the next moment: on a drive that is not there it may not.
fn is_retried(error: &io::Error, path: &Path) -> bool {
    match error.kind() {
        io::ErrorKind::NotFound => path.ancestors().any(Path::exists),
        // On Windows, of a file that is removed and not yet closed by the one who had it.
        io::ErrorKind::PermissionDenied => cfg!(windows) && path.parent().is_some_and(Path::exists),
        _ => false,
    }
}

/// What keeps Windows from having a file of that name, on Windows.
fn impossible_on_windows(path: &Path) -> Option<String> {
    if !cfg!(windows) {
        return None;
    }
    let mut reasons = path.components().filter_map(|part| match part {
        Component::Normal(name) => file_name::why_impossible(&name.to_string_lossy()),
        Component::Prefix(prefix) if matches!(prefix.kind(), Prefix::DeviceNS(_)) => {
            Some("It is a device, not a file".to_owned())
        }
        _ => None,
    });
    reasons.next().or_else(|| file_name::why_too_long(&path.file_name()?.to_string_lossy(), LONGEST_SUFFIX))
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

fn unusable(path: &Path, reason: &str) -> Error {
    Error::new(ErrorKind::File, format!("Failed to create destination file: {}. {reason}", path.display()))
        .target(path.display())
}

fn not_created(path: &Path, error: io::Error) -> Error {
    unusable(path, &error.to_string()).caused_by(error)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn who_gives_a_partial_file_up_takes_nothing_from_whoever_comes_next() {
        for locked in [Locked::Partial, Locked::Beside] {
            let folder = tempfile::TempDir::new().expect("a folder");
            // Its folder is made and removed by turns, too.
            let destination = Destination::new(&folder.path().join("made/for/it.tar.gz")).expect("a destination");
            let digest: Digest = format!("sha256:{:064}", 0).parse().expect("a digest");
            let workers: Vec<_> = (0..4)
                .map(|worker| {
                    let (destination, digest) = (destination.clone(), digest.clone());
                    tokio::spawn(async move {
                        for _ in 0..200 {
                            let mut partial = destination.open_partial_locked_by(locked, &Job::default()).await?;
                            partial.begin(&digest)?;
                            if worker % 2 == 0 {
                                drop(partial);
                            } else {
                                partial.file().write_all(b"content").expect("the partial file is written");
                                partial.publish()?;
                                // Its folder is empty again, and may go.
                                let _ = fs::remove_file(destination.path());
                            }
                        }
                        Ok::<_, Error>(())
                    })
                })
                .collect();
            for worker in workers {
                worker.await.expect("a worker").expect("each has its own file");
            }
            let left: Vec<_> = walk(folder.path());
            assert!(left.is_empty(), "{left:?}");
        }
    }

    fn walk(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path());
        entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
    }

    #[tokio::test]
    async fn what_arrives_can_be_read_under_the_lock_and_nobody_else_has_it() {
        for locked in [LOCKED, Locked::Beside] {
            let folder = tempfile::TempDir::new().expect("a folder");
            let destination = Destination::new(&folder.path().join("it.tar.gz")).expect("a destination");
            let mut partial = destination.open_partial_locked_by(locked, &Job::default()).await.expect("a file");
            partial.file().write_all(b"content").expect("written");
            assert_eq!(fs::read(partial.path()).expect("read"), b"content");
            let job = Job::default().child();
            let other = destination.open_partial_locked_by(locked, &job);
            let (other, ()) = tokio::join!(other, async { job.cancel() });
            assert_eq!(other.err().map(|error| error.kind()), Some(ErrorKind::Cancelled));
            partial.publish().expect("its name");
            let names: Vec<_> = walk(folder.path());
            assert_eq!(names, [folder.path().join("it.tar.gz")]);
        }
    }
}
