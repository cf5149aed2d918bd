//! Real files for layers: what is installed on this machine.

use std::collections::HashSet;
use std::env;
use std::fs::{self, FileType};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Result, bail};

/// A root filesystem has no larger files, or few.
const LARGEST: u64 = 64 << 20;
const SMALL: u64 = 64 << 10;

/// Something that becomes an entry.
pub(super) struct Item {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
    pub(super) size: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    Link,
    File,
}

/// Folders, links and files, folders before what is in them, of about `wanted` bytes together.
pub(super) fn collect(wanted: u64) -> Result<Vec<Item>> {
    let mut trees = Vec::new();
    let mut seen = HashSet::new();
    for root in roots() {
        let mut tree = Vec::new();
        walk(&root, &mut seen, &mut tree);
        let size: u64 = tree.iter().map(|item: &Item| item.size).sum();
        trees.push((size, tree));
    }
    let there: u64 = trees.iter().map(|(size, _)| size).sum();
    if there < wanted {
        bail!("the machine has {there} bytes of files to make layers of, and {wanted} are wanted");
    }
    // Of each the same, of the small ones all.
    let mut shares = vec![0; trees.len()];
    let mut by_size: Vec<usize> = (0..trees.len()).collect();
    by_size.sort_by_key(|index| trees[*index].0);
    let mut left = wanted;
    for (place, index) in by_size.iter().enumerate() {
        shares[*index] = trees[*index].0.min(left / (trees.len() - place) as u64);
        left -= shares[*index];
    }
    let mut items = Vec::new();
    for ((_, tree), share) in trees.into_iter().zip(shares) {
        let mut taken = 0;
        items.extend(tree.into_iter().take_while(|item| {
            taken += item.size;
            taken <= share
        }));
    }
    Ok(items)
}

fn roots() -> Vec<PathBuf> {
    let mut roots: Vec<PathBuf> =
        ["/usr/lib", "/usr/share", "/usr/bin", "/usr/local", "/opt"].map(PathBuf::from).into();
    if let Some(home) = env::var_os("HOME").map(PathBuf::from) {
        roots.extend([".rustup/toolchains", ".cargo/registry/src"].map(|name| home.join(name)));
    }
    roots.retain(|root| root.is_dir());
    roots
}

/// What cannot be read is left out.
fn walk(folder: &Path, seen: &mut HashSet<(u64, Option<SystemTime>)>, items: &mut Vec<Item>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let Ok(metadata) = path.symlink_metadata() else { continue };
        let is_plain = path.to_str().is_some_and(|name| !name.contains(['\n', '\\']) && !name.contains("/.wh."));
        let Some(kind) = kind(metadata.file_type()).filter(|_| is_plain) else { continue };
        let size = if kind == Kind::File { metadata.len() } else { 0 };
        // A large file of another's size and time is another name of it.
        if size > LARGEST || size > SMALL && !seen.insert((size, metadata.modified().ok())) {
            continue;
        }
        items.push(Item { path: path.clone(), kind, size });
        if kind == Kind::Folder {
            walk(&path, seen, items);
        }
    }
}

fn kind(kind: FileType) -> Option<Kind> {
    if kind.is_file() {
        Some(Kind::File)
    } else if kind.is_dir() {
        Some(Kind::Folder)
    } else if kind.is_symlink() {
        Some(Kind::Link)
    } else {
        None
    }
}
