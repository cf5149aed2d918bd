//! The threads on which operations run.

use std::sync::{Mutex, PoisonError};

use library::{Error, ErrorKind};
use tokio::runtime::{Builder, Runtime};

use crate::error::Failure;
use crate::panic;

/// As many as the network of one download and the work beside it use; files are written on threads of their own.
const WORKERS: usize = 2;

/// The one runtime, made at first use. It is never dropped: the library is not unloaded while operations may run.
pub(crate) fn runtime() -> Result<&'static Runtime, Failure> {
    static RUNTIME: Mutex<Option<&'static Runtime>> = Mutex::new(None);
    let mut runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = *runtime {
        return Ok(runtime);
    }
    let made = Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("wslimage")
        .on_thread_start(|| {
            panic::enter_thread();
            block_broken_pipe_signal();
        })
        .enable_all()
        .build()
        .map_err(|error| {
            Error::new(ErrorKind::Internal, format!("The library's threads cannot be started: {error}"))
        })?;
    Ok(*runtime.insert(Box::leak(Box::new(made))))
}

/// Keeps a connection that the other side has closed from ending the process: the standard library sends single buffers
/// so that they raise no SIGPIPE, but not several at once, and a host that is no Rust program has not ignored the
/// signal. Only the library's own threads are changed. The write then fails with an error, as it should.
#[cfg(unix)]
fn block_broken_pipe_signal() {
    // SAFETY: the set is made by sigemptyset before it is used, and pthread_sigmask changes this thread only.
    unsafe {
        let mut signals = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(signals.as_mut_ptr());
        libc::sigaddset(signals.as_mut_ptr(), libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, signals.as_ptr(), std::ptr::null_mut());
    }
}

#[cfg(not(unix))]
fn block_broken_pipe_signal() {}
