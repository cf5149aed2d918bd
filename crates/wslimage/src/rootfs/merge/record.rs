//! What of an entry is kept until the archive is planned.

use crate::rootfs::entry::{Entry, Kind};

use super::obstacle::Obstacle;
use super::tree::NodeId;

pub(super) type RecordId = u32;

/// An entry that made something, or changed a folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) start: u64,
    pub(super) end: u64,
    /// The length of its headers.
    pub(super) headers: u32,
    pub(super) node: NodeId,
    pub(super) layer: u16,
    pub(super) kind: Kind,
    pub(super) name: NameIs,
    pub(super) is_rewritten: bool,
    pub(super) is_left_out: bool,
    pub(super) has_xattrs: bool,
}

// There may be a million.
const _: () = assert!(size_of::<Record>() <= 32);

/// How the name in the header differs from the name in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameIs {
    Plain,
    Unclean,
    ThroughLink,
}

impl Record {
    pub(super) fn new(entry: &Entry, layer: u16, node: NodeId, name: NameIs) -> Result<Self, Obstacle> {
        let headers = entry.data.saturating_sub(entry.start);
        Ok(Self {
            start: entry.start,
            end: entry.end.max(entry.data),
            headers: u32::try_from(headers).map_err(|_| Obstacle::LongHeaders)?,
            node,
            layer,
            kind: entry.kind,
            name,
            is_rewritten: entry.needs.rewriting,
            is_left_out: entry.needs.leaving_out,
            has_xattrs: entry.has_xattrs,
        })
    }

    pub(super) fn data(&self) -> u64 {
        self.start + u64::from(self.headers)
    }

    /// Whether its header can go into the archive as it is, but for a hard link's target.
    pub(super) fn is_plain(&self) -> bool {
        self.name == NameIs::Plain && !self.is_rewritten
    }
}
