//! The registry as a test holds it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::auth::{Auth, AuthTable};
use crate::cdn::{CdnPorts, SignedUrls};
use crate::control;
use crate::error::{Error, Result};
use crate::image::{Descriptor, Image, ImageDigests, Manifest, RepositoryBlob};
use crate::latency::{Latencies, Latency};
use crate::listener::{self, Listener, TlsListener};
use crate::log::{Log, LogEntry, LogFilter, WaitFor};
use crate::options::{OptionTable, RepositoryOptions};
use crate::proxy::{self, Proxy, ProxySettings};
use crate::route::{Route, RouteTable};
use crate::step::Step;
use crate::store::Store;
use crate::tls::{Certificate, Tls};

/// Where a registry is. As JSON it is the line that the program prints when it is ready.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Addresses {
    /// The URL of the control listener, without a slash at its end.
    pub control: String,
    /// Host and port of the listener without TLS.
    pub http: String,
    /// Host and port of the listener with TLS.
    pub https: String,
    /// Host and port of the CDN with TLS; another host than that of `https`.
    pub cdn: String,
    /// Host and port of the CDN without TLS; another host than that of `http`.
    pub cdn_http: String,
    /// Host and port of the forward proxy, which is asked without TLS.
    pub proxy: String,
    /// The listeners whose TLS is wrong.
    pub tls_faults: TlsFaults,
    /// The certificate of the authority that signed the listener's, a PEM file.
    pub ca: PathBuf,
    /// A certificate for clients from the same authority, a PEM file.
    pub client_certificate: PathBuf,
    /// Its key, a PEM file (PKCS #8).
    pub client_key: PathBuf,
}

/// Host and port of listeners that serve what the registry does, if only a client gets through their TLS.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TlsFaults {
    /// The certificate has expired.
    pub expired: String,
    /// The certificate is not valid yet.
    pub not_yet_valid: String,
    /// The certificate is for another name.
    pub other_name: String,
    /// The certificate is from an authority that is unknown.
    pub unknown_authority: String,
    /// The client needs a certificate ([`Addresses::client_certificate`]).
    pub client_certificate: String,
    /// What is spoken is neither TLS nor HTTP.
    pub gibberish: String,
}

/// Where the authority's list of revoked certificates is.
const REVOKED_PATH: &str = "/revoked.crl";

/// All that the listeners and the control calls share.
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) auth: AuthTable,
    pub(crate) options: OptionTable,
    pub(crate) routes: RouteTable,
    pub(crate) log: Log,
    pub(crate) latency: Latencies,
    pub(crate) signed_urls: SignedUrls,
    pub(crate) cdn: CdnPorts,
    pub(crate) tls: Tls,
    pub(crate) proxy: Arc<ProxySettings>,
    pub(crate) stopped: CancellationToken,
    connections: AtomicU64,
}

impl State {
    fn new(cdn: CdnPorts, tls: Tls) -> Self {
        Self {
            store: Store::default(),
            auth: AuthTable::default(),
            options: OptionTable::default(),
            routes: RouteTable::default(),
            log: Log::default(),
            latency: Latencies::default(),
            signed_urls: SignedUrls::default(),
            cdn,
            tls,
            proxy: Arc::default(),
            stopped: CancellationToken::new(),
            connections: AtomicU64::new(0),
        }
    }

    pub(crate) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn add_image(&self, image: &Image) -> Result<ImageDigests> {
        let digests = image.store(&self.store)?;
        if let Some(auth) = &image.auth {
            self.auth.set(&image.repository, auth.clone())?;
        }
        if let Some(options) = &image.options {
            self.options.set(&image.repository, options.clone())?;
        }
        Ok(digests)
    }

    pub(crate) fn add_blob(&self, blob: &RepositoryBlob) -> Result<Descriptor> {
        if blob.repository.is_empty() {
            return Err(Error::Invalid("a blob has a repository".to_owned()));
        }
        blob.blob.store(&self.store, &blob.repository, "application/octet-stream").map(|stored| stored.descriptor)
    }

    /// Starts a listener and returns its host and port.
    pub(crate) async fn add_tls_listener(self: &Arc<Self>, described: &TlsListener) -> Result<String> {
        let acceptor = self.tls.acceptor(described.certificate, described.client_certificate)?;
        let (socket, address) = listener::bind().await.map_err(Error::start)?;
        let address = format!("localhost:{}", address.port());
        let listener = Listener::https(described.name.as_deref().unwrap_or("tls"), address.clone())
            .with_handshake_cuts(described.handshake_cuts);
        listener::spawn(socket, listener, Some(acceptor), self);
        Ok(address)
    }

    /// Starts a proxy and returns its host and port.
    pub(crate) async fn add_proxy(self: &Arc<Self>, settings: Arc<ProxySettings>) -> Result<String> {
        let (socket, address) = listener::bind().await.map_err(Error::start)?;
        proxy::spawn(socket, settings, self);
        Ok(address.to_string())
    }

    async fn add_tls_faults(self: &Arc<Self>) -> Result<TlsFaults> {
        let add = async |name: &str, certificate, client_certificate| {
            let name = Some(name.to_owned());
            self.add_tls_listener(&TlsListener { name, certificate, client_certificate, handshake_cuts: 0 }).await
        };
        let (gibberish, gibberish_address) = listener::bind().await.map_err(Error::start)?;
        listener::spawn_gibberish(gibberish, self);
        Ok(TlsFaults {
            expired: add("expired", Certificate::Expired, false).await?,
            not_yet_valid: add("notYetValid", Certificate::NotYetValid, false).await?,
            other_name: add("otherName", Certificate::OtherName, false).await?,
            unknown_authority: add("unknownAuthority", Certificate::UnknownAuthority, false).await?,
            client_certificate: add("clientCertificate", Certificate::Valid, true).await?,
            gibberish: format!("localhost:{}", gibberish_address.port()),
        })
    }
}

/// A running registry. Dropped, it stops: its connections end, its ports are free, its certificate files are gone.
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
        let (plain, plain_address) = listener::bind().await.map_err(Error::start)?;
        let tls = Tls::new(format!("http://{plain_address}{REVOKED_PATH}"))?;
        let folder = tempfile::Builder::new().prefix("wslimage-test-registry-").tempdir().map_err(Error::start)?;
        let write = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, content).map(|()| path).map_err(Error::start)
        };
        let ca = write("ca.pem", tls.ca_pem().as_bytes())?;
        let client = tls.client_pair()?;
        let client_certificate = write("client.pem", client.certificate.as_bytes())?;
        let client_key = write("client-key.pem", client.key.as_bytes())?;
        let revoked = write("revoked.crl", &tls.revoked_list()?)?;

        let (control, control_address) = listener::bind().await.map_err(Error::start)?;
        let (cdn, cdn_address) = listener::bind().await.map_err(Error::start)?;
        let (cdn_plain, cdn_plain_address) = listener::bind().await.map_err(Error::start)?;
        let ports = CdnPorts { http: cdn_plain_address.port(), https: cdn_address.port() };
        let acceptor = tls.acceptor(Certificate::Valid, false)?;
        let state = Arc::new(State::new(ports, tls));
        let stop = state.stopped.clone().drop_guard();
        let revoked = Step { body_file: Some(revoked), ..Step::default() };
        state.routes.add(&Route::new(REVOKED_PATH, [revoked.header("content-type", "application/pkix-crl")]))?;

        let https = TlsListener { name: Some("https".to_owned()), ..TlsListener::default() };
        let addresses = Addresses {
            control: format!("http://{control_address}"),
            http: plain_address.to_string(),
            https: state.add_tls_listener(&https).await?,
            cdn: ports.https_address(),
            cdn_http: ports.http_address(),
            proxy: state.add_proxy(state.proxy.clone()).await?,
            tls_faults: state.add_tls_faults().await?,
            ca,
            client_certificate,
            client_key,
        };
        tokio::spawn(control::run(control, state.clone(), state.stopped.clone()));
        listener::spawn(plain, Listener::http("http", addresses.http.clone()), None, &state);
        listener::spawn(cdn_plain, Listener::http("cdnHttp", addresses.cdn_http.clone()).for_cdn(), None, &state);
        listener::spawn(cdn, Listener::https("cdn", addresses.cdn.clone()).for_cdn(), Some(acceptor), &state);
        Ok(Self { state, addresses, _stop: stop, _folder: folder })
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

    /// Host and port of the CDN with TLS, such as `127.0.0.1:1004`.
    pub fn cdn_https_address(&self) -> &str {
        &self.addresses.cdn
    }

    /// Host and port of the CDN without TLS, such as `localhost:1005`.
    pub fn cdn_http_address(&self) -> &str {
        &self.addresses.cdn_http
    }

    /// Host and port of the forward proxy, such as `127.0.0.1:1006`.
    pub fn proxy_address(&self) -> &str {
        &self.addresses.proxy
    }

    /// The listeners whose TLS is wrong.
    pub fn tls_faults(&self) -> &TlsFaults {
        &self.addresses.tls_faults
    }

    /// A PEM file with a certificate for clients, which the listener [`TlsFaults::client_certificate`] takes.
    pub fn client_certificate_path(&self) -> &Path {
        &self.addresses.client_certificate
    }

    /// The PEM file with the key of that certificate.
    pub fn client_key_path(&self) -> &Path {
        &self.addresses.client_key
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

    /// Says what a repository does otherwise than others.
    ///
    /// # Errors
    /// When a value makes no sense.
    pub fn set_options(&self, repository: &str, options: RepositoryOptions) -> Result<()> {
        self.state.options.set(repository, options)
    }

    /// Starts one more listener with TLS, which serves what the registry does, and returns its host and port. It ends
    /// with the registry.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn add_tls_listener(&self, listener: TlsListener) -> Result<String> {
        self.state.add_tls_listener(&listener).await
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

    /// Says what the proxy does from now on. It is for all repositories, so for a test with a registry of its own; others
    /// have [`Self::add_proxy`].
    ///
    /// # Errors
    /// When a value makes no sense.
    pub fn set_proxy(&self, proxy: Proxy) -> Result<()> {
        self.state.proxy.set(proxy)
    }

    /// Starts one more proxy and returns its host and port. It ends with the registry.
    ///
    /// # Errors
    /// When a value makes no sense or there is no port.
    pub async fn add_proxy(&self, proxy: Proxy) -> Result<String> {
        self.state.add_proxy(Arc::new(ProxySettings::new(proxy)?)).await
    }

    /// The requests for a repository, in the order of arrival.
    pub fn log(&self, repository: &str) -> Vec<LogEntry> {
        self.log_of(&LogFilter { repository: Some(repository.to_owned()), ..LogFilter::default() })
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
