//! Tokens: what a Bearer challenge sends for.
//!
//! Source: the distribution project's "Token Authentication Specification" (docs/spec/auth/token.md).

use reqwest::Method;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::answer::{from_status, without_query};
use super::options::Credential;
use super::transport::{Authorization, Request, Transport, host};
use crate::error::{Error, ErrorKind, Result, printable};
use crate::progress::Job;

/// A token is a few kilobytes at the most.
const LONGEST_ANSWER: usize = 1024 * 1024;

/// What a token is asked for.
pub(super) struct TokenRequest<'a> {
    /// The registry's address, against which a relative realm is read.
    pub(super) registry: &'a Url,
    pub(super) realm: &'a str,
    pub(super) service: Option<&'a str>,
    pub(super) scope: Option<&'a str>,
    pub(super) credential: Option<&'a Credential>,
    pub(super) plain_http: bool,
}

/// Asks the token service for a token. `None` when there is none in its answer.
pub(super) async fn fetch(transport: &Transport, asked: TokenRequest<'_>, job: &Job) -> Result<Option<SecretString>> {
    let mut url = asked.registry.join(asked.realm).map_err(|error| {
        Error::new(
            ErrorKind::InvalidResponse,
            format!("the registry names a token service that is no address (\"{}\"): {error}", printable(asked.realm)),
        )
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Error::new(
            ErrorKind::InvalidResponse,
            format!("the registry names a token service of scheme {}", url.scheme()),
        ));
    }
    if url.scheme() == "http" && asked.credential.is_some() && !asked.plain_http {
        return Err(Error::new(
            ErrorKind::Insecure,
            format!("the password is not sent to the token service {} over plain http", host(&url)),
        )
        .advice("Ask for plain http by name if the network may see the password.")
        .target(without_query(&url)));
    }
    {
        let mut query = url.query_pairs_mut();
        if let Some(service) = asked.service {
            query.append_pair("service", service);
        }
        // Several scopes stand in one challenge parted by blanks, and in several parameters of the request.
        for scope in asked.scope.into_iter().flat_map(str::split_ascii_whitespace) {
            query.append_pair("scope", scope);
        }
        if let Some(credential) = asked.credential {
            query.append_pair("account", &credential.username);
        }
    }
    let service = without_query(&url);
    let authorization = asked.credential.cloned().map(Authorization::Basic);
    let request =
        Request { method: Method::GET, url, accept: "application/json", authorization: authorization.as_ref() };
    let response = transport.send(request, job).await?;
    if !response.status().is_success() {
        let error = from_status(response, job).await;
        return Err(match (error.kind(), &asked.credential) {
            (ErrorKind::Unauthorized, Some(_)) => error.advice("Check the user name and the password."),
            (ErrorKind::Unauthorized | ErrorKind::Denied, None) => {
                error.advice("The image may not exist, or it is private: then sign in.")
            }
            _ => error,
        });
    }
    let body = Transport::body(response, LONGEST_ANSWER, job).await?;
    read_token(&body).map_err(|error| {
        // The words of the JSON reader may quote what was sent, which may be a token.
        let place = format!("line {}, column {}", error.line(), error.column());
        Error::new(ErrorKind::InvalidResponse, format!("{service} sent an answer that is no token document ({place})"))
            .target(&service)
    })
}

fn read_token(body: &[u8]) -> serde_json::Result<Option<SecretString>> {
    #[derive(Deserialize)]
    struct Answer {
        token: Option<SecretText>,
        access_token: Option<SecretText>,
    }
    // Goes from the answer's bytes into the secret without a copy that could be printed.
    struct SecretText(SecretString);
    impl<'de> Deserialize<'de> for SecretText {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            String::deserialize(deserializer).map(|text| Self(SecretString::from(text)))
        }
    }
    let answer: Answer = serde_json::from_slice(body)?;
    let is_given = |secret: &SecretText| !secrecy::ExposeSecret::expose_secret(&secret.0).is_empty();
    Ok(answer.token.filter(is_given).or(answer.access_token.filter(is_given)).map(|SecretText(secret)| secret))
}
