//! Pieces of bytes that another thread takes in their order.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::digest::Hasher;
use crate::error::{Error, ErrorKind, Result};
use crate::task::joined;

/// So many pieces may wait for the thread.
const WAITING: usize = 4;

/// Where pieces go in.
pub(crate) struct Pipe<T> {
    pieces: SyncSender<Vec<u8>>,
    spare: Spare,
    thread: JoinHandle<T>,
}

/// Where they come out.
pub(crate) struct Pieces {
    waiting: Receiver<Vec<u8>>,
    spare: Spare,
}

/// Buffers that can be used again.
type Spare = Arc<Mutex<Vec<Vec<u8>>>>;

impl<T: Send + 'static> Pipe<T> {
    /// Starts `take` on a thread that may block. Wants a runtime.
    pub(crate) fn start(take: impl FnOnce(Pieces) -> T + Send + 'static) -> Self {
        let (pieces, waiting) = sync_channel(WAITING);
        let spare = Spare::default();
        let outlet = Pieces { waiting, spare: spare.clone() };
        Self { pieces, spare, thread: Handle::current().spawn_blocking(move || take(outlet)) }
    }

    /// Hands a piece on, when there is room, and gives a buffer back, with whatever is in it. Fails when the thread takes
    /// no more, of which [`finish`](Self::finish) has the reason.
    pub(crate) fn put(&self, piece: Vec<u8>) -> Result<Vec<u8>> {
        let closed = |_| Error::new(ErrorKind::Internal, "A thread that takes pieces has ended");
        self.pieces.send(piece).map_err(closed)?;
        Ok(self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default())
    }

    /// Waits until the thread has taken all, and says what came of it. For a thread that may block.
    pub(crate) fn finish(self) -> Result<T> {
        drop(self.pieces);
        joined(Handle::current().block_on(self.thread))
    }
}

impl Pieces {
    /// The next piece; `None` when there are no more.
    pub(crate) fn next(&self) -> Option<Vec<u8>> {
        self.waiting.recv().ok()
    }

    /// Takes a buffer that is not needed any more.
    pub(crate) fn give_back(&self, piece: Vec<u8>) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < WAITING {
            spare.push(piece);
        }
    }

    /// The SHA-256 of all pieces, in hexadecimal digits.
    pub(crate) fn sha256(self) -> String {
        let mut hasher = Hasher::sha256();
        while let Some(piece) = self.next() {
            hasher.update(&piece);
            self.give_back(piece);
        }
        hasher.finish()
    }
}
