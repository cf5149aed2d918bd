//! A small disk of a test's own.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A file system in memory. Dropped, it is gone.
pub(crate) struct Disk {
    folder: TempDir,
}

impl Disk {
    /// One of so many bytes; `None`, which is told, where only root could make it.
    pub(crate) fn of(bytes: u64) -> Option<Self> {
        let folder = TempDir::new().expect("a folder");
        let size = format!("size={bytes}");
        let mut mount = Command::new("mount");
        let mount = mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        if mount.is_ok_and(|output| output.status.success()) {
            return Some(Self { folder });
        }
        let thread = std::thread::current();
        let line = format!("{}: not run: needs root, to make a disk\n", thread.name().unwrap_or_default());
        // The test runner keeps back what tests that pass print by macro; xtask counts these lines.
        let _ = std::io::stdout().write_all(line.as_bytes());
        None
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // At once, or as soon as nobody has a file open there.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}
