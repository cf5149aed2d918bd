//! One request and its answer: what is sent along, which redirects are followed, what is bounded.

use std::fmt;

use bytes::{Bytes, BytesMut};
use http_auth::basic::encode_credentials;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HeaderValue, LOCATION};
use reqwest::{Method, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::answer::{from_transport, without_query};
use super::options::{ClientOptions, Credential};
use super::tls;
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Job;

/// As many as browsers and Go follow.
const MOST_REDIRECTS: usize = 10;

/// What goes into `Authorization`.
#[derive(Clone)]
pub(super) enum Authorization {
    Bearer(SecretString),
    Basic(Credential),
}

impl Authorization {
    pub(super) fn header(&self) -> Result<HeaderValue> {
        let text = match self {
            Self::Bearer(token) => format!("Bearer {}", token.expose_secret()),
            Self::Basic(credential) => encode_credentials(&credential.username, credential.password.expose_secret()),
        };
        let mut value = HeaderValue::from_str(&text).map_err(|_| {
            Error::new(ErrorKind::InvalidArgument, "The token has characters that cannot stand in a header")
        })?;
        value.set_sensitive(true);
        Ok(value)
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bearer(a), Self::Bearer(b)) => a.expose_secret() == b.expose_secret(),
            (Self::Basic(_), Self::Basic(_)) => true,
            _ => false,
        }
    }
}

/// What is asked for, and with which right.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) accept: &'a str,
    pub(super) authorization: Option<&'a Authorization>,
}

/// Sends requests; connections are kept for the next ones.
pub(super) struct Transport {
    http: reqwest::Client,
}

impl Transport {
    pub(super) fn new(options: &ClientOptions) -> Result<Self> {
        let tls = tls::client_config(options.ca_certificate.as_deref(), options.skip_certificate_check)?;
        let product = concat!("WslImage/", env!("CARGO_PKG_VERSION"));
        let user_agent = match &options.user_agent {
            Some(more) => format!("{product} {more}"),
            None => product.to_owned(),
        };
        let user_agent = HeaderValue::from_str(&user_agent).map_err(|_| {
            Error::new(ErrorKind::InvalidArgument, "The user agent has characters that cannot stand in a header")
        })?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(options.connect_timeout)
            .read_timeout(options.stall_timeout)
            .build()
            .map_err(|error| {
                Error::new(ErrorKind::InvalidArgument, "The HTTP client could not be made").caused_by(error)
            })?;
        Ok(Self { http })
    }

    /// Sends `request` and follows redirects. `Authorization` goes to the origin (scheme, host, port) that was asked
    /// first, never elsewhere.
    pub(super) async fn send(&self, request: Request<'_>, job: &Job) -> Result<Response> {
        let origin = request.url.origin();
        let mut url = request.url;
        for _ in 0..=MOST_REDIRECTS {
            let mut builder = self
                .http
                .request(request.method.clone(), url.clone())
                .header(ACCEPT, request.accept)
                // A blob is what its digest says, not what a server makes of it on the way.
                .header(ACCEPT_ENCODING, "identity");
            if let Some(authorization) = request.authorization.filter(|_| url.origin() == origin) {
                builder = builder.header(AUTHORIZATION, authorization.header()?);
            }
            let response = job.or_cancelled(builder.send()).await?.map_err(|error| from_transport(error, &url))?;
            if !is_redirect(response.status()) {
                return Ok(response);
            }
            url = redirect_target(&url, &response)?;
        }
        Err(Error::new(
            ErrorKind::InvalidResponse,
            format!("{} redirects more than {MOST_REDIRECTS} times", host(&url)),
        ))
    }

    /// The next bytes of the body; `None` after its last.
    pub(super) async fn chunk(response: &mut Response, job: &Job) -> Result<Option<Bytes>> {
        let chunk = job.or_cancelled(response.chunk()).await?;
        chunk.map_err(|error| from_transport(error, response.url()))
    }

    /// The body of `response`, of at most `limit` bytes.
    pub(super) async fn body(response: Response, limit: usize, job: &Job) -> Result<Bytes> {
        let url = response.url().clone();
        let too_large = || {
            Error::new(
                ErrorKind::InvalidResponse,
                format!("{} sent more than {} KiB, which no such answer needs", host(&url), limit / 1024),
            )
            .target(without_query(&url))
        };
        if response.content_length().is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        let mut response = response;
        let mut body = BytesMut::new();
        while let Some(chunk) = Self::chunk(&mut response, job).await? {
            if body.len() + chunk.len() > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn redirect_target(from: &Url, response: &Response) -> Result<Url> {
    let bad = |reason: fmt::Arguments<'_>| {
        Error::new(ErrorKind::InvalidResponse, format!("{} answered {} {reason}", host(from), response.status()))
            .with_http_status(response.status().as_u16())
            .target(without_query(from))
    };
    let location = response
        .headers()
        .get(LOCATION)
        .ok_or_else(|| bad(format_args!("without saying where to")))?
        .to_str()
        .map_err(|_| bad(format_args!("with an address that is no text")))?;
    let target = from.join(location).map_err(|error| bad(format_args!("with a bad address ({error})")))?;
    match (from.scheme(), target.scheme()) {
        (_, "https") | ("http", "http") => Ok(target),
        ("https", "http") => Err(Error::new(
            ErrorKind::Insecure,
            format!("{} redirects from https to plain http at {}, which is refused", host(from), host(&target)),
        )
        .target(without_query(from))),
        (_, scheme) => Err(bad(format_args!("to an address of scheme {scheme}"))),
    }
}

/// Host and port as a user knows them.
pub(super) fn host(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => String::new(),
    }
}
