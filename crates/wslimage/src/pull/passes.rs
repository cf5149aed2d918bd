//! Layers are read while they arrive.

use std::fs::File;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::blob::{Growing, Grown};
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Job;
use crate::rootfs::{Layer, PlainBudget, Windows, read_at, read_layer};
use crate::task::in_thread;

/// What the passes over the layers of one image share.
#[derive(Clone)]
pub(super) struct Passes {
    /// Where windows are kept; without it the pass only looks.
    pub(super) windows: Option<Arc<Windows>>,
    pub(super) budget: PlainBudget,
    /// How many may go on at once.
    pub(super) places: Arc<Semaphore>,
}

impl Passes {
    /// Reads the blob that `growing` tells of, to its end. `None` when not all of it comes.
    pub(super) async fn read(&self, growing: Growing, job: Job) -> Result<Option<Layer>> {
        // Nobody closes it.
        let _place = self.places.acquire().await;
        let passes = self.clone();
        in_thread(move || {
            while let Some((file, generation)) = growing.wait_for_file() {
                let file = File::open(&file).map_err(|error| unreadable(&file.display().to_string(), error))?;
                let read = passes.read_generation(&file, &growing, generation, &job);
                // What was read is of the blob only if that did not begin anew meanwhile.
                match growing.wait_for_end(generation) {
                    Grown::Whole => return read.map(Some),
                    Grown::Failed => break,
                    Grown::Restarted | Grown::To(_) => {}
                }
            }
            Ok(None)
        })
        .await
    }

    fn read_generation(&self, file: &File, growing: &Growing, generation: u64, job: &Job) -> Result<Layer> {
        let (mut position, mut length) = (0, 0);
        let mut next = |buffer: &mut [u8]| {
            if position == length {
                match growing.wait_for(generation, position) {
                    Grown::To(grown) => length = grown,
                    Grown::Whole => return Ok(0),
                    // Asked for again when the pass has ended.
                    Grown::Restarted | Grown::Failed => return Err(Error::cancelled()),
                }
            }
            let most = usize::try_from(length - position).unwrap_or(usize::MAX).min(buffer.len());
            let count = read_at(file, &mut buffer[..most], position).map_err(|error| unreadable("a layer", error))?;
            if count == 0 {
                return Err(unreadable("a layer", std::io::ErrorKind::UnexpectedEof.into()));
            }
            position += count as u64;
            Ok(count)
        };
        read_layer(&mut next, self.windows.as_ref(), &self.budget, job)
    }
}

fn unreadable(what: &str, error: std::io::Error) -> Error {
    Error::new(ErrorKind::File, format!("{what} cannot be read: {error}")).caused_by(error)
}
