//! Whether an open file is still the one that has a name.

use std::fs::File;
use std::io;
use std::path::Path;

/// Whether `file` is what is at `path` now, and not one that was renamed or removed meanwhile.
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    let same = || -> io::Result<bool> {
        Ok(same_file::Handle::from_file(file.try_clone()?)? == same_file::Handle::from_path(path)?)
    };
    same().unwrap_or(false)
}
