//! What a running operation and its callers share.

use std::any::{Any, TypeId};
use std::ffi::CStr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use library::{CancellationToken, Job, Notice, Observer, Stage};

use crate::error::Failure;
use crate::progress::{
    WSLIMAGE_NOTICE_KIND_VERBOSE, WSLIMAGE_NOTICE_KIND_WARNING, wslimage_notice_kind, wslimage_progress,
};
use crate::status::{WSLIMAGE_STATUS_OK, wslimage_stage, wslimage_status};
use crate::text;

/// How often a callback is called while nothing but the number of bytes changes.
const INTERVAL: Duration = Duration::from_millis(100);

/// One operation.
pub(super) struct Shared {
    sort: TypeId,
    cancellation: CancellationToken,
    layer: AtomicU32,
    bytes_done: AtomicU64,
    /// The bytes of each layer, once it is known how many there are.
    layer_bytes: OnceLock<Box<[AtomicU64]>>,
    bytes_written: AtomicU64,
    bytes_to_write: AtomicU64,
    state: Mutex<State>,
    /// Told of each change of `state`.
    changed: Condvar,
}

struct State {
    stage: Stage,
    layer_count: u32,
    bytes_total: u64,
    notices: Vec<Line>,
    /// How often the state has changed.
    changes: u64,
    outcome: Outcome,
}

enum Outcome {
    Running,
    Ready(Box<dyn Any + Send>),
    Taken,
    Failed(Failure),
}

/// A notice. The line is shared so that it stays where it is while the list of notices grows.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) kind: wslimage_notice_kind,
    /// The stage in which it was told.
    pub(super) stage: wslimage_stage,
    pub(super) line: Arc<CStr>,
}

/// What there is to take.
pub(super) enum Taken<T> {
    Result(Box<T>),
    NotYet,
}

impl State {
    fn has_ended(&self) -> bool {
        !matches!(self.outcome, Outcome::Running)
    }
}

impl Shared {
    /// An operation whose result is a `T`.
    pub(super) fn of<T: Any>() -> Self {
        Self {
            sort: TypeId::of::<T>(),
            cancellation: CancellationToken::new(),
            layer: AtomicU32::new(0),
            bytes_done: AtomicU64::new(0),
            layer_bytes: OnceLock::new(),
            bytes_written: AtomicU64::new(0),
            bytes_to_write: AtomicU64::new(0),
            state: Mutex::new(State {
                stage: Stage::Starting,
                layer_count: 0,
                bytes_total: 0,
                notices: Vec::new(),
                changes: 0,
                outcome: Outcome::Running,
            }),
            changed: Condvar::new(),
        }
    }

    /// What the library is to tell and to ask.
    pub(super) fn job(self: &Arc<Self>) -> Job {
        Job::new(self.clone(), self.cancellation.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        state.changes += 1;
        drop(state);
        self.changed.notify_all();
    }

    pub(super) fn finish<T: Any + Send>(&self, result: Result<T, Failure>) {
        self.change(|state| match result {
            Ok(result) => {
                state.stage = Stage::Done;
                state.outcome = Outcome::Ready(Box::new(result));
            }
            Err(failure) => state.outcome = Outcome::Failed(failure),
        });
    }

    pub(super) fn cancel(&self) {
        self.cancellation.cancel();
    }

    /// Waits for the end; whether it has come.
    pub(super) fn wait(&self, longest: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), longest, |state| !state.has_ended());
        waited.unwrap_or_else(PoisonError::into_inner).0.has_ended()
    }

    /// Cancels and waits for the end.
    pub(super) fn end(&self) {
        self.cancel();
        let _ended = self.changed.wait_while(self.lock(), |state| !state.has_ended());
    }

    pub(super) fn progress(&self) -> wslimage_progress {
        self.snapshot(&self.lock())
    }

    fn snapshot(&self, state: &State) -> wslimage_progress {
        wslimage_progress {
            size: size_of::<wslimage_progress>(),
            stage: state.stage as u32,
            layer_count: state.layer_count,
            layer: self.layer.load(Ordering::Relaxed),
            bytes_done: self.bytes_done.load(Ordering::Relaxed),
            bytes_total: state.bytes_total,
            notice_count: state.notices.len() as u64,
            bytes_written: self.bytes_written.load(Ordering::Relaxed),
            bytes_to_write: self.bytes_to_write.load(Ordering::Relaxed),
        }
    }

    pub(super) fn layer_bytes(&self, layer: usize) -> u64 {
        self.layer(layer).map_or(0, |bytes| bytes.load(Ordering::Relaxed))
    }

    fn layer(&self, layer: usize) -> Option<&AtomicU64> {
        self.layer_bytes.get()?.get(layer)
    }

    pub(super) fn notice(&self, index: u64) -> Option<Line> {
        self.lock().notices.get(usize::try_from(index).ok()?).cloned()
    }

    /// Waits for the end and tells `callback` how far it is, until that is false, which cancels.
    pub(super) fn run(&self, mut callback: impl FnMut(&wslimage_progress) -> bool) -> wslimage_status {
        let mut goes_on = true;
        let mut told = None;
        let mut state = self.lock();
        loop {
            let (seen, has_ended) = (state.changes, state.has_ended());
            let progress = self.snapshot(&state);
            if goes_on && !(has_ended && told == Some(progress)) {
                drop(state);
                goes_on = callback(&progress);
                if !goes_on {
                    self.cancel();
                }
                told = Some(progress);
                state = self.lock();
            }
            if has_ended {
                return state.outcome.status();
            }
            let is_same = |state: &mut State| state.changes == seen;
            state = self.changed.wait_timeout_while(state, INTERVAL, is_same).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(super) fn take<T: Any + Send>(&self) -> Result<Taken<T>, Failure> {
        if self.sort != TypeId::of::<T>() {
            return Err(Failure::argument("The operation has a result of another sort".to_owned()));
        }
        let mut state = self.lock();
        match std::mem::replace(&mut state.outcome, Outcome::Taken) {
            Outcome::Running => {
                state.outcome = Outcome::Running;
                Ok(Taken::NotYet)
            }
            Outcome::Ready(result) => match result.downcast() {
                Ok(result) => Ok(Taken::Result(result)),
                Err(_) => unreachable!("the sort was compared"),
            },
            Outcome::Taken => Err(Failure::argument("The operation's result was taken before".to_owned())),
            // It stays, for whoever asks again.
            Outcome::Failed(failure) => {
                state.outcome = Outcome::Failed(failure.clone());
                Err(failure)
            }
        }
    }
}

impl Outcome {
    fn status(&self) -> wslimage_status {
        match self {
            Self::Failed(failure) => failure.status(),
            Self::Running | Self::Ready(_) | Self::Taken => WSLIMAGE_STATUS_OK,
        }
    }
}

impl Observer for Shared {
    fn stage(&self, stage: Stage) {
        self.change(|state| state.stage = stage);
    }

    fn expects(&self, layers: usize, bytes: u64) {
        self.layer_bytes.get_or_init(|| (0..layers).map(|_| AtomicU64::new(0)).collect());
        self.change(|state| {
            state.layer_count = u32::try_from(layers).unwrap_or(u32::MAX);
            state.bytes_total = bytes;
        });
    }

    fn advanced(&self, layer: usize, bytes: u64) {
        self.layer.store(u32::try_from(layer).unwrap_or(u32::MAX), Ordering::Relaxed);
        self.bytes_done.fetch_add(bytes, Ordering::Relaxed);
        if let Some(of_layer) = self.layer(layer) {
            of_layer.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    fn withdrew(&self, layer: usize, bytes: u64) {
        self.bytes_done.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(of_layer) = self.layer(layer) {
            of_layer.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    fn wrote(&self, bytes: u64, total: u64) {
        self.bytes_written.store(bytes, Ordering::Relaxed);
        self.bytes_to_write.store(total, Ordering::Relaxed);
    }

    fn notice(&self, notice: Notice) {
        let (kind, line) = match notice {
            Notice::Verbose(line) => (WSLIMAGE_NOTICE_KIND_VERBOSE, line),
            Notice::Warning(line) => (WSLIMAGE_NOTICE_KIND_WARNING, line),
            _ => return,
        };
        let line = text::output(line).into();
        self.change(|state| state.notices.push(Line { kind, stage: state.stage as wslimage_stage, line }));
    }
}
