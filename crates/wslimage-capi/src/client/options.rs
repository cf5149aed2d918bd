//! The options of a client, from C to Rust.

use std::ffi::c_char;
use std::time::Duration;

use library::{
    ClientOptions, Credential, Environment, Error, ErrorKind, MirrorLocation, Proxy, ProxyServer, RetryPolicy,
    SecretString,
};
use url::Url;

use crate::error::Failure;
use crate::sized::{self, Sized};
use crate::text;

/// Options of a client. All zero but the size is the default: https, the operating system's trust, and the logins,
/// mirrors and proxies that the machine is set up with.
#[repr(C)]
pub struct wslimage_client_options {
    /// sizeof(wslimage_client_options).
    pub size: usize,
    /// Who signs in, together with password; NULL with it: the login that the machine has, or nobody. Both go to the
    /// registry that is asked and to the token service that it names, to nobody else.
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
    /// The variables that lead to logins, mirrors, proxies and the cache, each "NAME=VALUE", with NULL after the last.
    /// NULL: those that the process has.
    pub environment: *const *const c_char,
    /// The longest time for name lookup, connection and TLS handshake together; 0: the default, 30 seconds.
    pub connect_timeout_ms: u32,
    /// The longest time without a byte; 0: the default, 30 seconds.
    pub stall_timeout_ms: u32,
    /// The most tries after the first, without progress between them; 0: the default, 5.
    pub maximum_retries: u32,
    /// Nothing is tried again, whatever maximum_retries is.
    pub no_retry: bool,
    /// The most that is waited between tries in all, also where a server asks for more; 0: the default, 2 minutes.
    pub maximum_wait_ms: u64,
    /// The most connections that fetch one blob; 0: the default, 6.
    pub maximum_connections: u32,
    /// A proxy for every address, such as "http://proxy:3128", without a user; NULL: as the machine is set up.
    pub proxy_url: *const c_char,
    /// Who signs in at the proxy, together with proxy_password; NULL with it: nobody.
    pub proxy_username: *const c_char,
    /// As password.
    pub proxy_password: *const c_char,
    /// The user of this Windows session signs in at the proxy of proxy_url.
    pub proxy_use_default_credentials: bool,
    /// No proxy is used, whatever is set up.
    pub no_proxy: bool,
    /// Where to look before the registry that is asked, each "host[:port][/path]", with NULL after the last; NULL:
    /// none but those that the machine is set up with.
    pub mirrors: *const *const c_char,
    /// A folder in which blobs are kept and looked for; NULL: that of the variable WSLIMAGE_CACHE, or none.
    pub cache_path: *const c_char,
}

// SAFETY: `size` is the first field; null pointers, 0 and false are zeros.
unsafe impl Sized for wslimage_client_options {
    const NAME: &'static str = "wslimage_client_options";
}

/// Reads the caller's options; NULL is the defaults.
///
/// # Safety
/// `options` is NULL or a struct as its documentation says.
pub(super) unsafe fn read(options: *const wslimage_client_options) -> Result<ClientOptions, Failure> {
    if options.is_null() {
        return Ok(ClientOptions::default());
    }
    // SAFETY: not NULL, and the caller of this function promises the rest.
    let mut given = unsafe { sized::read(options, "options") }?;
    // SAFETY: every byte is initialised. What is not 0 counts as true, whatever the caller's language writes for it; a
    // Rust bool must be 0 or 1.
    let given = unsafe {
        let fields = given.as_mut_ptr();
        for flag in [
            &raw mut (*fields).skip_certificate_check,
            &raw mut (*fields).plain_http,
            &raw mut (*fields).no_retry,
            &raw mut (*fields).proxy_use_default_credentials,
            &raw mut (*fields).no_proxy,
        ] {
            flag.write(flag.cast::<u8>().read() != 0);
        }
        given.assume_init()
    };
    // SAFETY: the caller of this function promises strings and lists of them that live for the call.
    let (username, password, ca_certificate, user_agent, environment, mirrors, cache, proxy) = unsafe {
        (
            text::optional(given.username, "options->username")?,
            text::optional(given.password, "options->password")?,
            text::optional(given.ca_certificate_path, "options->ca_certificate_path")?,
            text::optional(given.user_agent, "options->user_agent")?,
            text::list(given.environment, "options->environment")?,
            text::list(given.mirrors, "options->mirrors")?,
            text::optional(given.cache_path, "options->cache_path")?,
            proxy(&given)?,
        )
    };
    let default = ClientOptions::default();
    Ok(ClientOptions {
        credential: credential(username, password, "")?,
        ca_certificate: ca_certificate.map(Into::into),
        skip_certificate_check: given.skip_certificate_check,
        plain_http: given.plain_http,
        user_agent: user_agent.map(ToOwned::to_owned),
        connect_timeout: milliseconds(given.connect_timeout_ms.into()).unwrap_or(default.connect_timeout),
        stall_timeout: milliseconds(given.stall_timeout_ms.into()).unwrap_or(default.stall_timeout),
        retry: RetryPolicy {
            maximum_retries: match given.maximum_retries {
                _ if given.no_retry => 0,
                0 => default.retry.maximum_retries,
                retries => retries,
            },
            maximum_wait: milliseconds(given.maximum_wait_ms).unwrap_or(default.retry.maximum_wait),
            ..default.retry
        },
        maximum_connections: match given.maximum_connections {
            0 => default.maximum_connections,
            connections => usize::try_from(connections).unwrap_or(usize::MAX),
        },
        proxy,
        mirrors: mirrors.unwrap_or_default().into_iter().map(str::parse::<MirrorLocation>).collect::<Result<_, _>>()?,
        cache: cache.map(Into::into),
        environment: environment.map_or(Ok(default.environment), variables)?,
    })
}

fn milliseconds(value: u64) -> Option<Duration> {
    (value > 0).then(|| Duration::from_millis(value))
}

fn credential(
    username: Option<&str>,
    password: Option<&str>,
    prefix: &'static str,
) -> Result<Option<Credential>, Failure> {
    let lacks = |missing, given| {
        Err(Failure::argument(format!("options->{prefix}{missing} is NULL, but {prefix}{given} is not")))
    };
    match (username, password) {
        (None, None) => Ok(None),
        (Some(username), Some(password)) => {
            Ok(Some(Credential { username: username.to_owned(), password: SecretString::from(password) }))
        }
        (Some(_), None) => lacks("password", "username"),
        (None, Some(_)) => lacks("username", "password"),
    }
}

/// # Safety
/// The strings of `given` are as its documentation says.
unsafe fn proxy(given: &wslimage_client_options) -> Result<Proxy, Failure> {
    // SAFETY: the caller of this function promises it.
    let (url, username, password) = unsafe {
        (
            text::optional(given.proxy_url, "options->proxy_url")?,
            text::optional(given.proxy_username, "options->proxy_username")?,
            text::optional(given.proxy_password, "options->proxy_password")?,
        )
    };
    let credential = credential(username, password, "proxy_")?;
    let Some(url) = url else {
        if credential.is_some() || given.proxy_use_default_credentials {
            return Err(Failure::argument("options->proxy_url is NULL, but a login for it is given".to_owned()));
        }
        return Ok(if given.no_proxy { Proxy::Never } else { Proxy::System });
    };
    if given.no_proxy {
        return Err(Failure::argument("options->proxy_url is not NULL, but no_proxy is true".to_owned()));
    }
    if credential.is_some() && given.proxy_use_default_credentials {
        return Err(Failure::argument(
            "options->proxy_username is not NULL, but proxy_use_default_credentials is true".to_owned(),
        ));
    }
    let url = proxy_url(url)?;
    Ok(Proxy::Server(ProxyServer { url, credential, use_default_credentials: given.proxy_use_default_credentials }))
}

/// The address of a proxy; without a scheme it is one of http, as for curl.
fn proxy_url(text: &str) -> Result<Url, Error> {
    let unusable = |reason: &str| {
        Error::new(ErrorKind::InvalidArgument, format!("The address of the proxy cannot be used: {reason}"))
    };
    let parsed = if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("http://{text}")) };
    // The text itself is not shown: a password may stand in it.
    let url = parsed.map_err(|error| unusable(&error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(unusable("it holds a user or a password, which are given beside it."));
    }
    if !url.has_host() {
        return Err(unusable("it names no host, as http://proxy.example:3128 does."));
    }
    Ok(url)
}

/// The environment that consists of these variables, each "NAME=VALUE".
fn variables(given: Vec<&str>) -> Result<Environment, Failure> {
    given
        .into_iter()
        .enumerate()
        .map(|(index, variable)| {
            // Windows has variables whose names begin with =.
            let equals = variable.char_indices().skip(1).find_map(|(at, c)| (c == '=').then_some(at));
            match equals {
                Some(at) => Ok((&variable[..at], &variable[at + 1..])),
                // It is not shown: it may be a secret.
                None => Err(Failure::argument(format!("options->environment[{index}] is not NAME=VALUE"))),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_read_up_to_their_first_equals_sign_after_the_first_character() {
        for (given, name) in [("A=b=c", "A"), ("EMPTY=", "EMPTY"), ("=C:=C:\\x", "=C:")] {
            let environment = variables(vec![given]).expect(given);
            assert_eq!(format!("{environment:?}"), format!("{{{name:?}}}"));
        }
        for given in ["", "=", "A", "=A"] {
            assert!(variables(vec!["A=b", given]).is_err(), "{given}");
        }
    }

    #[test]
    fn a_proxy_is_an_address_without_a_user() {
        for (text, url) in [
            ("http://proxy:3128", "http://proxy:3128/"),
            ("proxy:3128", "http://proxy:3128/"),
            ("proxy", "http://proxy/"),
            ("https://[::1]:8443", "https://[::1]:8443/"),
            ("socks5h://proxy:1080", "socks5h://proxy:1080"),
        ] {
            assert_eq!(proxy_url(text).expect(text).as_str(), url);
        }
        for text in ["", "http://", "http://a:b:c", "http://user:Secret@proxy:3128", "user@proxy", "file:///x"] {
            let message = proxy_url(text).expect_err(text).to_string();
            assert!(message.starts_with("The address of the proxy cannot be used: "), "{message}");
            assert!(!message.contains("Secret"), "{message}");
        }
    }
}
