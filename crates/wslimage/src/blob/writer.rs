//! From the network's tasks to the disk: pieces are put in order, and one thread hashes and writes them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::destination::PartialFile;
use super::flush::BackgroundFlush;
use super::growing::Growing;
use crate::digest::Hasher;
use crate::error::{Error, ErrorKind, Result};

/// What the network hands to the disk at a time, in bytes.
pub(super) const PIECE: usize = 1024 * 1024;
/// So many pieces may wait for the disk, or for a piece before them, so that a slow disk stops the network only when all
/// are full.
const PIECES: usize = 16;

struct Piece {
    bytes: Vec<u8>,
    /// Given back when the piece is written.
    room: OwnedSemaphorePermit,
}

/// Takes pieces in any order and passes them on in theirs.
pub(super) struct Inlet {
    room: Arc<Semaphore>,
    spare: Arc<Mutex<Vec<Vec<u8>>>>,
    order: Mutex<Order>,
}

struct Order {
    next: u64,
    early: BTreeMap<u64, Piece>,
    writer: mpsc::UnboundedSender<Piece>,
}

/// The writer tells itself why it has ended before the bytes did.
fn writer_ended() -> Error {
    Error::new(ErrorKind::Internal, "The thread that writes the file has ended")
}

impl Inlet {
    /// Waits until `pieces` more may be under way.
    pub(super) async fn room(&self, pieces: u32) -> Result<OwnedSemaphorePermit> {
        self.room.clone().acquire_many_owned(pieces).await.map_err(|_| writer_ended())
    }

    /// Room for `pieces` more, if it is there now.
    pub(super) fn room_now(&self, pieces: u32) -> Option<OwnedSemaphorePermit> {
        self.room.clone().try_acquire_many_owned(pieces).ok()
    }

    /// Whether nobody writes any more.
    pub(super) fn is_closed(&self) -> bool {
        self.room.is_closed()
    }

    /// From now on twice as many pieces may be under way: several connections wait for one another.
    pub(super) fn widen(&self) {
        self.room.add_permits(PIECES);
    }

    /// An empty buffer of the size of a piece.
    pub(super) fn buffer(&self) -> Vec<u8> {
        lock(&self.spare).pop().unwrap_or_else(|| Vec::with_capacity(PIECE))
    }

    /// Takes the bytes at `offset`, which hold `room`.
    pub(super) fn put(&self, offset: u64, bytes: Vec<u8>, room: OwnedSemaphorePermit) {
        let mut order = lock(&self.order);
        order.early.insert(offset, Piece { bytes, room });
        loop {
            let next = order.next;
            let Some(piece) = order.early.remove(&next) else { return };
            order.next += piece.bytes.len() as u64;
            // When nobody takes it, the room is closed too, which ends whoever asks for some.
            let _ = order.writer.send(piece);
        }
    }
}

/// What was written.
pub(super) struct Written {
    pub(super) partial: PartialFile,
    /// The hash of all bytes in the file, in hexadecimal digits.
    pub(super) hash: String,
}

/// The writing thread.
pub(super) struct Writer(JoinHandle<Result<Written>>);

impl Writer {
    /// Starts to write behind the `offset` bytes in `partial`, which went into `hasher`.
    pub(super) fn start(partial: PartialFile, hasher: Hasher, offset: u64, growing: &Growing) -> (Inlet, Self) {
        let (writer, pieces) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(PIECES));
        let spare = Arc::new(Mutex::new(Vec::new()));
        let thread = {
            let (room, spare, growing) = (Closing(room.clone()), spare.clone(), growing.clone());
            tokio::task::spawn_blocking(move || {
                let _room = room;
                write(partial, hasher, pieces, &spare, &growing)
            })
        };
        let order = Mutex::new(Order { next: offset, early: BTreeMap::new(), writer });
        (Inlet { room, spare, order }, Self(thread))
    }

    /// What there is when the inlet is gone.
    pub(super) async fn end(self) -> Result<Written> {
        self.0.await.map_err(|error| {
            Error::new(ErrorKind::Internal, "The thread that writes the file has failed").caused_by(error)
        })?
    }
}

/// Ends those who wait for room that nobody gives back.
struct Closing(Arc<Semaphore>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn write(
    mut partial: PartialFile,
    mut hasher: Hasher,
    mut pieces: mpsc::UnboundedReceiver<Piece>,
    spare: &Mutex<Vec<Vec<u8>>>,
    growing: &Growing,
) -> Result<Written> {
    let mut flush = BackgroundFlush::new(partial.path());
    while let Some(Piece { mut bytes, room }) = pieces.blocking_recv() {
        hasher.update(&bytes);
        partial.file().write_all(&bytes).map_err(|error| partial.write_error(error))?;
        flush.wrote(bytes.len() as u64);
        growing.grew(bytes.len() as u64);
        bytes.clear();
        lock(spare).push(bytes);
        drop(room);
    }
    Ok(Written { partial, hash: hasher.finish() })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
