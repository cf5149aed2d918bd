//! A layer's blob into its file: what is there already, what is fetched, and whether it is right.

use std::io::Write as _;
use std::sync::Arc;

use oci_spec::image::Digest;

use super::destination::{Destination, PartialFile};
use super::fetch::Fetch;
use super::resume::{self, Beginning};
use super::writer::{Writer, Written};
use crate::cache::CacheSlot;
use crate::digest::Hasher;
use crate::error::{Error, ErrorKind, Result};
use crate::kept::Kept;
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
    let kept = Kept::new(client.cache(), job);
    let slot = kept.slot(layer.digest()).await?;
    let (partial, slot) = match slot {
        Some(slot) => {
            let copied = in_thread({
                let (layer, job) = (layer.clone(), job.clone());
                move || copy(partial, slot, &layer, &job)
            });
            match copied.await? {
                Copied::All => {
                    job.verbose(format!("The layer comes from the cache at {}.", cache_folder(client)));
                    return Ok(());
                }
                Copied::Nothing(unused) => {
                    let (partial, slot) = *unused;
                    (partial, Some(slot))
                }
            }
        }
        None => (partial, None),
    };
    let beginning = in_thread({
        let (layer, job) = (layer.clone(), job.clone());
        move || resume::beginning(partial, layer.digest(), layer.size(), &job)
    })
    .await?;

    let mut beginning = beginning;
    let mut sessions = sessions;
    // What was put together from parts may not belong together, and a line may have flipped a bit.
    let mut tries_again = client.options().retry.maximum_retries > 0 || beginning.length > 0;
    let mut takes_parts = true;
    let transferred = loop {
        let transferred = transfer(client, sessions.clone(), layer, beginning, takes_parts, job).await?;
        let Ok(hash) = &transferred.hash else { break transferred };
        let Err(error) = expect_digest(layer.digest(), hash) else { break transferred };
        let session = &sessions[transferred.session];
        if session.is_left_after(&error) {
            client.leave_mirror(session, &error, job);
            sessions.drain(..=transferred.session);
        } else if tries_again {
            job.verbose(format!("What arrived is not {}. Downloading it once more, in one piece...", layer.digest()));
            sessions.drain(..transferred.session);
            (tries_again, takes_parts) = (false, false);
        } else {
            break transferred;
        }
        job.observer().withdrew(0, layer.size());
        beginning = resume::empty(transferred.partial, layer.digest())?;
    };
    let Transferred { partial, hash, .. } = transferred;
    let hash = match hash {
        Ok(hash) => hash,
        Err(error) => return Err(keep(partial, failed(error, layer))),
    };
    if job.is_cancelled() {
        return Err(keep(partial, Error::cancelled()));
    }
    job.observer().stage(Stage::Finishing);
    expect_digest(layer.digest(), &hash)?;
    in_thread(move || partial.publish()).await?;
    if let Some(slot) = slot {
        let path = destination.path().to_owned();
        let inserted = in_thread(move || slot.insert_file(&path)).await;
        kept.told(inserted)?;
    }
    Ok(())
}

enum Copied {
    All,
    Nothing(Box<(PartialFile, CacheSlot)>),
}

/// Makes the file from what the cache has of it.
fn copy(mut partial: PartialFile, slot: CacheSlot, layer: &Layer, job: &Job) -> Result<Copied> {
    if slot.open(layer.size()).is_none() {
        return Ok(Copied::Nothing(Box::new((partial, slot))));
    }
    partial.begin(layer.digest())?;
    partial.expect_room(layer.size())?;
    let mut copied = 0;
    let is_whole = slot.copy_verified(layer.size(), |bytes| {
        partial.file().write_all(bytes).map_err(|error| partial.write_error(error))?;
        copied += bytes.len() as u64;
        job.observer().advanced(0, bytes.len() as u64);
        Ok(())
    })?;
    if !is_whole {
        job.observer().withdrew(0, copied);
        partial.begin(layer.digest())?;
        return Ok(Copied::Nothing(Box::new((partial, slot))));
    }
    job.observer().stage(Stage::Finishing);
    partial.publish()?;
    Ok(Copied::All)
}

fn cache_folder(client: &Client) -> String {
    client.cache().map(|cache| cache.folder().display().to_string()).unwrap_or_default()
}

/// What a transfer has made of the partial file.
struct Transferred {
    partial: PartialFile,
    /// The hash of all that is in it, when that is the whole blob.
    hash: Result<String>,
    /// Which of the sessions was asked last.
    session: usize,
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
    let session = fetch.session();
    // The writer ends when the inlet is gone.
    drop(fetch);
    // A full disk ends the fetching too; what it says comes first.
    let Written { partial, hash } = writer.end().await?;
    Ok(Transferred { partial, hash: fetched.map(|()| hash), session })
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
