//! A layer's blob into its file: what is there already, what is fetched, and whether it is right.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oci_spec::image::Digest;

use super::destination::{Destination, PartialFile};
use super::fetch::Fetch;
use super::growing::{GiveUp, Growing};
use super::resume::{self, Beginning};
use super::writer::{Writer, Written};
use crate::cache::CacheSlot;
use crate::digest::Hasher;
use crate::error::{Error, ErrorKind, Result};
use crate::kept::Kept;
use crate::manifest::Layer;
use crate::progress::{Job, Stage};
use crate::registry::{Attempt, Client, Session};
use crate::task::in_thread;

/// A blob that is whole and verified, and not yet under its final name.
pub(crate) struct Downloaded {
    /// Holds the lock on the destination.
    partial: PartialFile,
    /// Whether it lies at the destination already, and not in the partial file.
    is_there: bool,
    slot: Option<CacheSlot>,
}

impl Downloaded {
    /// Where its bytes are.
    pub(crate) fn path<'a>(&'a self, destination: &'a Destination) -> &'a Path {
        if self.is_there { destination.path() } else { self.partial.path() }
    }

    /// Gives it its final name, and the cache a copy.
    pub(crate) async fn publish(self, client: &Client, destination: &Destination, job: &Job) -> Result<()> {
        let Self { partial, is_there, slot } = self;
        if is_there {
            return Ok(());
        }
        in_thread(move || partial.publish()).await?;
        insert(slot, client, destination.path().to_owned(), job).await
    }

    /// Leaves it for a later run after `error`, which comes back.
    pub(crate) fn keep(self, error: Error) -> Error {
        self.partial.keep_after(error)
    }

    /// Keeps the lock and the partial file, and gives the cache a copy of the blob.
    pub(crate) async fn into_partial(
        self,
        client: &Client,
        destination: &Destination,
        job: &Job,
    ) -> Result<PartialFile> {
        let path = self.path(destination).to_owned();
        insert(self.slot, client, path, job).await?;
        Ok(self.partial)
    }
}

async fn insert(slot: Option<CacheSlot>, client: &Client, path: PathBuf, job: &Job) -> Result<()> {
    let Some(slot) = slot else { return Ok(()) };
    let inserted = in_thread(move || slot.insert_file(&path)).await;
    Kept::new(client.cache(), job).told(inserted)
}

/// Fetches `layer` for `destination`, whose partial file is open, from the first of `sessions` that has it; `growing` is
/// told as it arrives.
pub(crate) async fn download(
    client: &Client,
    sessions: Vec<Session>,
    layer: &Layer,
    destination: &Destination,
    partial: PartialFile,
    growing: &Growing,
    job: &Job,
) -> Result<Downloaded> {
    let _ended = GiveUp(growing.clone());
    // An algorithm that cannot be verified is told before anything is touched.
    Hasher::for_digest(layer.digest()).map_err(|error| failed(error, layer))?;
    if is_there(destination, layer, job).await? {
        job.verbose(format!("{} is there already, with the right digest.", destination.path().display()));
        job.advanced(layer.size());
        growing.is_whole(destination.path(), layer.size());
        return Ok(Downloaded { partial, is_there: true, slot: None });
    }
    let kept = Kept::new(client.cache(), job);
    let slot = kept.slot(layer.digest()).await?;
    let (partial, slot) = match slot {
        Some(slot) => {
            let copied = in_thread({
                let (layer, growing, job) = (layer.clone(), growing.clone(), job.clone());
                move || copy(partial, slot, &layer, &growing, &job)
            });
            match *copied.await? {
                Copied::All(partial) => {
                    job.verbose(format!("The layer comes from the cache at {}.", cache_folder(client)));
                    growing.is_whole(partial.path(), layer.size());
                    return Ok(Downloaded { partial, is_there: false, slot: None });
                }
                Copied::Nothing(partial, slot) => (partial, Some(slot)),
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
        let transferred = transfer(client, sessions.clone(), layer, beginning, takes_parts, growing, job).await?;
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
        job.withdrew(layer.size());
        beginning = resume::empty(transferred.partial, layer.digest())?;
    };
    let Transferred { partial, hash, .. } = transferred;
    let hash = match hash {
        Ok(hash) => hash,
        Err(error) => return Err(partial.keep_after(failed(error, layer))),
    };
    if job.is_cancelled() {
        return Err(partial.keep_after(Error::cancelled()));
    }
    expect_digest(layer.digest(), &hash)?;
    growing.is_whole(partial.path(), layer.size());
    Ok(Downloaded { partial, is_there: false, slot })
}

enum Copied {
    All(PartialFile),
    Nothing(PartialFile, CacheSlot),
}

/// Fills the partial file with what the cache has of the layer.
fn copy(mut partial: PartialFile, slot: CacheSlot, layer: &Layer, growing: &Growing, job: &Job) -> Result<Box<Copied>> {
    if slot.open(layer.size()).is_none() {
        return Ok(Box::new(Copied::Nothing(partial, slot)));
    }
    partial.begin(layer.digest())?;
    partial.expect_room(layer.size())?;
    growing.begin(partial.path(), 0);
    let mut copied = 0;
    let is_whole = slot.copy_verified(layer.size(), |bytes| {
        partial.file().write_all(bytes).map_err(|error| partial.write_error(error))?;
        copied += bytes.len() as u64;
        growing.grew(bytes.len() as u64);
        job.advanced(bytes.len() as u64);
        Ok(())
    })?;
    if !is_whole {
        job.withdrew(copied);
        partial.begin(layer.digest())?;
        return Ok(Box::new(Copied::Nothing(partial, slot)));
    }
    Ok(Box::new(Copied::All(partial)))
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
    growing: &Growing,
    job: &Job,
) -> Result<Transferred> {
    let Beginning { partial, length, hasher } = beginning;
    partial.expect_room(layer.size() - length)?;
    growing.begin(partial.path(), length);
    let (inlet, writer) = Writer::start(partial, hasher, length, growing);
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

fn failed(error: Error, layer: &Layer) -> Error {
    Attempt::Layer.failed(error, layer.digest().as_ref())
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
