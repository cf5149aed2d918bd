//! What is known of an image before its layers are fetched.

pub mod local;

use std::ffi::{CString, c_char};
use std::ptr;
use std::sync::Arc;

use library::Image;

use crate::client::wslimage_client;
use crate::error::wslimage_error;
use crate::image::{self, wslimage_image};
use crate::landing::{self, Out};
use crate::operation::{self, wslimage_operation};
use crate::status::{WSLIMAGE_STATUS_OK, wslimage_status};
use crate::text;

/// An image as a registry, a file or a folder describes it: manifest and config, both verified. It never changes: any
/// thread may read it, several at once. Its strings and bytes belong to it and live until wslimage_manifest_free. All
/// functions that read it take NULL for a manifest that says nothing: NULL or 0.
pub struct wslimage_manifest {
    pub(crate) image: Arc<Image>,
    name: CString,
    reference: Option<CString>,
    platform: CString,
    digest: CString,
    media_type: CString,
    dropped_keys: Vec<CString>,
    layers: Vec<Layer>,
}

struct Layer {
    media_type: CString,
    digest: CString,
    size: u64,
}

impl From<Image> for wslimage_manifest {
    fn from(image: Image) -> Self {
        Self {
            name: text::output(image.name()),
            reference: image.reference().map(|reference| text::output(reference.to_string())),
            platform: text::output(image.platform().to_string()),
            digest: text::output(image.digest().to_string()),
            media_type: text::output(image.media_type()),
            dropped_keys: image.metadata().dropped_keys().iter().map(text::output).collect(),
            layers: image
                .layers()
                .iter()
                .map(|layer| Layer {
                    media_type: text::output(layer.media_type()),
                    digest: text::output(layer.digest().to_string()),
                    size: layer.size(),
                })
                .collect(),
            image: Arc::new(image),
        }
    }
}

/// Starts to look an image up: index, the manifest for the platform, config. Any thread; image is copied.
///
/// OK: *operation is the caller's, to be ended by wslimage_operation_free; its result is taken by
/// wslimage_operation_take_manifest. Otherwise *operation is NULL and *error, if error is not NULL, is the caller's:
/// FAILED with WSLIMAGE_ERROR_KIND_INVALID_REFERENCE for a registry, name, tag or digest that is not well formed, or
/// with WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT for a platform;
/// INVALID_ARGUMENT for a pointer that is NULL, a wrong size, text that is not UTF-8;
/// PANIC.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_manifest_start(
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
            let request = image::request(image)?;
            out.set(operation::start(|job| async move {
                library::resolve(&client, request, &job).await.map(wslimage_manifest::from)
            })?);
            Ok(WSLIMAGE_STATUS_OK)
        })
    }
}

/// Takes the result of wslimage_manifest_start or wslimage_manifest_start_local, once. Any thread.
///
/// OK: *manifest is the caller's, to be ended by wslimage_manifest_free; it does not need the operation or the client.
/// PENDING: the operation goes on. Otherwise *manifest is NULL and *error, if error is not NULL, is the caller's:
/// FAILED, CANCELLED or PANIC as the operation ended (as often as it is asked for);
/// INVALID_ARGUMENT for a pointer that is NULL, an operation of another sort, a result that was taken before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_operation_take_manifest(
    operation: *mut wslimage_operation,
    manifest: *mut *mut wslimage_manifest,
    error: *mut *mut wslimage_error,
) -> wslimage_status {
    // SAFETY: the caller promises what the documentation says of each pointer.
    unsafe { operation::take(operation, manifest, "manifest", error) }
}

/// # Safety
/// `manifest` is NULL or a handle that lives for `'a`.
unsafe fn string<'a>(
    manifest: *const wslimage_manifest,
    get: impl FnOnce(&'a wslimage_manifest) -> Option<&'a CString>,
) -> *const c_char {
    // SAFETY: the caller of this function promises it.
    unsafe { landing::read(manifest, ptr::null(), |manifest: &'a _| get(manifest).map(|s| s.as_ptr())) }
}

/// # Safety
/// `manifest` is NULL or a handle that lives for `'a`, `length` is NULL or a place for a number.
unsafe fn bytes<'a>(
    manifest: *const wslimage_manifest,
    length: *mut usize,
    get: impl FnOnce(&'a Image) -> &'a [u8],
) -> *const u8 {
    if length.is_null() {
        return ptr::null();
    }
    // SAFETY: `length` is not NULL, and the caller of this function promises the rest.
    unsafe {
        let bytes = landing::read(manifest, None, |manifest: &'a wslimage_manifest| Some(Some(get(&manifest.image))));
        length.write(bytes.map_or(0, <[u8]>::len));
        bytes.map_or(ptr::null(), <[u8]>::as_ptr)
    }
}

/// What to call the image: its reference, or its name in a file or folder and where that is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_manifest_name(manifest: *const wslimage_manifest) -> *const c_char {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { string(manifest, |manifest| Some(&manifest.name)) }
}

/// The image at its registry as the user named it, with the defaults filled in: "ghcr.io/owner/name:tag". NULL for an
/// image of a file or folder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_manifest_reference(manifest: *const wslimage_manifest) -> *const c_char {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { string(manifest, |manifest| manifest.reference.as_ref()) }
}

/// The platform that the image is for, such as "linux/amd64".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_manifest_platform(manifest: *const wslimage_manifest) -> *const c_char {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { string(manifest, |manifest| Some(&manifest.platform)) }
}

/// The digest of the platform's manifest (not of an index that leads to it), "sha256:...".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_manifest_digest(manifest: *const wslimage_manifest) -> *const c_char {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { string(manifest, |manifest| Some(&manifest.digest)) }
}

/// The media type of the platform's manifest; "" where nobody says it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_manifest_media_type(manifest: *const wslimage_manifest) -> *const c_char {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { string(manifest, |manifest| Some(&manifest.media_type)) }
}

/// The platform's manifest, byte for byte. *length becomes the number of bytes; no NUL follows them. NULL when manifest
/// or length is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_manifest_json(manifest: *const wslimage_manifest, length: *mut usize) -> *const u8 {
    // SAFETY: the caller promises a living handle or NULL, and a place for a number or NULL.
    unsafe { bytes(manifest, length, Image::manifest_json) }
}

/// The config, byte for byte. As wslimage_manifest_json.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_manifest_config_json(
    manifest: *const wslimage_manifest,
    length: *mut usize,
) -> *const u8 {
    // SAFETY: the caller promises a living handle or NULL, and a place for a number or NULL.
    unsafe { bytes(manifest, length, Image::config_json) }
}

/// The config without history and rootfs, as JSON in which no two keys of one object are equal or differ only by case
/// (the first stays) and no key is empty: what PowerShell's ConvertFrom-Json takes. As wslimage_manifest_json.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_manifest_metadata_json(
    manifest: *const wslimage_manifest,
    length: *mut usize,
) -> *const u8 {
    // SAFETY: the caller promises a living handle or NULL, and a place for a number or NULL.
    unsafe { bytes(manifest, length, |image| image.metadata().json().as_bytes()) }
}

/// How many keys were left out of the metadata because one before them differs only by case, or because they are empty.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_manifest_dropped_key_count(manifest: *const wslimage_manifest) -> usize {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { landing::read(manifest, 0, |manifest| Some(manifest.dropped_keys.len())) }
}

/// The path of a key that was left out, such as "config.Labels.Foo"; NULL after the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_manifest_dropped_key(
    manifest: *const wslimage_manifest,
    index: usize,
) -> *const c_char {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { string(manifest, |manifest| manifest.dropped_keys.get(index)) }
}

/// How many layers the image has; at least 1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_manifest_layer_count(manifest: *const wslimage_manifest) -> usize {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { landing::read(manifest, 0, |manifest| Some(manifest.layers.len())) }
}

/// The media type of a layer, 0 being the lowest; NULL after the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_manifest_layer_media_type(
    manifest: *const wslimage_manifest,
    index: usize,
) -> *const c_char {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { string(manifest, |manifest| manifest.layers.get(index).map(|layer| &layer.media_type)) }
}

/// The digest of a layer's blob, "sha256:..."; NULL after the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_manifest_layer_digest(
    manifest: *const wslimage_manifest,
    index: usize,
) -> *const c_char {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { string(manifest, |manifest| manifest.layers.get(index).map(|layer| &layer.digest)) }
}

/// The length of a layer's blob in bytes, as the manifest says it; 0 after the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_manifest_layer_size(manifest: *const wslimage_manifest, index: usize) -> u64 {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { landing::read(manifest, 0, |manifest| manifest.layers.get(index).map(|layer| layer.size)) }
}

/// Ends a manifest, its strings and its bytes. NULL is fine. Running operations keep what they need of it; nobody else
/// may use it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_manifest_free(manifest: *mut wslimage_manifest) {
    // SAFETY: the caller gives up a handle of this library, or NULL.
    unsafe { landing::free(manifest) }
}
