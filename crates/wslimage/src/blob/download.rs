//! A layer's blob into its file: what is there already, what is fetched, and whether it is right.

use std::sync::Arc;

use oci_spec::image::Digest;

use super::destination::{Destination, PartialFile};
use super::fetch::Fetch;
use super::resume::{self, Beginning};
use super::writer::{Writer, Written};
use crate::digest::Hasher;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::Layer;
use crate::progress::{Job, Stage};
use crate::registry::{Attempt, Client, Session};

/// Fetches `layer` into `destination` from the first of `sessions` that has it.
pub(crate) async fn download(
    client: &Client,
    sessions: Vec<Session>,
    layer: &Layer,
    destination: &Destination,
    job: &Job,
) -> Result<()> {
    // An algorithm that cannot be verified is told before anything is touched.
    Hasher::for_digest(layer.digest()).map_err(|error| failed(error, layer))?;
    let partial = destination.open_partial(job).await?;
    if is_there(destination, layer, job).await? {
        job.verbose(format!("{} is there already, with the right digest.", destination.path().display()));
        job.observer().advanced(0, layer.size());
        return Ok(());
    }
    let beginning = in_thread({
        let (layer, job) = (layer.clone(), job.clone());
        move || resume::beginning(partial, layer.digest(), layer.size(), &job)
    })
    .await?;

    let is_whole = beginning.length == 0;
    let transferred = transfer(client, sessions.clone(), layer, beginning, true, job).await?;
    let transferred = match transferred {
        // What was put together from parts may not belong together, and a line may have flipped a bit: once more, from
        // the first byte, in one piece.
        Transferred { partial, hash: Ok(hash) }
            if hash != layer.digest().digest() && (!is_whole || client.options().retry.maximum_retries > 0) =>
        {
            job.verbose(format!("What arrived is not {}. Downloading it once more...", layer.digest()));
            job.observer().withdrew(0, layer.size());
            let beginning = resume::empty(partial, layer.digest())?;
            transfer(client, sessions, layer, beginning, false, job).await?
        }
        transferred => transferred,
    };
    let Transferred { partial, hash } = transferred;
    let hash = match hash {
        Ok(hash) => hash,
        Err(error) => return Err(keep(partial, failed(error, layer))),
    };
    if job.is_cancelled() {
        return Err(keep(partial, Error::cancelled()));
    }
    job.observer().stage(Stage::Finishing);
    expect_digest(layer.digest(), &hash)?;
    in_thread(move || partial.publish()).await
}

/// What a transfer has made of the partial file.
struct Transferred {
    partial: PartialFile,
    /// The hash of all that is in it, when that is the whole blob.
    hash: Result<String>,
}

async fn transfer(
    client: &Client,
    sessions: Vec<Session>,
    layer: &Layer,
    beginning: Beginning,
    takes_parts: bool,
    job: &Job,
) -> Result<Transferred> {
    let Beginning { partial, length, hasher } = beginning;
    partial.expect_room(layer.size() - length)?;
    let (inlet, writer) = Writer::start(partial, hasher, length);
    let fetch = Arc::new(Fetch::new(client, sessions, layer, length, inlet, takes_parts, job));
    let fetched = fetch.run(length).await;
    // The writer ends when the inlet is gone.
    drop(fetch);
    // A full disk ends the fetching too; what it says comes first.
    let Written { partial, hash } = writer.end().await?;
    Ok(Transferred { partial, hash: fetched.map(|()| hash) })
}

/// Whether the blob is in the destination already, because another process was faster or an earlier run has ended well.
async fn is_there(destination: &Destination, layer: &Layer, job: &Job) -> Result<bool> {
    let (destination, layer, job) = (destination.clone(), layer.clone(), job.clone());
    in_thread(move || destination.holds(layer.digest(), layer.size(), &job)).await
}

/// Leaves what has arrived for a later run, where it is worth it.
fn keep(mut partial: PartialFile, error: Error) -> Error {
    let Some(kept) = partial.keep() else { return error };
    match (error.kind(), error.recommended_action()) {
        (ErrorKind::Cancelled, _) | (_, Some(_)) => error,
        _ => error.advice(format!("The {kept} bytes that have arrived are kept: the same command goes on from there.")),
    }
}

fn failed(error: Error, layer: &Layer) -> Error {
    Attempt::Layer.failed(error, layer.digest().as_ref())
}

async fn in_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        Error::new(ErrorKind::Internal, "The thread that works on the file has failed").caused_by(error)
    })?
}

fn expect_digest(expected: &Digest, actual: &str) -> Result<()> {
    if expected.digest() == actual {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::DigestMismatch,
        format!("Downloaded file hash does not match expected hash. Expected: {}, Actual: {actual}", expected.digest()),
    )
    .at(Stage::Finishing)
    .target(expected)
    .advice("Try again; if it comes back, what the registry holds is damaged or was altered on the way."))
}
