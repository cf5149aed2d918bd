//! Manifests and blobs of one repository: where they are, and with which right they are asked for.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use oci_spec::image::Digest;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, Response, StatusCode};
use secrecy::SecretString;
use url::Url;

use super::answer::{from_status, speaks_no_tls};
use super::challenge::{self, Challenge};
use super::options::ClientOptions;
use super::token::{self, TokenRequest};
use super::transport::{Authorization, Request, Transport};
use crate::digest;
use crate::error::{Error, ErrorKind, Result, printable};
use crate::progress::{Job, Stage};
use crate::reference::{Registry, Repository};

/// OCI distribution-spec, "Pushing Manifests": registries need not take more, so no image needs more.
const LARGEST_MANIFEST: usize = 4 * 1024 * 1024;
const LARGEST_CONFIG: usize = 16 * 1024 * 1024;

/// A client of registries: how they are reached, and the tokens got so far. Cheap to clone; clones share both.
///
/// Its futures need a tokio runtime with time and I/O enabled.
#[derive(Clone)]
pub struct Client(Arc<Shared>);

struct Shared {
    options: ClientOptions,
    transport: Transport,
    /// Whether a registry is asked by https, once that is known.
    is_https: Mutex<HashMap<Registry, bool>>,
    /// What is sent to a repository. Its lock is held while a token is fetched, so that there is one request a scope.
    authorizations: Mutex<HashMap<String, Arc<Slot>>>,
}

type Slot = tokio::sync::Mutex<Option<Authorization>>;

impl Client {
    /// A client that works as `options` say.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when the CA certificate file cannot be used.
    pub fn new(options: ClientOptions) -> Result<Self> {
        let transport = Transport::new(&options)?;
        Ok(Self(Arc::new(Shared { options, transport, is_https: Mutex::default(), authorizations: Mutex::default() })))
    }

    /// The Bearer token with which images of `repository` can be pulled; `None` where the registry asks for no token.
    /// An empty repository asks for a token of the registry itself. Both are named as in a reference.
    ///
    /// # Errors
    /// Those of the registry and of its token service, with "Failed to get authentication token" before them.
    pub async fn token(&self, registry: &str, repository: &str, job: &Job) -> Result<Option<SecretString>> {
        let session = self
            .session_for_token(registry, repository)
            .map_err(|error| error.attempting(TOKEN_ATTEMPT).at(Stage::Authenticating))?;
        session.announce_sign_in(job);
        // A question about any tag is answered with the challenge for the repository; `/v2/` knows no repository.
        let path = if session.repository.is_some() { "manifests/latest" } else { "" };
        let answer = session.sign_in(Method::HEAD, path, &crate::manifest::accepted_media_types(), job).await?;
        let is_refusal = |status: StatusCode| matches!(status.as_u16(), 401 | 403 | 429) || status.is_server_error();
        if let Some(answer) = answer.filter(|answer| is_refusal(answer.status())) {
            return Err(Attempt::Token.failed(from_status(answer, job).await, &session.name()));
        }
        let slot = session.slot();
        let authorization = job.or_cancelled(slot.lock()).await?;
        Ok(match &*authorization {
            Some(Authorization::Bearer(token)) => Some(token.clone()),
            Some(Authorization::Basic(_)) | None => None,
        })
    }

    /// The tags of `repository`, in the registry's order.
    ///
    /// # Errors
    /// Those of the registry and of its token service; [`ErrorKind::InvalidResponse`] for an answer that is no list.
    pub async fn tags(&self, repository: &Repository, job: &Job) -> Result<Vec<String>> {
        let session = Session::new(self, repository, None);
        job.observer().stage(Stage::Resolving);
        let answer = session.open("tags/list", "application/json", job).await?;
        let answer = session.successful(answer, ErrorKind::NotFound, job).await?;
        let bytes = Transport::body(answer, LARGEST_MANIFEST, job).await?;
        let list: TagList = serde_json::from_slice(&bytes).map_err(|error| {
            Error::new(ErrorKind::InvalidResponse, format!("{repository} has no readable list of tags"))
                .caused_by(error)
        })?;
        Ok(list.tags.unwrap_or_default())
    }

    fn session_for_token(&self, registry: &str, repository: &str) -> Result<Session> {
        let registry: Registry = registry.parse()?;
        Ok(match repository {
            "" => Session { client: self.clone(), registry, repository: None, given: None },
            path => Session::new(self, &Repository::new(registry, path)?, None),
        })
    }
}

/// OCI distribution-spec, "Listing Tags".
#[derive(serde::Deserialize)]
struct TagList {
    tags: Option<Vec<String>>,
}

const TOKEN_ATTEMPT: &str = "Failed to get authentication token: ";

/// What was attempted when something failed: the first words of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    Token,
    Manifest,
    Layer,
}

impl Attempt {
    /// `error` as it is told for this attempt on the image `name`.
    pub(crate) fn failed(self, error: Error, name: &str) -> Error {
        let stage = match self {
            Self::Token => Stage::Authenticating,
            Self::Manifest => Stage::Resolving,
            Self::Layer => Stage::Downloading,
        };
        // A token that could not be renewed on the way to something else has its own first words.
        if error.stage() == Stage::Authenticating {
            return error;
        }
        let error = error.at(stage);
        match (self, error.kind()) {
            // These speak of the image, or of what the caller gave, not of an attempt.
            (
                _,
                ErrorKind::NoPlatform
                | ErrorKind::UnsupportedImage
                | ErrorKind::InvalidReference
                | ErrorKind::InvalidArgument
                | ErrorKind::Cancelled
                | ErrorKind::File,
            ) => error,
            (Self::Token, _) => error.attempting(TOKEN_ATTEMPT),
            (Self::Manifest, ErrorKind::Unauthorized) => {
                error.attempting("Access denied to registry. The image may not exist or authentication failed. ")
            }
            (Self::Manifest, ErrorKind::NotFound) => {
                error.attempting(&format!("Image not found: {name}. ")).target(name)
            }
            (Self::Manifest, _) => error.attempting("Failed to get manifest: "),
            (Self::Layer, _) => error.attempting("Failed to download Docker image layer: "),
        }
    }
}

/// A manifest or config with what is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    pub(crate) digest: Digest,
    pub(crate) media_type: Option<String>,
    pub(crate) bytes: Bytes,
}

/// One repository, asked with one right.
pub(crate) struct Session {
    client: Client,
    registry: Registry,
    repository: Option<Repository>,
    /// A token that the caller gave: it is used as it is, and another is never put in its place.
    given: Option<Authorization>,
}

impl Session {
    pub(crate) fn new(client: &Client, repository: &Repository, token: Option<&SecretString>) -> Self {
        Self {
            client: client.clone(),
            registry: repository.registry().clone(),
            repository: Some(repository.clone()),
            given: token.cloned().map(Authorization::Bearer),
        }
    }

    fn name(&self) -> String {
        match &self.repository {
            Some(repository) => repository.to_string(),
            None => self.registry.to_string(),
        }
    }

    /// The address of `path` below the repository.
    pub(crate) fn url(&self, path: &str) -> Result<Url> {
        let is_https = self.is_https().unwrap_or(true);
        self.url_by(if is_https { "https" } else { "http" }, path)
    }

    fn url_by(&self, scheme: &str, path: &str) -> Result<Url> {
        let address = self.registry.api_address();
        let text = match &self.repository {
            Some(repository) => format!("{scheme}://{address}/v2/{}/{path}", repository.path()),
            None => format!("{scheme}://{address}/v2/{path}"),
        };
        Url::parse(&text).map_err(|error| {
            Error::new(ErrorKind::InvalidReference, format!("Invalid registry \"{address}\": {error}"))
        })
    }

    fn is_https(&self) -> Option<bool> {
        let shared = &self.client.0;
        if shared.options.plain_http {
            return Some(false);
        }
        lock(&shared.is_https).get(&self.registry).copied()
    }

    fn slot(&self) -> Arc<Slot> {
        lock(&self.client.0.authorizations).entry(self.name()).or_default().clone()
    }

    async fn authorization(&self, job: &Job) -> Result<Option<Authorization>> {
        if let Some(given) = &self.given {
            return Ok(Some(given.clone()));
        }
        let slot = self.slot();
        let authorization = job.or_cancelled(slot.lock()).await?;
        Ok(authorization.clone())
    }

    /// Whether what the registry wants to see is known already.
    pub(crate) async fn is_signed_in(&self, job: &Job) -> Result<bool> {
        Ok(self.authorization(job).await?.is_some())
    }

    pub(crate) fn announce_sign_in(&self, job: &Job) {
        job.observer().stage(Stage::Authenticating);
        let repository = self.repository.as_ref().map_or("", Repository::path);
        job.verbose(format!(
            "Getting docker authentication token for registry {} and repository {repository}...",
            self.registry
        ));
    }

    /// Asks for `path` to learn what the registry wants to see, and gets it. Returns the answer where nothing had to be
    /// got for it.
    pub(crate) async fn sign_in(
        &self,
        method: Method,
        path: &str,
        accept: &str,
        job: &Job,
    ) -> Result<Option<Response>> {
        let failed = |error| Attempt::Token.failed(error, &self.name());
        let answer = self.send(method, path, accept, None, job).await.map_err(failed)?;
        if answer.status() != StatusCode::UNAUTHORIZED || challenge::choose(answer.headers()).is_none() {
            return Ok(Some(answer));
        }
        self.renew(None, answer.headers(), job).await.map_err(failed)?;
        Ok(None)
    }

    /// Asks for `path`; a 401 is answered once by what its challenge asks for.
    async fn open(&self, path: &str, accept: &str, job: &Job) -> Result<Response> {
        let authorization = self.authorization(job).await?;
        let answer = self.send(Method::GET, path, accept, authorization.as_ref(), job).await?;
        if answer.status() != StatusCode::UNAUTHORIZED
            || self.given.is_some()
            || challenge::choose(answer.headers()).is_none()
        {
            return Ok(answer);
        }
        let renewed = self
            .renew(authorization.as_ref(), answer.headers(), job)
            .await
            .map_err(|error| Attempt::Token.failed(error, &self.name()))?;
        match renewed {
            Some(renewed) => self.send(Method::GET, path, accept, Some(&renewed), job).await,
            None => Ok(answer),
        }
    }

    /// What answers the challenge in `headers`, instead of `refused`. `None` when there is nothing else to send.
    async fn renew(
        &self,
        refused: Option<&Authorization>,
        headers: &HeaderMap,
        job: &Job,
    ) -> Result<Option<Authorization>> {
        let options = &self.client.0.options;
        let slot = self.slot();
        let mut current = job.or_cancelled(slot.lock()).await?;
        if let Some(current) = &*current
            && !refused.is_some_and(|refused| refused.is_same(current))
        {
            return Ok(Some(current.clone()));
        }
        let registry = self.url("")?;
        let authorization = match challenge::choose(headers) {
            Some(Challenge::Bearer { realm, service, scope }) => {
                let default_scope =
                    self.repository.as_ref().map(|repository| format!("repository:{}:pull", repository.path()));
                let asked = TokenRequest {
                    registry: &registry,
                    realm: &realm,
                    service: service.as_deref(),
                    // The challenge to a question about no repository may name an example (ghcr.io does).
                    scope: default_scope.as_deref().and(scope.as_deref()).or(default_scope.as_deref()),
                    credential: options.credential.as_ref(),
                    plain_http: options.plain_http,
                };
                let token = token::fetch(&self.client.0.transport, asked, job).await?;
                Authorization::Bearer(token.ok_or_else(|| self.no_token(&realm))?)
            }
            Some(Challenge::Basic) => match (&options.credential, refused) {
                (Some(_), Some(Authorization::Basic(_))) | (None, _) => return Ok(None),
                (Some(_), _) if registry.scheme() == "http" && !options.plain_http => {
                    return Err(Error::new(
                        ErrorKind::Insecure,
                        format!("the password is not sent to {} over plain http", self.registry),
                    )
                    .advice("Ask for plain http by name if the network may see the password."));
                }
                (Some(credential), _) => Authorization::Basic(credential.clone()),
            },
            None => return Ok(None),
        };
        *current = Some(authorization.clone());
        Ok(Some(authorization))
    }

    fn no_token(&self, realm: &str) -> Error {
        Error::new(
            ErrorKind::InvalidResponse,
            format!(
                "Failed to retrieve authentication token for registry {} and repository {}. \
                 The token service {} sent an answer without one",
                self.registry,
                self.repository.as_ref().map_or("", Repository::path),
                printable(realm),
            ),
        )
        .at(Stage::Authenticating)
    }

    /// Sends one request, by https unless plain http was asked for; a registry on this machine that does not speak TLS
    /// is asked again by http, as docker does.
    async fn send(
        &self,
        method: Method,
        path: &str,
        accept: &str,
        authorization: Option<&Authorization>,
        job: &Job,
    ) -> Result<Response> {
        let transport = &self.client.0.transport;
        let request = |url| Request { method: method.clone(), url, accept, authorization };
        if self.is_https().is_some() {
            return transport.send(request(self.url(path)?), job).await;
        }
        let answer = transport.send(request(self.url_by("https", path)?), job).await;
        let (is_https, answer) = match answer {
            Err(error) if self.registry.is_loopback() && speaks_no_tls(&error) => {
                match transport.send(request(self.url_by("http", path)?), job).await {
                    Ok(answer) => (false, answer),
                    Err(second) if second.kind() == ErrorKind::Cancelled => return Err(second),
                    Err(_) => return Err(error),
                }
            }
            answer => (true, answer?),
        };
        lock(&self.client.0.is_https).insert(self.registry.clone(), is_https);
        Ok(answer)
    }

    /// The manifest `version`, or `answer` to a question for it; verified by `expected`, else by the digest that the
    /// registry tells.
    pub(crate) async fn manifest(
        &self,
        version: &str,
        accept: &str,
        answer: Option<Response>,
        expected: Option<&Digest>,
        job: &Job,
    ) -> Result<Fetched> {
        let answer = match answer {
            Some(answer) => answer,
            None => self.open(&format!("manifests/{version}"), accept, job).await?,
        };
        let answer = self.successful(answer, ErrorKind::NotFound, job).await?;
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let media_type = header(CONTENT_TYPE.as_str())
            .map(|value| value.split(';').next().unwrap_or_default().trim().to_owned())
            .filter(|value| !value.is_empty());
        let told = header("docker-content-digest").and_then(|value| Digest::from_str(&value).ok());
        let bytes = Transport::body(answer, LARGEST_MANIFEST, job).await?;
        let digest = match expected.or(told.as_ref()) {
            Some(expected) => {
                digest::verify(&bytes, expected)?;
                expected.clone()
            }
            None => digest::sha256(&bytes),
        };
        Ok(Fetched { digest, media_type, bytes })
    }

    /// The config `digest`, verified.
    pub(crate) async fn config(&self, digest: &Digest, accept: &str, job: &Job) -> Result<Bytes> {
        let answer = self.open(&format!("blobs/{digest}"), accept, job).await?;
        let answer = self.successful(answer, ErrorKind::NotFound, job).await?;
        let bytes = Transport::body(answer, LARGEST_CONFIG, job).await?;
        digest::verify(&bytes, digest)?;
        Ok(bytes)
    }

    /// The answer whose body is the blob `digest`.
    pub(crate) async fn blob(&self, digest: &Digest, job: &Job) -> Result<Response> {
        let answer = self.open(&format!("blobs/{digest}"), "*/*", job).await?;
        self.successful(answer, ErrorKind::BlobNotFound, job).await
    }

    /// The next bytes of a body; `None` after its last.
    pub(crate) async fn chunk(answer: &mut Response, job: &Job) -> Result<Option<Bytes>> {
        Transport::chunk(answer, job).await
    }

    /// `answer` when it is 200, else the error that it is.
    async fn successful(&self, answer: Response, not_found: ErrorKind, job: &Job) -> Result<Response> {
        let status = answer.status();
        if status == StatusCode::OK {
            return Ok(answer);
        }
        let error = from_status(answer, job).await;
        Err(match status {
            StatusCode::NOT_FOUND => error.of_kind(not_found),
            StatusCode::UNAUTHORIZED if self.given.is_some() => {
                error.advice("The token that was given is not good for this image; get a new one.")
            }
            StatusCode::UNAUTHORIZED if self.client.0.options.credential.is_some() => {
                error.advice("Check the user name and the password.")
            }
            StatusCode::UNAUTHORIZED => {
                error.advice("Sign in with a user name and a password if the image is private.")
            }
            _ => error,
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
