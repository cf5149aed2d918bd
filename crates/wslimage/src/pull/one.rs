//! A registry's image of one layer: its blob is the archive, unless something in it has to change.

use super::assembly::{Planned, ReadLayer, check, plan};
use super::passes::Passes;
use super::{Context, PulledFile};
use crate::blob::{Downloaded, Growing, download};
use crate::error::{Error, Result};
use crate::image::ImageRequest;
use crate::progress::Stage;
use crate::registry::Client;
use crate::rootfs::{Blob, Format, Layer, PlainBudget};
use crate::task::{in_thread, joined};

pub(super) async fn pull(context: &Context<'_>, client: &Client, request: &ImageRequest) -> Result<PulledFile> {
    let Context { image, destination, job, .. } = context;
    let layer = &image.layers()[0];
    let sessions = client.sessions(&request.reference, request.token.as_ref())?;
    let lock = destination.open_partial(job).await?;
    if let Some(there) = context.is_there().await? {
        job.advanced(layer.size());
        return Ok(there);
    }
    let growing = Growing::default();
    let pass = (context.options.format != Format::Original).then(|| {
        // Mostly nothing has to change, and then the windows would have been kept in vain.
        let passes = Passes { windows: None, ..context.passes.clone() };
        let (growing, job) = (growing.clone(), (*job).clone());
        tokio::spawn(async move { passes.read(growing, job).await })
    });
    let downloaded = download(client, sessions, layer, destination, lock, &growing, job).await;
    if downloaded.is_ok() {
        job.observer().stage(Stage::Finishing);
    }
    let read = match pass {
        Some(pass) => joined(pass.await)?,
        None => Ok(None),
    };
    let downloaded = downloaded?;
    let checked = match read {
        Ok(None) => return publish(context, client, downloaded).await,
        Ok(Some(read)) => check(context, 0, &read).map(|()| read),
        Err(error) => Err(context.unreadable(0, error)),
    };
    let read = match checked {
        Ok(read) => read,
        Err(error) => return Err(downloaded.keep(error)),
    };
    if read.archive.is_none() {
        // As the original, which looks into nothing.
        job.warning(format!("The layer of {} is not a tar archive: wsl --import refuses it.", image.name()));
        return publish(context, client, downloaded).await;
    }
    match planned(context, &downloaded, read).await {
        Ok(planned) if planned.reasons(context.options.format).is_empty() => publish(context, client, downloaded).await,
        Ok(planned) => assemble(context, client, downloaded, &growing, planned).await,
        Err(error) => Err(downloaded.keep(error)),
    }
}

async fn planned(context: &Context<'_>, downloaded: &Downloaded, layer: Layer) -> Result<Planned> {
    let (path, length) = (downloaded.path(context.destination).to_owned(), context.image.layers()[0].size());
    let (blob, name, job) = (Blob { path, offset: 0, length }, context.image.name(), context.job.clone());
    in_thread(move || plan(&name, vec![ReadLayer { blob, layer }], &job)).await
}

async fn publish(context: &Context<'_>, client: &Client, downloaded: Downloaded) -> Result<PulledFile> {
    let Context { image, destination, job, .. } = context;
    let layer = &image.layers()[0];
    downloaded.publish(client, destination, job).await?;
    job.observer().stage(Stage::Done);
    Ok(PulledFile { path: destination.path().to_owned(), digest: layer.digest().clone(), size: layer.size() })
}

/// Makes the archive; of gzip after reading the blob once more, now with what it takes to read parts of it.
async fn assemble(
    context: &Context<'_>,
    client: &Client,
    downloaded: Downloaded,
    growing: &Growing,
    planned: Planned,
) -> Result<PulledFile> {
    let Context { destination, job, .. } = context;
    let reasons = planned.reasons(context.options.format);
    job.verbose(format!("The layer is not the archive as it is, because of {}.", reasons.join(", ")));
    if planned.is_readable() {
        let lock = downloaded.into_partial(client, destination, job).await?;
        return context.assemble(planned, lock).await;
    }
    let budget = PlainBudget::new(context.options.maximum_plain_size);
    let passes = Passes { budget, ..context.passes.clone() };
    let read = match passes.read(growing.clone(), (*job).clone()).await {
        Ok(read) => read.ok_or_else(Error::cancelled),
        Err(error) => Err(context.unreadable(0, error)),
    };
    let planned = match read {
        Ok(read) => planned.with_content(read.content),
        Err(error) => return Err(downloaded.keep(error)),
    };
    let lock = downloaded.into_partial(client, destination, job).await?;
    context.assemble(planned, lock).await
}
