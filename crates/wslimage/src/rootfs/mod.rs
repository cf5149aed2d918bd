//! Layers to one archive, as bsdtar inside WSL takes it.
//!
//! `layer` reads a layer once: its compression, its DiffID, and by `tar` the entries of its archive. `merge` applies the
//! layers in order and plans which ranges of their plain bytes the archive has, with which headers between them.
//! `archive` writes that; what was gzip and needs no change is copied by `gzip` as it is.

mod archive;
mod blob;
mod checksum;
mod entry;
mod gzip;
mod layer;
mod layer_entries;
mod merge;
mod plan;
mod positioned;
mod tar;

pub use archive::Format;
pub(crate) use archive::{Archive, Source, write as write_archive};
pub(crate) use blob::{Blob, OpenBlob};
pub(crate) use gzip::{Windows, stamped};
pub(crate) use layer::{Compression, Content, Layer, PlainBudget, read as read_layer, unpack, worth_unpacking};
pub(crate) use merge::Merge;
pub(crate) use plan::Plan;
pub(crate) use positioned::read_at;
