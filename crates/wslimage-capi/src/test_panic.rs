//! Panics on demand, in each place from which one must not get out. Only in builds for tests.

use std::ffi::c_char;
use std::path::PathBuf;
use std::sync::Arc;

use library::{CancellationToken, Error, ErrorKind, Job, Observer};

use crate::client::wslimage_client;
use crate::error::wslimage_error;
use crate::file::wslimage_file;
use crate::landing::{self, Out};
use crate::manifest::wslimage_manifest;
use crate::operation::{self, wslimage_operation};
use crate::status::{WSLIMAGE_STATUS_OK, wslimage_status};
use crate::text;

/// Panics in the call itself. PANIC, with *error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_test_panic(error: *mut *mut wslimage_error) -> wslimage_status {
    // SAFETY: the caller promises a place for a pointer or NULL.
    unsafe { landing::call(error, || panic!("forced in a call")) }
}

/// Starts an operation whose task panics. Its result would be a file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_test_panic_task_start(
    operation: *mut *mut wslimage_operation,
    error: *mut *mut wslimage_error,
) -> wslimage_status {
    // SAFETY: the caller promises places for pointers or NULL.
    unsafe {
        landing::call(error, || {
            let out = Out::new(operation, "operation")?;
            out.set(operation::start::<wslimage_file, _>(|_job| async move {
                tokio::task::yield_now().await;
                panic!("forced in a task")
            })?);
            Ok(WSLIMAGE_STATUS_OK)
        })
    }
}

/// Starts an operation that has something done on a thread beside its task, which panics there. Its result would be a
/// file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_test_panic_thread_start(
    operation: *mut *mut wslimage_operation,
    error: *mut *mut wslimage_error,
) -> wslimage_status {
    // SAFETY: the caller promises places for pointers or NULL.
    unsafe {
        landing::call(error, || {
            let out = Out::new(operation, "operation")?;
            out.set(operation::start::<wslimage_file, _>(|_job| async move {
                let thread = tokio::task::spawn_blocking(|| panic!("forced in a thread"));
                match thread.await {
                    Ok(never) => never,
                    Err(error) => Err(Error::new(ErrorKind::Internal, error.to_string())),
                }
            })?);
            Ok(WSLIMAGE_STATUS_OK)
        })
    }
}

struct Panicking;

impl Observer for Panicking {
    fn advanced(&self, _layer: usize, _bytes: u64) {
        panic!("forced in an observer");
    }
}

/// As wslimage_pull_start, with a panic in the middle of the download, when the first bytes are told of.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_test_panic_pull_start(
    client: *mut wslimage_client,
    manifest: *const wslimage_manifest,
    destination_path: *const c_char,
    operation: *mut *mut wslimage_operation,
    error: *mut *mut wslimage_error,
) -> wslimage_status {
    // SAFETY: the caller promises what the documentation of wslimage_pull_start says of each pointer.
    unsafe {
        landing::call(error, || {
            let out = Out::new(operation, "operation")?;
            let client = landing::handle(client, "client")?.client.clone();
            let image = landing::handle(manifest, "manifest")?.image.clone();
            let destination = PathBuf::from(text::required(destination_path, "destination_path")?);
            out.set(operation::start(|_job| async move {
                let job = Job::new(Arc::new(Panicking), CancellationToken::new());
                library::pull(&client, &image, &destination, library::PullOptions::default(), &job)
                    .await
                    .map(wslimage_file::from)
            })?);
            Ok(WSLIMAGE_STATUS_OK)
        })
    }
}
