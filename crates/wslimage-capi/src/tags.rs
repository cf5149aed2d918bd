//! The tags of a repository.

use std::ffi::{CString, c_char};
use std::ptr;

use crate::client::wslimage_client;
use crate::error::wslimage_error;
use crate::image::{self, wslimage_image};
use crate::landing::{self, Out};
use crate::operation::{self, wslimage_operation};
use crate::status::{WSLIMAGE_STATUS_OK, wslimage_status};
use crate::text;

/// The tags of a repository, in the registry's order. They never change: any thread may read them, several at once.
/// They belong to the handle and live until wslimage_tags_free.
pub struct wslimage_tags {
    tags: Vec<CString>,
}

impl From<Vec<String>> for wslimage_tags {
    fn from(tags: Vec<String>) -> Self {
        Self { tags: tags.into_iter().map(text::output).collect() }
    }
}

/// Starts to ask for the tags of a repository. Any thread; image is copied: its registry, name and default_registry are
/// read, and a tag in the name does not matter.
///
/// OK: *operation is the caller's, to be ended by wslimage_operation_free; its result is taken by
/// wslimage_operation_take_tags. Otherwise *operation is NULL and *error, if error is not NULL, is the caller's:
/// FAILED with WSLIMAGE_ERROR_KIND_INVALID_REFERENCE for a registry or a name that is not well formed;
/// INVALID_ARGUMENT for a pointer that is NULL, a wrong size, text that is not UTF-8;
/// PANIC.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_tags_start(
    client: *mut wslimage_client,
    image: *const wslimage_image,
    operation: *mut *mut wslimage_operation,
    error: *mut *mut wslimage_error,
) -> wslimage_status {
    // SAFETY: the caller promises what the documentation says of each pointer.
    unsafe {
        landing::call(error, || {
            let out = Out::new(operation, "operation")?;
            let client = landing::handle(client, "client")?.client.clone();
            let repository = image::repository(image)?;
            out.set(operation::start(
                |job| async move { client.tags(&repository, &job).await.map(wslimage_tags::from) },
            )?);
            Ok(WSLIMAGE_STATUS_OK)
        })
    }
}

/// Takes the result of wslimage_tags_start, once. Any thread.
///
/// OK: *tags is the caller's, to be ended by wslimage_tags_free; it does not need the operation or the client. PENDING:
/// the operation goes on. Otherwise *tags is NULL and *error, if error is not NULL, is the caller's:
/// FAILED, CANCELLED or PANIC as the operation ended (as often as it is asked for);
/// INVALID_ARGUMENT for a pointer that is NULL, an operation of another sort, a result that was taken before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_operation_take_tags(
    operation: *mut wslimage_operation,
    tags: *mut *mut wslimage_tags,
    error: *mut *mut wslimage_error,
) -> wslimage_status {
    // SAFETY: the caller promises what the documentation says of each pointer.
    unsafe { operation::take(operation, tags, "tags", error) }
}

/// How many tags there are; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_tags_count(tags: *const wslimage_tags) -> usize {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { landing::read(tags, 0, |tags| Some(tags.tags.len())) }
}

/// A tag, 0 being the first; NULL after the last, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_tags_get(tags: *const wslimage_tags, index: usize) -> *const c_char {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { landing::read(tags, ptr::null(), |tags: &wslimage_tags| tags.tags.get(index).map(|tag| tag.as_ptr())) }
}

/// Ends a list of tags. NULL is fine. Nobody may use it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_tags_free(tags: *mut wslimage_tags) {
    // SAFETY: the caller gives up a handle of this library, or NULL.
    unsafe { landing::free(tags) }
}
