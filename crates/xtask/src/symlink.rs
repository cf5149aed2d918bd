//! Symbolic links, on systems where anybody may make them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Makes `link` lead to `target`, whatever it led to before.
#[cfg(unix)]
pub(crate) fn replace(target: &Path, link: &Path) -> Result<()> {
    let _ = fs::remove_file(link);
    std::os::unix::fs::symlink(target, link).with_context(|| link.display().to_string())
}

/// Fails: the builds that want links are not for this system.
#[cfg(not(unix))]
pub(crate) fn replace(_target: &Path, link: &Path) -> Result<()> {
    anyhow::bail!("{} is made on Unix only", link.display())
}
