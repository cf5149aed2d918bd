//! Files by name: a folder or an archive.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use bytes::Bytes;
use oci_spec::image::Digest;

use super::archive::{Archive, Stored};
use crate::error::{Error, ErrorKind, Result, printable};
use crate::progress::Job;
use crate::rootfs::{Blob, Compression};

pub(super) enum Container {
    /// Of an OCI image layout, in which all names are known or made of digests.
    Folder(PathBuf),
    Archive(Archive),
}

impl Container {
    pub(super) fn open(path: &Path, job: &Job) -> Result<Self> {
        let metadata = fs::metadata(path).map_err(|error| unopened(path, error))?;
        if metadata.is_dir() {
            return Ok(Self::Folder(path.to_owned()));
        }
        // To open a pipe would wait for its other end.
        if !metadata.is_file() {
            let message = format!("Failed to open {}: it is neither a file nor a folder", path.display());
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        let file = File::open(path).map_err(|error| unopened(path, error))?;
        Archive::open(path, file, job).map(Self::Archive)
    }

    /// Whether it is an archive that is compressed as a whole.
    pub(super) fn is_compressed(&self) -> bool {
        matches!(self, Self::Archive(archive) if archive.is_compressed())
    }

    /// The length of the file `name`, if there is one.
    pub(super) fn length(&self, name: &str) -> Option<u64> {
        match self {
            Self::Folder(folder) => {
                fs::metadata(folder.join(name)).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len())
            }
            Self::Archive(archive) => archive.file(name).map(|stored| stored.length),
        }
    }

    /// The bytes of the file `name`, which has at most `longest`.
    pub(super) fn read(&self, name: &str, longest: usize, job: &Job) -> Result<Option<Bytes>> {
        let Some(length) = self.length(name) else { return Ok(None) };
        let too_long = || {
            let message = format!("{} has more than {} KiB", printable(name), longest / 1024);
            Error::new(ErrorKind::InvalidResponse, message)
        };
        if length > longest as u64 {
            return Err(too_long());
        }
        let bytes = match self {
            Self::Folder(folder) => {
                let mut bytes = Vec::new();
                File::open(folder.join(name))
                    .and_then(|file| file.take(longest as u64 + 1).read_to_end(&mut bytes))
                    .map_err(|error| unread(name, error))?;
                bytes.into()
            }
            Self::Archive(archive) => archive.read(stored(archive, name)?, job)?,
        };
        if bytes.len() > longest { Err(too_long()) } else { Ok(Some(bytes)) }
    }

    /// What the file `name` in an archive is compressed with.
    pub(super) fn compression(&self, name: &str) -> Compression {
        match self {
            Self::Folder(_) => Compression::None,
            Self::Archive(archive) => {
                archive.file(name).map_or(Compression::None, |stored| Compression::of(&stored.beginning))
            }
        }
    }

    /// The SHA-256 of each of the files `names` in an archive, in their order; all of them in one pass over it.
    pub(super) fn hashes(&self, names: &[&str], job: &Job) -> Result<Vec<Digest>> {
        let files = names
            .iter()
            .map(|name| match self {
                Self::Archive(archive) => stored(archive, name),
                Self::Folder(_) => Err(missing(name)),
            })
            .collect::<Result<Vec<_>>>()?;
        let Self::Archive(archive) = self else { return Ok(Vec::new()) };
        let hashes = archive.hashes(&files, job)?;
        files
            .iter()
            .zip(names)
            .map(|(file, name)| {
                let hash = hashes.get(&file.offset).ok_or_else(|| missing(name))?;
                Ok(Digest::from_str(&format!("sha256:{hash}")).expect("64 hexadecimal digits are a digest"))
            })
            .collect()
    }

    /// Where the bytes of the files `names` are; `spool` takes what has to be decompressed first.
    pub(super) fn blobs(&self, names: &[String], spool: &Path, job: &Job) -> Result<Vec<Blob>> {
        match self {
            Self::Folder(folder) => names
                .iter()
                .map(|name| {
                    let length = self.length(name).ok_or_else(|| missing(name))?;
                    Ok(Blob { path: folder.join(name), offset: 0, length })
                })
                .collect(),
            Self::Archive(archive) => {
                let files = names.iter().map(|name| stored(archive, name)).collect::<Result<Vec<_>>>()?;
                archive.blobs(&files, spool, job)
            }
        }
    }
}

fn stored(archive: &Archive, name: &str) -> Result<Stored> {
    archive.file(name).ok_or_else(|| missing(name))
}

fn unopened(path: &Path, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        _ => ErrorKind::InvalidArgument,
    };
    Error::new(kind, format!("Failed to open {}: {error}", path.display())).caused_by(error)
}

fn unread(name: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("{} cannot be read: {error}", printable(name))).caused_by(error)
}

/// A file that a document names is not there.
pub(super) fn missing(name: &str) -> Error {
    Error::new(ErrorKind::BlobNotFound, format!("{} is missing in it", printable(name)))
        .advice("It may be cut short, or have been saved without the layers of this platform: save the image again.")
}

/// The same for what has a digest.
pub(super) fn missing_blob(digest: &Digest) -> Error {
    missing(digest.as_ref())
}
