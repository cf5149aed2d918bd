//! How registries are reached: what a caller can choose, and what is chosen without one.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::environment::Environment;
use crate::error::{Error, ErrorKind, Result};
use crate::reference::{Registry, Repository};

/// A user name and password, or an access token in the password's place. `Debug` does not print the secret.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The user name. [`Credential::IDENTITY_TOKEN`] says that the password is an identity token, with which the token
    /// service is asked as OAuth 2 does it (`grant_type=refresh_token`).
    pub username: String,
    /// The password.
    pub password: SecretString,
}

impl Credential {
    /// The user name that Docker's credential helpers give with an identity token (docker-credential-helpers, README).
    pub const IDENTITY_TOKEN: &'static str = "<token>";

    pub(crate) fn is_identity_token(&self) -> bool {
        self.username == Self::IDENTITY_TOKEN
    }
}

/// How registries are reached. The default is https with the operating system's trust, the logins, mirrors and proxies
/// that this machine is set up with, and no cache unless `WSLIMAGE_CACHE` names one.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Who signs in at the registry that is asked, in place of the logins of the environment. It goes to that registry
    /// and to the token service that it names, to nobody else.
    pub credential: Option<Credential>,
    /// A PEM file with certificates of authorities to trust beside those of the operating system.
    pub ca_certificate: Option<PathBuf>,
    /// Whether any certificate is taken. Anybody between here and the registry can then read and alter what is sent.
    pub skip_certificate_check: bool,
    /// Whether registries are asked by plain http, with passwords too. Without it only a registry on this machine is,
    /// anonymously, when it does not speak https.
    pub plain_http: bool,
    /// Stands behind the product's own name in `User-Agent`.
    pub user_agent: Option<String>,
    /// The longest time for name lookup, connection and TLS handshake together.
    pub connect_timeout: Duration,
    /// The longest time without a byte.
    pub stall_timeout: Duration,
    /// What is tried again, and how long.
    pub retry: RetryPolicy,
    /// The most connections that fetch one blob; 1 for never more than one.
    pub maximum_connections: usize,
    /// How proxies are chosen.
    pub proxy: Proxy,
    /// Where to look before the registry that is asked, in this order; they stand before those of registries.conf.
    pub mirrors: Vec<MirrorLocation>,
    /// A folder in which blobs are kept and looked for. `None`: the folder that `WSLIMAGE_CACHE` names, if it does.
    pub cache: Option<PathBuf>,
    /// The variables that lead to logins (`DOCKER_CONFIG`, `REGISTRY_AUTH_FILE`, `HOME`), mirrors
    /// (`CONTAINERS_REGISTRIES_CONF`), proxies (`HTTPS_PROXY`, `NO_PROXY`) and the cache (`WSLIMAGE_CACHE`). An empty one
    /// leads to none of them.
    pub environment: Environment,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            credential: None,
            ca_certificate: None,
            skip_certificate_check: false,
            plain_http: false,
            user_agent: None,
            connect_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(30),
            retry: RetryPolicy::default(),
            maximum_connections: 6,
            proxy: Proxy::default(),
            mirrors: Vec::new(),
            cache: None,
            environment: Environment::of_process(),
        }
    }
}

/// How often, and how long, what failed is tried again. A download that got further is not counted as failed: it
/// goes on at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The most tries after the first, without progress between them.
    pub maximum_retries: u32,
    /// The wait before the second try; each next one is about twice as long.
    pub first_wait: Duration,
    /// The most that is waited in all, also where a server asks for more.
    pub maximum_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { maximum_retries: 5, first_wait: Duration::from_millis(500), maximum_wait: Duration::from_secs(120) }
    }
}

/// How proxies are chosen.
#[derive(Clone, Debug, Default)]
pub enum Proxy {
    /// As the environment says, and on Windows, where it says nothing, as the system's settings do.
    #[default]
    System,
    /// None, whatever is set up.
    Never,
    /// This one for every address.
    Server(ProxyServer),
}

/// A proxy.
#[derive(Clone, Debug)]
pub struct ProxyServer {
    /// Its address, such as `http://proxy:3128` or `socks5h://proxy:1080`, without a user.
    pub url: Url,
    /// Who signs in there.
    pub credential: Option<Credential>,
    /// Whether the user of this Windows session signs in there.
    pub use_default_credentials: bool,
}

/// Where a mirror keeps the repositories of a registry: a host with an optional port and an optional path before the
/// names, such as `mirror:5000` or `http://proxy.example/docker-hub`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorLocation {
    pub(crate) registry: Registry,
    pub(crate) path: String,
    /// Written with `http://`.
    pub(crate) plain_http: bool,
}

impl MirrorLocation {
    /// The repository there that mirrors `repository`.
    pub(crate) fn repository(&self, repository: &Repository) -> Result<Repository> {
        match self.path.as_str() {
            "" => Repository::new(self.registry.clone(), repository.path()),
            path => Repository::new(self.registry.clone(), &format!("{path}/{}", repository.path())),
        }
    }
}

impl FromStr for MirrorLocation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (plain_http, address) = match text.strip_prefix("http://") {
            Some(address) => (true, address),
            None => (false, text.strip_prefix("https://").unwrap_or(text)),
        };
        let (registry, path) =
            address.trim_end_matches('/').split_once('/').unwrap_or((address.trim_end_matches('/'), ""));
        let location = Self {
            registry: registry.parse().map_err(|error: Error| unusable_mirror(text, &error))?,
            path: path.to_owned(),
            plain_http,
        };
        if !path.is_empty() {
            Repository::new(location.registry.clone(), path).map_err(|error| unusable_mirror(text, &error))?;
        }
        Ok(location)
    }
}

impl fmt::Display for MirrorLocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.plain_http { "http://" } else { "" };
        let slash = if self.path.is_empty() { "" } else { "/" };
        write!(formatter, "{scheme}{}{slash}{}", self.registry, self.path)
    }
}

fn unusable_mirror(text: &str, reason: &Error) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("The mirror \"{text}\" cannot be used: {reason}"))
        .advice("A mirror is a host with an optional port and path, such as mirror.example:5000/docker-hub.")
}
