//! What bsdtar makes of a plan, and what it would refuse.

use std::collections::BTreeMap;

use crate::rootfs::entry::{Entry, Kind};
use crate::rootfs::plan::{HeaderChange, Piece, Plan};

use super::language::Layers;

/// The layer and the number of an entry in it.
pub(super) type Source = (usize, usize);

/// What is at a path in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Thing {
    pub(super) kind: Kind,
    /// The entry whose content, mode and owner it has; none for a missing folder.
    pub(super) source: Option<Source>,
    /// The first of the paths of its inode.
    pub(super) inode: String,
}

pub(super) type Things = BTreeMap<String, Thing>;

/// A line such as `usr/@1 usr/a@2 b=usr/a`: kinds are not shown but for folders, `@0` is a missing folder.
pub(super) fn shown(things: &Things) -> String {
    let show = |(path, thing): (&String, &Thing)| {
        let slash = if thing.kind == Kind::Folder { "/" } else { "" };
        let layer = thing.source.map_or(0, |(layer, _)| layer + 1);
        match thing.inode == *path {
            true => format!("{path}{slash}@{layer}"),
            false => format!("{path}={}", thing.inode),
        }
    };
    things.iter().map(show).collect::<Vec<_>>().join(" ")
}

/// Extracts the plan as bsdtar would, in its order. Panics when bsdtar would refuse something, or when something is there
/// that an archive must not have.
pub(super) fn extract(plan: &Plan, layers: &Layers) -> Things {
    let mut archive = Archive { layers, things: Things::new(), attributes: Vec::new() };
    let mut pieces = plan.pieces().peekable();
    let mut last_copy = None;
    while let Some(piece) = pieces.next() {
        match piece {
            Piece::Copy { layer, range } => {
                assert_ne!(last_copy, Some((layer, range.start)), "two copies that could be one");
                last_copy = Some((layer, range.end));
                archive.copy(layer, range.start, range.end);
            }
            Piece::Header { layer, header, change } => {
                last_copy = None;
                let (index, entry) = archive.entry_at(layer, header.start);
                assert_eq!(header.end, entry.data);
                archive.add(Some((layer, index)), entry, &change);
                if entry.data < entry.end {
                    let Some(Piece::Copy { layer: data_layer, range }) = pieces.next() else {
                        panic!("a header without its data")
                    };
                    assert_eq!((data_layer, range.start), (layer, entry.data));
                    last_copy = Some((layer, range.end));
                    assert!(range.end >= entry.end);
                    archive.copy(layer, entry.end, range.end);
                }
            }
            Piece::Folder { name } => {
                last_copy = None;
                let entry = super::language::named("d", &name, b"");
                archive.add(None, &entry, &HeaderChange { name, kind: Kind::Folder, link: Vec::new() });
            }
        }
    }
    for (path, source) in &archive.attributes {
        assert_eq!(archive.things[path].source, *source, "{path} keeps attributes");
    }
    archive.things
}

struct Archive<'a> {
    layers: &'a Layers,
    things: Things,
    /// Of folders, which may be there several times.
    attributes: Vec<(String, Option<Source>)>,
}

impl<'a> Archive<'a> {
    fn entry_at(&self, layer: usize, start: u64) -> (usize, &'a Entry) {
        let found = self.layers[layer].iter().enumerate().find(|(_, entry)| entry.start == start);
        found.expect("an entry begins there")
    }

    fn copy(&mut self, layer: usize, mut at: u64, end: u64) {
        while at < end {
            let (index, entry) = self.entry_at(layer, at);
            assert!(!entry.needs.rewriting && !entry.needs.leaving_out, "{entry:?}");
            let plain = |name: &[u8]| name.strip_prefix(b"./").unwrap_or(name).to_vec();
            let mut name = plain(&entry.name);
            if entry.kind == Kind::Folder && !name.ends_with(b"/") {
                name.push(b'/');
            }
            if matches!(&entry.name[..], b"." | b"./") {
                name = b"./".to_vec();
            }
            let link = if entry.kind == Kind::HardLink { plain(&entry.link) } else { entry.link.clone() };
            self.add(Some((layer, index)), entry, &HeaderChange { name, kind: entry.kind, link });
            at = entry.end;
        }
        assert_eq!(at, end, "a copy ends where an entry does");
    }

    fn add(&mut self, source: Option<Source>, entry: &Entry, change: &HeaderChange) {
        let HeaderChange { name, kind, link } = change;
        let name = String::from_utf8(name.clone()).expect("a name");
        let is_folder = *kind == Kind::Folder;
        let path = match name.strip_suffix('/') {
            Some(path) if is_folder => path,
            Some(_) => panic!("{name} ends in a slash"),
            None => &name[..],
        };
        assert!(!is_folder || name.ends_with('/'), "{name} does not end in a slash");
        if path != "." {
            let is_clean = path.split('/').all(|component| !matches!(component, "" | "." | ".."));
            assert!(is_clean && !path.split('/').any(|component| component.starts_with(".wh.")), "{path}");
            if let Some((parent, _)) = path.rsplit_once('/') {
                assert_eq!(self.things.get(parent).map(|parent| parent.kind), Some(Kind::Folder), "around {path}");
            }
        }
        assert!(*kind != Kind::CharacterDevice || !entry.needs.leaving_out, "{path} is a device 0:0");
        let thing = match kind {
            Kind::HardLink => {
                let target = self.things.get(std::str::from_utf8(link).expect("a name"));
                let target = target.unwrap_or_else(|| panic!("{path}: no target {}", link.escape_ascii()));
                assert_eq!(target.kind, Kind::File, "{path}");
                target.clone()
            }
            Kind::Symlink => {
                assert_eq!((*link).clone(), entry.link, "{path}");
                Thing { kind: *kind, source, inode: path.to_owned() }
            }
            _ => {
                assert_eq!(link, b"", "{path}");
                assert_eq!(entry.kind, *kind, "{path}");
                Thing { kind: *kind, source, inode: path.to_owned() }
            }
        };
        let before = self.things.insert(path.to_owned(), thing);
        assert!(before.is_none_or(|before| is_folder && before.kind == Kind::Folder), "{path} is there twice");
        if is_folder && entry.has_xattrs {
            self.attributes.push((path.to_owned(), source));
        }
    }
}
