//! Flushing while the download goes on, so that little is left to wait for at its end.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::mpsc::{self, SyncSender};
use std::thread::{self, JoinHandle};

/// So much is left to the operating system before it is asked to write it down.
const STEP: u64 = 64 * 1024 * 1024;

/// A thread that flushes a file that another one writes. Dropped, it waits until its last flush is done.
pub(crate) struct BackgroundFlush {
    unflushed: u64,
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl BackgroundFlush {
    /// Flushes the file at `path`, which the caller has open. Where that cannot be had, the flush at the end does it all.
    pub(crate) fn new(path: &Path) -> Self {
        // A handle of its own: on Windows one handle does one thing at a time.
        match OpenOptions::new().write(true).open(path).and_then(Self::start) {
            Ok((wake, thread)) => Self { unflushed: 0, wake: Some(wake), thread: Some(thread) },
            Err(_) => Self { unflushed: 0, wake: None, thread: None },
        }
    }

    fn start(file: File) -> std::io::Result<(SyncSender<()>, JoinHandle<()>)> {
        let (wake, woken) = mpsc::sync_channel(1);
        let thread = thread::Builder::new().name("wslimage-flush".to_owned()).spawn(move || {
            while woken.recv().is_ok() {
                // What fails here fails again, and is told, in the flush at the end.
                let _ = file.sync_data();
            }
        })?;
        Ok((wake, thread))
    }

    /// `bytes` more have been written.
    pub(crate) fn wrote(&mut self, bytes: u64) {
        self.unflushed += bytes;
        if self.unflushed < STEP {
            return;
        }
        if let Some(wake) = &self.wake {
            // It is still at the step before when this fails; the next one then takes both.
            if wake.try_send(()).is_ok() {
                self.unflushed = 0;
            }
        }
    }
}

impl Drop for BackgroundFlush {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
