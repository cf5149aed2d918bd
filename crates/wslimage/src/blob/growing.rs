//! A blob that is read while it still arrives.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Tells whoever reads the partial file how much of it is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Growing(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Debug, Default)]
struct State {
    file: Option<PathBuf>,
    /// How many bytes are there.
    length: u64,
    /// How often it began anew: what was read before is not of the blob.
    generation: u64,
    end: Option<End>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Whole,
    Failed,
}

/// What there is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Grown {
    /// Bytes up to here.
    To(u64),
    /// All of it has been read, and it is verified.
    Whole,
    /// What was read is not of the blob: it begins anew.
    Restarted,
    /// No more comes.
    Failed,
}

impl Growing {
    /// The blob's first `length` bytes are in `file`, whatever was there before.
    pub(super) fn begin(&self, file: &Path, length: u64) {
        self.change(|state| {
            state.file = Some(file.to_owned());
            state.length = length;
            state.generation += 1;
        });
    }

    pub(super) fn grew(&self, bytes: u64) {
        self.change(|state| state.length += bytes);
    }

    /// All of it is in `file`, and verified.
    pub(crate) fn is_whole(&self, file: &Path, length: u64) {
        self.change(|state| {
            if state.file.is_none() {
                state.file = Some(file.to_owned());
                state.generation += 1;
            }
            state.length = length;
            state.end = Some(End::Whole);
        });
    }

    /// Ends all waiting, if it is not whole.
    pub(crate) fn give_up(&self) {
        self.change(|state| state.end = state.end.or(Some(End::Failed)));
    }

    /// Waits until something is there and says where and of which generation. `None` when nothing comes.
    pub(crate) fn wait_for_file(&self) -> Option<(PathBuf, u64)> {
        let mut state = self.lock();
        loop {
            match (&state.file, state.end) {
                (_, Some(End::Failed)) => return None,
                (Some(file), _) => return Some((file.clone(), state.generation)),
                (None, _) => state = self.wait(state),
            }
        }
    }

    /// Waits until there is more than `position` bytes of `generation`.
    pub(crate) fn wait_for(&self, generation: u64, position: u64) -> Grown {
        let mut state = self.lock();
        loop {
            if state.end == Some(End::Failed) {
                return Grown::Failed;
            }
            if state.generation != generation {
                return Grown::Restarted;
            }
            if state.length > position {
                return Grown::To(state.length);
            }
            if state.end == Some(End::Whole) {
                return Grown::Whole;
            }
            state = self.wait(state);
        }
    }

    /// Waits until it is whole, begins anew or fails.
    pub(crate) fn wait_for_end(&self, generation: u64) -> Grown {
        self.wait_for(generation, u64::MAX)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.0.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the waiting of whoever reads when the download ends in whatever way.
pub(crate) struct GiveUp(pub(crate) Growing);

impl Drop for GiveUp {
    fn drop(&mut self) {
        self.0.give_up();
    }
}
