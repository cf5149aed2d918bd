//! Steps done by several threads, and what comes of them written in its order.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use oci_spec::image::Digest;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::output::{Output, Sink};
use super::steps::{Step, Stepper, Work};
use super::work::{Done, SequentialReader, Worker, unreadable};
use super::{Format, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Job;
use crate::rootfs::blob::OpenBlob;
use crate::rootfs::gzip::{CopyError, Cut};
use crate::rootfs::plan::Plan;

/// What is left of the runtime's threads must do for all else.
const MOST_WORKERS: usize = 64;
/// So many names of what was dropped are told.
const MOST_DROPPED: usize = 100;
/// So many steps the workers may be ahead of the writing, and so many KiB of plain bytes: while a long run of blocks is
/// copied they do what comes behind it.
const AHEAD: usize = 4096;
const AHEAD_KIB: usize = 32 * 1024;

/// What an archive is made of.
pub(crate) struct Archive {
    pub(crate) sources: Arc<Vec<Source>>,
    pub(crate) plan: Plan,
    pub(crate) format: Format,
    /// The image's manifest.
    pub(crate) digest: Digest,
}

/// What was written.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// The length of the archive's plain bytes.
    pub(crate) plain_size: u64,
    /// What headers had that WSL refuses, and how often it was left out.
    pub(crate) dropped: BTreeMap<String, u64>,
}

/// Something to be written.
enum Ready {
    Copy {
        layer: usize,
        cut: Cut,
    },
    /// What a worker will have done. It holds `room` until it is written.
    Done {
        done: Receiver<Result<Done>>,
        room: OwnedSemaphorePermit,
    },
    Failed(Error),
}

type Order = (Work, SyncSender<Result<Done>>);

/// Writes the archive to `sink`. For a thread that may block, in a runtime.
pub(crate) fn write(archive: Archive, sink: Sink<'_>, job: &Job) -> Result<Written> {
    let Archive { sources, plan, format, digest } = archive;
    let workers = thread::available_parallelism().map_or(2, NonZeroUsize::get).min(MOST_WORKERS);
    let output = Output::new(format, &digest, workers, sink)?;
    let (ready, readies) = sync_channel(AHEAD);
    let (orders, waiting) = sync_channel::<Order>(workers);
    let waiting = Arc::new(Mutex::new(waiting));
    let runtime = Handle::current();
    let mut threads = Vec::new();
    for _ in 0..workers {
        let (sources, waiting) = (sources.clone(), waiting.clone());
        threads.push(runtime.spawn_blocking(move || {
            let mut worker = Worker::new(&sources, format);
            loop {
                let order = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok((work, result)) = order else { return };
                // Nobody waits for it when the writing has failed.
                let _ = result.send(worker.work(work));
            }
        }));
    }
    // So that nobody waits for workers that are all gone.
    drop(waiting);
    threads.push(runtime.spawn_blocking({
        let (sources, job) = (sources.clone(), job.clone());
        move || {
            if let Err(Ended::Failed(error)) = go_through(&sources, &plan, format, &orders, &ready, &job) {
                let _ = ready.send(Ready::Failed(error));
            }
        }
    }));
    let written = write_ready(&sources, output, &readies, job);
    // Whoever still has something to hand on ends now.
    drop(readies);
    for thread in threads {
        runtime.block_on(thread).map_err(|error| {
            Error::new(ErrorKind::Internal, "A thread that writes the archive has failed").caused_by(error)
        })?;
    }
    written
}

/// Why the planning has ended.
enum Ended {
    /// Nobody writes any more.
    Unwanted,
    Failed(Error),
}

fn go_through(
    sources: &[Source],
    plan: &Plan,
    format: Format,
    orders: &SyncSender<Order>,
    ready: &SyncSender<Ready>,
    job: &Job,
) -> Result<(), Ended> {
    let mut reader = SequentialReader::new(sources);
    let room = Arc::new(Semaphore::new(AHEAD_KIB));
    let mut hand_on = |step: Step| {
        if job.is_cancelled() {
            return Err(Ended::Failed(Error::cancelled()));
        }
        match step {
            Step::Copy { layer, cut } => ready.send(Ready::Copy { layer, cut }).map_err(|_| Ended::Unwanted),
            Step::Work(mut work) => {
                reader.resolve(&mut work).map_err(Ended::Failed)?;
                let room = room.clone().acquire_many_owned(kib(work.length));
                // Nobody closes it.
                let room = Handle::current().block_on(room).map_err(|_| Ended::Unwanted)?;
                let (result, done) = sync_channel(1);
                ready.send(Ready::Done { done, room }).map_err(|_| Ended::Unwanted)?;
                orders.send((work, result)).map_err(|_| Ended::Unwanted)
            }
        }
    };
    let mut stepper = Stepper::new(sources, format);
    for piece in plan.pieces() {
        stepper.piece(piece, &mut hand_on)?;
    }
    stepper.finish(&mut hand_on)
}

/// What a piece of work takes of the room.
fn kib(length: u64) -> u32 {
    u32::try_from(length.div_ceil(1024)).unwrap_or(u32::MAX).min(AHEAD_KIB as u32)
}

fn write_ready(sources: &[Source], mut output: Output<'_>, readies: &Receiver<Ready>, job: &Job) -> Result<Written> {
    let mut written = Written::default();
    let mut open: Option<(usize, OpenBlob)> = None;
    while let Ok(ready) = readies.recv() {
        if job.is_cancelled() {
            return Err(Error::cancelled());
        }
        match ready {
            Ready::Copy { layer, cut } => {
                let source = &sources[layer];
                let blob = match open.take() {
                    Some((index, blob)) if index == layer => blob,
                    _ => source.blob.open().map_err(|error| unreadable(layer, source, error))?,
                };
                output.copy(source, &blob, &cut).map_err(|error| match error {
                    CopyError::Read(error) => unreadable(layer, source, error),
                    CopyError::Write(error) => error,
                })?;
                open = Some((layer, blob));
            }
            Ready::Done { done, room } => {
                let done = done
                    .recv()
                    .map_err(|_| Error::new(ErrorKind::Internal, "A thread that compresses has ended"))??;
                for (name, count) in done.dropped {
                    let is_listed = written.dropped.len() < MOST_DROPPED || written.dropped.contains_key(&name);
                    let name = if is_listed { name } else { "more".to_owned() };
                    *written.dropped.entry(name).or_default() += count;
                }
                output.put(done.bytes)?;
                drop(room);
            }
            Ready::Failed(error) => return Err(error),
        }
    }
    written.plain_size = output.finish()?;
    Ok(written)
}
