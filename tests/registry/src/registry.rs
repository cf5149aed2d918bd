//! The registry as a test holds it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::auth::{Auth, AuthTable};
use crate::control;
use crate::error::{Error, Result};
use crate::image::{Descriptor, Image, ImageDigests, Manifest, RepositoryBlob};
use crate::latency::{Latencies, Latency};
use crate::listener::{self, Listener};
use crate::log::{Log, LogEntry, LogFilter, WaitFor};
use crate::route::{Route, RouteTable};
use crate::store::Store;
use crate::tls::Tls;

/// Where a registry is. As JSON it is the line that the program prints when it is ready.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Addresses {
    /// The URL of the control listener, without a slash at its end.
    pub control: String,
    /// Host and port of the listener without TLS.
    pub http: String,
    /// Host and port of the listener with TLS.
    pub https: String,
    /// The certificate of the authority that signed the listener's, a PEM file.
    pub ca: PathBuf,
}

/// All that the listeners and the control calls share.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) auth: AuthTable,
    pub(crate) routes: RouteTable,
    pub(crate) log: Log,
    pub(crate) latency: Latencies,
    connections: AtomicU64,
}

impl State {
    pub(crate) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn add_image(&self, image: &Image) -> Result<ImageDigests> {
        let digests = image.store(&self.store)?;
        if let Some(auth) = &image.auth {
            self.auth.set(&image.repository, auth.clone())?;
        }
        Ok(digests)
    }

    pub(crate) fn add_blob(&self, blob: &RepositoryBlob) -> Result<Descriptor> {
        if blob.repository.is_empty() {
            return Err(Error::Invalid("a blob has a repository".to_owned()));
        }
        blob.blob.store(&self.store, &blob.repository, "application/octet-stream")
    }
}

/// A running registry. Dropped, it stops: its connections end, its ports are free, its certificate file is gone.
///
/// It runs in the tokio runtime that started it. All methods may be called from any thread; those that take files block
/// while a file is hashed for the first time.
pub struct TestRegistry {
    state: Arc<State>,
    addresses: Addresses,
    _stop: DropGuard,
    _folder: TempDir,
}

impl TestRegistry {
    /// Starts a registry on loopback, with ports that the system chooses.
    ///
    /// # Errors
    /// When there is no port or no temporary folder.
    pub async fn start() -> Result<Self> {
        let tls = Tls::new()?;
        let folder = tempfile::Builder::new().prefix("wslimage-test-registry-").tempdir().map_err(Error::start)?;
        let ca = folder.path().join("ca.pem");
        fs::write(&ca, &tls.ca_pem).map_err(Error::start)?;

        let state = Arc::new(State::default());
        let stopped = CancellationToken::new();
        let (control, control_address) = listener::bind().await.map_err(Error::start)?;
        let (plain, plain_address) = listener::bind().await.map_err(Error::start)?;
        let (secure, secure_address) = listener::bind().await.map_err(Error::start)?;
        let (http, https) = (Listener::http(plain_address), Listener::https(secure_address));
        let addresses = Addresses {
            control: format!("http://{control_address}"),
            http: http.address().to_owned(),
            https: https.address().to_owned(),
            ca,
        };
        tokio::spawn(control::run(control, state.clone(), stopped.clone()));
        tokio::spawn(listener::run(plain, http, None, state.clone(), stopped.clone()));
        tokio::spawn(listener::run(secure, https, Some(tls.acceptor), state.clone(), stopped.clone()));
        Ok(Self { state, addresses, _stop: stopped.drop_guard(), _folder: folder })
    }

    /// All addresses.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Host and port of the listener without TLS, such as `127.0.0.1:1002`.
    pub fn http_address(&self) -> &str {
        &self.addresses.http
    }

    /// Host and port of the listener with TLS, such as `localhost:1003`.
    pub fn https_address(&self) -> &str {
        &self.addresses.https
    }

    /// The URL of the control listener.
    pub fn control_url(&self) -> &str {
        &self.addresses.control
    }

    /// The PEM file with the authority to trust for the listener with TLS.
    pub fn ca_certificate_path(&self) -> &Path {
        &self.addresses.ca
    }

    /// Puts an image up. What is there under the same tags and digests is replaced.
    ///
    /// # Errors
    /// When the description makes no sense or a file cannot be read.
    pub fn add_image(&self, image: Image) -> Result<ImageDigests> {
        self.state.add_image(&image)
    }

    /// Puts a blob up.
    ///
    /// # Errors
    /// When the description makes no sense or its file cannot be read.
    pub fn add_blob(&self, repository: &str, blob: crate::Blob) -> Result<Descriptor> {
        self.state.add_blob(&RepositoryBlob { repository: repository.to_owned(), blob })
    }

    /// Puts a manifest or an index up and returns its digest.
    ///
    /// # Errors
    /// When the description makes no sense.
    pub fn add_manifest(&self, manifest: Manifest) -> Result<String> {
        manifest.store(&self.state.store)
    }

    /// Says who may read a repository. Tokens that were given for it are worth nothing any more.
    ///
    /// # Errors
    /// When a value cannot be in a header.
    pub fn set_auth(&self, repository: &str, auth: Auth) -> Result<()> {
        self.state.auth.set(repository, auth)
    }

    /// Makes all tokens that were given for a repository worthless, as if their time were over.
    pub fn expire_tokens(&self, repository: &str) {
        self.state.auth.expire_tokens(repository);
    }

    /// Says what is answered at a path instead of what would be.
    ///
    /// # Errors
    /// When the description makes no sense or a file cannot be read.
    pub fn add_route(&self, route: Route) -> Result<()> {
        self.state.routes.add(&route)
    }

    /// Deletes all routes with exactly this path. Answers that stall or wait because of one lose their connection.
    pub fn delete_routes(&self, path: &str) {
        self.state.routes.delete(path);
    }

    /// Says how long a listener, or each of them, waits before an answer. It is for all repositories, so for a test with
    /// a registry of its own.
    pub fn set_latency(&self, latency: Latency) {
        self.state.latency.set(latency);
    }

    /// The requests for a repository, in the order of arrival.
    pub fn log(&self, repository: &str) -> Vec<LogEntry> {
        self.log_of(&LogFilter { repository: Some(repository.to_owned()), path: None })
    }

    /// The requests that fit, in the order of arrival.
    pub fn log_of(&self, filter: &LogFilter) -> Vec<LogEntry> {
        self.state.log.read(filter)
    }

    /// Forgets the requests that fit.
    pub fn delete_log(&self, filter: &LogFilter) {
        self.state.log.delete(filter);
    }

    /// Returns, as soon as enough requests are in the log, how many there are.
    ///
    /// # Errors
    /// [`Error::Timeout`] when they do not come.
    pub async fn wait(&self, wait: &WaitFor) -> Result<usize> {
        self.state.log.wait(wait).await
    }
}
