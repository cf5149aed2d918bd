//! With which right a repository is asked: what the registry's challenge asks for, got once and kept while it is good.

use std::sync::Arc;
use std::time::Instant;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use secrecy::SecretString;
use url::Url;

use super::challenge::{self, Challenge};
use super::endpoint::Endpoint;
use super::options::Credential;
use super::token::{self, TokenRequest};
use super::transport::{Authorization, Transport};
use crate::error::{Error, ErrorKind, Result, printable};
use crate::progress::{Job, Stage};

/// What is sent to one repository at one host. Its lock is held while a token is fetched, so that there is one request
/// a scope, however many ask.
#[derive(Clone, Default)]
pub(super) struct SignIn(Arc<tokio::sync::Mutex<Option<Grant>>>);

struct Grant {
    authorization: Authorization,
    challenge: Challenge,
    /// When a token ends.
    until: Option<Instant>,
}

impl Grant {
    fn has_ended(&self) -> bool {
        self.until.is_some_and(|until| until <= Instant::now())
    }
}

/// Who asks, and where.
pub(super) struct Asker<'a> {
    pub(super) transport: &'a Transport,
    pub(super) endpoint: &'a Endpoint,
    /// The registry's address.
    pub(super) registry: &'a Url,
    pub(super) login: Option<&'a Credential>,
    /// Whether a password may be read by the network, as the user said by name.
    pub(super) plain_http: bool,
    pub(super) job: &'a Job,
}

impl SignIn {
    /// What to send, as far as that is known. A token that has ended is renewed first.
    pub(super) async fn authorization(&self, asker: Asker<'_>) -> Result<Option<Authorization>> {
        let mut grant = asker.job.or_cancelled(self.0.lock()).await?;
        if let Some(ended) = grant.as_ref().filter(|grant| grant.has_ended()) {
            let renewed = asker.answer(ended.challenge.clone(), None).await?;
            *grant = renewed;
        }
        Ok(grant.as_ref().map(|grant| grant.authorization.clone()))
    }

    /// What is known, without asking anybody.
    pub(super) async fn known(&self, job: &Job) -> Result<Option<Authorization>> {
        let grant = job.or_cancelled(self.0.lock()).await?;
        Ok(grant.as_ref().map(|grant| grant.authorization.clone()))
    }

    /// What answers the challenge in `headers`, instead of `refused`. `None` when there is nothing else to send.
    pub(super) async fn renew(
        &self,
        refused: Option<&Authorization>,
        headers: &HeaderMap,
        asker: Asker<'_>,
    ) -> Result<Option<Authorization>> {
        let mut grant = asker.job.or_cancelled(self.0.lock()).await?;
        if let Some(current) = &*grant
            && !current.has_ended()
            && !refused.is_some_and(|refused| refused.is_same(&current.authorization))
        {
            return Ok(Some(current.authorization.clone()));
        }
        let Some(challenge) = challenge::choose(headers) else { return Ok(None) };
        let Some(renewed) = asker.answer(challenge, refused).await? else { return Ok(None) };
        let authorization = renewed.authorization.clone();
        *grant = Some(renewed);
        Ok(Some(authorization))
    }
}

impl Asker<'_> {
    async fn answer(&self, challenge: Challenge, refused: Option<&Authorization>) -> Result<Option<Grant>> {
        match &challenge {
            Challenge::Bearer { realm, service, scope } => {
                let scopes = match &self.endpoint.repository {
                    Some(repository) => token::scopes(repository.path(), scope.as_deref()),
                    // The challenge to a question about no repository may name an example (ghcr.io does).
                    None => Vec::new(),
                };
                let asked = TokenRequest {
                    registry: self.registry,
                    realm,
                    service: service.as_deref(),
                    scopes: &scopes,
                    credential: self.login,
                    plain_http: self.plain_http,
                };
                let token = token::fetch(self.transport, asked, self.job).await?;
                let token = token.ok_or_else(|| self.no_token(realm))?;
                Ok(Some(Grant { authorization: Authorization::Bearer(token.value), challenge, until: token.until }))
            }
            Challenge::Basic => match (self.login, refused) {
                (Some(_), Some(Authorization::Basic(_))) | (None, _) => Ok(None),
                (Some(_), _) if self.registry.scheme() == "http" && !self.plain_http => Err(Error::new(
                    ErrorKind::Insecure,
                    format!("the password is not sent to {} over plain http", self.endpoint.registry),
                )
                .advice("Ask for plain http by name if the network may see the password.")),
                (Some(credential), _) => {
                    Ok(Some(Grant { authorization: Authorization::Basic(credential.clone()), challenge, until: None }))
                }
            },
        }
    }

    fn no_token(&self, realm: &str) -> Error {
        Error::new(
            ErrorKind::InvalidResponse,
            format!(
                "Failed to retrieve authentication token for registry {} and repository {}. \
                 The token service {} sent an answer without one",
                self.endpoint.registry,
                self.endpoint.repository.as_ref().map_or("", |repository| repository.path()),
                printable(realm),
            ),
        )
        .at(Stage::Authenticating)
    }
}

/// Whether an answer asks for a way to sign in that is known here.
pub(super) fn asks(status: StatusCode, headers: &HeaderMap) -> bool {
    status == StatusCode::UNAUTHORIZED && challenge::choose(headers).is_some()
}

/// The token in `authorization`, if it is one.
pub(super) fn token_of(authorization: Option<Authorization>) -> Option<SecretString> {
    match authorization {
        Some(Authorization::Bearer(token)) => Some(token),
        Some(Authorization::Basic(_)) | None => None,
    }
}
