//! Applies layers in their order, and plans the archive that makes the same of an empty folder.
//!
//! `tree` is what the layers have made so far: names, and for each the entry (`record`) that made it. An entry's name is
//! cleaned (`names`), its folder looked up through symbolic links (`resolve`), and what it says is done to the tree,
//! unless it is a whiteout (`whiteout`). When all are applied, `emit` goes through the entries once more, in their order,
//! and makes `steps` of those that are still there: mostly long runs of bytes to copy.

mod changes;
mod emit;
mod names;
mod notices;
mod obstacle;
mod record;
mod resolve;
mod steps;
mod tree;
mod whiteout;

#[cfg(test)]
mod tests;

use crate::error::{Error, ErrorKind, Result, printable};
use crate::progress::Job;

use super::entry::{Entry, Kind};
use super::layer_entries::LayerEntries;
use super::plan::Plan;

use changes::Change;
pub(crate) use changes::Changes;
use emit::Emission;
use notices::{About, Notices};
use obstacle::Obstacle;
use record::{NameIs, Record, RecordId};
pub(crate) use steps::Steps;
use tree::{Layer, NodeId, Tree, What};
use whiteout::Marker;

/// Components of paths that are looked at in all: some seconds. A million entries in deep folders, each through two
/// links, need ten million.
const MOST_STEPS: u64 = 200_000_000;
/// Folders without an entry: a path of 4 kB can have two thousand, so that a small layer could fill the memory.
const MOST_MISSING: usize = 1_000_000;

/// Of a manifest that names a layer a thousand times, not all may become memory at once.
const MOST_RESERVED: usize = 4 * 1024 * 1024;
/// So many entries are merged, which no image has: some gigabytes of memory.
const MOST_ENTRIES: usize = 32 * 1024 * 1024;
/// After so many entries the job is asked whether it was cancelled: a millisecond or two.
const ASKED_AFTER: usize = 4096;

/// Applies the layers of an image, the lowest first.
pub(crate) struct Merge {
    job: Job,
    tree: Tree,
    records: Vec<Record>,
    layers: usize,
    /// Where the layer's last entry ended.
    end: u64,
    folder: KnownFolder,
    steps: u64,
    missing_folders: usize,
    changes: Changes,
    notices: Notices,
    name: Vec<u8>,
    link: Vec<u8>,
    missing: Vec<u8>,
}

/// The folder of the last entry: the next one is often in it too.
#[derive(Debug, Default)]
struct KnownFolder {
    path: Vec<u8>,
    place: Option<Place>,
    generation: u64,
}

/// Where something is, and whether the way there led through a symbolic link.
#[derive(Clone, Copy, Debug)]
struct Place {
    node: NodeId,
    is_through_link: bool,
}

impl Merge {
    /// As a part of `job`, whose cancellation ends it.
    pub(crate) fn new(job: &Job) -> Self {
        Self {
            job: job.clone(),
            tree: Tree::new(),
            records: Vec::new(),
            layers: 0,
            end: 0,
            folder: KnownFolder::default(),
            steps: 0,
            missing_folders: 0,
            changes: Changes::default(),
            notices: Notices::default(),
            name: Vec::new(),
            link: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// With room for so many entries of all layers.
    pub(crate) fn for_entries(count: usize, job: &Job) -> Self {
        let mut merge = Self::new(job);
        let count = count.min(MOST_RESERVED);
        merge.records.reserve(count);
        merge.tree.reserve(count);
        merge
    }

    /// Applies the next layer, and frees its list on the way.
    pub(crate) fn add_layer(&mut self, entries: LayerEntries) -> Result<()> {
        self.layers += 1;
        self.end = 0;
        if self.layers == 2 {
            self.changes.add(Change::Layers);
        }
        let Ok(layer) = Layer::try_from(self.layers - 1) else {
            let sentence = format!("The image has more than {} layers", self.layers - 1);
            return Err(Error::new(ErrorKind::UnsupportedImage, sentence));
        };
        if self.records.len() + entries.len() > MOST_ENTRIES {
            let sentence = format!("The layers have more than {MOST_ENTRIES} entries");
            return Err(Error::new(ErrorKind::UnsupportedImage, sentence));
        }
        let mut entries = entries.into_reader();
        let mut count = 0;
        while let Some(entry) = entries.read() {
            if count % ASKED_AFTER == 0 {
                self.job.expect_not_cancelled()?;
            }
            count += 1;
            self.add(entry, layer).map_err(|obstacle| self.error(entry, &obstacle))?;
        }
        Ok(())
    }

    /// The archive of all layers.
    pub(crate) fn finish(mut self) -> Result<Plan> {
        let exists = |path: &[u8]| resolve::find(&self.tree, path).map(|node| self.tree.what(node));
        let has_shell = match exists(b"bin/sh") {
            Some(What::Other(record)) => !self.records[record as usize].is_left_out,
            Some(What::Link(link)) => {
                let maker = self.tree.inodes[self.tree.links[link as usize].inode as usize].maker;
                !self.records[maker as usize].is_left_out
            }
            _ => false,
        };
        let has_etc = matches!(exists(b"etc"), Some(What::Folder(_)));
        self.tree.finish_applying();
        let emission = Emission::new(self.tree, self.records, self.changes, self.notices);
        let (steps, changes, notices) = emission.run(&self.job)?;
        Ok(Plan { steps, notices: notices.lines(), changes, has_shell, has_etc })
    }

    fn error(&self, entry: &Entry, obstacle: &Obstacle) -> Error {
        let words = obstacle.words(&self.tree, &entry.link);
        let sentence = format!("The entry {} of layer {} {words}", shown(&entry.name), self.layers);
        Error::new(ErrorKind::UnsupportedImage, sentence)
    }

    fn add(&mut self, entry: &Entry, layer: Layer) -> Result<(), Obstacle> {
        if entry.start != self.end {
            self.changes.add(Change::GlobalHeader);
        }
        self.end = entry.end;
        let mut name = std::mem::take(&mut self.name);
        let result =
            names::clean(&entry.name, &mut name).map_err(Obstacle::from).and_then(|()| self.apply(entry, &name, layer));
        self.name = name;
        result
    }

    fn apply(&mut self, entry: &Entry, name: &[u8], layer: Layer) -> Result<(), Obstacle> {
        let (folder, base) = names::split(name);
        if whiteout::is_in_path(folder) {
            self.leave_out(About::BelowWhiteout, &entry.name);
            return Ok(());
        }
        match Marker::of(base) {
            None => self.make(entry, name, layer),
            Some(Marker::Nameless) => {
                self.leave_out(About::Nameless, &entry.name);
                Ok(())
            }
            Some(Marker::Aufs) => {
                self.changes.add(Change::LeftOut);
                Ok(())
            }
            Some(marker) => {
                self.changes.add(Change::Whiteout);
                let folder = match self.existing_folder(folder) {
                    Ok(Some(folder)) => folder,
                    // Nothing of that name is there to be removed.
                    Ok(None) | Err(Obstacle::NotAFolder(_)) => return Ok(()),
                    Err(obstacle) => return Err(obstacle),
                };
                match marker {
                    Marker::Whiteout(name) => {
                        if let Some(node) = self.tree.child(folder.node, name) {
                            self.tree.remove_lower(node, layer);
                        }
                    }
                    _ => self.tree.clear_lower(folder.node, layer),
                }
                Ok(())
            }
        }
    }

    fn leave_out(&mut self, about: About, name: &[u8]) {
        self.changes.add(Change::LeftOut);
        self.notices.add(about, name);
    }

    /// Does what an entry says that is no whiteout.
    fn make(&mut self, entry: &Entry, name: &[u8], layer: Layer) -> Result<(), Obstacle> {
        let (folder, base) = names::split(name);
        if base.is_empty() {
            return self.make_root(entry, layer);
        }
        // Before its folder is made or its own name replaced.
        let target = match entry.kind {
            Kind::HardLink => Some(self.target(&entry.link)?),
            _ => None,
        };
        let folder = self.folder(folder, layer)?;
        let node = self.tree.name(folder.node, base, layer)?;
        let name = match names::is_plain(&entry.name, name, entry.kind == Kind::Folder) {
            _ if folder.is_through_link => NameIs::ThroughLink,
            true => NameIs::Plain,
            false => NameIs::Unclean,
        };
        let record = Record::new(entry, layer, node, name)?;
        match (entry.kind, target) {
            (Kind::HardLink, Some((target, is_written))) => {
                if self.tree.is_same(node, target) {
                    self.tree.confirm(node, layer);
                    self.changes.add(Change::Replaced);
                } else {
                    let record = tree::push(&mut self.records, record)?;
                    self.tree.put_link(node, record, target, is_written, layer)?;
                }
                Ok(())
            }
            (Kind::Symlink, _) => {
                tree::check_target(&entry.link)?;
                let record = tree::push(&mut self.records, record)?;
                self.tree.put_symlink(node, record, &entry.link, layer)
            }
            (Kind::Folder, _) => {
                let record = tree::push(&mut self.records, record)?;
                self.tree.put_folder(node, record, layer)
            }
            _ => {
                let record = tree::push(&mut self.records, record)?;
                self.tree.put_other(node, record, layer);
                Ok(())
            }
        }
    }

    fn make_root(&mut self, entry: &Entry, layer: Layer) -> Result<(), Obstacle> {
        if entry.kind != Kind::Folder {
            self.leave_out(About::Root, &entry.name);
            return Ok(());
        }
        let name = if names::is_plain(&entry.name, b"", true) { NameIs::Plain } else { NameIs::Unclean };
        let record = tree::push(&mut self.records, Record::new(entry, layer, tree::ROOT, name)?)?;
        self.tree.put_folder(tree::ROOT, record, layer)
    }

    /// The target of a hard link, and whether `link` is its name as it is.
    fn target(&mut self, link: &[u8]) -> Result<(NodeId, bool), Obstacle> {
        let mut name = std::mem::take(&mut self.link);
        let result = names::clean(link, &mut name).map_err(|_| Obstacle::TargetLeavesRoot).and_then(|()| {
            let (folder, base) = names::split(&name);
            if base.is_empty() {
                return Err(Obstacle::TargetIsFolder);
            }
            let folder = self.existing_folder(folder)?.ok_or(Obstacle::TargetIsMissing)?;
            let node = self.tree.child(folder.node, base).ok_or(Obstacle::TargetIsMissing)?;
            match self.tree.what(node) {
                What::Folder(_) => Err(Obstacle::TargetIsFolder),
                _ => Ok((node, !folder.is_through_link && names::is_plain(link, &name, false))),
            }
        });
        self.link = name;
        result
    }

    /// The folder at a clean path, with what is missing on the way to it.
    fn folder(&mut self, path: &[u8], layer: Layer) -> Result<Place, Obstacle> {
        if let Some(place) = self.folder.place
            && self.folder.generation == self.tree.generation
            && self.folder.path == path
        {
            return Ok(place);
        }
        let mut place = self.follow(path)?;
        let since = RecordId::try_from(self.records.len()).map_err(|_| Obstacle::TooMuch)?;
        for component in names::components(&self.missing) {
            self.missing_folders += 1;
            if self.missing_folders > MOST_MISSING {
                return Err(Obstacle::TooManyMissing);
            }
            place.node = self.tree.make_missing(place.node, component, layer, since)?;
        }
        self.folder.path.clear();
        self.folder.path.extend_from_slice(path);
        self.folder.place = Some(place);
        self.folder.generation = self.tree.generation;
        Ok(place)
    }

    /// The folder at a clean path, if it is there.
    fn existing_folder(&mut self, path: &[u8]) -> Result<Option<Place>, Obstacle> {
        let place = self.follow(path)?;
        Ok(self.missing.is_empty().then_some(place))
    }

    /// Where a path leads; what is missing is put into `self.missing`.
    fn follow(&mut self, path: &[u8]) -> Result<Place, Obstacle> {
        let found = resolve::follow(&self.tree, path, &mut self.missing)?;
        self.steps += found.steps;
        if self.steps > MOST_STEPS {
            return Err(Obstacle::TooMuchFollowing);
        }
        if self.tree.folder(found.node).is_none() {
            return Err(Obstacle::NotAFolder(found.node));
        }
        Ok(Place { node: found.node, is_through_link: found.links > 0 })
    }
}

/// A name as it may be shown.
fn shown(name: &[u8]) -> String {
    printable(&String::from_utf8_lossy(name))
}
