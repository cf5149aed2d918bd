//! A forward proxy: CONNECT tunnels and requests with a whole URL
//! ([RFC 9110, section 7.6](https://www.rfc-editor.org/rfc/rfc9110#section-7.6)).

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy, sink, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::error::{Error, Result};
use crate::exchange::Exchange;
use crate::listener;
use crate::log::{LogEntry, headers_of};
use crate::registry::State;

/// How long a client may take to close its side of a tunnel that was cut.
const LAST_WORD: Duration = Duration::from_secs(2);
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// What a proxy does.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Proxy {
    /// Its name in the log. Default: `proxy`.
    pub name: Option<String>,
    /// The user's name that it wants by Basic.
    pub username: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// The values of Proxy-Authenticate, such as `Negotiate`. Without `username` nobody gets through. Default: Basic,
    /// where there is a `username`.
    pub challenge: Vec<String>,
    /// The status of all answers.
    pub status: Option<u16>,
    /// The body of these answers.
    pub body: Option<String>,
    /// A tunnel is closed after so many bytes towards the client.
    pub cut_after: Option<u64>,
    /// Host and port that a client asks for (`registry.test:443`) to host and port on loopback.
    pub hosts: BTreeMap<String, String>,
}

/// A proxy's settings, which may change while it runs.
#[derive(Default)]
pub(crate) struct ProxySettings {
    proxy: Mutex<Proxy>,
}

impl ProxySettings {
    pub(crate) fn new(proxy: Proxy) -> Result<Self> {
        let settings = Self::default();
        settings.set(proxy)?;
        Ok(settings)
    }

    pub(crate) fn set(&self, proxy: Proxy) -> Result<()> {
        if let Some(value) = proxy.challenge.iter().find(|value| HeaderValue::from_str(value).is_err()) {
            return Err(Error::Invalid(format!("{value:?} cannot be in a header")));
        }
        if let Some(status) = proxy.status.filter(|status| !(200..600).contains(status)) {
            return Err(Error::Invalid(format!("{status} is no status of an answer")));
        }
        *self.proxy.lock() = proxy;
        Ok(())
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;
type ProxyBody = BoxBody<Bytes, hyper::Error>;

/// Starts a proxy, which ends with the registry.
pub(crate) fn spawn(socket: TcpListener, settings: Arc<ProxySettings>, state: &Arc<State>) {
    let (state, stopped) = (state.clone(), state.stopped.clone());
    tokio::spawn(listener::accept(socket, stopped, move |tcp| {
        let (settings, state, number) = (settings.clone(), state.clone(), state.next_connection());
        let service = service_fn(move |request| {
            let proxy = settings.proxy.lock().clone();
            let answer = answer(proxy, state.clone(), number, request);
            async { Ok::<_, Infallible>(answer.await) }
        });
        http1::Builder::new().serve_connection(TokioIo::new(tcp), service).with_upgrades()
    }));
}

async fn answer(
    proxy: Proxy,
    state: Arc<State>,
    connection: u64,
    mut request: Request<Incoming>,
) -> Response<ProxyBody> {
    let uri = request.uri().clone();
    let target = uri.to_string();
    let mut exchange = Exchange::new(
        state.clone(),
        LogEntry {
            listener: proxy.name.clone().unwrap_or_else(|| "proxy".to_owned()),
            connection,
            version: format!("{:?}", request.version()),
            method: request.method().to_string(),
            path: target.split('?').next().unwrap_or_default().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            headers: headers_of(request.headers()),
            form: BTreeMap::new(),
            status: None,
            body_bytes: None,
        },
    );
    let response = match proxy.refusal(request.headers()) {
        Some(refusal) => refusal,
        None => match connect(&proxy, &uri).await {
            Err(reason) => text(StatusCode::BAD_GATEWAY, &format!("no way to {target}: {reason}\n")),
            Ok(server) if request.method() == Method::CONNECT => {
                let upgrade = hyper::upgrade::on(&mut request);
                let stopped = state.stopped.clone();
                let tunnel = tunnel(upgrade, server, proxy.cut_after);
                tokio::spawn(async move { stopped.run_until_cancelled(tunnel).await });
                Response::new(Full::default().map_err(|never| match never {}).boxed())
            }
            Ok(server) => match forward(server, request).await {
                Ok(response) => response,
                Err(error) => text(StatusCode::BAD_GATEWAY, &format!("{target}: {error}\n")),
            },
        },
    };
    // A tunnel outlives its request: the entry is over with the head.
    exchange.answered(response.status());
    response
}

impl Proxy {
    fn refusal(&self, headers: &HeaderMap) -> Option<Response<ProxyBody>> {
        if let Some(status) = self.status.and_then(|status| StatusCode::from_u16(status).ok()) {
            return Some(text(status, self.body.as_deref().unwrap_or_default()));
        }
        let expected = self.username.as_ref().map(|username| {
            let login = format!("{username}:{}", self.password.as_deref().unwrap_or_default());
            format!("Basic {}", STANDARD.encode(login))
        });
        let given = headers.get(PROXY_AUTHORIZATION).and_then(|value| value.to_str().ok());
        let is_open = expected.is_none() && self.challenge.is_empty();
        if is_open || expected.is_some() && given == expected.as_deref() {
            return None;
        }
        let mut response = text(StatusCode::PROXY_AUTHENTICATION_REQUIRED, "the proxy wants to know who you are\n");
        let default = ["Basic realm=\"proxy\"".to_owned()];
        let challenges = if self.challenge.is_empty() { &default[..] } else { &self.challenge };
        for challenge in challenges.iter().filter_map(|value| HeaderValue::from_str(value).ok()) {
            response.headers_mut().append(PROXY_AUTHENTICATE, challenge);
        }
        Some(response)
    }
}

fn text(status: StatusCode, text: &str) -> Response<ProxyBody> {
    let body = Full::new(Bytes::from(text.to_owned())).map_err(|never| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

async fn connect(proxy: &Proxy, uri: &Uri) -> std::io::Result<TcpStream> {
    let Some(authority) = uri.authority() else {
        return Err(std::io::Error::other("this is a proxy, which takes CONNECT and whole URLs"));
    };
    let asked = match authority.port() {
        Some(_) => authority.to_string(),
        None => format!("{authority}:80"),
    };
    let server = TcpStream::connect(proxy.hosts.get(&asked).unwrap_or(&asked)).await?;
    server.set_nodelay(true)?;
    Ok(server)
}

/// Carries bytes in both directions until the server ends or enough have come from it.
async fn tunnel(upgrade: OnUpgrade, server: TcpStream, cut_after: Option<u64>) -> Result<(), Failure> {
    let client: TokioIo<Upgraded> = TokioIo::new(upgrade.await?);
    let (mut from_client, mut to_client) = split(client);
    let (from_server, mut to_server) = server.into_split();
    let up = async {
        copy(&mut from_client, &mut to_server).await?;
        to_server.shutdown().await?;
        std::future::pending::<std::io::Result<Infallible>>().await
    };
    let mut from_server = from_server.take(cut_after.unwrap_or(u64::MAX));
    let down = async {
        copy(&mut from_server, &mut to_client).await?;
        to_client.shutdown().await
    };
    tokio::select! {
        ended = down => ended?,
        failed = up => match failed? {},
    }
    // Unread bytes would make the end a reset, which takes away what the client has not read.
    timeout(LAST_WORD, copy(&mut from_client, &mut sink())).await??;
    Ok(())
}

/// Asks the server what the client asked the proxy.
async fn forward(server: TcpStream, mut request: Request<Incoming>) -> Result<Response<ProxyBody>, Failure> {
    let path = request.uri().path_and_query().map_or("/", |it| it.as_str()).parse()?;
    *request.uri_mut() = path;
    for name in [PROXY_AUTHORIZATION, PROXY_CONNECTION] {
        request.headers_mut().remove(name);
    }
    let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(server)).await?;
    // It ends with the sender and the answer's body.
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?.map(|body| body.boxed()))
}
