//! The one landing pad: every entry checks its pointers and stops its panics here.

use std::ptr;

use crate::error::{Failure, wslimage_error};
use crate::panic;
use crate::status::wslimage_status;

/// Runs the body of an entry that returns a status. `*error` is NULL afterwards, or an error of the caller's where the
/// status is neither OK nor PENDING.
///
/// # Safety
/// `error` is NULL or a place for a pointer.
pub(crate) unsafe fn call(
    error: *mut *mut wslimage_error,
    body: impl FnOnce() -> Result<wslimage_status, Failure>,
) -> wslimage_status {
    if !error.is_null() {
        // SAFETY: not NULL, and the caller of this function promises the rest.
        unsafe { error.write(ptr::null_mut()) };
    }
    let failure = match panic::catch(body) {
        Ok(Ok(status)) => return status,
        Ok(Err(failure)) => failure,
        Err(panic) => panic.into(),
    };
    let status = failure.status();
    if !error.is_null() {
        // SAFETY: as above.
        unsafe { error.write(Box::into_raw(Box::new(failure.into()))) };
    }
    status
}

/// Reads something of the handle `pointer`; `otherwise` where that is NULL.
///
/// # Safety
/// `pointer` is NULL or a handle that lives for `'a`.
pub(crate) unsafe fn read<'a, T: 'a, R>(pointer: *const T, otherwise: R, get: impl FnOnce(&'a T) -> Option<R>) -> R {
    // SAFETY: the caller of this function promises it.
    let Some(handle) = (unsafe { pointer.as_ref() }) else { return otherwise };
    panic::catch(|| get(handle)).ok().flatten().unwrap_or(otherwise)
}

/// Ends a handle; NULL is none.
///
/// # Safety
/// `pointer` is NULL or came from [`Out::set`], and nobody uses it any more.
pub(crate) unsafe fn free<T>(pointer: *mut T) {
    if !pointer.is_null() {
        let _ = panic::catch(|| {
            // SAFETY: it was made by `Box::into_raw`, and the caller of this function gives it up.
            drop(unsafe { Box::from_raw(pointer) });
        });
    }
}

/// A handle that must be there.
///
/// # Safety
/// `pointer` is NULL or a handle that lives for `'a`.
pub(crate) unsafe fn handle<'a, T>(pointer: *const T, name: &str) -> Result<&'a T, Failure> {
    // SAFETY: the caller of this function promises it.
    unsafe { pointer.as_ref() }.ok_or_else(|| Failure::null(name))
}

/// Where the caller wants a handle to be put.
pub(crate) struct Out<T>(*mut *mut T);

impl<T> Out<T> {
    /// The place `pointer`, which holds NULL until [`Out::set`].
    ///
    /// # Safety
    /// `pointer` is NULL or a place for a pointer for as long as this value lives.
    pub(crate) unsafe fn new(pointer: *mut *mut T, name: &str) -> Result<Self, Failure> {
        if pointer.is_null() {
            return Err(Failure::null(name));
        }
        // SAFETY: not NULL, and the caller of this function promises the rest.
        unsafe { pointer.write(ptr::null_mut()) };
        Ok(Self(pointer))
    }

    /// Gives `handle` to the caller, who frees it.
    pub(crate) fn set(self, handle: Box<T>) {
        // SAFETY: `new` asked for a place that lives as long as this value.
        unsafe { self.0.write(Box::into_raw(handle)) };
    }
}
