//! An image of a file or folder.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::container::Container;
use crate::error::Result;
use crate::progress::Job;
use crate::rootfs::Blob;

/// Where the layers of an image are that came from no registry.
pub(crate) struct LocalImage {
    pub(super) name: String,
    pub(super) container: Arc<Container>,
    /// The names of the layers in it, the lowest first.
    pub(super) files: Vec<String>,
}

impl LocalImage {
    /// What to call it: its name in the file or folder, and the path of that.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the blobs have to be written into a folder first.
    pub(crate) fn is_spooled(&self) -> bool {
        self.container.is_compressed()
    }

    /// Where the blobs of the layers are, the lowest first, whose bytes nobody has verified yet; a layer that the image has twice is there once.
    ///
    /// Blocks. Those of an archive that is compressed as a whole are written into the folder `spool`, in one pass; the
    /// caller removes it, also after an error.
    pub(crate) fn blobs(&self, spool: &Path, job: &Job) -> Result<Vec<Blob>> {
        self.container.blobs(&self.files, spool, job).map_err(|error| super::local_source::failed(error, &self.name))
    }
}

impl fmt::Debug for LocalImage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LocalImage").field("name", &self.name).finish_non_exhaustive()
    }
}
