//! An image of a file or folder.

use std::ffi::c_char;
use std::path::PathBuf;

use library::Platform;

use crate::error::{Failure, wslimage_error};
use crate::image;
use crate::landing::{self, Out};
use crate::manifest::wslimage_manifest;
use crate::operation::{self, wslimage_operation};
use crate::sized::{self, Sized};
use crate::status::{WSLIMAGE_STATUS_OK, wslimage_status};
use crate::text;

/// Which image of a file or folder. All strings are read during the call.
#[repr(C)]
pub struct wslimage_local_image {
    /// sizeof(wslimage_local_image).
    pub size: usize,
    /// An OCI image layout, as a folder or as an archive, or what docker save or podman save has written. UTF-8;
    /// relative to the process's directory if it is relative.
    pub path: *const c_char,
    /// The image's name there, its tag, or its digest; NULL where there is one image.
    pub selection: *const c_char,
    /// "linux/arm64/v8"; NULL: "linux/amd64", whatever this machine is.
    pub platform: *const c_char,
}

// SAFETY: `size` is the first field; null pointers are zeros.
unsafe impl Sized for wslimage_local_image {
    const NAME: &'static str = "wslimage_local_image";
}

/// What the caller's struct says, copied.
struct Given {
    path: PathBuf,
    selection: Option<String>,
    platform: Platform,
}

impl Given {
    /// # Safety
    /// `image` is NULL or a struct as its documentation says.
    unsafe fn read(image: *const wslimage_local_image) -> Result<Self, Failure> {
        // SAFETY: the caller of this function promises it; any bytes are pointers.
        let image = unsafe { sized::read(image, "image")?.assume_init() };
        // SAFETY: the caller of this function promises strings that live for the call.
        let (path, selection, platform) = unsafe {
            (
                text::required(image.path, "image->path")?,
                text::optional(image.selection, "image->selection")?,
                text::optional(image.platform, "image->platform")?,
            )
        };
        Ok(Self {
            path: path.into(),
            selection: selection.map(str::to_owned),
            platform: platform.map_or(Ok(Platform::default()), image::platform)?,
        })
    }
}

/// Starts to look an image up in a file or folder: its index, the manifest for the platform, its config. Nobody on the
/// network is asked. Any thread; image is copied. The file or folder must stay as it is until the image has been pulled.
///
/// OK: *operation is the caller's, to be ended by wslimage_operation_free; its result is taken by
/// wslimage_operation_take_manifest. Its errors: WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT when the path cannot be opened,
/// _UNSUPPORTED_IMAGE when no image that can be used is there, _NOT_FOUND for a selection that is not there,
/// _INVALID_REFERENCE where one of several images has to be selected, _NO_PLATFORM, and _INVALID_RESPONSE,
/// _BLOB_NOT_FOUND or _DIGEST_MISMATCH for what is damaged. Otherwise *operation is NULL and *error, if error is not
/// NULL, is the caller's:
/// FAILED with WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT for a platform that is not well formed;
/// INVALID_ARGUMENT for a pointer that is NULL, a wrong size, text that is not UTF-8;
/// PANIC.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_manifest_start_local(
    image: *const wslimage_local_image,
    operation: *mut *mut wslimage_operation,
    error: *mut *mut wslimage_error,
) -> wslimage_status {
    // SAFETY: the caller promises what the documentation says of each pointer.
    unsafe {
        landing::call(error, || {
            let out = Out::new(operation, "operation")?;
            let Given { path, selection, platform } = Given::read(image)?;
            out.set(operation::start(|job| async move {
                library::resolve_local(&path, selection.as_deref(), &platform, &job).await.map(wslimage_manifest::from)
            })?);
            Ok(WSLIMAGE_STATUS_OK)
        })
    }
}
