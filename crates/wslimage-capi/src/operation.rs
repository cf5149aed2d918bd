//! Operations: started here, run on the library's threads, waited for and ended from the caller's.

mod state;

use std::any::Any;
use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use library::Job;

use crate::error::{Failure, wslimage_error};
use crate::landing::{self, Out};
use crate::panic;
use crate::progress::{wslimage_notice_kind, wslimage_progress, wslimage_progress_callback};
use crate::runtime::runtime;
use crate::sized;
use crate::status::{WSLIMAGE_STATUS_OK, WSLIMAGE_STATUS_PENDING, wslimage_stage, wslimage_status};
use state::{Shared, Taken};

/// Something that runs on the library's own threads, from its start to its end. Any thread may use it, several at once;
/// only wslimage_operation_free needs it alone.
pub struct wslimage_operation {
    shared: Arc<Shared>,
}

/// Starts `work`, whose result is a `T` to be taken.
pub(crate) fn start<T, F>(work: impl FnOnce(Job) -> F) -> Result<Box<wslimage_operation>, Failure>
where
    T: Any + Send,
    F: Future<Output = library::Result<T>> + Send + 'static,
{
    let runtime = runtime()?;
    let shared = Arc::new(Shared::of::<T>());
    let work = work(shared.job());
    let task = shared.clone();
    runtime.spawn(async move {
        let result = match panic::catch_future(work).await {
            Ok(result) => result.map_err(Failure::from),
            Err(panic) => Err(panic.into()),
        };
        task.finish(result);
    });
    Ok(Box::new(wslimage_operation { shared }))
}

/// The body of a function that takes a result.
///
/// # Safety
/// `operation` is NULL or a living handle, `out` and `error` are NULL or places for pointers.
pub(crate) unsafe fn take<T: Any + Send>(
    operation: *mut wslimage_operation,
    out: *mut *mut T,
    out_name: &str,
    error: *mut *mut wslimage_error,
) -> wslimage_status {
    // SAFETY: the caller of this function promises it.
    unsafe {
        landing::call(error, || {
            let out = Out::new(out, out_name)?;
            let operation = landing::handle(operation, "operation")?;
            match operation.shared.take::<T>()? {
                Taken::Result(result) => {
                    out.set(result);
                    Ok(WSLIMAGE_STATUS_OK)
                }
                Taken::NotYet => Ok(WSLIMAGE_STATUS_PENDING),
            }
        })
    }
}

/// Waits for the end of an operation, at most so many milliseconds; 0 only looks. Any thread.
///
/// OK: it has ended, whatever the end; PENDING: it goes on; INVALID_ARGUMENT: operation is NULL; PANIC.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_operation_wait(
    operation: *mut wslimage_operation,
    milliseconds: u32,
) -> wslimage_status {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe {
        landing::call(ptr::null_mut(), || {
            let operation = landing::handle(operation, "operation")?;
            let has_ended = operation.shared.wait(Duration::from_millis(milliseconds.into()));
            Ok(if has_ended { WSLIMAGE_STATUS_OK } else { WSLIMAGE_STATUS_PENDING })
        })
    }
}

/// Asks an operation to end. Returns at once, from any thread; the operation ends soon after (within 200 ms, also while
/// a server stalls). One that has ended already stays as it ended.
///
/// OK; INVALID_ARGUMENT: operation is NULL; PANIC.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_operation_cancel(operation: *mut wslimage_operation) -> wslimage_status {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe {
        landing::call(ptr::null_mut(), || {
            landing::handle(operation, "operation")?.shared.cancel();
            Ok(WSLIMAGE_STATUS_OK)
        })
    }
}

/// Tells how far an operation is. Any thread, also after the end. The caller sets progress->size before.
///
/// OK; INVALID_ARGUMENT: a pointer is NULL, or the size is wrong; PANIC.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_operation_progress(
    operation: *mut wslimage_operation,
    progress: *mut wslimage_progress,
) -> wslimage_status {
    // SAFETY: the caller promises a living handle and a struct with its size, or NULL.
    unsafe {
        landing::call(ptr::null_mut(), || {
            let operation = landing::handle(operation, "operation")?;
            sized::write(progress, &operation.shared.progress(), "progress")?;
            Ok(WSLIMAGE_STATUS_OK)
        })
    }
}

/// How many bytes of a layer have arrived, 0 being the lowest layer; 0 after the last, and for NULL. Any thread, also after
/// the end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_operation_layer_bytes(operation: *mut wslimage_operation, index: usize) -> u64 {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { landing::read(operation, 0, |operation| Some(operation.shared.layer_bytes(index))) }
}

/// A line worth showing, by its place in the order in which they came. kind and stage may be NULL; *kind becomes one of
/// the WSLIMAGE_NOTICE_KIND_ constants, or 0 where there is no such notice, and *stage the stage in which the line was
/// told, one of the WSLIMAGE_STAGE_ constants. Any thread, also after the end.
///
/// The string lives until wslimage_operation_free. NULL: operation is NULL, or there are not so many notices yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_operation_notice(
    operation: *mut wslimage_operation,
    index: u64,
    kind: *mut wslimage_notice_kind,
    stage: *mut wslimage_stage,
) -> *const c_char {
    // SAFETY: the caller promises a living handle or NULL, and places for numbers or NULL.
    unsafe {
        let notice = landing::read(operation, None, |operation| Some(operation.shared.notice(index)));
        if !kind.is_null() {
            kind.write(notice.as_ref().map_or(0, |notice| notice.kind));
        }
        if !stage.is_null() {
            stage.write(notice.as_ref().map_or(0, |notice| notice.stage));
        }
        notice.map_or(ptr::null(), |notice| notice.line.as_ptr())
    }
}

/// Waits for the end of an operation and tells callback how far it is; see wslimage_progress_callback for when.
/// callback and userdata may be NULL. When callback returns nonzero the operation is cancelled, and the call returns
/// when that is done, within 200 ms.
///
/// OK, CANCELLED, FAILED or PANIC, as the function that takes the result will say; INVALID_ARGUMENT: operation is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_operation_run(
    operation: *mut wslimage_operation,
    callback: wslimage_progress_callback,
    userdata: *mut c_void,
) -> wslimage_status {
    // SAFETY: the caller promises a living handle or NULL, and a callback as its documentation says or NULL.
    unsafe {
        landing::call(ptr::null_mut(), || {
            let operation = landing::handle(operation, "operation")?;
            Ok(match callback {
                Some(callback) => operation.shared.run(|progress| callback(userdata, progress) == 0),
                None => operation.shared.run(|_| true),
            })
        })
    }
}

/// Ends an operation, its notices and a result that was not taken. NULL is fine. One that still runs is cancelled
/// first, and waited for until it has let go of its files (well under a second). No other call may use it any more. Not
/// from the callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_operation_free(operation: *mut wslimage_operation) {
    // SAFETY: the caller gives up a handle of this library, or NULL.
    unsafe {
        landing::read(operation, (), |operation| {
            operation.shared.end();
            Some(())
        });
        landing::free(operation);
    }
}
