//! Tokens: what a Bearer challenge sends for.
//!
//! Sources: the distribution project's "Token Authentication Specification" (docs/spec/auth/token.md) for GET, and its
//! "Oauth2 Token Authentication" (docs/spec/auth/oauth.md) for POST.

use std::time::{Duration, Instant, SystemTime};

use reqwest::header::DATE;
use reqwest::{Method, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;
use url::form_urlencoded;

use super::answer::{from_status, without_query};
use super::options::Credential;
use super::transport::{Authorization, Request, Transport, host};
use crate::error::{Error, ErrorKind, Result, printable};
use crate::progress::Job;

/// A token is a few kilobytes at the most.
const LONGEST_ANSWER: usize = 1024 * 1024;
/// A token that ends while its request is under way is of no use: it is renewed so much before its end, or a tenth of
/// its life if that is less.
const MARGIN: Duration = Duration::from_secs(5);

/// What a token is asked for.
pub(super) struct TokenRequest<'a> {
    /// The registry's address, against which a relative realm is read.
    pub(super) registry: &'a Url,
    pub(super) realm: &'a str,
    pub(super) service: Option<&'a str>,
    pub(super) scopes: &'a [String],
    pub(super) credential: Option<&'a Credential>,
    pub(super) plain_http: bool,
}

pub(super) struct Token {
    pub(super) value: SecretString,
    /// When it ends, a little before it really does. `None` where the service does not say.
    pub(super) until: Option<Instant>,
}

/// The scopes to ask for: pulling from `repository`, and what the challenge names beside it, each resource once with all
/// its actions.
pub(super) fn scopes(repository: &str, challenged: Option<&str>) -> Vec<String> {
    let mut merged: Vec<(String, Vec<&str>)> = Vec::new();
    let wanted = format!("repository:{repository}:pull");
    // What the challenge says comes first: services compare it with what the registry told them.
    for scope in challenged.unwrap_or_default().split_ascii_whitespace().chain([wanted.as_str()]) {
        let (resource, actions) = scope.rsplit_once(':').unwrap_or((scope, ""));
        let actions = actions.split(',').filter(|action| !action.is_empty());
        match merged.iter_mut().find(|(known, _)| known == resource) {
            Some((_, known)) => {
                for action in actions {
                    if !known.contains(&action) {
                        known.push(action);
                    }
                }
            }
            None => merged.push((resource.to_owned(), actions.collect())),
        }
    }
    merged.into_iter().map(|(resource, actions)| format!("{resource}:{}", actions.join(","))).collect()
}

/// Asks the token service for a token. `None` when there is none in its answer.
pub(super) async fn fetch(transport: &Transport, asked: TokenRequest<'_>, job: &Job) -> Result<Option<Token>> {
    let service = address(&asked)?;
    if let Some(credential) = asked.credential.filter(|credential| credential.is_identity_token()) {
        let answer = post(transport, &service, &asked, credential, job).await?;
        // Services that know no POST are asked as they know it.
        if !matches!(answer.status(), StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
            return read(answer, &service, &asked, job).await;
        }
    }
    let answer = get(transport, &service, &asked, job).await?;
    read(answer, &service, &asked, job).await
}

fn address(asked: &TokenRequest<'_>) -> Result<Url> {
    let url = asked.registry.join(asked.realm).map_err(|error| {
        Error::new(
            ErrorKind::InvalidResponse,
            format!("the registry names a token service that is no address (\"{}\"): {error}", printable(asked.realm)),
        )
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Error::new(
            ErrorKind::InvalidResponse,
            format!("the registry names a token service of scheme {}", printable(url.scheme())),
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
    Ok(url)
}

async fn get(transport: &Transport, service: &Url, asked: &TokenRequest<'_>, job: &Job) -> Result<Response> {
    let mut url = service.clone();
    {
        let mut query = url.query_pairs_mut();
        if let Some(service) = asked.service {
            query.append_pair("service", service);
        }
        for scope in asked.scopes {
            query.append_pair("scope", scope);
        }
        if let Some(credential) = asked.credential {
            query.append_pair("account", &credential.username);
        }
    }
    if url.query() == Some("") {
        url.set_query(None);
    }
    let authorization = asked.credential.cloned().map(Authorization::Basic);
    let request =
        Request { authorization: authorization.as_ref(), ..Request::new(Method::GET, url, "application/json") };
    transport.send(request, job).await
}

async fn post(
    transport: &Transport,
    service: &Url,
    asked: &TokenRequest<'_>,
    credential: &Credential,
    job: &Job,
) -> Result<Response> {
    let form = refresh_form(asked, credential);
    let request = Request::new(Method::POST, service.clone(), "application/json");
    transport.send(Request { form: Some(&form), ..request }, job).await
}

fn refresh_form(asked: &TokenRequest<'_>, credential: &Credential) -> SecretString {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "refresh_token");
    form.append_pair("refresh_token", credential.password.expose_secret());
    form.append_pair("client_id", "WslImage");
    if let Some(service) = asked.service {
        form.append_pair("service", service);
    }
    if !asked.scopes.is_empty() {
        form.append_pair("scope", &asked.scopes.join(" "));
    }
    SecretString::from(form.finish())
}

async fn read(response: Response, service: &Url, asked: &TokenRequest<'_>, job: &Job) -> Result<Option<Token>> {
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
    let service = without_query(service);
    let date = response.headers().get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    let received = Instant::now();
    let body = Transport::body(response, LONGEST_ANSWER, job).await?;
    let answer: Answer = serde_json::from_slice(&body).map_err(|error| {
        // The words of the JSON reader may quote what was sent, which may be a token.
        let place = format!("line {}, column {}", error.line(), error.column());
        Error::new(ErrorKind::InvalidResponse, format!("{service} sent an answer that is no token document ({place})"))
            .target(&service)
    })?;
    let until = answer.lifetime(date).map(|lifetime| received + lifetime);
    let token = answer.value().map(|value| Token { value, until });
    if let Some(Token { value, .. }) = &token
        && Authorization::Bearer(value.clone()).header().is_err()
    {
        let sentence = format!("{service} sent a token with characters that cannot stand in a header");
        return Err(Error::new(ErrorKind::InvalidResponse, sentence).target(&service));
    }
    Ok(token)
}

#[derive(Deserialize)]
struct Answer {
    token: Option<SecretText>,
    access_token: Option<SecretText>,
    /// Seconds; some services send them as text.
    #[serde(default)]
    expires_in: serde_json::Value,
    #[serde(default)]
    issued_at: serde_json::Value,
}

// Goes from the answer's bytes into the secret without a copy that could be printed.
struct SecretText(SecretString);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(SecretString::from(text)))
    }
}

impl Answer {
    /// How long it is good for, less the time since it was issued: by the service's clock, where it tells the time.
    /// What a service says wrongly counts as not said; a token that has ended then shows by a 401.
    fn lifetime(&self, now: Option<SystemTime>) -> Option<Duration> {
        let seconds = self.expires_in.as_u64().or_else(|| self.expires_in.as_str()?.parse().ok())?;
        // A day is longer than any download; more could not be added to a time.
        let lifetime = Duration::from_secs(seconds.min(24 * 60 * 60));
        let issued = self.issued_at.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let issued = issued.and_then(|issued| SystemTime::try_from(issued).ok());
        let age = match (issued, now) {
            (Some(issued), Some(now)) => now.duration_since(issued).unwrap_or_default(),
            _ => Duration::ZERO,
        };
        // Nobody gives a token that is over already: then one of the clocks is wrong.
        let left = if age < lifetime { lifetime - age } else { lifetime };
        Some(left - MARGIN.min(left / 10))
    }

    fn value(self) -> Option<SecretString> {
        let is_given = |secret: &SecretText| !secret.0.expose_secret().is_empty();
        self.token.filter(is_given).or(self.access_token.filter(is_given)).map(|SecretText(secret)| secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_name_each_resource_once_with_all_its_actions() {
        for (challenged, expected) in [
            (None, vec!["repository:a/b:pull"]),
            (Some("repository:a/b:pull"), vec!["repository:a/b:pull"]),
            (Some("repository:a/b:pull,push"), vec!["repository:a/b:pull,push"]),
            (Some("repository:a/b:push"), vec!["repository:a/b:push,pull"]),
            (Some("repository:a/b:metadata_read repository:a/b:pull"), vec!["repository:a/b:metadata_read,pull"]),
            (Some("registry:catalog:*"), vec!["registry:catalog:*", "repository:a/b:pull"]),
            (Some("  "), vec!["repository:a/b:pull"]),
        ] {
            assert_eq!(scopes("a/b", challenged), expected, "{challenged:?}");
        }
    }

    #[test]
    fn the_life_of_a_token_is_what_is_left_of_it() {
        let date = httpdate::parse_http_date("Tue, 24 Nov 2026 10:00:40 GMT").ok();
        for (answer, date, expected) in [
            (r#"{}"#, date, None),
            (r#"{"expires_in":300}"#, date, Some(295)),
            (r#"{"expires_in":"300"}"#, date, Some(295)),
            (r#"{"expires_in":300,"issued_at":"2026-11-24T10:00:00Z"}"#, date, Some(255)),
            (r#"{"expires_in":300,"issued_at":"2026-11-24T10:00:00Z"}"#, None, Some(295)),
            (r#"{"expires_in":300,"issued_at":"2026-11-24T10:10:00.5+00:00"}"#, date, Some(295)),
            (r#"{"expires_in":300,"issued_at":"yesterday"}"#, date, Some(295)),
            (r#"{"expires_in":30,"issued_at":"2020-01-01T00:00:00Z"}"#, date, Some(27)),
            (r#"{"expires_in":10}"#, date, Some(9)),
            (r#"{"expires_in":-1}"#, date, None),
            (r#"{"expires_in":18446744073709551615}"#, date, Some(86395)),
        ] {
            let read: Answer = serde_json::from_str(answer).expect("JSON");
            assert_eq!(read.lifetime(date).map(|lifetime| lifetime.as_secs()), expected, "{answer}");
        }
    }
}
