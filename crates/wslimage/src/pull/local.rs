//! An image of a file or folder, whose layers are there already.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::assembly::{ReadLayer, check, plan};
use super::layers_folder::{LayersFolder, Spool};
use super::{Context, PulledFile};
use crate::blob::PartialFile;
use crate::digest::Hasher;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest;
use crate::progress::{Job, Stage};
use crate::rootfs::{Blob, Format, Layer, OpenBlob};
use crate::source::LocalImage;
use crate::task::{in_thread, joined};

const PIECE: usize = 1024 * 1024;

pub(super) async fn pull(context: &Context<'_>, local: &Arc<LocalImage>) -> Result<PulledFile> {
    let Context { image, destination, job, .. } = context;
    let mut lock = destination.open_partial(job).await?;
    if let Some(there) = context.is_there().await? {
        context.all_arrived();
        return Ok(there);
    }
    lock.begin_empty()?;
    let compressed = super::total_size(image.layers());
    if local.is_spooled() {
        // What comes out of a compressed archive may be much more than that.
        context.passes.budget.expect(compressed).map_err(|error| {
            let name = image.name();
            error.at(Stage::Finishing).attempting(&format!("Failed to read {name}: ")).target(name)
        })?;
        lock.expect_room(compressed.saturating_mul(2))?;
    } else {
        lock.expect_room(compressed)?;
    }
    // Gone when the archive is complete, or the job has failed.
    let spool = Spool::create(&LayersFolder::beside(destination))?;
    let blobs = in_thread({
        let (local, folder, job) = (local.clone(), spool.path().to_owned(), (*job).clone());
        move || local.blobs(&folder, &job)
    });
    let blobs = blobs.await?;
    if context.options.format == Format::Original {
        return copy(context, lock, &blobs[0]).await;
    }
    let mut layers = Vec::new();
    for (index, (layer, blob)) in read_all(context, &blobs).await?.into_iter().zip(&blobs).enumerate() {
        check(context, index, &layer)?;
        layers.push(ReadLayer { blob: blob.clone(), layer });
    }
    let is_archive = layers.iter().all(|layer| layer.layer.archive.is_some());
    if blobs.len() == 1 && !is_archive {
        job.warning(format!("The layer of {} is not a tar archive: wsl --import refuses it.", image.name()));
        return copy(context, lock, &blobs[0]).await;
    }
    let planned = in_thread({
        let (name, job) = (image.name(), (*job).clone());
        move || plan(&name, layers, &job)
    });
    let planned = planned.await?;
    if blobs.len() == 1 {
        let reasons = planned.reasons(context.options.format);
        if reasons.is_empty() {
            return copy(context, lock, &blobs[0]).await;
        }
        job.verbose(format!("The layer is not the archive as it is, because of {}.", reasons.join(", ")));
    }
    context.assemble(planned, lock).await
}

/// Reads all layers, several at once.
async fn read_all(context: &Context<'_>, blobs: &[Blob]) -> Result<Vec<Layer>> {
    let job = context.job.child();
    let mut passes = JoinSet::new();
    for (index, (blob, descriptor)) in blobs.iter().zip(context.image.layers()).enumerate() {
        let (of_all, blob, descriptor, job) =
            (context.passes.clone(), blob.clone(), descriptor.clone(), job.for_layer(index));
        passes.spawn(async move {
            // Nobody closes it.
            let _place = of_all.places.acquire().await;
            let passes = of_all.clone();
            let read = in_thread(move || {
                let mut verified = Verified::open(&blob, &descriptor, &job)?;
                let layer = crate::rootfs::read_layer(
                    &mut |buffer| verified.next(buffer),
                    passes.windows.as_ref(),
                    &passes.budget,
                    &job,
                )?;
                verified.finish()?;
                Ok(layer)
            });
            (index, read.await)
        });
    }
    let mut layers: Vec<Option<Layer>> = blobs.iter().map(|_| None).collect();
    let mut failed = None;
    while let Some(ended) = passes.join_next().await {
        match joined(ended)? {
            (index, Ok(layer)) => layers[index] = Some(layer),
            // The first one counts: it ends the others.
            (index, Err(error)) => {
                job.cancel();
                failed.get_or_insert_with(|| context.unreadable(index, error));
            }
        }
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(layers.into_iter().flatten().collect()),
    }
}

/// The blob as it is becomes the file.
async fn copy(context: &Context<'_>, mut lock: PartialFile, blob: &Blob) -> Result<PulledFile> {
    let layer = context.image.layers()[0].clone();
    let (blob, job) = (blob.clone(), context.job.clone());
    let descriptor = layer.clone();
    in_thread(move || {
        use std::io::Write as _;
        lock.expect_room(blob.length)?;
        // Its bytes were told of as arrived when they were read.
        let mut verified = Verified::open(&blob, &descriptor, &Job::default())?;
        let mut buffer = vec![0; PIECE];
        loop {
            job.expect_not_cancelled()?;
            match verified.next(&mut buffer)? {
                0 => break,
                count => lock.file().write_all(&buffer[..count]).map_err(|error| lock.write_error(error))?,
            }
        }
        verified.finish()?;
        job.observer().stage(Stage::Finishing);
        lock.publish()
    })
    .await?;
    context.job.observer().stage(Stage::Done);
    Ok(PulledFile { path: context.destination.path().to_owned(), digest: layer.digest().clone(), size: layer.size() })
}

/// A blob that is hashed as it is read.
struct Verified {
    blob: OpenBlob,
    position: u64,
    hasher: Hasher,
    descriptor: manifest::Layer,
    job: Job,
}

impl Verified {
    fn open(blob: &Blob, descriptor: &manifest::Layer, job: &Job) -> Result<Self> {
        let unreadable = |error| unreadable(blob, error);
        Ok(Self {
            hasher: Hasher::for_digest(descriptor.digest())?,
            blob: blob.open().map_err(unreadable)?,
            position: 0,
            descriptor: descriptor.clone(),
            job: job.clone(),
        })
    }

    fn next(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let count = self
            .blob
            .read_at(buffer, self.position)
            .map_err(|error| Error::new(ErrorKind::File, format!("it cannot be read: {error}")).caused_by(error))?;
        self.position += count as u64;
        self.hasher.update(&buffer[..count]);
        self.job.advanced(count as u64);
        Ok(count)
    }

    fn finish(self) -> Result<()> {
        let actual = self.hasher.finish();
        if actual == self.descriptor.digest().digest() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::DigestMismatch,
            format!(
                "its bytes do not match its digest. Expected: {}, Actual: {actual}",
                self.descriptor.digest().digest()
            ),
        ))
    }
}

fn unreadable(blob: &Blob, error: std::io::Error) -> Error {
    Error::new(ErrorKind::File, format!("{} cannot be read: {error}", blob.path.display())).caused_by(error)
}
