//! How a job tells what it does, and how it is told to stop.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result, printable_line};

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
    /// An archive is written, if one has to be made; the file is verified, flushed and given its name.
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

    /// `bytes` of an archive of about `total` are written so far; not told where the file is a blob as it came.
    fn wrote(&self, bytes: u64, total: u64) {
        let _ = (bytes, total);
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
    /// The index of the layer that it works on.
    layer: usize,
}

impl Default for Job {
    fn default() -> Self {
        Self::new(Arc::new(Silent), CancellationToken::new())
    }
}

impl Job {
    /// A job that `observer` watches and `cancellation` ends.
    pub fn new(observer: Arc<dyn Observer>, cancellation: CancellationToken) -> Self {
        Self { observer, cancellation, layer: 0 }
    }

    pub(crate) fn observer(&self) -> &dyn Observer {
        &*self.observer
    }

    /// The part of it that works on the layer at `index`.
    pub(crate) fn for_layer(&self, index: usize) -> Self {
        Self { layer: index, ..self.clone() }
    }

    /// A part of it that can be cancelled without the rest.
    pub(crate) fn child(&self) -> Self {
        Self { cancellation: self.cancellation.child_token(), ..self.clone() }
    }

    pub(crate) fn cancel(&self) {
        self.cancellation.cancel();
    }

    /// `bytes` more of its layer have arrived.
    pub(crate) fn advanced(&self, bytes: u64) {
        self.observer.advanced(self.layer, bytes);
    }

    /// `bytes` of its layer, told before, have to be fetched again.
    pub(crate) fn withdrew(&self, bytes: u64) {
        self.observer.withdrew(self.layer, bytes);
    }

    pub(crate) fn expect_not_cancelled(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    }

    pub(crate) fn verbose(&self, line: String) {
        self.observer.notice(Notice::Verbose(printable_line(&line)));
    }

    pub(crate) fn warning(&self, line: String) {
        self.observer.notice(Notice::Warning(printable_line(&line)));
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancellation.is_cancelled()
    }

    /// Runs `future` until it ends or the job is cancelled.
    pub(crate) async fn or_cancelled<F: Future>(&self, future: F) -> Result<F::Output> {
        self.cancellation.run_until_cancelled(future).await.ok_or_else(Error::cancelled)
    }
}
