//! The listeners: connections come in, requests go out to [`crate::exchange`].

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::connection::{self, Connection, Ended, Protocol, Stream};
use crate::exchange;
use crate::registry::State;
use crate::tls::Certificate;

/// What a listener says that speaks neither TLS nor HTTP.
const GIBBERISH: &[u8] = b"220 mail.example ESMTP ready\r\n";
/// What waits to be sent on an HTTP/2 stream: enough that a client with a large window is not kept waiting.
const HTTP2_SEND_BUFFER: usize = 1 << 20;

/// One more listener with TLS, which serves what the registry's own does.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TlsListener {
    /// Its name in the log. Default: `tls`.
    pub name: Option<String>,
    /// Its certificate.
    pub certificate: Certificate,
    /// Only clients with a certificate of the registry's authority may connect.
    pub client_certificate: bool,
    /// So many connections, the first, are closed in the middle of the handshake.
    pub handshake_cuts: u32,
}

/// One address that the registry answers at.
pub(crate) struct Listener {
    name: String,
    scheme: &'static str,
    address: String,
    /// Only signed URLs are there.
    is_cdn: bool,
    handshake_cuts_left: AtomicU32,
}

impl Listener {
    pub(crate) fn http(name: &str, address: String) -> Self {
        let cuts = AtomicU32::new(0);
        Self { name: name.to_owned(), scheme: "http", address, is_cdn: false, handshake_cuts_left: cuts }
    }

    pub(crate) fn https(name: &str, address: String) -> Self {
        Self { scheme: "https", ..Self::http(name, address) }
    }

    pub(crate) fn for_cdn(self) -> Self {
        Self { is_cdn: true, ..self }
    }

    pub(crate) fn with_handshake_cuts(self, count: u32) -> Self {
        Self { handshake_cuts_left: AtomicU32::new(count), ..self }
    }

    /// The name in the log.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn is_cdn(&self) -> bool {
        self.is_cdn
    }

    fn takes_a_handshake_cut(&self) -> bool {
        self.handshake_cuts_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

/// A socket on loopback with a port that the system chose.
pub(crate) async fn bind() -> io::Result<(TcpListener, SocketAddr)> {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}

/// Takes connections until `stopped`, which ends those that are there too.
pub(crate) async fn accept<F: Future + Send + 'static>(
    socket: TcpListener,
    stopped: CancellationToken,
    connected: impl Fn(TcpStream) -> F,
) {
    while let Some(accepted) = stopped.run_until_cancelled(socket.accept()).await {
        let Ok((tcp, _)) = accepted else {
            // No file descriptor is left, or the client was gone at once: the next try may do better, but not at once.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        // A small answer waits for nothing; where this fails it comes a little later.
        let _ = tcp.set_nodelay(true);
        let connection = connected(tcp);
        let stopped = stopped.clone();
        tokio::spawn(async move { stopped.run_until_cancelled(connection).await.map(drop) });
    }
}

/// Starts a listener, which ends with the registry.
pub(crate) fn spawn(socket: TcpListener, listener: Listener, tls: Option<TlsAcceptor>, state: &Arc<State>) {
    let (state, listener, stopped) = (state.clone(), Arc::new(listener), state.stopped.clone());
    tokio::spawn(accept(socket, stopped, move |tcp| connected(tcp, tls.clone(), state.clone(), listener.clone())));
}

/// Starts a listener that speaks neither TLS nor HTTP.
pub(crate) fn spawn_gibberish(socket: TcpListener, state: &State) {
    tokio::spawn(accept(socket, state.stopped.clone(), |mut tcp| async move {
        // What it says is an answer then, to whatever was asked.
        if tcp.read(&mut [0; 4096]).await? == 0 {
            return Ok(());
        }
        tcp.write_all(GIBBERISH).await?;
        connection::close(tcp).await
    }));
}

async fn connected(mut tcp: TcpStream, tls: Option<TlsAcceptor>, state: Arc<State>, listener: Arc<Listener>) {
    let number = state.next_connection();
    let Some(tls) = tls else {
        return serve(tcp, Connection::new(number, Protocol::Http1), state, listener).await;
    };
    if listener.takes_a_handshake_cut() {
        // The client's hello was read, so that what it sees is an end and no reset. It may be gone itself.
        let _ = tcp.read(&mut [0; 4096]).await;
        let _ = connection::close(tcp).await;
        return;
    }
    // A client that does not trust the certificate is gone now, which is its test's matter.
    if let Ok(stream) = tls.accept(tcp).await {
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let protocol = if is_http2 { Protocol::Http2 } else { Protocol::Http1 };
        serve(stream, Connection::new(number, protocol), state, listener).await;
    }
}

async fn serve<S: Stream>(stream: S, connection: Connection, state: Arc<State>, listener: Arc<Listener>) {
    let connection = Arc::new(connection);
    let (stream, taken_back) = Ended::new(stream, connection.clone());
    let stream = TokioIo::new(stream);
    let answering = connection.clone();
    let service = service_fn(move |request| {
        let answer = exchange::answer(state.clone(), listener.clone(), answering.clone(), request);
        async { Ok::<_, Infallible>(answer.await) }
    });
    // An error is the end that a step asked for, or the client's.
    let _ = match connection.protocol {
        Protocol::Http1 => http1::Builder::new().serve_connection(stream, service).await,
        Protocol::Http2 => {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder.max_send_buf_size(HTTP2_SEND_BUFFER).serve_connection(stream, service).await
        }
    };
    if let Some(stream) = taken_back.take() {
        connection.finish(stream).await;
    }
}
