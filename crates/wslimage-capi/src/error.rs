//! Errors as C reads them.

use std::ffi::{CString, c_char};
use std::ptr;
use std::sync::Arc;

use library::{Error, ErrorKind};

use crate::landing;
use crate::panic::Panic;
use crate::status::{
    WSLIMAGE_STATUS_CANCELLED, WSLIMAGE_STATUS_FAILED, WSLIMAGE_STATUS_INVALID_ARGUMENT, WSLIMAGE_STATUS_PANIC,
    wslimage_error_kind, wslimage_stage, wslimage_status,
};
use crate::text;

/// Why something did not work. It never changes: any thread may read it, several at once. Its strings belong to it and
/// live until wslimage_error_free. All functions that read it take NULL for an error that says nothing: 0, NULL or -1.
pub struct wslimage_error {
    failure: Failure,
}

/// What the caller is told when a call or an operation fails.
#[derive(Clone, Debug)]
pub(crate) struct Failure(Arc<Details>);

#[derive(Debug)]
struct Details {
    status: wslimage_status,
    kind: ErrorKind,
    stage: wslimage_stage,
    message: CString,
    http_status: u16,
    registry_code: Option<CString>,
    retry_after_ms: i64,
    advice: Option<CString>,
    target: Option<CString>,
    causes: Vec<CString>,
}

impl Failure {
    /// A call that is wrong in itself.
    pub(crate) fn argument(message: String) -> Self {
        Self::new(WSLIMAGE_STATUS_INVALID_ARGUMENT, &Error::new(ErrorKind::InvalidArgument, message))
    }

    /// A pointer that is NULL and must not be.
    pub(crate) fn null(name: &str) -> Self {
        Self::argument(format!("{name} is NULL"))
    }

    pub(crate) fn status(&self) -> wslimage_status {
        self.0.status
    }

    /// The same failure as one of `kind`.
    pub(crate) fn of_kind(self, kind: ErrorKind) -> Self {
        match Arc::try_unwrap(self.0) {
            Ok(details) => Self(Arc::new(Details { kind, ..details })),
            Err(shared) => Self(shared),
        }
    }

    fn new(status: wslimage_status, error: &Error) -> Self {
        let optional = |text: Option<&str>| text.map(text::output);
        Self(Arc::new(Details {
            status,
            kind: error.kind(),
            stage: error.stage() as wslimage_stage,
            message: text::output(error.to_string()),
            http_status: error.http_status().unwrap_or_default(),
            registry_code: optional(error.registry_code()),
            retry_after_ms: error
                .retry_after()
                .map_or(-1, |delay| i64::try_from(delay.as_millis()).unwrap_or(i64::MAX)),
            advice: optional(error.recommended_action()),
            target: optional(error.target_name()),
            causes: error.causes().into_iter().map(text::output).collect(),
        }))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::Cancelled => WSLIMAGE_STATUS_CANCELLED,
            ErrorKind::Internal => WSLIMAGE_STATUS_PANIC,
            _ => WSLIMAGE_STATUS_FAILED,
        };
        Self::new(status, &error)
    }
}

impl From<Panic> for Failure {
    fn from(Panic(message): Panic) -> Self {
        Error::new(ErrorKind::Internal, format!("A defect in the library: {message}")).into()
    }
}

impl From<Failure> for wslimage_error {
    fn from(failure: Failure) -> Self {
        Self { failure }
    }
}

/// # Safety
/// `error` is NULL or a handle that lives for `'a`.
unsafe fn string<'a>(
    error: *const wslimage_error,
    get: impl FnOnce(&'a Details) -> Option<&'a CString>,
) -> *const c_char {
    // SAFETY: the caller of this function promises it.
    unsafe { landing::read(error, ptr::null(), |error: &'a wslimage_error| get(&error.failure.0).map(|s| s.as_ptr())) }
}

/// What kind of failure it is, one of the WSLIMAGE_ERROR_KIND_ constants; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_error_kind_of(error: *const wslimage_error) -> wslimage_error_kind {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { landing::read(error, 0, |error| Some(error.failure.0.kind as wslimage_error_kind)) }
}

/// In which part of the job it failed, one of the WSLIMAGE_STAGE_ constants; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_error_stage(error: *const wslimage_error) -> wslimage_stage {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { landing::read(error, 0, |error| Some(error.failure.0.stage)) }
}

/// The whole text for people: what was attempted, on what, what came back, what to do. No secret is in it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_error_message(error: *const wslimage_error) -> *const c_char {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { string(error, |details| Some(&details.message)) }
}

/// The HTTP status that was answered; 0 where there was none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_error_http_status(error: *const wslimage_error) -> u16 {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { landing::read(error, 0, |error| Some(error.failure.0.http_status)) }
}

/// The registry's own code (OCI distribution-spec, "Error Codes"), such as "MANIFEST_UNKNOWN"; NULL where it sent none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_error_registry_code(error: *const wslimage_error) -> *const c_char {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { string(error, |details| details.registry_code.as_ref()) }
}

/// How many milliseconds the server asked to wait before the next try; -1 where it did not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_error_retry_after_ms(error: *const wslimage_error) -> i64 {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { landing::read(error, -1, |error| Some(error.failure.0.retry_after_ms)) }
}

/// What the user can do; NULL where nothing is known. It is also the end of the message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_error_advice(error: *const wslimage_error) -> *const c_char {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { string(error, |details| details.advice.as_ref()) }
}

/// What it was about: a reference, an address without its query, or a file; NULL where nothing can be named.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_error_target(error: *const wslimage_error) -> *const c_char {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { string(error, |details| details.target.as_ref()) }
}

/// The causes, 0 being the nearest; NULL after the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_error_cause(error: *const wslimage_error, index: usize) -> *const c_char {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { string(error, |details| details.causes.get(index)) }
}

/// Ends an error and its strings. NULL is fine. Nobody may use it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_error_free(error: *mut wslimage_error) {
    // SAFETY: the caller gives up a handle of this library, or NULL.
    unsafe { landing::free(error) }
}
