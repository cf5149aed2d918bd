//! The last part of the job: the layers of an image become an archive.
//!
//! `one` and `several` fetch the layers of a registry's image, `local` takes those of a file or folder. Each layer is read
//! while it arrives (`passes`); `assembly` makes the archive of what was read.

mod assembly;
mod layers_folder;
mod local;
mod one;
mod options;
mod passes;
mod several;
#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use oci_spec::image::Digest;
use tokio::sync::Semaphore;

use self::assembly::Planned;
use self::layers_folder::LayersFolder;
use self::passes::Passes;
pub use options::PullOptions;

use crate::blob::{Destination, PartialFile};
use crate::error::{Error, ErrorKind, Result};
use crate::image::{Image, Origin};
use crate::progress::{Job, Stage};
use crate::registry::Client;
use crate::rootfs::{Format, PlainBudget, Windows, stamped};
use crate::task::in_thread;

/// A file that is complete and verified.
#[derive(Clone, Debug)]
pub struct PulledFile {
    path: PathBuf,
    digest: Digest,
    size: u64,
}

impl PulledFile {
    /// Where it is, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The digest of its bytes: of a blob that is the file as it came, the layer's; of an archive that was made, the
    /// SHA-256.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Its length in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// Makes of an image the archive `destination`, which appears, or is replaced, only when all of it is there and verified.
///
/// An image of one layer becomes that layer's blob, byte for byte, if `wsl --import` takes it as it is; every other one a
/// new archive, in which the layers are applied. An image of a file or folder needs no `client`.
///
/// Blobs of several layers lie in `NAME.layers` beside the file until the archive is complete. After a failure or a
/// cancellation those that are whole, and the beginnings of others, stay there for the next run.
///
/// # Errors
/// [`ErrorKind::DigestMismatch`] for bytes that do not match digest or DiffID; [`ErrorKind::UnsupportedImage`] for layers
/// that cannot be applied; [`ErrorKind::File`] for the destination; [`ErrorKind::InvalidArgument`] for a registry's image
/// without a client; the kinds of a registry's answer. What was at `destination` before is then still there.
pub async fn pull<'a>(
    client: impl Into<Option<&'a Client>>,
    image: &Image,
    destination: &Path,
    options: PullOptions,
    job: &Job,
) -> Result<PulledFile> {
    let destination = Destination::new(destination)?;
    let layers = image.layers();
    if options.format == Format::Original && layers.len() > 1 {
        let name = image.name();
        return Err(Error::new(
            ErrorKind::UnsupportedImage,
            format!("The image should have exactly one layer. {name} has {}", layers.len()),
        )
        .advice("Of several layers an archive can be made in another format.")
        .target(name));
    }
    job.observer().expects(layers.len(), total_size(layers));
    job.observer().stage(Stage::Downloading);
    let folder = destination.path().parent().unwrap_or(Path::new("")).to_owned();
    let passes = Passes {
        windows: Some(Arc::new(Windows::new_in(&folder))),
        budget: PlainBudget::new(options.maximum_plain_size),
        // One more than are fetched at once, so that the network need not wait for the processors.
        places: Arc::new(Semaphore::new(processors().max(several::AT_ONCE) + 1)),
    };
    let context = Context { image, destination: &destination, options, passes, job };
    let request = match image.origin() {
        Origin::Registry(request) => request,
        Origin::Local(local) => return local::pull(&context, local).await,
    };
    let client = client.into().ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidArgument,
            format!("{} is an image of a registry, and there is no client", image.name()),
        )
    })?;
    if layers.len() == 1 {
        one::pull(&context, client, request).await
    } else {
        several::pull(&context, client, request).await
    }
}

/// Sizes are what somebody has written into a manifest.
fn total_size(layers: &[crate::Layer]) -> u64 {
    layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.size()))
}

fn processors() -> usize {
    thread::available_parallelism().map_or(2, NonZeroUsize::get)
}

/// One image on its way to one file.
struct Context<'a> {
    image: &'a Image,
    destination: &'a Destination,
    options: PullOptions,
    passes: Passes,
    job: &'a Job,
}

impl Context<'_> {
    /// The archive that an earlier run, or another process, has made of the image.
    async fn is_there(&self) -> Result<Option<PulledFile>> {
        if self.options.format != Format::TarGz {
            return Ok(None);
        }
        let (path, digest, job) = (self.destination.path().to_owned(), self.image.digest().clone(), self.job.clone());
        let found = in_thread(move || stamped(&path, &digest, &job)).await?;
        found
            .map(|found| {
                let path = self.destination.path();
                self.job.verbose(format!("{} is there already, made of the same image.", path.display()));
                self.job.observer().stage(Stage::Done);
                self.pulled(&found.hash, found.size)
            })
            .transpose()
    }

    /// Tells that nothing of the layers has to come.
    fn all_arrived(&self) {
        for (index, layer) in self.image.layers().iter().enumerate() {
            self.job.for_layer(index).advanced(layer.size());
        }
    }

    /// Writes the archive and gives it its final name, for which `lock` is held.
    async fn assemble(&self, planned: Planned, lock: PartialFile) -> Result<PulledFile> {
        let folder = LayersFolder::beside(self.destination);
        let (format, digest, job) = (self.options.format, self.image.digest().clone(), self.job.clone());
        let assembled = {
            let folder = folder.clone();
            in_thread(move || planned.assemble(format, &digest, &folder, lock, &job)).await?
        };
        self.job.observer().stage(Stage::Done);
        self.pulled(&assembled.hash, assembled.size)
    }

    fn pulled(&self, hash: &str, size: u64) -> Result<PulledFile> {
        let digest = format!("sha256:{hash}")
            .parse()
            .map_err(|error| Error::new(ErrorKind::Internal, "A SHA-256 is no digest").caused_by(error))?;
        Ok(PulledFile { path: self.destination.path().to_owned(), digest, size })
    }

    /// `error` as it is told of the layer at `index`.
    fn unreadable(&self, index: usize, error: Error) -> Error {
        if error.kind() == ErrorKind::Cancelled {
            return error;
        }
        let digest = self.image.layers()[index].digest();
        error.at(Stage::Finishing).target(digest).attempting(&format!(
            "Failed to read layer {} of {}, {digest}: ",
            index + 1,
            self.image.name()
        ))
    }
}
