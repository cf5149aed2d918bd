//! Which connection fetches which bytes: the blob is cut into chunks, given out in their order.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit};

use super::writer::{Inlet, PIECE};
use crate::error::Result;
use crate::progress::Job;

/// What a connection fetches at a time, in bytes: long enough that the wait for the answer counts little, short enough
/// that the others need not be kept in memory long.
pub(super) const CHUNK: u64 = 4 * PIECE as u64;

/// Bytes that one connection is to fetch.
pub(super) struct Chunk {
    /// The next byte.
    position: u64,
    end: u64,
    /// What has come since the last whole piece.
    piece: Vec<u8>,
    room: OwnedSemaphorePermit,
}

impl Chunk {
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn left(&self) -> u64 {
        self.end - self.position
    }

    /// Adds what came next, at most [`Chunk::left`] bytes.
    pub(super) fn add(&mut self, mut bytes: &[u8], inlet: &Inlet) {
        while !bytes.is_empty() {
            if self.piece.capacity() == 0 {
                self.piece = inlet.buffer();
            }
            let (now, later) = bytes.split_at(bytes.len().min(PIECE - self.piece.len()));
            self.piece.extend_from_slice(now);
            self.position += now.len() as u64;
            bytes = later;
            if self.piece.len() == PIECE || self.position == self.end {
                let piece = std::mem::take(&mut self.piece);
                let room = self.room.split(1).expect("there is room for each piece of a chunk");
                inlet.put(self.position - piece.len() as u64, piece, room);
            }
        }
    }
}

/// What is given out and what is left.
pub(super) struct Plan {
    size: u64,
    state: Mutex<State>,
    /// Whoever holds it is the next to get a chunk: chunks get their room in their order, so that the first one always
    /// has it.
    turn: tokio::sync::Mutex<()>,
    changed: Notify,
}

struct State {
    next: u64,
    returned: BTreeMap<u64, Chunk>,
    outstanding: usize,
}

impl Plan {
    /// A plan for the bytes from `start` to `size`.
    pub(super) fn new(start: u64, size: u64) -> Self {
        let state = State { next: start, returned: BTreeMap::new(), outstanding: 0 };
        Self { size, state: Mutex::new(state), turn: tokio::sync::Mutex::default(), changed: Notify::new() }
    }

    /// The next chunk, as soon as there is room for it. `None` when all have been fetched.
    pub(super) async fn take(&self, inlet: &Inlet, job: &Job) -> Result<Option<Chunk>> {
        let _turn = job.or_cancelled(self.turn.lock()).await?;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let next = {
                let mut state = self.state();
                if let Some(chunk) = state.take_returned() {
                    return Ok(Some(chunk));
                }
                match (state.next < self.size, state.outstanding) {
                    (true, _) => Some(state.next),
                    (false, 0) => return Ok(None),
                    // One of those may come back.
                    (false, _) => None,
                }
            };
            let Some(next) = next else {
                job.or_cancelled(changed).await?;
                continue;
            };
            let room = async {
                tokio::select! {
                    room = inlet.room(pieces(self.length(next))) => Some(room),
                    () = changed => None,
                }
            };
            if let Some(room) = job.or_cancelled(room).await? {
                return Ok(Some(self.give(room?)));
            }
        }
    }

    /// The next chunk, if it is there now, for a connection that is to be tried. Until what is returned with it is gone,
    /// nobody else gets one.
    pub(super) fn take_for_trial(&self, inlet: &Inlet) -> Option<(Chunk, tokio::sync::MutexGuard<'_, ()>)> {
        let turn = self.turn.try_lock().ok()?;
        let next = {
            let state = self.state();
            if !state.returned.is_empty() || state.next >= self.size {
                return None;
            }
            state.next
        };
        let room = inlet.room_now(pieces(self.length(next)))?;
        Some((self.give(room), turn))
    }

    /// The whole chunk has been fetched.
    pub(super) fn fetched(&self) {
        self.state().outstanding -= 1;
        self.changed.notify_waiters();
    }

    /// Somebody else is to fetch what is left of `chunk`.
    pub(super) fn give_back(&self, chunk: Chunk) {
        let mut state = self.state();
        state.outstanding -= 1;
        state.returned.insert(chunk.position, chunk);
        drop(state);
        self.changed.notify_waiters();
    }

    fn give(&self, room: OwnedSemaphorePermit) -> Chunk {
        let mut state = self.state();
        let position = state.next;
        let end = position + self.length(position);
        state.next = end;
        state.outstanding += 1;
        Chunk { position, end, piece: Vec::new(), room }
    }

    fn length(&self, position: u64) -> u64 {
        CHUNK.min(self.size - position)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_returned(&mut self) -> Option<Chunk> {
        let (_, chunk) = self.returned.pop_first()?;
        self.outstanding += 1;
        Some(chunk)
    }
}

fn pieces(length: u64) -> u32 {
    u32::try_from(length.div_ceil(PIECE as u64)).expect("a chunk has few pieces")
}
