//! A registry's image of several layers: their blobs lie in `NAME.layers` until the archive of all is complete.

use std::collections::HashMap;
use std::sync::Arc;

use oci_spec::image::Digest;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::assembly::{Planned, ReadLayer, check, plan};
use super::layers_folder::LayersFolder;
use super::passes::Passes;
use super::{Context, PulledFile};
use crate::blob::{Growing, PartialFile, download};
use crate::error::{Error, ErrorKind, Result};
use crate::image::ImageRequest;
use crate::manifest;
use crate::progress::Job;
use crate::registry::{Client, Session};
use crate::rootfs::{Blob, Layer};
use crate::task::{in_thread, joined};

/// So many layers are fetched at once, as docker does (`max-concurrent-downloads`).
pub(super) const AT_ONCE: usize = 3;

pub(super) async fn pull(context: &Context<'_>, client: &Client, request: &ImageRequest) -> Result<PulledFile> {
    let Context { image, destination, job, .. } = context;
    let mut lock = destination.open_partial(job).await?;
    if let Some(there) = context.is_there().await? {
        context.all_arrived();
        return Ok(there);
    }
    lock.begin_empty()?;
    let folder = LayersFolder::beside(destination);
    expect_room(image.layers(), &lock, &folder)?;
    let sessions = client.sessions(&request.reference, request.token.as_ref())?;
    let fetching = Fetching {
        client: client.clone(),
        sessions,
        folder: folder.clone(),
        passes: context.passes.clone(),
        places: Arc::new(Semaphore::new(AT_ONCE)),
        job: job.child(),
    };
    match planned(context, fetching).await {
        Ok(planned) => context.assemble(planned, lock).await,
        Err(error) => {
            // While the lock is held.
            folder.remove_unless_worth_keeping();
            Err(error)
        }
    }
}

async fn planned(context: &Context<'_>, fetching: Fetching) -> Result<Planned> {
    let read = fetch_all(context.image.layers(), fetching).await.map_err(|failed| match failed {
        Failed::Fetching(error) => error,
        Failed::Reading { layer, error } => context.unreadable(layer, error),
    })?;
    for (index, read) in read.iter().enumerate() {
        check(context, index, &read.layer)?;
    }
    let (name, job) = (context.image.name(), context.job.clone());
    in_thread(move || plan(&name, read, &job)).await
}

/// Blobs, the archive, and what is kept while it is made.
fn expect_room(layers: &[manifest::Layer], lock: &PartialFile, folder: &LayersFolder) -> Result<()> {
    let compressed = super::total_size(layers);
    let there: u64 = layers.iter().map(|layer| folder.bytes_of(layer.digest())).sum();
    lock.expect_room(compressed.saturating_mul(2).saturating_add(compressed / 2).saturating_sub(there))
}

/// Why a layer is not there.
enum Failed {
    Fetching(Error),
    Reading { layer: usize, error: Error },
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Fetching(error)
    }
}

async fn fetch_all(layers: &[manifest::Layer], fetching: Fetching) -> Result<Vec<ReadLayer>, Failed> {
    let mut first_of: HashMap<&Digest, usize> = HashMap::new();
    let mut tasks = JoinSet::new();
    for (index, layer) in layers.iter().enumerate() {
        // An image may have a layer twice.
        if *first_of.entry(layer.digest()).or_insert(index) == index {
            let (fetching, layer) = (fetching.clone(), layer.clone());
            tasks.spawn(async move { fetching.fetch(index, &layer).await.map(|fetched| (index, fetched)) });
        }
    }
    let mut read: HashMap<usize, (Blob, Layer)> = HashMap::new();
    let mut failed = None;
    while let Some(ended) = tasks.join_next().await {
        match joined(ended).map_err(Failed::from).and_then(|fetched| fetched) {
            Ok((index, fetched)) => {
                read.insert(index, fetched);
            }
            // The first one counts: it ends the others.
            Err(error) => {
                fetching.job.cancel();
                failed.get_or_insert(error);
            }
        }
    }
    if let Some(failed) = failed {
        return Err(failed);
    }
    let mut uses: HashMap<usize, usize> = HashMap::new();
    for layer in layers {
        *uses.entry(first_of[layer.digest()]).or_default() += 1;
    }
    let mut all = Vec::with_capacity(layers.len());
    for (index, layer) in layers.iter().enumerate() {
        let first = first_of[layer.digest()];
        if first != index {
            fetching.job.for_layer(index).advanced(layer.size());
            let plain_size = read.get(&first).map_or(0, |(_, layer)| layer.plain_size);
            fetching.passes.budget.take(plain_size)?;
        }
        let left = uses.entry(first).and_modify(|left| *left -= 1).or_default();
        // Lists of entries are large: the last one who needs a list gets it.
        let fetched = if *left == 0 { read.remove(&first) } else { read.get(&first).cloned() };
        let Some((blob, layer)) = fetched else {
            return Err(Error::new(ErrorKind::Internal, "A layer was fetched and is not there").into());
        };
        all.push(ReadLayer { blob, layer });
    }
    Ok(all)
}

/// What it takes to fetch a layer.
#[derive(Clone)]
struct Fetching {
    client: Client,
    sessions: Vec<Session>,
    folder: LayersFolder,
    passes: Passes,
    places: Arc<Semaphore>,
    job: Job,
}

impl Fetching {
    /// Fetches a layer into the folder, and reads it while it arrives.
    async fn fetch(&self, index: usize, layer: &manifest::Layer) -> Result<(Blob, Layer), Failed> {
        let job = self.job.for_layer(index);
        // Nobody closes it.
        let _place = job.or_cancelled(self.places.acquire()).await?;
        let destination = self.folder.blob(layer.digest())?;
        let partial = destination.open_partial(&job).await?;
        let growing = Growing::default();
        let passes = self.passes.clone();
        let pass = tokio::spawn({
            let (growing, job) = (growing.clone(), job.clone());
            async move { passes.read(growing, job).await }
        });
        let downloaded =
            download(&self.client, self.sessions.clone(), layer, &destination, partial, &growing, &job).await;
        let read = joined(pass.await)?;
        let downloaded = downloaded?;
        match read {
            Ok(Some(read)) => {
                downloaded.publish(&self.client, &destination, &job).await?;
                let blob = Blob { path: destination.path().to_owned(), offset: 0, length: layer.size() };
                Ok((blob, read))
            }
            Ok(None) => Err(downloaded.keep(Error::cancelled()).into()),
            Err(error) => Err(Failed::Reading { layer: index, error: downloaded.keep(error) }),
        }
    }
}
