//! One request and its answer: what is sent along, which redirects are followed, what is bounded.

use std::fmt;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_auth::basic::encode_credentials;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, USER_AGENT,
};
use reqwest::{Method, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::answer::{from_direct, from_transport, without_query};
use super::certs_d::{self, HostCertificates};
use super::direct::DirectClient;
use super::options::{ClientOptions, Credential};
use super::proxy::{ProxyChooser, answer_of_proxy, proxy_failure};
use super::{lock, tls};
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Job;

/// The longest time for a manifest, a config or a token.
const LONGEST_BODY: Duration = Duration::from_secs(5 * 60);
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
    pub(super) headers: HeaderMap,
    /// A form to send (`application/x-www-form-urlencoded`). It holds secrets: it goes to the origin that was asked only.
    pub(super) form: Option<&'a SecretString>,
}

impl<'a> Request<'a> {
    pub(super) fn new(method: Method, url: Url, accept: &'a str) -> Self {
        Self { method, url, accept, authorization: None, headers: HeaderMap::new(), form: None }
    }
}

/// What sends requests to hosts that are trusted in one way.
#[derive(Clone)]
struct Clients {
    direct: DirectClient,
    by_proxy: reqwest::Client,
}

/// Sends requests; connections are kept for the next ones.
pub(super) struct Transport {
    options: ClientOptions,
    user_agent: HeaderValue,
    proxies: Arc<ProxyChooser>,
    /// For all hosts that are trusted as the options say.
    clients: Clients,
    /// By host and port, where they are trusted otherwise.
    others: Mutex<HashMap<String, Option<Clients>>>,
    /// Hosts whose certificates are not looked at, by configuration.
    insecure: Mutex<HashSet<String>>,
}

impl Transport {
    pub(super) fn new(options: &ClientOptions) -> Result<Self> {
        let product = concat!("WslImage/", env!("CARGO_PKG_VERSION"));
        let user_agent = match &options.user_agent {
            Some(more) => format!("{product} {more}"),
            None => product.to_owned(),
        };
        let user_agent = HeaderValue::from_str(&user_agent).map_err(|_| {
            Error::new(ErrorKind::InvalidArgument, "The user agent has characters that cannot stand in a header")
        })?;
        let proxies = Arc::new(ProxyChooser::new(&options.proxy, &options.environment)?);
        let clients = build(options, &user_agent, &proxies, false, HostCertificates::default())?;
        let (others, insecure) = Default::default();
        Ok(Self { options: options.clone(), user_agent, proxies, clients, others, insecure })
    }

    /// From now on any certificate of `host` (with its port) is taken.
    pub(super) fn trust_blindly(&self, host: &str) {
        if lock(&self.insecure).insert(host.to_owned()) {
            lock(&self.others).remove(host);
        }
    }

    fn clients(&self, url: &Url) -> Result<Clients> {
        let host = host(url);
        let mut others = lock(&self.others);
        if let Some(known) = others.get(&host) {
            return Ok(known.as_ref().unwrap_or(&self.clients).clone());
        }
        let is_insecure = lock(&self.insecure).contains(&host);
        let certificates = certs_d::load(&self.options.environment, &host)?;
        let is_like_all = !is_insecure && certificates.authorities.is_empty() && certificates.client.is_none();
        let own = match is_like_all {
            true => None,
            false => Some(build(&self.options, &self.user_agent, &self.proxies, is_insecure, certificates)?),
        };
        others.insert(host, own.clone());
        Ok(own.unwrap_or_else(|| self.clients.clone()))
    }

    /// Sends `request` and follows redirects. `Authorization` and a form go to the origin (scheme, host, port) that was
    /// asked first, never elsewhere.
    pub(super) async fn send(&self, request: Request<'_>, job: &Job) -> Result<Response> {
        let origin = request.url.origin();
        let mut url = request.url;
        let mut form = request.form;
        let mut method = request.method;
        for _ in 0..=MOST_REDIRECTS {
            let Clients { direct, by_proxy } = self.clients(&url)?;
            let mut builder = by_proxy
                .request(method.clone(), url.clone())
                .headers(request.headers.clone())
                .header(USER_AGENT, self.user_agent.clone())
                .header(ACCEPT, request.accept)
                // A blob is what its digest says, not what a server makes of it on the way.
                .header(ACCEPT_ENCODING, "identity");
            if url.origin() == origin {
                if let Some(authorization) = request.authorization {
                    builder = builder.header(AUTHORIZATION, authorization.header()?);
                }
                if let Some(form) = form {
                    builder = builder
                        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                        .body(form.expose_secret().to_owned());
                }
            }
            let proxy = job.or_cancelled(self.proxies.prepare(&url)).await?;
            let response = match &proxy {
                Some(proxy) => match job.or_cancelled(builder.send()).await? {
                    Ok(response) => match answer_of_proxy(&response, proxy, &url) {
                        Some(error) => return Err(error),
                        None => response,
                    },
                    Err(error) => {
                        let failure = job.or_cancelled(proxy_failure(&error, proxy, &url)).await?;
                        return Err(failure.unwrap_or_else(|| from_transport(error, &url)));
                    }
                },
                None => {
                    let request = builder.build().and_then(TryInto::try_into);
                    let request = request.map_err(|error| from_transport(error, &url))?;
                    let response = job.or_cancelled(direct.send(request, &url)).await?;
                    response.map_err(|error| from_direct(error, &url))?
                }
            };
            if !is_redirect(response.status()) {
                return Ok(response);
            }
            let target = redirect_target(&url, &response)?;
            if form.is_some() {
                if target.origin() != origin {
                    return Err(Error::new(
                        ErrorKind::Insecure,
                        format!("{} redirects a login to {}, which is refused", host(&url), host(&target)),
                    )
                    .target(without_query(&url)));
                }
                // 307 and 308 repeat the request (RFC 9110 section 15.4); after the others it becomes a GET.
                if !matches!(response.status().as_u16(), 307 | 308) {
                    form = None;
                    method = Method::GET;
                }
            }
            url = target;
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
        let read = async {
            let mut body = BytesMut::new();
            while let Some(chunk) = Self::chunk(&mut response, job).await? {
                if body.len() + chunk.len() > limit {
                    return Err(too_large());
                }
                body.extend_from_slice(&chunk);
            }
            Ok(body.freeze())
        };
        // A byte now and then is no stall.
        tokio::time::timeout(LONGEST_BODY, read).await.unwrap_or_else(|_| {
            let minutes = LONGEST_BODY.as_secs() / 60;
            let sentence = format!("{} did not send its answer within {minutes} minutes", host(&url));
            Err(Error::new(ErrorKind::Timeout, sentence).target(without_query(&url)))
        })
    }
}

fn build(
    options: &ClientOptions,
    user_agent: &HeaderValue,
    proxies: &Arc<ProxyChooser>,
    is_insecure: bool,
    certificates: HostCertificates,
) -> Result<Clients> {
    let skip_certificate_check = options.skip_certificate_check || is_insecure;
    let tls = tls::client_config(options.ca_certificate.as_deref(), skip_certificate_check, certificates)?;
    let by_proxy = reqwest::Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .user_agent(user_agent.clone())
        .proxy(proxies.clone().reqwest_proxy())
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(options.connect_timeout)
        .read_timeout(options.stall_timeout)
        .build()
        .map_err(|error| {
            Error::new(ErrorKind::InvalidArgument, "The HTTP client could not be made").caused_by(error)
        })?;
    let direct = DirectClient::new(tls.into(), options.connect_timeout, options.stall_timeout);
    Ok(Clients { direct, by_proxy })
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
