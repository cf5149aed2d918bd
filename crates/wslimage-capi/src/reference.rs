//! Names of images, put together from what a user gave.

use std::ffi::{CString, c_char};
use std::ptr;

use library::Reference;

use crate::error::wslimage_error;
use crate::image::{self, wslimage_image};
use crate::landing::{self, Out};
use crate::status::{WSLIMAGE_STATUS_OK, wslimage_status};
use crate::text;

/// The whole name of an image. It never changes: any thread may read it, several at once. Its strings belong to it and
/// live until wslimage_reference_free. All functions that read it give NULL for NULL.
pub struct wslimage_reference {
    text: CString,
    registry: CString,
    repository: CString,
    version: CString,
}

impl From<&Reference> for wslimage_reference {
    fn from(reference: &Reference) -> Self {
        Self {
            text: text::output(reference.to_string()),
            registry: text::output(reference.registry().name()),
            repository: text::output(reference.repository().path()),
            version: text::output(reference.version()),
        }
    }
}

/// Puts the name of an image together, with the defaults filled in. Any thread; asks nobody. The registry, name, tag and
/// default_registry of image are read.
///
/// OK: *reference is the caller's, to be ended by wslimage_reference_free. Otherwise *reference is NULL and *error, if
/// error is not NULL, is the caller's:
/// FAILED with WSLIMAGE_ERROR_KIND_INVALID_REFERENCE for a registry, name, tag or digest that is not well formed, or
/// that the name and what stands beside it say differently;
/// INVALID_ARGUMENT for a pointer that is NULL, a wrong size, text that is not UTF-8;
/// PANIC.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_reference_new(
    image: *const wslimage_image,
    reference: *mut *mut wslimage_reference,
    error: *mut *mut wslimage_error,
) -> wslimage_status {
    // SAFETY: the caller promises what the documentation says of each pointer.
    unsafe {
        landing::call(error, || {
            let out = Out::new(reference, "reference")?;
            out.set(Box::new((&image::reference(image)?).into()));
            Ok(WSLIMAGE_STATUS_OK)
        })
    }
}

/// # Safety
/// `reference` is NULL or a handle that lives for `'a`.
unsafe fn string<'a>(
    reference: *const wslimage_reference,
    get: impl FnOnce(&'a wslimage_reference) -> &'a CString,
) -> *const c_char {
    // SAFETY: the caller of this function promises it.
    unsafe { landing::read(reference, ptr::null(), |reference: &'a _| Some(get(reference).as_ptr())) }
}

/// The whole name: "ghcr.io/owner/name:tag", "docker.io/library/alpine@sha256:...".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_reference_text(reference: *const wslimage_reference) -> *const c_char {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { string(reference, |reference| &reference.text) }
}

/// The registry: "ghcr.io", and "docker.io" for all names of Docker Hub.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_reference_registry(reference: *const wslimage_reference) -> *const c_char {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { string(reference, |reference| &reference.registry) }
}

/// The name at the registry: "owner/name", "library/alpine".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_reference_repository(reference: *const wslimage_reference) -> *const c_char {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { string(reference, |reference| &reference.repository) }
}

/// Which image the registry is asked for: the digest where there is one, else the tag.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_reference_version(reference: *const wslimage_reference) -> *const c_char {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { string(reference, |reference| &reference.version) }
}

/// Ends a reference and its strings. NULL is fine. Nobody may use it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_reference_free(reference: *mut wslimage_reference) {
    // SAFETY: the caller gives up a handle of this library, or NULL.
    unsafe { landing::free(reference) }
}
