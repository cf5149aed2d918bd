//! A client of registries: what its sessions share.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use reqwest::{Method, StatusCode};
use secrecy::SecretString;

use super::answer::from_status;
use super::credentials;
use super::endpoint::Endpoint;
use super::lock;
use super::options::{ClientOptions, Credential};
use super::registries_conf::RegistriesConf;
use super::retry::retry;
use super::session::Session;
use super::sign_in::SignIn;
use super::transport::Transport;
use crate::cache::Cache;
use crate::error::{Error, ErrorKind, Result};
use crate::progress::{Job, Stage};
use crate::reference::{Reference, Registry, Repository};

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
    /// What is sent to a repository, by host and repository.
    sign_ins: Mutex<HashMap<String, SignIn>>,
    /// What was found for a repository, by host and repository. Its lock is held while one is looked for, so that a
    /// helper program is asked once.
    logins: tokio::sync::Mutex<HashMap<String, Option<Credential>>>,
    cache: Option<Cache>,
    registries: RegistriesConf,
    /// Mirrors that have failed are not asked again.
    failed_mirrors: Mutex<HashSet<Registry>>,
}

impl Client {
    /// A client that works as `options` say.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when the CA certificate file or a registries.conf cannot be used;
    /// [`ErrorKind::File`] when the cache is no folder.
    pub fn new(options: ClientOptions) -> Result<Self> {
        let transport = Transport::new(&options)?;
        let registries = RegistriesConf::load(&options.environment)?;
        let cache = options.cache.clone().or_else(|| options.environment.path("WSLIMAGE_CACHE"));
        let cache = cache.map(Cache::open).transpose()?;
        Ok(Self(Arc::new(Shared {
            options,
            transport,
            cache,
            registries,
            is_https: Mutex::default(),
            sign_ins: Mutex::default(),
            logins: tokio::sync::Mutex::default(),
            failed_mirrors: Mutex::default(),
        })))
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
        let path = if session.has_repository() { "manifests/latest" } else { "" };
        let accept = crate::manifest::accepted_media_types();
        let (session, accept) = (&session, &accept);
        retry(session.retry_policy(), job, || async move {
            let answer = session.sign_in(Method::HEAD, path, accept, job).await?;
            let is_refusal =
                |status: StatusCode| matches!(status.as_u16(), 401 | 403 | 429) || status.is_server_error();
            match answer.filter(|answer| is_refusal(answer.status())) {
                Some(answer) => Err(Attempt::Token.failed(from_status(answer, job).await, &session.name())),
                None => Ok(()),
            }
        })
        .await?;
        session.token(job).await
    }

    fn session_for_token(&self, registry: &str, repository: &str) -> Result<Session> {
        let registry: Registry = registry.parse()?;
        let plain_http = self.options().plain_http;
        let endpoint = match repository {
            "" => Endpoint::registry(registry, plain_http),
            path => Endpoint::origin(&Repository::new(registry, path)?, plain_http),
        };
        Ok(Session::new(self, endpoint, None))
    }

    /// The tags of `repository`, in the registry's order.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such repository, and the other kinds of a registry's answer.
    pub async fn tags(&self, repository: &Repository, job: &Job) -> Result<Vec<String>> {
        // Any tag stands for all of them where mirrors are for digests only.
        let reference = Reference::new(repository.clone(), "latest".parse()?);
        let mut sessions = self.sessions(&reference, None)?.into_iter();
        loop {
            let session = sessions.next().ok_or_else(nobody_to_ask)?;
            job.observer().stage(Stage::Resolving);
            match session.tags(job).await {
                Err(error) if session.is_left_after(&error) => self.leave_mirror(&session, &error, job),
                tags => return tags.map_err(|error| Attempt::Tags.failed(error, &repository.to_string())),
            }
        }
    }

    /// Where `reference` is asked for, in this order: mirrors, then its registry, which gets `token`.
    ///
    /// # Errors
    /// [`ErrorKind::Blocked`] for a registry that this machine's configuration blocks.
    pub(crate) fn sessions(&self, reference: &Reference, token: Option<&SecretString>) -> Result<Vec<Session>> {
        let repository = reference.repository();
        let mut endpoints = Vec::new();
        for location in &self.options().mirrors {
            endpoints.push(Endpoint::mirror(location, repository)?);
        }
        let by_digest = reference.digest().is_some();
        let places = self.0.registries.endpoints(repository)?;
        let places = places.iter().filter(|place| place.only.includes(by_digest));
        endpoints.extend(places.map(|place| Endpoint::configured(place, repository, self.options().plain_http)));
        let failed = lock(&self.0.failed_mirrors).clone();
        endpoints.retain(|endpoint| !endpoint.is_mirror || !failed.contains(&endpoint.registry));
        for endpoint in endpoints.iter().filter(|endpoint| endpoint.is_insecure) {
            self.transport().trust_blindly(endpoint.registry.api_address());
        }
        Ok(endpoints
            .into_iter()
            .map(|endpoint| {
                let token = token.filter(|_| endpoint.is_named);
                Session::new(self, endpoint, token)
            })
            .collect())
    }

    /// Goes on without a mirror.
    pub(crate) fn leave_mirror(&self, session: &Session, error: &Error, job: &Job) {
        job.verbose(format!("The mirror {} is left for the next: {error}", session.name()));
        lock(&self.0.failed_mirrors).insert(session.registry().clone());
    }

    pub(crate) fn options(&self) -> &ClientOptions {
        &self.0.options
    }

    pub(crate) fn cache(&self) -> Option<&Cache> {
        self.0.cache.as_ref()
    }

    pub(super) fn transport(&self) -> &Transport {
        &self.0.transport
    }

    pub(super) fn is_https(&self, registry: &Registry) -> Option<bool> {
        lock(&self.0.is_https).get(registry).copied()
    }

    pub(super) fn found_https(&self, registry: &Registry, is_https: bool) {
        lock(&self.0.is_https).insert(registry.clone(), is_https);
    }

    pub(super) fn sign_in(&self, endpoint: &Endpoint) -> SignIn {
        lock(&self.0.sign_ins).entry(endpoint.name()).or_default().clone()
    }

    /// Who signs in there: whom the caller gave, else whom this machine knows. A mirror never sees the former.
    pub(super) async fn login(&self, endpoint: &Endpoint, job: &Job) -> Result<Option<Credential>> {
        if let Some(given) = self.options().credential.as_ref().filter(|_| endpoint.is_named) {
            return Ok(Some(given.clone()));
        }
        let mut logins = job.or_cancelled(self.0.logins.lock()).await?;
        if let Some(known) = logins.get(&endpoint.name()) {
            return Ok(known.clone());
        }
        let repository = endpoint.repository.as_ref();
        let found = credentials::find(&self.options().environment, &endpoint.registry, repository, job).await?;
        logins.insert(endpoint.name(), found.clone());
        Ok(found)
    }
}

/// The registry itself is always asked.
pub(crate) fn nobody_to_ask() -> Error {
    Error::new(ErrorKind::Internal, "There is nobody to ask")
}

const TOKEN_ATTEMPT: &str = "Failed to get authentication token: ";

/// What was attempted when something failed: the first words of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    Token,
    Manifest,
    Layer,
    Tags,
}

impl Attempt {
    /// `error` as it is told for this attempt on the image `name`.
    pub(crate) fn failed(self, error: Error, name: &str) -> Error {
        let stage = match self {
            Self::Token => Stage::Authenticating,
            Self::Manifest | Self::Tags => Stage::Resolving,
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
            (Self::Tags, ErrorKind::NotFound) => {
                error.attempting(&format!("Repository not found: {name}. ")).target(name)
            }
            (Self::Tags, _) => error.attempting("Failed to get the tags: "),
            (Self::Layer, _) => error.attempting("Failed to download Docker image layer: "),
        }
    }
}
