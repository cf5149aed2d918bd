//! From the network to the disk: one task receives, one thread hashes and writes.

use std::io::Write as _;

use oci_spec::image::Digest;
use reqwest::Response;
use tokio::sync::mpsc;

use super::destination::{Destination, PartialFile};
use super::flush::BackgroundFlush;
use crate::digest::Hasher;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::Layer;
use crate::progress::{Job, Stage};
use crate::registry::{Attempt, Session};

/// What the network hands to the disk at a time.
const BUFFER_SIZE: usize = 1024 * 1024;
/// So many buffers go round, so that a slow disk stops the network only when all are full.
const BUFFERS: usize = 16;

/// Fetches `layer` into `destination`.
pub(crate) async fn download(session: &Session, layer: &Layer, destination: &Destination, job: &Job) -> Result<()> {
    let failed = |error| Attempt::Layer.failed(error, layer.digest().as_ref());
    let hasher = Hasher::for_digest(layer.digest()).map_err(failed)?;
    let response = session.blob(layer.digest(), job).await.map_err(failed)?;
    expect_length(&response, layer.size()).map_err(failed)?;

    let partial = destination.open_partial(job).await?;
    let (full, to_write) = mpsc::channel(BUFFERS);
    let (empty, to_fill) = mpsc::channel(BUFFERS);
    let writer = tokio::task::spawn_blocking(move || write(partial, hasher, to_write, empty));
    let received = receive(response, layer.size(), Filler::new(to_fill, full), job).await;
    let written = writer.await.map_err(|error| {
        Error::new(ErrorKind::Internal, "The thread that writes the file has failed").caused_by(error)
    })?;
    // A full disk ends the reception too; what it says comes first.
    let Written { partial, digest } = written?;
    received.map_err(failed)?;
    if job.is_cancelled() {
        return Err(Error::cancelled());
    }

    job.observer().stage(Stage::Finishing);
    expect_digest(layer.digest(), &digest)?;
    tokio::task::spawn_blocking(move || partial.publish()).await.map_err(|error| {
        Error::new(ErrorKind::Internal, "The thread that flushes the file has failed").caused_by(error)
    })?
}

/// Hands on what arrives, exactly `size` bytes of it.
async fn receive(mut response: Response, size: u64, mut filler: Filler, job: &Job) -> Result<()> {
    let mut received = 0;
    while let Some(chunk) = Session::chunk(&mut response, job).await? {
        received += chunk.len() as u64;
        if received > size {
            return Err(wrong_length(size, "more"));
        }
        // Not when it is written: on a slow line a buffer takes many seconds to fill.
        job.observer().advanced(0, chunk.len() as u64);
        if job.or_cancelled(filler.add(&chunk)).await?.is_err() {
            return Ok(()); // The writer has ended and tells why.
        }
    }
    if received < size {
        return Err(wrong_length(size, &format!("only {received}")).of_kind(ErrorKind::Connection));
    }
    // When the writer has ended it tells why itself.
    let _ = job.or_cancelled(filler.flush()).await?;
    Ok(())
}

/// The writer has ended before the data did.
struct WriterEnded;

/// Collects what arrives into large buffers that come back empty: what the network gives can be let go at once, so that
/// its memory, still in the processor's cache, serves for the next read.
struct Filler {
    buffer: Vec<u8>,
    allocated: usize,
    empty: mpsc::Receiver<Vec<u8>>,
    full: mpsc::Sender<Vec<u8>>,
}

impl Filler {
    fn new(empty: mpsc::Receiver<Vec<u8>>, full: mpsc::Sender<Vec<u8>>) -> Self {
        Self { buffer: Vec::new(), allocated: 0, empty, full }
    }

    async fn add(&mut self, mut bytes: &[u8]) -> Result<(), WriterEnded> {
        while !bytes.is_empty() {
            if self.buffer.capacity() == 0 {
                self.buffer = self.next_empty().await?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(BUFFER_SIZE - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() == BUFFER_SIZE {
                self.flush().await?;
            }
        }
        Ok(())
    }

    async fn next_empty(&mut self) -> Result<Vec<u8>, WriterEnded> {
        if let Ok(buffer) = self.empty.try_recv() {
            return Ok(buffer);
        }
        if self.allocated < BUFFERS {
            self.allocated += 1;
            return Ok(Vec::with_capacity(BUFFER_SIZE));
        }
        self.empty.recv().await.ok_or(WriterEnded)
    }

    async fn flush(&mut self) -> Result<(), WriterEnded> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let buffer = std::mem::take(&mut self.buffer);
        self.full.send(buffer).await.map_err(|_| WriterEnded)
    }
}

struct Written {
    partial: PartialFile,
    digest: String,
}

fn write(
    mut partial: PartialFile,
    mut hasher: Hasher,
    mut full: mpsc::Receiver<Vec<u8>>,
    empty: mpsc::Sender<Vec<u8>>,
) -> Result<Written> {
    let mut flush = BackgroundFlush::new(partial.path());
    while let Some(mut buffer) = full.blocking_recv() {
        hasher.update(&buffer);
        partial.file().write_all(&buffer).map_err(|error| partial.write_error(error))?;
        flush.wrote(buffer.len() as u64);
        buffer.clear();
        // Nobody fills buffers any more when this fails.
        let _ = empty.try_send(buffer);
    }
    Ok(Written { partial, digest: hasher.finish() })
}

fn expect_length(response: &Response, size: u64) -> Result<()> {
    match response.content_length() {
        Some(length) if length != size => Err(wrong_length(size, &length.to_string())),
        _ => Ok(()),
    }
}

fn wrong_length(size: u64, sent: &str) -> Error {
    Error::new(ErrorKind::InvalidResponse, format!("the layer has {size} bytes, the registry sent {sent}"))
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
