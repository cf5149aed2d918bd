//! How a job tells what it does, and how it is told to stop.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};

/// The part of the job that is being done. The values cross the C ABI and never change meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
#[non_exhaustive]
pub enum Stage {
    /// Nothing was asked of anybody yet.
    Starting = 0,
    /// The registry says how to sign in, and the token service is asked.
    Authenticating = 1,
    /// Index, manifest and config are looked up.
    Resolving = 2,
    /// The bytes of layers arrive.
    Downloading = 3,
    /// The file is verified, flushed and given its name.
    Finishing = 4,
    /// All is done.
    Done = 5,
}

/// A line worth showing while the job goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A step, for those who ask for details.
    Verbose(String),
    /// Something that may surprise.
    Warning(String),
}

/// Is told what a job does. Called on the library's threads, often: must not block.
pub trait Observer: Send + Sync {
    /// The job has entered `stage`.
    fn stage(&self, stage: Stage) {
        let _ = stage;
    }

    /// So many layers of so many bytes in all are to be fetched.
    fn expects(&self, layers: usize, bytes: u64) {
        let _ = (layers, bytes);
    }

    /// `bytes` more of the layer at index `layer` have arrived.
    fn advanced(&self, layer: usize, bytes: u64) {
        let _ = (layer, bytes);
    }

    /// `bytes` of the layer at index `layer`, told before, have to be fetched again.
    fn withdrew(&self, layer: usize, bytes: u64) {
        let _ = (layer, bytes);
    }

    /// A line worth showing.
    fn notice(&self, notice: Notice) {
        let _ = notice;
    }
}

struct Silent;

impl Observer for Silent {}

/// What a running job is connected to: who watches it, and what can cancel it.
#[derive(Clone)]
pub struct Job {
    observer: Arc<dyn Observer>,
    cancellation: CancellationToken,
}

impl Default for Job {
    fn default() -> Self {
        Self::new(Arc::new(Silent), CancellationToken::new())
    }
}

impl Job {
    /// A job that `observer` watches and `cancellation` ends.
    pub fn new(observer: Arc<dyn Observer>, cancellation: CancellationToken) -> Self {
        Self { observer, cancellation }
    }

    pub(crate) fn observer(&self) -> &dyn Observer {
        &*self.observer
    }

    pub(crate) fn verbose(&self, line: String) {
        self.observer.notice(Notice::Verbose(line));
    }

    pub(crate) fn warning(&self, line: String) {
        self.observer.notice(Notice::Warning(line));
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancellation.is_cancelled()
    }

    /// Runs `future` until it ends or the job is cancelled.
    pub(crate) async fn or_cancelled<F: Future>(&self, future: F) -> Result<F::Output> {
        self.cancellation.run_until_cancelled(future).await.ok_or_else(Error::cancelled)
    }
}
