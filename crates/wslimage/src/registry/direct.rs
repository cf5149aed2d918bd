//! Requests that go through no proxy: over connections that are read in large pieces.
//!
//! rustls asks for one TLS record at a time, 16 KiB at most, so that a large blob costs a call of the operating system for
//! each. Here a buffer lies between, which reqwest has no place for; what goes through a proxy goes by reqwest.

use std::error::Error as StdError;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::HttpsConnector;
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use reqwest::{Body, Response, ResponseBuilderExt as _};
use rustls::ClientConfig;
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tower_service::Service;
use url::Url;

/// What a connection reads at a time, in bytes.
const READ_AHEAD: usize = 128 * 1024;
/// How long a connection may be idle before the other end is asked whether it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Sends requests to the servers themselves; connections are kept for the next ones.
#[derive(Clone)]
pub(super) struct DirectClient {
    client: Client<TimeoutConnector<HttpsConnector<ReadAhead>>, Body>,
    stall_timeout: Duration,
}

/// Why there is no answer.
pub(super) enum Unanswered {
    Failed(Error),
    /// Its head was not there in time, whatever came.
    Late(Elapsed),
}

impl DirectClient {
    /// `stall_timeout` is how long nothing may come while something is awaited.
    pub(super) fn new(tls: Arc<ClientConfig>, connect_timeout: Duration, stall_timeout: Duration) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEP_ALIVE));
        let mut connector = TimeoutConnector::new(HttpsConnector::from((ReadAhead(tcp), tls)));
        connector.set_connect_timeout(Some(connect_timeout));
        connector.set_read_timeout(Some(stall_timeout));
        // A connection that was idle has all of the time for its next answer.
        connector.set_reset_reader_on_write(true);
        let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
        Self { client, stall_timeout }
    }

    /// Sends `request`, which is for `url`.
    pub(super) async fn send(&self, request: http::Request<Body>, url: &Url) -> Result<Response, Unanswered> {
        let answer = timeout(self.stall_timeout, self.client.request(request)).await.map_err(Unanswered::Late)?;
        let (mut parts, body) = answer.map_err(Unanswered::Failed)?.into_parts();
        // reqwest takes the address of an answer from there.
        if let Ok(answer) = http::Response::builder().url(url.clone()).body(()) {
            parts.extensions.extend(answer.into_parts().0.extensions);
        }
        Ok(Response::from(http::Response::from_parts(parts, Body::wrap(body))))
    }
}

/// Connects by TCP; what it gives reads ahead.
#[derive(Clone)]
struct ReadAhead(HttpConnector);

impl Service<http::Uri> for ReadAhead {
    type Response = ReadAheadStream;
    type Error = Box<dyn StdError + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, address: http::Uri) -> Self::Future {
        let connecting = self.0.call(address);
        Box::pin(async move {
            let stream = connecting.await?.into_inner();
            Ok(ReadAheadStream(TokioIo::new(BufReader::with_capacity(READ_AHEAD, stream))))
        })
    }
}

/// A connection with its buffer.
struct ReadAheadStream(TokioIo<BufReader<TcpStream>>);

impl Connection for ReadAheadStream {
    fn connected(&self) -> Connected {
        self.0.inner().get_ref().connected()
    }
}

impl Read for ReadAheadStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for ReadAheadStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, pieces)
    }
}
