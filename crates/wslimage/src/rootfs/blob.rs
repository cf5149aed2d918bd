//! The compressed bytes of a layer, wherever they lie.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::positioned::read_at;

/// A range of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(crate) path: PathBuf,
    /// Where it begins in the file, in bytes.
    pub(crate) offset: u64,
    /// Its length in bytes.
    pub(crate) length: u64,
}

impl Blob {
    pub(crate) fn open(&self) -> io::Result<OpenBlob> {
        Ok(OpenBlob { file: File::open(&self.path)?, offset: self.offset, length: self.length })
    }
}

/// A blob that is being read.
#[derive(Debug)]
pub(crate) struct OpenBlob {
    file: File,
    offset: u64,
    length: u64,
}

impl OpenBlob {
    /// Reads up to `buffer.len()` bytes at `position`: 0 at the end.
    pub(crate) fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let left = self.length.saturating_sub(position);
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        loop {
            match read_at(&self.file, &mut buffer[..most], self.offset + position) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}
