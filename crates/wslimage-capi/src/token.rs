//! Tokens for callers that ask registries themselves.

use std::ffi::c_char;
use std::ptr;

use library::SecretString;
use secrecy::{ExposeSecret as _, SecretSlice};

use crate::client::wslimage_client;
use crate::error::wslimage_error;
use crate::image::{self, wslimage_image};
use crate::landing::{self, Out};
use crate::operation::{self, wslimage_operation};
use crate::status::{WSLIMAGE_STATUS_OK, wslimage_status};

/// A token of a registry, or that it asks for none. It never changes: any thread may read it, several at once.
pub struct wslimage_token {
    /// With a NUL at the end; overwritten when it is dropped.
    value: Option<SecretSlice<u8>>,
}

impl From<Option<SecretString>> for wslimage_token {
    fn from(token: Option<SecretString>) -> Self {
        let value = token.map(|token| {
            let text = token.expose_secret().as_bytes();
            // At its full length from the beginning: growing would leave copies behind.
            let mut value = Vec::with_capacity(text.len() + 1);
            // A NUL inside would end it there; it cannot be a part of a token (RFC 6750 section 2.1).
            value.extend(text.iter().map(|&byte| if byte == 0 { b'?' } else { byte }));
            value.push(0);
            value.into()
        });
        Self { value }
    }
}

/// Starts to get the token with which an image can be pulled. Any thread; image is copied: its registry and name are
/// read.
///
/// OK: *operation is the caller's, to be ended by wslimage_operation_free; its result is taken by
/// wslimage_operation_take_token. Otherwise *operation is NULL and *error, if error is not NULL, is the caller's:
/// FAILED with WSLIMAGE_ERROR_KIND_INVALID_REFERENCE for a whole reference that is not well formed (a registry and a
/// name beside it are looked at by the operation);
/// INVALID_ARGUMENT for a pointer that is NULL, a wrong size, text that is not UTF-8;
/// PANIC.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_token_start(
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
            let (registry, repository) = image::scope(image)?;
            out.set(operation::start(|job| async move {
                client.token(&registry, &repository, &job).await.map(wslimage_token::from)
            })?);
            Ok(WSLIMAGE_STATUS_OK)
        })
    }
}

/// Takes the result of wslimage_token_start, once. Any thread.
///
/// OK: *token is the caller's, to be ended by wslimage_token_free; it does not need the operation or the client.
/// PENDING: the operation goes on. Otherwise *token is NULL and *error, if error is not NULL, is the caller's:
/// FAILED, CANCELLED or PANIC as the operation ended (as often as it is asked for);
/// INVALID_ARGUMENT for a pointer that is NULL, an operation of another sort, a result that was taken before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_operation_take_token(
    operation: *mut wslimage_operation,
    token: *mut *mut wslimage_token,
    error: *mut *mut wslimage_error,
) -> wslimage_status {
    // SAFETY: the caller promises what the documentation says of each pointer.
    unsafe { operation::take(operation, token, "token", error) }
}

/// The token, a secret. It lives until wslimage_token_free. NULL: the registry asks for none, or token is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_token_value(token: *const wslimage_token) -> *const c_char {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe {
        landing::read(token, ptr::null(), |token| {
            token.value.as_ref().map(|value| value.expose_secret().as_ptr().cast())
        })
    }
}

/// Overwrites a token and ends it. NULL is fine. Nobody may use it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_token_free(token: *mut wslimage_token) {
    // SAFETY: the caller gives up a handle of this library, or NULL.
    unsafe { landing::free(token) }
}
