//! The names that the layers have made so far.
//!
//! Everything is a fixed-size record in a list, found by a 32-bit index: a million names take some 60 MB. Ids of names
//! are not used again, so that a name keeps its path for ever.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use super::obstacle::Obstacle;
use super::record::RecordId;

pub(super) type NodeId = u32;
pub(super) type Layer = u16;

pub(super) const ROOT: NodeId = 0;
pub(super) const NONE: u32 = u32::MAX;
/// Linux's NAME_MAX, and PATH_MAX without its NUL: nothing can extract what is longer.
pub(super) const LONGEST_COMPONENT: usize = 255;
pub(super) const LONGEST_PATH: usize = 4095;

/// A name.
#[derive(Debug)]
struct Node {
    parent: NodeId,
    /// Where the name stands in `components`.
    name: u32,
    next: NodeId,
    previous: NodeId,
    what: What,
    /// The layer that has put it there, the last one of those that have the folder.
    layer: Layer,
    name_length: u8,
}

// There may be a million.
const _: () = assert!(size_of::<Node>() <= 28);

/// What a name is. The ids are indexes of the lists of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Removed,
    Folder(u32),
    Symlink(u32),
    /// A file, device or FIFO, or the entry of one.
    Other(RecordId),
    /// A name of an inode that has, or had, several.
    Link(u32),
}

#[derive(Debug)]
pub(super) struct Folder {
    first_child: NodeId,
    /// Its entries are the records of this name from here on: it may have been removed and made again.
    pub(super) since: RecordId,
    /// The last of its entries.
    pub(super) last: RecordId,
    path_length: u16,
    /// The layer for which nothing of lower layers is left in it, but what folders of this layer's files need.
    cleared: Layer,
    pub(super) emitted: Emitted,
}

/// Which of a folder's entries the archive has so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Emitted {
    Not,
    /// One that another has to follow.
    Earlier,
    /// The last one.
    Final,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Symlink {
    pub(super) record: RecordId,
    target: u32,
    target_length: u16,
}

/// One name of an inode with several.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    /// The entry of this name.
    pub(super) record: RecordId,
    pub(super) inode: u32,
    /// The name that its header gives as the target, when it does so in plain words.
    pub(super) written: NodeId,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Inode {
    /// The entry with its content.
    pub(super) maker: RecordId,
    /// NONE when it is no symbolic link.
    pub(super) symlink: u32,
    /// The name that it has first in the archive, once it is there.
    pub(super) first: NodeId,
}

#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// The names' bytes and the symbolic links' targets.
    components: Vec<u8>,
    /// Names by parent and component.
    by_name: HashTable<NodeId>,
    hasher: RandomState,
    pub(super) folders: Vec<Folder>,
    pub(super) symlinks: Vec<Symlink>,
    pub(super) links: Vec<Link>,
    pub(super) inodes: Vec<Inode>,
    /// Grows whenever a path may have come to lead elsewhere.
    pub(super) generation: u64,
}

impl Tree {
    pub(super) fn new() -> Self {
        let root =
            Folder { first_child: NONE, since: 0, last: NONE, path_length: 0, cleared: 0, emitted: Emitted::Not };
        let node =
            Node { parent: ROOT, name: 0, next: NONE, previous: NONE, what: What::Folder(0), layer: 0, name_length: 0 };
        Self {
            nodes: vec![node],
            components: Vec::new(),
            by_name: HashTable::new(),
            hasher: RandomState::new(),
            folders: vec![root],
            symlinks: Vec::new(),
            links: Vec::new(),
            inodes: Vec::new(),
            generation: 0,
        }
    }

    /// Makes room for the names of so many entries.
    pub(super) fn reserve(&mut self, entries: usize) {
        self.nodes.reserve(entries);
        let (nodes, components, hasher) = (&self.nodes, &self.components, &self.hasher);
        self.by_name.reserve(entries, |node| hash_of(&nodes[*node as usize], components, hasher));
    }

    /// All names, also those that were removed, in the order in which they were made.
    pub(super) fn ids(&self) -> std::ops::Range<NodeId> {
        0..self.nodes.len() as NodeId
    }

    pub(super) fn what(&self, node: NodeId) -> What {
        self.nodes[node as usize].what
    }

    pub(super) fn parent(&self, node: NodeId) -> NodeId {
        self.nodes[node as usize].parent
    }

    pub(super) fn folder(&self, node: NodeId) -> Option<u32> {
        match self.what(node) {
            What::Folder(folder) => Some(folder),
            _ => None,
        }
    }

    /// The symbolic link that a name is.
    pub(super) fn symlink(&self, node: NodeId) -> Option<u32> {
        match self.what(node) {
            What::Symlink(symlink) => Some(symlink),
            What::Link(link) => {
                let symlink = self.inodes[self.links[link as usize].inode as usize].symlink;
                (symlink != NONE).then_some(symlink)
            }
            _ => None,
        }
    }

    pub(super) fn target(&self, symlink: u32) -> &[u8] {
        let symlink = &self.symlinks[symlink as usize];
        &self.components[symlink.target as usize..][..usize::from(symlink.target_length)]
    }

    pub(super) fn child(&self, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        let is_it = |node: &NodeId| {
            let node = &self.nodes[*node as usize];
            node.parent == parent && component(node, &self.components) == name
        };
        self.by_name.find(self.hasher.hash_one((parent, name)), is_it).copied()
    }

    /// Puts the path of a name into `path`, without a `/` at either end.
    pub(super) fn path(&self, node: NodeId, path: &mut Vec<u8>) {
        path.clear();
        let mut at = node;
        while at != ROOT {
            let node = &self.nodes[at as usize];
            // From the end to the beginning, and turned round below.
            path.extend(component(node, &self.components).iter().rev());
            path.push(b'/');
            at = node.parent;
        }
        path.pop();
        path.reverse();
    }

    /// Makes a folder that no layer has an entry for yet.
    pub(super) fn make_missing(
        &mut self,
        parent: NodeId,
        name: &[u8],
        layer: Layer,
        since: RecordId,
    ) -> Result<NodeId, Obstacle> {
        let folder = self.new_folder(self.path_length(parent, name)?, layer, since, NONE)?;
        self.insert(parent, name, What::Folder(folder), layer)
    }

    /// The name `name` in `parent`, made when it is not there. What it is has to be said by one of the calls below.
    pub(super) fn name(&mut self, parent: NodeId, name: &[u8], layer: Layer) -> Result<NodeId, Obstacle> {
        self.path_length(parent, name)?;
        match self.child(parent, name) {
            Some(node) => Ok(node),
            None => self.insert(parent, name, What::Removed, layer),
        }
    }

    /// Makes `node` a folder by the entry `record`, or gives the folder that it is the entry's mode and owner.
    pub(super) fn put_folder(&mut self, node: NodeId, record: RecordId, layer: Layer) -> Result<(), Obstacle> {
        match self.folder(node) {
            Some(folder) => self.folders[folder as usize].last = record,
            None => {
                let (parent, length) = (self.parent(node), self.nodes[node as usize].name_length);
                let length = self.length_below(parent) + usize::from(length);
                let folder = self.new_folder(length as u16, layer, record, record)?;
                self.put(node, What::Folder(folder), layer);
            }
        }
        self.nodes[node as usize].layer = layer;
        Ok(())
    }

    pub(super) fn put_symlink(
        &mut self,
        node: NodeId,
        record: RecordId,
        target: &[u8],
        layer: Layer,
    ) -> Result<(), Obstacle> {
        let target_length = u16::try_from(target.len()).map_err(|_| Obstacle::LongTarget)?;
        let symlink = Symlink { record, target: self.keep(target)?, target_length };
        let id = push(&mut self.symlinks, symlink)?;
        self.put(node, What::Symlink(id), layer);
        Ok(())
    }

    pub(super) fn put_other(&mut self, node: NodeId, record: RecordId, layer: Layer) {
        self.put(node, What::Other(record), layer);
    }

    /// Makes `node` a further name of what `target` is. `is_written` says that the header names `target` as it is.
    pub(super) fn put_link(
        &mut self,
        node: NodeId,
        record: RecordId,
        target: NodeId,
        is_written: bool,
        layer: Layer,
    ) -> Result<(), Obstacle> {
        let inode = self.shared_inode(target)?;
        let written = if is_written { target } else { NONE };
        let link = push(&mut self.links, Link { record, inode, written })?;
        self.put(node, What::Link(link), layer);
        Ok(())
    }

    /// Whether two names are of one inode.
    pub(super) fn is_same(&self, a: NodeId, b: NodeId) -> bool {
        match (self.what(a), self.what(b)) {
            (What::Link(a), What::Link(b)) => self.links[a as usize].inode == self.links[b as usize].inode,
            _ => a == b,
        }
    }

    /// Says that the name is of this layer, without a change.
    pub(super) fn confirm(&mut self, node: NodeId, layer: Layer) {
        self.nodes[node as usize].layer = layer;
    }

    /// Removes what layers below `layer` have of `node`. What `layer` has put into it stays, with the folders around.
    pub(super) fn remove_lower(&mut self, node: NodeId, layer: Layer) {
        self.clear_lower(node, layer);
        self.remove_if_lower(node, layer);
    }

    /// Removes what layers below `layer` have in the folder `node`. Costs what it removes and, once in a layer, what it
    /// leaves: nothing of a lower layer comes back.
    pub(super) fn clear_lower(&mut self, top: NodeId, layer: Layer) {
        let Some(mut at) = self.enter(top, layer) else { return };
        let mut folder = top;
        loop {
            if at == NONE {
                if folder == top {
                    return;
                }
                let Node { next, parent, .. } = self.nodes[folder as usize];
                self.remove_if_lower(folder, layer);
                (at, folder) = (next, parent);
            } else if let Some(first_child) = self.enter(at, layer) {
                (at, folder) = (first_child, at);
            } else {
                let next = self.nodes[at as usize].next;
                self.remove_if_lower(at, layer);
                at = next;
            }
        }
    }

    /// Gives back what only applying needs.
    pub(super) fn finish_applying(&mut self) {
        self.by_name = HashTable::new();
    }

    /// Gives back all but what paths and targets of symbolic links need.
    pub(super) fn finish_planning(&mut self) {
        self.folders = Vec::new();
        self.links = Vec::new();
        self.inodes = Vec::new();
    }

    /// The first child of a folder that `layer` has not cleared yet; it counts as cleared from now on.
    fn enter(&mut self, node: NodeId, layer: Layer) -> Option<NodeId> {
        let folder = self.folder(node)?;
        let folder = &mut self.folders[folder as usize];
        let is_new = folder.cleared != layer;
        folder.cleared = layer;
        is_new.then_some(folder.first_child)
    }

    fn remove_if_lower(&mut self, node: NodeId, layer: Layer) {
        let is_needed = self.folder(node).is_some_and(|folder| self.folders[folder as usize].first_child != NONE);
        if node != ROOT && self.nodes[node as usize].layer != layer && !is_needed {
            self.remove(node);
        }
    }

    fn put(&mut self, node: NodeId, what: What, layer: Layer) {
        self.remove_children(node);
        if self.folder(node).is_some() || self.symlink(node).is_some() {
            self.generation += 1;
        }
        let node = &mut self.nodes[node as usize];
        node.what = what;
        node.layer = layer;
    }

    fn remove_children(&mut self, top: NodeId) {
        let mut at = top;
        loop {
            match self.folder(at).map(|folder| self.folders[folder as usize].first_child) {
                Some(child) if child != NONE => at = child,
                _ if at == top => return,
                _ => {
                    let parent = self.parent(at);
                    self.remove(at);
                    at = parent;
                }
            }
        }
    }

    /// Removes a name without children.
    fn remove(&mut self, id: NodeId) {
        let Node { parent, next, previous, what, .. } = self.nodes[id as usize];
        if matches!(what, What::Folder(_)) || self.symlink(id).is_some() {
            self.generation += 1;
        }
        let hash = hash_of(&self.nodes[id as usize], &self.components, &self.hasher);
        if let Ok(entry) = self.by_name.find_entry(hash, |node| *node == id) {
            entry.remove();
        }
        if next != NONE {
            self.nodes[next as usize].previous = previous;
        }
        if previous != NONE {
            self.nodes[previous as usize].next = next;
        } else if let Some(folder) = self.folder(parent) {
            self.folders[folder as usize].first_child = next;
        }
        self.nodes[id as usize].what = What::Removed;
    }

    fn insert(&mut self, parent: NodeId, name: &[u8], what: What, layer: Layer) -> Result<NodeId, Obstacle> {
        let next = self.folder(parent).map_or(NONE, |folder| self.folders[folder as usize].first_child);
        let (start, name_length) = (self.keep(name)?, name.len() as u8);
        let node = Node { parent, name: start, next, previous: NONE, what, layer, name_length };
        let id = push(&mut self.nodes, node)?;
        if next != NONE {
            self.nodes[next as usize].previous = id;
        }
        if let Some(folder) = self.folder(parent) {
            self.folders[folder as usize].first_child = id;
        }
        let (nodes, components, hasher) = (&self.nodes, &self.components, &self.hasher);
        let hash = hasher.hash_one((parent, name));
        self.by_name.insert_unique(hash, id, |node| hash_of(&nodes[*node as usize], components, hasher));
        Ok(id)
    }

    fn new_folder(&mut self, path_length: u16, layer: Layer, since: RecordId, last: RecordId) -> Result<u32, Obstacle> {
        push(
            &mut self.folders,
            Folder { first_child: NONE, since, last, path_length, cleared: layer, emitted: Emitted::Not },
        )
    }

    /// The inode of a name, as one that may have several names.
    fn shared_inode(&mut self, node: NodeId) -> Result<u32, Obstacle> {
        let (maker, symlink) = match self.what(node) {
            What::Link(link) => return Ok(self.links[link as usize].inode),
            What::Other(record) => (record, NONE),
            What::Symlink(symlink) => (self.symlinks[symlink as usize].record, symlink),
            What::Folder(_) => return Err(Obstacle::TargetIsFolder),
            What::Removed => return Err(Obstacle::TargetIsMissing),
        };
        let inode = push(&mut self.inodes, Inode { maker, symlink, first: NONE })?;
        let link = push(&mut self.links, Link { record: maker, inode, written: NONE })?;
        self.nodes[node as usize].what = What::Link(link);
        Ok(inode)
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<u32, Obstacle> {
        let start = u32::try_from(self.components.len()).map_err(|_| Obstacle::TooMuch)?;
        self.components.extend_from_slice(bytes);
        Ok(start)
    }

    /// The length of the path of `name` in `parent`.
    fn path_length(&self, parent: NodeId, name: &[u8]) -> Result<u16, Obstacle> {
        match self.length_below(parent) + name.len() {
            _ if name.len() > LONGEST_COMPONENT => Err(Obstacle::LongComponent),
            length if length > LONGEST_PATH => Err(Obstacle::LongPath),
            length => Ok(length as u16),
        }
    }

    fn length_below(&self, parent: NodeId) -> usize {
        let of_folder = |folder: u32| usize::from(self.folders[folder as usize].path_length);
        self.folder(parent).map_or(0, of_folder) + usize::from(parent != ROOT)
    }
}

fn component<'a>(node: &Node, components: &'a [u8]) -> &'a [u8] {
    &components[node.name as usize..][..usize::from(node.name_length)]
}

fn hash_of(node: &Node, components: &[u8], hasher: &RandomState) -> u64 {
    hasher.hash_one((node.parent, component(node, components)))
}

/// Adds to a list whose indexes have to stay below [`NONE`].
pub(super) fn push<T>(list: &mut Vec<T>, item: T) -> Result<u32, Obstacle> {
    let id = u32::try_from(list.len()).ok().filter(|id| *id != NONE).ok_or(Obstacle::TooMuch)?;
    list.push(item);
    Ok(id)
}

/// Whether a target of a symbolic link can be one.
pub(super) fn check_target(target: &[u8]) -> Result<(), Obstacle> {
    match target.len() {
        0 => Err(Obstacle::NoTarget),
        length if length > LONGEST_PATH => Err(Obstacle::LongTarget),
        _ => Ok(()),
    }
}
