//! Which entries are still there when all layers are applied, and how they go into the archive.

use crate::error::Result;
use crate::progress::Job;
use crate::rootfs::entry::Kind;

use super::ASKED_AFTER;
use super::changes::{Change, Changes};
use super::notices::{About, Notices};
use super::record::{NameIs, Record, RecordId};
use super::steps::Steps;
use super::tree::{Emitted, Link, NONE, NodeId, ROOT, Tree, What};

pub(super) struct Emission {
    records: Vec<Record>,
    steps: Steps,
    changes: Changes,
    notices: Notices,
    /// Folders that have to be there before an entry.
    folders: Vec<NodeId>,
}

impl Emission {
    pub(super) fn new(tree: Tree, records: Vec<Record>, changes: Changes, notices: Notices) -> Self {
        Self { records, steps: Steps::new(tree), changes, notices, folders: Vec::new() }
    }

    pub(super) fn run(mut self, job: &Job) -> Result<(Steps, Changes, Notices)> {
        // It is where the archive is extracted to.
        if let Some(root) = self.tree().folder(ROOT) {
            self.tree().folders[root as usize].emitted = Emitted::Earlier;
        }
        for index in 0..self.records.len() {
            if index % ASKED_AFTER == 0 {
                job.expect_not_cancelled()?;
            }
            self.record(index as RecordId, self.records[index]);
        }
        self.empty_folders();
        self.tree().finish_planning();
        Ok((self.steps, self.changes, self.notices))
    }

    fn tree(&mut self) -> &mut Tree {
        self.steps.tree()
    }

    fn record(&mut self, id: RecordId, record: Record) {
        match self.tree().what(record.node) {
            What::Folder(folder) if self.tree().folders[folder as usize].since <= id => {
                self.make_folders(record.node);
                self.folder_entry(id, &record, folder);
            }
            What::Symlink(symlink) if self.tree().symlinks[symlink as usize].record == id => {
                self.make_folders(record.node);
                self.entry(&record, symlink);
            }
            What::Other(own) if own == id && record.is_left_out => self.leave_out(record.node),
            What::Other(own) if own == id => {
                self.make_folders(record.node);
                self.entry(&record, NONE);
            }
            What::Link(link) if self.tree().links[link as usize].record == id => {
                let link = self.tree().links[link as usize];
                self.link(id, &record, link);
            }
            _ => self.changes.add(Change::Replaced),
        }
    }

    fn leave_out(&mut self, node: NodeId) {
        let mut path = Vec::new();
        self.tree().path(node, &mut path);
        self.notices.add(About::Device, &path);
        self.changes.add(Change::Device);
    }

    /// An entry that makes what its header says, as it is if it can be.
    fn entry(&mut self, record: &Record, symlink: u32) {
        if record.is_plain() {
            self.steps.copy(record);
        } else {
            self.change(record);
            self.steps.header(record, record.node, record.kind, symlink);
        }
    }

    fn change(&mut self, record: &Record) {
        if record.is_rewritten {
            self.changes.add(Change::Header);
        }
        match record.name {
            NameIs::Plain => {}
            NameIs::Unclean => self.changes.add(Change::UncleanName),
            NameIs::ThroughLink => self.changes.add(Change::NameThroughLink),
        }
    }

    /// One name of an inode with several: the first in the archive has the content.
    fn link(&mut self, id: RecordId, record: &Record, link: Link) {
        let inode = self.tree().inodes[link.inode as usize];
        let maker = self.records[inode.maker as usize];
        if maker.is_left_out {
            return self.leave_out(record.node);
        }
        self.make_folders(record.node);
        if inode.first == NONE {
            self.tree().inodes[link.inode as usize].first = record.node;
        }
        if inode.maker == id {
            self.entry(record, inode.symlink);
        } else if inode.first == NONE || maker.kind != Kind::File {
            self.changes.add(match maker.kind {
                Kind::File => Change::LinkWithoutOriginal,
                _ => Change::LinkToSpecial,
            });
            self.steps.header(&maker, record.node, maker.kind, inode.symlink);
        } else if record.is_plain() && link.written == inode.first {
            self.steps.copy(record);
        } else {
            self.change(record);
            if link.written != inode.first {
                self.changes.add(Change::LinkTarget);
            }
            self.steps.header(record, record.node, Kind::HardLink, inode.first);
        }
    }

    /// Makes the folders around `node` that are not in the archive yet.
    fn make_folders(&mut self, node: NodeId) {
        let mut at = self.tree().parent(node);
        while let Some(folder) = self.tree().folder(at)
            && self.tree().folders[folder as usize].emitted == Emitted::Not
        {
            self.folders.push(at);
            at = self.tree().parent(at);
        }
        while let Some(node) = self.folders.pop() {
            self.final_folder(node);
        }
    }

    /// Folders without an entry that were made for what is gone.
    fn empty_folders(&mut self) {
        // Parents have lower ids.
        for node in self.tree().ids() {
            if let Some(folder) = self.tree().folder(node)
                && self.tree().folders[folder as usize].emitted == Emitted::Not
            {
                self.final_folder(node);
            }
        }
    }

    fn last_entry(&mut self, node: NodeId) -> Option<RecordId> {
        let folder = self.tree().folder(node)?;
        Some(self.tree().folders[folder as usize].last).filter(|last| *last != NONE)
    }

    /// A folder as it is in the end.
    fn final_folder(&mut self, node: NodeId) {
        match self.last_entry(node) {
            Some(last) => {
                let record = self.records[last as usize];
                self.entry(&record, NONE);
            }
            None => self.steps.folder(node),
        }
        self.set_emitted(node, Emitted::Final);
    }

    fn set_emitted(&mut self, node: NodeId, emitted: Emitted) {
        if let Some(folder) = self.tree().folder(node) {
            self.tree().folders[folder as usize].emitted = emitted;
        }
    }

    /// An entry of a folder that may have others. Those that can stay do, so that no run of bytes is cut, as long as the
    /// last in the archive is the last of the layers.
    fn folder_entry(&mut self, id: RecordId, record: &Record, folder: u32) {
        let folder = &self.tree().folders[folder as usize];
        let (is_last, emitted) = (folder.last == id, folder.emitted);
        // An extractor does not take attributes away.
        let can_stay = is_last || !record.has_xattrs;
        if is_last {
            if emitted != Emitted::Final || record.is_plain() {
                self.final_folder(record.node);
            }
        } else if can_stay && record.is_plain() {
            self.steps.copy(record);
            self.set_emitted(record.node, Emitted::Earlier);
        } else {
            self.changes.add(if can_stay { Change::Replaced } else { Change::Attributes });
            if emitted == Emitted::Not {
                self.final_folder(record.node);
            }
        }
    }
}
