//! How registries are reached.

pub mod options;

use options::wslimage_client_options;

use library::Client;

use crate::error::wslimage_error;
use crate::landing::{self, Out};
use crate::status::{WSLIMAGE_STATUS_OK, wslimage_status};

/// A client: how registries are reached, and the tokens got so far. Any thread may use it, several at once.
pub struct wslimage_client {
    pub(crate) client: Client,
}

/// Makes a client. options is read during the call; NULL: the defaults. Any thread; reads the certificates, and asks
/// nobody on the network.
///
/// OK: *client is the caller's, to be ended by wslimage_client_free. Otherwise *client is NULL and *error, if error is
/// not NULL, is the caller's:
/// FAILED with WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT for an option that cannot be used, such as a certificate file that
/// cannot be read, a proxy that is no address, a mirror that is no host;
/// INVALID_ARGUMENT for client NULL, a wrong size, text that is not UTF-8, a user name without a password or the
/// reverse, options that contradict each other, a variable without =;
/// PANIC.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_client_new(
    options: *const wslimage_client_options,
    client: *mut *mut wslimage_client,
    error: *mut *mut wslimage_error,
) -> wslimage_status {
    // SAFETY: the caller promises what the documentation says of each pointer.
    unsafe {
        landing::call(error, || {
            let out = Out::new(client, "client")?;
            let client = Client::new(options::read(options)?)?;
            out.set(Box::new(wslimage_client { client }));
            Ok(WSLIMAGE_STATUS_OK)
        })
    }
}

/// Ends a client. NULL is fine. Running operations keep what they need of it; no other call may use it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_client_free(client: *mut wslimage_client) {
    // SAFETY: the caller gives up a handle of this library, or NULL.
    unsafe { landing::free(client) }
}
