//! An image as a file.

pub mod options;

use std::ffi::{CString, c_char};
use std::path::PathBuf;
use std::ptr;

use library::PulledFile;
use options::wslimage_pull_options;

use crate::client::wslimage_client;
use crate::error::wslimage_error;
use crate::landing::{self, Out};
use crate::manifest::wslimage_manifest;
use crate::operation::{self, wslimage_operation};
use crate::status::{WSLIMAGE_STATUS_OK, wslimage_status};
use crate::text;

/// A file that is complete and verified. It never changes: any thread may read it, several at once. Its strings belong
/// to it and live until wslimage_file_free. All functions that read it take NULL for a file that says nothing: NULL or
/// 0.
pub struct wslimage_file {
    path: CString,
    digest: CString,
    size: u64,
}

impl From<PulledFile> for wslimage_file {
    fn from(file: PulledFile) -> Self {
        Self {
            path: text::output(file.path().to_string_lossy()),
            digest: text::output(file.digest().to_string()),
            size: file.size(),
        }
    }
}

/// Starts to make of an image an archive, which appears, or is replaced, only when all of it is there and verified.
/// Until then, and after a failure, what was there stays. Folders that are missing are made. The blobs of several layers
/// lie in DESTINATION.layers meanwhile, and stay there after a failure for the next call. client may be NULL for an image
/// of a file or folder. Any thread; manifest, destination_path (UTF-8; relative to the process's directory if it is
/// relative) and options (NULL: the defaults) are copied.
///
/// OK: *operation is the caller's, to be ended by wslimage_operation_free; its result is taken by
/// wslimage_operation_take_file. Otherwise *operation is NULL and *error, if error is not NULL, is the caller's:
/// INVALID_ARGUMENT for a pointer that is NULL, text that is not UTF-8, a wrong size, a format that is none;
/// PANIC.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_pull_start(
    client: *mut wslimage_client,
    manifest: *const wslimage_manifest,
    destination_path: *const c_char,
    options: *const wslimage_pull_options,
    operation: *mut *mut wslimage_operation,
    error: *mut *mut wslimage_error,
) -> wslimage_status {
    // SAFETY: the caller promises what the documentation says of each pointer.
    unsafe {
        landing::call(error, || {
            let out = Out::new(operation, "operation")?;
            let image = landing::handle(manifest, "manifest")?.image.clone();
            let is_local = image.reference().is_none();
            let client = match client.is_null() && is_local {
                true => None,
                false => Some(landing::handle(client, "client")?.client.clone()),
            };
            let destination = PathBuf::from(text::required(destination_path, "destination_path")?);
            let options = options::read(options)?;
            out.set(operation::start(|job| async move {
                library::pull(client.as_ref(), &image, &destination, options, &job).await.map(wslimage_file::from)
            })?);
            Ok(WSLIMAGE_STATUS_OK)
        })
    }
}

/// Takes the result of wslimage_pull_start, once. Any thread.
///
/// OK: *file is the caller's, to be ended by wslimage_file_free, which leaves the file on disk as it is. PENDING: the
/// operation goes on. Otherwise *file is NULL and *error, if error is not NULL, is the caller's:
/// FAILED, CANCELLED or PANIC as the operation ended (as often as it is asked for);
/// INVALID_ARGUMENT for a pointer that is NULL, an operation of another sort, a result that was taken before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_operation_take_file(
    operation: *mut wslimage_operation,
    file: *mut *mut wslimage_file,
    error: *mut *mut wslimage_error,
) -> wslimage_status {
    // SAFETY: the caller promises what the documentation says of each pointer.
    unsafe { operation::take(operation, file, "file", error) }
}

/// Where the file is, as an absolute path.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_file_path(file: *const wslimage_file) -> *const c_char {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { landing::read(file, ptr::null(), |file| Some(file.path.as_ptr())) }
}

/// The digest of the bytes on disk, "sha256:...".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_file_digest(file: *const wslimage_file) -> *const c_char {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { landing::read(file, ptr::null(), |file| Some(file.digest.as_ptr())) }
}

/// The length of the file in bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_file_size(file: *const wslimage_file) -> u64 {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { landing::read(file, 0, |file| Some(file.size)) }
}

/// Ends what is known of a file, not the file. NULL is fine. Nobody may use it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_file_free(file: *mut wslimage_file) {
    // SAFETY: the caller gives up a handle of this library, or NULL.
    unsafe { landing::free(file) }
}
