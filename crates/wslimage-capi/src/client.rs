//! How registries are reached.

use std::ffi::c_char;

use library::{Client, ClientOptions, Credential, SecretString};

use crate::error::{Failure, wslimage_error};
use crate::landing::{self, Out};
use crate::sized::{self, Sized};
use crate::status::{WSLIMAGE_STATUS_OK, wslimage_status};
use crate::text;

/// A client: how registries are reached, and the tokens got so far. Any thread may use it, several at once.
pub struct wslimage_client {
    pub(crate) client: Client,
}

/// Options of a client. All zero but the size is the default: https, the operating system's trust, anonymous.
#[repr(C)]
pub struct wslimage_client_options {
    /// sizeof(wslimage_client_options).
    pub size: usize,
    /// Who signs in, together with password; NULL with it: anonymous. Both go to the registry that is asked and to the
    /// token service that it names, to nobody else.
    pub username: *const c_char,
    /// The password, or a token in its place; may be freed or overwritten as soon as wslimage_client_new has returned.
    pub password: *const c_char,
    /// A PEM file with certificates to trust beside those of the operating system; NULL: none.
    pub ca_certificate_path: *const c_char,
    /// Stands in User-Agent after "WslImage/VERSION", such as "PowerShell/7.6"; NULL: nothing.
    pub user_agent: *const c_char,
    /// Any certificate is taken: anybody on the way can then read and alter what is sent.
    pub skip_certificate_check: bool,
    /// Registries are asked by plain http, with passwords too. Without it only a registry on this machine is,
    /// anonymously, when it does not speak https.
    pub plain_http: bool,
}

// SAFETY: `size` is the first field; null pointers and false are zeros.
unsafe impl Sized for wslimage_client_options {
    const NAME: &'static str = "wslimage_client_options";
}

/// # Safety
/// `options` is NULL or a struct as its documentation says.
unsafe fn read_options(options: *const wslimage_client_options) -> Result<ClientOptions, Failure> {
    if options.is_null() {
        return Ok(ClientOptions::default());
    }
    // SAFETY: not NULL, and the caller of this function promises the rest.
    let mut options = unsafe { sized::read(options, "options") }?;
    // SAFETY: every byte is initialised. What is not 0 counts as true, whatever the caller's language writes for it; a
    // Rust bool must be 0 or 1.
    let options = unsafe {
        let fields = options.as_mut_ptr();
        for flag in [&raw mut (*fields).skip_certificate_check, &raw mut (*fields).plain_http] {
            flag.write(flag.cast::<u8>().read() != 0);
        }
        options.assume_init()
    };
    // SAFETY: the caller of this function promises strings that live for the call.
    let (username, password, ca_certificate, user_agent) = unsafe {
        (
            text::optional(options.username, "options->username")?,
            text::optional(options.password, "options->password")?,
            text::optional(options.ca_certificate_path, "options->ca_certificate_path")?,
            text::optional(options.user_agent, "options->user_agent")?,
        )
    };
    let credential = match (username, password) {
        (None, None) => None,
        (Some(username), Some(password)) => {
            Some(Credential { username: username.to_owned(), password: SecretString::from(password) })
        }
        (Some(_), None) => return Err(Failure::argument("options->password is NULL, but username is not".to_owned())),
        (None, Some(_)) => return Err(Failure::argument("options->username is NULL, but password is not".to_owned())),
    };
    Ok(ClientOptions {
        credential,
        ca_certificate: ca_certificate.map(Into::into),
        skip_certificate_check: options.skip_certificate_check,
        plain_http: options.plain_http,
        user_agent: user_agent.map(ToOwned::to_owned),
        ..ClientOptions::default()
    })
}

/// Makes a client. options is read during the call; NULL: the defaults. Any thread; reads the certificates, and asks
/// nobody on the network.
///
/// OK: *client is the caller's, to be ended by wslimage_client_free. Otherwise *client is NULL and *error, if error is
/// not NULL, is the caller's:
/// FAILED with WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT for an option that cannot be used, such as a certificate file that
/// cannot be read;
/// INVALID_ARGUMENT for client NULL, a wrong size, text that is not UTF-8, a username without a password or the
/// reverse;
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
            let client = Client::new(read_options(options)?)?;
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
