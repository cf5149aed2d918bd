//! Manifests, blobs and tags of one repository at one host.

use std::collections::HashSet;
use std::str::FromStr;

use bytes::Bytes;
use oci_spec::image::Digest;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, IF_RANGE, LINK, RANGE};
use reqwest::{Method, Response, StatusCode};
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::answer::{from_status, speaks_no_tls, without_query};
use super::client::{Attempt, Client};
use super::endpoint::Endpoint;
use super::options::{Credential, RetryPolicy};
use super::retry::retry;
use super::sign_in::{self, Asker};
use super::transport::{Authorization, Request, Transport, host};
use crate::digest;
use crate::error::{Error, ErrorKind, Result, printable};
use crate::progress::{Job, Stage};
use crate::reference::{Registry, Repository, Version};

/// OCI distribution-spec, "Pushing Manifests": registries need not take more, so no image needs more.
pub(crate) const LARGEST_MANIFEST: usize = 4 * 1024 * 1024;
pub(crate) const LARGEST_CONFIG: usize = 16 * 1024 * 1024;
/// One page of tags; a hundred thousand long ones fit.
const LARGEST_TAG_PAGE: usize = 16 * 1024 * 1024;

/// A manifest or config with what is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    pub(crate) digest: Digest,
    pub(crate) media_type: Option<String>,
    pub(crate) bytes: Bytes,
}

/// Which bytes of a blob are asked for, and where.
#[derive(Clone, Debug, Default)]
pub(crate) struct BlobPart {
    /// From here, and to before there; the end of the blob without one. `None`: all of it, without a `Range`.
    pub(crate) range: Option<(u64, Option<u64>)>,
    /// A strong entity tag: another content is then sent whole (RFC 9110 section 13.1.5).
    pub(crate) if_range: Option<HeaderValue>,
    /// Where the registry sent others for this blob before.
    pub(crate) location: Option<Url>,
}

/// One repository at one host, asked with one right.
#[derive(Clone)]
pub(crate) struct Session {
    client: Client,
    endpoint: Endpoint,
    /// A token that the caller gave: it is used as it is, and another is never put in its place.
    given: Option<Authorization>,
}

impl Session {
    pub(super) fn new(client: &Client, endpoint: Endpoint, token: Option<&SecretString>) -> Self {
        Self { client: client.clone(), endpoint, given: token.cloned().map(Authorization::Bearer) }
    }

    pub(super) fn name(&self) -> String {
        self.endpoint.name()
    }

    pub(super) fn has_repository(&self) -> bool {
        self.endpoint.repository.is_some()
    }

    fn is_mirror(&self) -> bool {
        self.endpoint.is_mirror
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.endpoint.registry
    }

    /// Whether another place is asked after `error`.
    pub(crate) fn is_left_after(&self, error: &Error) -> bool {
        self.is_mirror() && error.kind() != ErrorKind::Cancelled
    }

    /// A mirror is left for the next one at once.
    pub(crate) fn retry_policy(&self) -> RetryPolicy {
        let policy = self.client.options().retry;
        if self.is_mirror() { RetryPolicy { maximum_retries: 0, ..policy } } else { policy }
    }

    /// The address of `path` below the repository.
    pub(crate) fn url(&self, path: &str) -> Result<Url> {
        let is_https = self.is_https().unwrap_or(true);
        self.url_by(if is_https { "https" } else { "http" }, path)
    }

    fn url_by(&self, scheme: &str, path: &str) -> Result<Url> {
        let address = self.endpoint.registry.api_address();
        let text = match &self.endpoint.repository {
            Some(repository) => format!("{scheme}://{address}/v2/{}/{path}", repository.path()),
            None => format!("{scheme}://{address}/v2/{path}"),
        };
        Url::parse(&text).map_err(|error| {
            Error::new(ErrorKind::InvalidReference, format!("Invalid registry \"{address}\": {error}"))
        })
    }

    fn is_https(&self) -> Option<bool> {
        if self.endpoint.plain_http {
            return Some(false);
        }
        self.client.is_https(&self.endpoint.registry)
    }

    fn asker<'a>(&'a self, registry: &'a Url, login: Option<&'a Credential>, job: &'a Job) -> Asker<'a> {
        Asker {
            transport: self.client.transport(),
            endpoint: &self.endpoint,
            registry,
            login,
            plain_http: self.client.options().plain_http,
            job,
        }
    }

    async fn authorization(&self, job: &Job) -> Result<Option<Authorization>> {
        if let Some(given) = &self.given {
            return Ok(Some(given.clone()));
        }
        let sign_in = self.client.sign_in(&self.endpoint);
        if sign_in.known(job).await?.is_none() {
            return Ok(None);
        }
        let (registry, login) = (self.url("")?, self.client.login(&self.endpoint, job).await?);
        let authorization = sign_in.authorization(self.asker(&registry, login.as_ref(), job)).await;
        authorization.map_err(|error| Attempt::Token.failed(error, &self.name()))
    }

    /// Whether what the registry wants to see is known already.
    pub(crate) async fn is_signed_in(&self, job: &Job) -> Result<bool> {
        Ok(self.given.is_some() || self.client.sign_in(&self.endpoint).known(job).await?.is_some())
    }

    /// The token that was got for the repository, if it is one.
    pub(super) async fn token(&self, job: &Job) -> Result<Option<SecretString>> {
        Ok(sign_in::token_of(self.client.sign_in(&self.endpoint).known(job).await?))
    }

    pub(crate) fn announce_sign_in(&self, job: &Job) {
        job.observer().stage(Stage::Authenticating);
        let repository = self.endpoint.repository.as_ref().map_or("", Repository::path);
        job.verbose(format!(
            "Getting docker authentication token for registry {} and repository {repository}...",
            self.endpoint.registry
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
        let method = &method;
        retry(self.retry_policy(), job, || async move {
            let answer = self.send(method.clone(), path, accept, None, HeaderMap::new(), job).await;
            let answer = answer.map_err(|error| Attempt::Token.failed(error, &self.name()))?;
            if !sign_in::asks(answer.status(), answer.headers()) {
                return Ok(Some(answer));
            }
            self.renew(None, answer.headers(), job).await?;
            Ok(None)
        })
        .await
    }

    async fn renew(
        &self,
        refused: Option<&Authorization>,
        headers: &HeaderMap,
        job: &Job,
    ) -> Result<Option<Authorization>> {
        let sign_in = self.client.sign_in(&self.endpoint);
        let (registry, login) = (self.url("")?, self.client.login(&self.endpoint, job).await?);
        let renewed = sign_in.renew(refused, headers, self.asker(&registry, login.as_ref(), job)).await;
        renewed.map_err(|error| Attempt::Token.failed(error, &self.name()))
    }

    /// Asks for `path`; a 401 is answered once by what its challenge asks for.
    async fn open(&self, path: &str, accept: &str, headers: HeaderMap, job: &Job) -> Result<Response> {
        let authorization = self.authorization(job).await?;
        let answer = self.send(Method::GET, path, accept, authorization.as_ref(), headers.clone(), job).await?;
        if self.given.is_some() || !sign_in::asks(answer.status(), answer.headers()) {
            return Ok(answer);
        }
        match self.renew(authorization.as_ref(), answer.headers(), job).await? {
            Some(renewed) => self.send(Method::GET, path, accept, Some(&renewed), headers, job).await,
            None => Ok(answer),
        }
    }

    /// Sends one request, by https unless plain http was asked for; a registry on this machine, or one that is
    /// configured as insecure, that does not speak TLS is asked again by http, as docker does.
    async fn send(
        &self,
        method: Method,
        path: &str,
        accept: &str,
        authorization: Option<&Authorization>,
        headers: HeaderMap,
        job: &Job,
    ) -> Result<Response> {
        let transport = self.client.transport();
        let request =
            |url| Request { authorization, headers: headers.clone(), ..Request::new(method.clone(), url, accept) };
        if self.is_https().is_some() {
            return transport.send(request(self.url(path)?), job).await;
        }
        let answer = transport.send(request(self.url_by("https", path)?), job).await;
        let may_fall_back = self.endpoint.registry.is_loopback() || self.endpoint.is_insecure;
        let (is_https, answer) = match answer {
            Err(error) if may_fall_back && speaks_no_tls(&error) => {
                match transport.send(request(self.url_by("http", path)?), job).await {
                    Ok(answer) => (false, answer),
                    Err(second) if second.kind() == ErrorKind::Cancelled => return Err(second),
                    Err(_) => return Err(error),
                }
            }
            answer => (true, answer?),
        };
        self.client.found_https(&self.endpoint.registry, is_https);
        Ok(answer)
    }

    /// The manifest `version`, or `answer` to a question for it; verified by `expected`, else by the digest that the
    /// registry tells.
    pub(crate) async fn manifest(
        &self,
        version: &str,
        accept: &str,
        mut answer: Option<Response>,
        expected: Option<&Digest>,
        job: &Job,
    ) -> Result<Fetched> {
        let path = &format!("manifests/{version}");
        self.verified(job, || {
            let answer = answer.take();
            async move {
                let answer = match answer {
                    Some(answer) => answer,
                    None => self.open(path, accept, HeaderMap::new(), job).await?,
                };
                let answer = self.successful(answer, ErrorKind::NotFound, job).await?;
                let media_type = header(&answer, CONTENT_TYPE.as_str())
                    .map(|value| value.split(';').next().unwrap_or_default().trim().to_owned())
                    .filter(|value| !value.is_empty());
                let told = header(&answer, "docker-content-digest").and_then(|value| Digest::from_str(value).ok());
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
        })
        .await
    }

    /// The config `digest`, verified.
    pub(crate) async fn config(&self, digest: &Digest, accept: &str, job: &Job) -> Result<Bytes> {
        self.verified(job, || async move {
            let answer = self.open(&format!("blobs/{digest}"), accept, HeaderMap::new(), job).await?;
            let answer = self.successful(answer, ErrorKind::NotFound, job).await?;
            let bytes = Transport::body(answer, LARGEST_CONFIG, job).await?;
            digest::verify(&bytes, digest)?;
            Ok(bytes)
        })
        .await
    }

    /// Tries again what may pass, and a wrong digest once.
    async fn verified<T, F: Future<Output = Result<T>>>(&self, job: &Job, mut work: impl FnMut() -> F) -> Result<T> {
        let policy = self.retry_policy();
        match retry(policy, job, &mut work).await {
            Err(error) if error.kind() == ErrorKind::DigestMismatch && policy.maximum_retries > 0 => {
                job.verbose(format!("{error}. Asking once more..."));
                retry(policy, job, work).await
            }
            result => result,
        }
    }

    /// The answer whose body is the blob `digest`, or the asked part of it: its status is 200, 206 or 416.
    pub(crate) async fn blob(&self, digest: &Digest, part: &BlobPart, job: &Job) -> Result<Response> {
        let mut headers = HeaderMap::new();
        if let Some((start, end)) = part.range {
            let end = end.map(|end| (end - 1).to_string()).unwrap_or_default();
            let value = HeaderValue::from_str(&format!("bytes={start}-{end}"));
            headers.insert(RANGE, value.expect("digits can stand in a header"));
            if let Some(entity_tag) = &part.if_range {
                headers.insert(IF_RANGE, entity_tag.clone());
            }
        }
        let answer = match &part.location {
            Some(location) => {
                let authorization = match self.url("")?.origin() == location.origin() {
                    true => self.authorization(job).await?,
                    false => None,
                };
                let request = Request::new(Method::GET, location.clone(), "*/*");
                let request = Request { authorization: authorization.as_ref(), headers, ..request };
                self.client.transport().send(request, job).await?
            }
            None => self.open(&format!("blobs/{digest}"), "*/*", headers, job).await?,
        };
        let is_part = matches!(answer.status(), StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE);
        if part.range.is_some() && is_part {
            return Ok(answer);
        }
        self.successful(answer, ErrorKind::BlobNotFound, job).await
    }

    /// The next bytes of a body; `None` after its last.
    pub(crate) async fn chunk(answer: &mut Response, job: &Job) -> Result<Option<Bytes>> {
        Transport::chunk(answer, job).await
    }

    /// All tags, in the registry's order (OCI distribution-spec, "Listing Tags").
    pub(super) async fn tags(&self, job: &Job) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Page {
            // Null where a repository has none.
            tags: Option<Vec<String>>,
        }
        const PAGE: usize = 1000;
        const MOST_PAGES: usize = 10_000;
        let first = self.url("tags/list")?;
        const MOST_TAGS: usize = PAGE * MOST_PAGES / 10;
        let mut query = format!("n={PAGE}");
        let mut seen = HashSet::new();
        let mut tags = Vec::new();
        for _ in 0..MOST_PAGES {
            let (asked, first) = (&query, &first);
            let (page, next) = retry(self.retry_policy(), job, || async move {
                let path = format!("tags/list?{asked}");
                let answer = self.open(&path, "application/json", HeaderMap::new(), job).await?;
                let answer = self.successful(answer, ErrorKind::NotFound, job).await?;
                let next = header(&answer, LINK.as_str()).and_then(next_page).map(str::to_owned);
                let body = Transport::body(answer, LARGEST_TAG_PAGE, job).await?;
                let page: Page = serde_json::from_slice(&body).map_err(|error| {
                    Error::new(
                        ErrorKind::InvalidResponse,
                        format!(
                            "{} sent a list of tags that is none ({})",
                            self.endpoint.registry,
                            printable(&error.to_string())
                        ),
                    )
                    .target(without_query(first))
                })?;
                Ok((page, next))
            })
            .await?;
            let page = page.tags.unwrap_or_default();
            let is_empty = page.is_empty();
            // What is no tag cannot be asked for, and may drive a terminal.
            tags.extend(page.into_iter().filter(|tag| matches!(tag.parse(), Ok(Version::Tag(_)))));
            if tags.len() > MOST_TAGS {
                return Err(bad_link(first, "it goes on without end"));
            }
            let Some(next) = next else { return Ok(tags) };
            let asked = first.join(&format!("?{query}")).map_err(|error| bad_link(first, &error.to_string()))?;
            let next = asked.join(&next).map_err(|error| bad_link(first, &error.to_string()))?;
            if next.origin() != first.origin() || next.path() != first.path() {
                return Err(bad_link(first, &format!("it leads to {}", printable(&host(&next)))));
            }
            let next = next.query().unwrap_or_default();
            if is_empty || next == query {
                return Ok(tags);
            }
            if !seen.insert(std::mem::replace(&mut query, next.to_owned())) {
                return Err(bad_link(first, "it leads in a circle"));
            }
        }
        Err(bad_link(&first, "it goes on without end"))
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
            StatusCode::UNAUTHORIZED if self.client.login(&self.endpoint, job).await?.is_some() => {
                error.advice("Check the user name and the password.")
            }
            StatusCode::UNAUTHORIZED => {
                error.advice("Sign in with a user name and a password if the image is private.")
            }
            _ => error,
        })
    }
}

fn header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer.headers().get(name).and_then(|value| value.to_str().ok())
}

/// The target of the link with `rel="next"` (RFC 8288).
fn next_page(link: &str) -> Option<&str> {
    link.split(',').find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters.split(';').any(|parameter| {
            parameter.split_once('=').is_some_and(|(name, value)| {
                name.trim().eq_ignore_ascii_case("rel")
                    && value.trim().trim_matches('"').split_ascii_whitespace().any(|it| it.eq_ignore_ascii_case("next"))
            })
        });
        is_next.then_some(target)
    })
}

fn bad_link(url: &Url, reason: &str) -> Error {
    Error::new(
        ErrorKind::InvalidResponse,
        format!("{} sent a link to the next tags that cannot be followed: {reason}", host(url)),
    )
    .target(without_query(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_the_links() {
        for (header, expected) in [
            (r#"</v2/a/tags/list?n=2&last=b>; rel="next""#, Some("/v2/a/tags/list?n=2&last=b")),
            (r#"<x>; rel=next"#, Some("x")),
            (r#"<y>; rel="prev", <x>; title="a"; REL="first next""#, Some("x")),
            (r#"<x>; rel="nextish""#, None),
            ("<x>", None),
            ("x; rel=next", None),
            ("", None),
        ] {
            assert_eq!(next_page(header), expected, "{header}");
        }
    }

    #[test]
    fn fuzz_link() {
        crate::fuzz::check("link", |header| {
            if let Some(target) = next_page(&String::from_utf8_lossy(header)) {
                assert!(!target.contains('>'));
            }
        });
    }
}
