//! The pieces of the archive, in a form of which a million need little memory.

use std::ops::Range;

use crate::rootfs::entry::Kind;
use crate::rootfs::plan::{HeaderChange, Piece};

use super::record::Record;
use super::tree::{Layer, NodeId, ROOT, Tree};

#[derive(Debug)]
enum Step {
    Copy {
        layer: Layer,
        start: u64,
        end: u64,
    },
    Header {
        kind: Kind,
        layer: Layer,
        /// The length of the old headers.
        headers: u32,
        start: u64,
        node: NodeId,
        /// The name that a hard link links to; the symbolic link, of whose targets there is a list.
        link: u32,
    },
    Folder(NodeId),
}

// There may be two million, when no header can stay as it is.
const _: () = assert!(size_of::<Step>() <= 24);

#[derive(Debug)]
pub(crate) struct Steps {
    steps: Vec<Step>,
    /// The names.
    tree: Tree,
}

impl Steps {
    pub(super) fn new(tree: Tree) -> Self {
        Self { steps: Vec::new(), tree }
    }

    pub(super) fn tree(&mut self) -> &mut Tree {
        &mut self.tree
    }

    /// An entry as it is.
    pub(super) fn copy(&mut self, record: &Record) {
        self.copy_range(record.layer, record.start, record.end);
    }

    /// An entry by another name, or as another kind, with its data.
    pub(super) fn header(&mut self, record: &Record, node: NodeId, kind: Kind, link: u32) {
        let Record { layer, headers, start, .. } = *record;
        self.steps.push(Step::Header { kind, layer, headers, start, node, link });
        if record.data() < record.end {
            self.copy_range(layer, record.data(), record.end);
        }
    }

    pub(super) fn folder(&mut self, node: NodeId) {
        self.steps.push(Step::Folder(node));
    }

    pub(crate) fn pieces(&self) -> impl Iterator<Item = Piece> + '_ {
        self.steps.iter().map(|step| self.piece(step))
    }

    /// Which plain bytes of which layers the pieces are made of, in their order.
    pub(crate) fn reads(&self) -> impl Iterator<Item = (usize, Range<u64>)> + '_ {
        self.steps.iter().filter_map(|step| match *step {
            Step::Copy { layer, start, end } => Some((usize::from(layer), start..end)),
            Step::Header { layer, headers, start, .. } => Some((usize::from(layer), start..start + u64::from(headers))),
            Step::Folder(_) => None,
        })
    }

    fn copy_range(&mut self, layer: Layer, start: u64, end: u64) {
        match self.steps.last_mut() {
            Some(Step::Copy { layer: last, end: last_end, .. }) if *last == layer && *last_end == start => {
                *last_end = end;
            }
            _ => self.steps.push(Step::Copy { layer, start, end }),
        }
    }

    fn piece(&self, step: &Step) -> Piece {
        match *step {
            Step::Copy { layer, start, end } => Piece::Copy { layer: usize::from(layer), range: start..end },
            Step::Header { kind, layer, headers, start, node, link } => {
                let link = match kind {
                    Kind::HardLink => self.name(link, false),
                    Kind::Symlink => self.tree.target(link).to_vec(),
                    _ => Vec::new(),
                };
                let change = HeaderChange { name: self.name(node, kind == Kind::Folder), kind, link };
                Piece::Header { layer: usize::from(layer), header: start..start + u64::from(headers), change }
            }
            Step::Folder(node) => Piece::Folder { name: self.name(node, true) },
        }
    }

    fn name(&self, node: NodeId, is_folder: bool) -> Vec<u8> {
        let mut name = Vec::new();
        self.tree.path(node, &mut name);
        if node == ROOT {
            name.push(b'.');
        }
        if is_folder {
            name.push(b'/');
        }
        name
    }
}
