//! `NAME.layers`: where the blobs of layers lie, beside the archive that is to be, until that is complete.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use oci_spec::image::Digest;

use crate::blob::{Destination, PartialFile, WORTH_KEEPING};
use crate::digest::Hasher;
use crate::error::{Error, ErrorKind, Result};
use crate::in_use::{is_in_use, retry_for_a_moment};

const ARCHIVE: &str = "archive";
const SPOOL: &str = "spool";
const PLAIN: &str = "plain-";

/// The folder. It is used under the lock on the destination only.
#[derive(Clone, Debug)]
pub(super) struct LayersFolder {
    path: PathBuf,
}

impl LayersFolder {
    pub(super) fn beside(destination: &Destination) -> Self {
        Self { path: destination.layers_folder() }
    }

    /// Where the blob of a layer is to be.
    pub(super) fn blob(&self, digest: &Digest) -> Result<Destination> {
        Destination::new(&self.path.join(file_name(digest)))
    }

    /// The archive in the making, empty.
    pub(super) fn create_archive(&self) -> Result<Unpublished> {
        self.create(ARCHIVE)
    }

    /// A file for the plain bytes of the layer at `index`, empty.
    pub(super) fn create_plain(&self, index: usize) -> Result<Unpublished> {
        self.create(&format!("{PLAIN}{index}"))
    }

    fn create(&self, name: &str) -> Result<Unpublished> {
        let path = self.path.join(name);
        let create = || -> io::Result<File> {
            fs::create_dir_all(&self.path)?;
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)
        };
        match create() {
            Ok(file) => Ok(Unpublished { file, removed: Removed { path, folder: self.path.clone(), is_kept: false } }),
            Err(error) => {
                let sentence = format!("Failed to create destination file: {}. {error}", path.display());
                Err(Error::new(ErrorKind::File, sentence).target(path.display()).caused_by(error))
            }
        }
    }

    /// How many bytes of a blob are there.
    pub(super) fn bytes_of(&self, digest: &Digest) -> u64 {
        let name = file_name(digest);
        [name.clone(), format!("{name}.partial")]
            .iter()
            .filter_map(|name| fs::metadata(self.path.join(name)).ok())
            .map(|metadata| metadata.len())
            .max()
            .unwrap_or(0)
    }

    /// Removes it after a failure, if there is little in it. Nobody is waited for: this may be the end of what was cancelled.
    pub(super) fn remove_unless_worth_keeping(&self) {
        let Ok(entries) = fs::read_dir(&self.path) else { return };
        let bytes: u64 = entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|file| file.len()).sum();
        if bytes < WORTH_KEEPING {
            let _ = self.try_to_remove();
        }
    }

    /// Removes what is in it of any image, and the folder. What somebody else has put there stays.
    pub(super) fn remove(&self) {
        // A file that is removed while somebody has it open may be listed until they close it.
        let passes = |error: &io::Error| {
            is_in_use(error) || error.kind() == io::ErrorKind::DirectoryNotEmpty && self.holds_ours()
        };
        // What cannot be removed now is removed after the next image for this destination.
        let _ = retry_for_a_moment(|| self.try_to_remove(), passes);
    }

    /// Removes all that can be, and tells of the first that cannot.
    fn try_to_remove(&self) -> io::Result<()> {
        let mut result = Ok(());
        for path in self.ours()? {
            let is_spool = path.ends_with(SPOOL);
            result = result.and(if is_spool { fs::remove_dir_all(path) } else { fs::remove_file(path) });
        }
        result.and(fs::remove_dir(&self.path))
    }

    /// What is in it of any image.
    fn ours(&self) -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(&self.path)?.flatten();
        Ok(entries.filter(|entry| is_ours(&entry.file_name().to_string_lossy())).map(|entry| entry.path()).collect())
    }

    fn holds_ours(&self) -> bool {
        self.ours().is_ok_and(|ours| !ours.is_empty())
    }
}

/// A folder in it for the blobs of an archive that is compressed as a whole. Dropped, it is gone with what is in it.
pub(super) struct Spool {
    path: PathBuf,
    folder: PathBuf,
}

impl Spool {
    pub(super) fn create(folder: &LayersFolder) -> Result<Self> {
        let spool = Self { path: folder.path.join(SPOOL), folder: folder.path.clone() };
        let create = || -> io::Result<()> {
            fs::create_dir_all(&folder.path)?;
            // What an interrupted run has left.
            let _ = fs::remove_dir_all(&spool.path);
            fs::create_dir(&spool.path)
        };
        create().map_err(|error| {
            let sentence = format!("Failed to create the folder {}. {error}", spool.path.display());
            Error::new(ErrorKind::File, sentence).target(spool.path.display()).caused_by(error)
        })?;
        Ok(spool)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next run.
        let _ = fs::remove_dir_all(&self.path);
        let _ = fs::remove_dir(&self.folder);
    }
}

fn file_name(digest: &Digest) -> String {
    digest.as_ref().replacen(':', "-", 1)
}

fn is_ours(name: &str) -> bool {
    let blob = name.strip_suffix(".digest").unwrap_or(name);
    let blob = blob.strip_suffix(".partial").unwrap_or(blob);
    let is_plain = name.strip_prefix(PLAIN).is_some_and(|index| index.parse::<usize>().is_ok());
    let is_blob = || blob.replacen('-', ":", 1).parse::<Digest>().is_ok_and(|it| Hasher::for_digest(&it).is_ok());
    name == ARCHIVE || name == SPOOL || is_plain || is_blob()
}

/// A file in the making. Dropped before it has its final name, if it gets one, it is gone, and the folder where it is empty.
pub(super) struct Unpublished {
    // In the order of the fields: closed, then removed, which Windows wants in this order.
    file: File,
    removed: Removed,
}

impl Unpublished {
    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    pub(super) fn path(&self) -> &Path {
        &self.removed.path
    }

    /// Gives it the final name, for which `lock` is held.
    pub(super) fn publish(self, lock: &mut PartialFile) -> Result<()> {
        let Self { file, mut removed } = self;
        drop(file);
        lock.publish_instead(&removed.path)?;
        removed.is_kept = true;
        Ok(())
    }
}

struct Removed {
    path: PathBuf,
    folder: PathBuf,
    is_kept: bool,
}

impl Drop for Removed {
    fn drop(&mut self) {
        if !self.is_kept {
            // What cannot be removed now is overwritten by the next try.
            let _ = fs::remove_file(&self.path);
        }
        // Empty unless blobs lie in it.
        let _ = fs::remove_dir(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_layers_are_removed() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let destination = Destination::new(&folder.path().join("rootfs.tar.gz")).expect("a destination");
        let layers = LayersFolder::beside(&destination);
        let digest = format!("sha256-{:064}", 7);
        let ours = [
            digest.clone(),
            format!("{digest}.partial"),
            format!("{digest}.partial.digest"),
            ARCHIVE.to_owned(),
            "plain-7".to_owned(),
        ];
        fs::create_dir_all(&layers.path).expect("the folder");
        for name in &ours {
            fs::write(layers.path.join(name), "").expect("a file");
        }
        for name in ["notes.txt", "sha256-short", "archive.old", "plain-text"] {
            fs::write(layers.path.join(name), "").expect("a file");
        }
        layers.remove();
        let mut left: Vec<_> =
            fs::read_dir(&layers.path).expect("the folder").flatten().map(|it| it.file_name()).collect();
        left.sort();
        assert_eq!(left, ["archive.old", "notes.txt", "plain-text", "sha256-short"]);
    }
}
