//! What an earlier run has left: used when it is of the same digest, dropped otherwise.

use std::io::{Read as _, Seek as _, SeekFrom};

use oci_spec::image::Digest;

use super::destination::PartialFile;
use crate::digest::Hasher;
use crate::error::{Error, Result};
use crate::progress::Job;

const BUFFER: usize = 1024 * 1024;

/// The beginning of a blob.
pub(super) struct Beginning {
    pub(super) partial: PartialFile,
    /// Its length in bytes; all of them went into the hasher.
    pub(super) length: u64,
    pub(super) hasher: Hasher,
}

/// What `partial` holds of the blob `digest` of `size` bytes, read and hashed; nothing, and it is empty then, where it is
/// of another one.
pub(super) fn beginning(mut partial: PartialFile, digest: &Digest, size: u64, job: &Job) -> Result<Beginning> {
    let hasher = Hasher::for_digest(digest)?;
    let kept = partial.kept_of(digest).filter(|length| (1..=size).contains(length));
    let Some(kept) = kept else { return empty(partial, digest) };
    job.verbose(format!("Going on with {}, which holds {kept} of {size} bytes...", partial.path().display()));
    match read(&mut partial, hasher, kept, job) {
        Ok(hasher) => Ok(Beginning { partial, length: kept, hasher }),
        Err(Unread::Cancelled) => Err(Error::cancelled()),
        Err(Unread::Damaged) => empty(partial, digest),
    }
}

/// The same file, empty and marked for the blob `digest`.
pub(super) fn empty(mut partial: PartialFile, digest: &Digest) -> Result<Beginning> {
    partial.begin(digest)?;
    Ok(Beginning { partial, length: 0, hasher: Hasher::for_digest(digest)? })
}

enum Unread {
    Cancelled,
    Damaged,
}

impl From<std::io::Error> for Unread {
    fn from(_: std::io::Error) -> Self {
        Self::Damaged
    }
}

fn read(partial: &mut PartialFile, mut hasher: Hasher, length: u64, job: &Job) -> Result<Hasher, Unread> {
    let file = partial.file();
    file.seek(SeekFrom::Start(0))?;
    let mut buffer = vec![0; BUFFER];
    let mut left = length;
    while left > 0 {
        if job.is_cancelled() {
            return Err(Unread::Cancelled);
        }
        let wanted = usize::try_from(left).unwrap_or(BUFFER).min(BUFFER);
        file.read_exact(&mut buffer[..wanted])?;
        hasher.update(&buffer[..wanted]);
        job.advanced(wanted as u64);
        left -= wanted as u64;
    }
    Ok(hasher)
}
