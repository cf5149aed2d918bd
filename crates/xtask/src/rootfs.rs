//! A small root filesystem made of what this machine has: a shell and a few programs, the libraries that
//! they need, and the files of /etc without which nothing starts.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

/// Links of a system whose /bin, /sbin and /lib have moved to /usr.
const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

const PROGRAMS: [&str; 8] =
    ["/bin/sh", "/bin/bash", "/bin/ls", "/bin/cat", "/bin/mkdir", "/bin/uname", "/usr/bin/env", "/usr/bin/id"];

const FILES: [(&str, &str); 4] = [
    ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
    ("etc/group", "root:x:0:\n"),
    ("etc/shells", "/bin/sh\n"),
    ("etc/wsl.conf", "[user]\ndefault=root\n"),
];

/// Writes the root filesystem to `file` as tar, compressed by gzip.
pub(crate) fn write(file: &Path) -> Result<()> {
    let output = File::create(file).with_context(|| file.display().to_string())?;
    let mut archive =
        Archive { tar: Builder::new(GzEncoder::new(output, Compression::default())), folders: BTreeSet::new() };
    for folder in ["dev", "home", "proc", "root", "run", "sys", "tmp", "var/tmp"] {
        archive.folder(Path::new(folder))?;
    }
    for name in MERGED {
        if let Ok(target) = fs::read_link(Path::new("/").join(name)) {
            archive.link(Path::new(name), &target)?;
        }
    }
    for (name, text) in FILES {
        archive.file(Path::new(name), text.as_bytes(), 0o644)?;
    }
    if let Ok(text) = fs::read("/etc/os-release") {
        archive.file(Path::new("etc/os-release"), &text, 0o644)?;
    }
    for (name, content) in programs()? {
        archive.file(&name, &content, 0o755)?;
    }
    archive.tar.into_inner()?.finish()?.flush()?;
    Ok(())
}

/// Name in the archive and content of each program and library.
fn programs() -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = BTreeSet::new();
    for program in PROGRAMS.map(Path::new) {
        if program.exists() {
            files.insert(place(program)?);
            for library in libraries(program) {
                files.insert(place(&library)?);
            }
        }
    }
    let read = |name: PathBuf| {
        let path = Path::new("/").join(&name);
        let content = fs::read(&path).with_context(|| path.display().to_string())?;
        Ok((name, content))
    };
    files.into_iter().map(read).collect()
}

/// Where a file lies when no folder on the way is a link, without the leading slash.
fn place(file: &Path) -> Result<PathBuf> {
    let folder = file.parent().unwrap_or(file).canonicalize()?;
    let path = folder.join(file.file_name().context("a program has no name")?);
    Ok(path.strip_prefix("/")?.to_owned())
}

/// The shared libraries and the loader that a program needs; none for a static one.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let Ok(output) = Command::new("ldd").arg(program).output() else {
        return Vec::new();
    };
    // "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)", "\t/lib64/ld-linux-x86-64.so.2 (0x…)"
    String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from)
        .filter(|path| path.is_file())
        .collect()
}

struct Archive<W: std::io::Write> {
    tar: Builder<W>,
    folders: BTreeSet<PathBuf>,
}

impl<W: std::io::Write> Archive<W> {
    fn file(&mut self, name: &Path, content: &[u8], mode: u32) -> Result<()> {
        self.parents(name)?;
        let mut header = header(EntryType::Regular, mode);
        header.set_size(content.len() as u64);
        self.tar.append_data(&mut header, name, content)?;
        Ok(())
    }

    fn link(&mut self, name: &Path, target: &Path) -> Result<()> {
        let mut header = header(EntryType::Symlink, 0o777);
        self.tar.append_link(&mut header, name, target)?;
        Ok(())
    }

    fn folder(&mut self, name: &Path) -> Result<()> {
        self.parents(name)?;
        if self.folders.insert(name.to_owned()) {
            let mode = if name.ends_with("tmp") { 0o1777 } else { 0o755 };
            let mut header = header(EntryType::Directory, mode);
            self.tar.append_data(&mut header, name, std::io::empty())?;
        }
        Ok(())
    }

    fn parents(&mut self, name: &Path) -> Result<()> {
        match name.parent() {
            Some(parent) if parent != Path::new("") => self.folder(parent),
            _ => Ok(()),
        }
    }
}

fn header(kind: EntryType, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    header
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::File;

    use anyhow::Result;
    use flate2::read::GzDecoder;

    #[test]
    fn a_shell_and_what_it_needs_unpack_to_a_tree_in_which_it_starts() -> Result<()> {
        let place = tempfile::tempdir()?;
        let file = place.path().join("rootfs.tar.gz");
        super::write(&file)?;
        let root = place.path().join("root");
        // The root is empty, so an entry below a link that is not there yet would fail.
        tar::Archive::new(GzDecoder::new(File::open(file)?)).unpack(&root)?;

        assert!(root.join("etc/passwd").is_file());
        assert!(root.join("bin").join("sh").is_file());
        for library in super::libraries(std::path::Path::new("/bin/sh")) {
            assert!(root.join(super::place(&library)?).is_file(), "{}", library.display());
        }
        Ok(())
    }
}
