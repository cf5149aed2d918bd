//! The listeners: connections come in, requests go out to [`crate::exchange`].

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::connection::{Connection, Ended, Stream};
use crate::exchange;
use crate::registry::State;

/// One address that the registry answers at.
pub(crate) struct Listener {
    scheme: &'static str,
    address: String,
}

impl Listener {
    pub(crate) fn http(address: SocketAddr) -> Self {
        Self { scheme: "http", address: address.to_string() }
    }

    pub(crate) fn https(address: SocketAddr) -> Self {
        Self { scheme: "https", address: format!("localhost:{}", address.port()) }
    }

    pub(crate) fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

/// A socket on loopback with a port that the system chose.
pub(crate) async fn bind() -> io::Result<(TcpListener, SocketAddr)> {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}

/// Takes connections until `stopped`, which ends those that are there too.
pub(crate) async fn run(
    socket: TcpListener,
    listener: Listener,
    tls: Option<TlsAcceptor>,
    state: Arc<State>,
    stopped: CancellationToken,
) {
    let listener = Arc::new(listener);
    while let Some(accepted) = stopped.run_until_cancelled(socket.accept()).await {
        let Ok((tcp, _)) = accepted else {
            // No file descriptor is left, or the client was gone at once: the next try may do better, but not at once.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let (state, listener, tls) = (state.clone(), listener.clone(), tls.clone());
        let stopped = stopped.clone();
        tokio::spawn(async move { stopped.run_until_cancelled(connected(tcp, tls, state, listener)).await });
    }
}

async fn connected(tcp: TcpStream, tls: Option<TlsAcceptor>, state: Arc<State>, listener: Arc<Listener>) {
    // A small answer waits for nothing; where this fails it comes a little later.
    let _ = tcp.set_nodelay(true);
    let connection = Arc::new(Connection::new(state.next_connection()));
    match tls {
        None => serve(tcp, connection, state, listener).await,
        Some(tls) => {
            // A client that does not trust the certificate is gone now, which is its test's matter.
            if let Ok(stream) = tls.accept(tcp).await {
                serve(stream, connection, state, listener).await;
            }
        }
    }
}

async fn serve<S: Stream>(stream: S, connection: Arc<Connection>, state: Arc<State>, listener: Arc<Listener>) {
    let service = service_fn(|request| {
        let answer = exchange::answer(state.clone(), listener.clone(), connection.clone(), request);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let stream = TokioIo::new(Ended::new(stream, connection.clone()));
    let mut serving = http1::Builder::new().serve_connection(stream, service);
    // An error is the end that a step asked for, or the client's.
    let _ = (&mut serving).await;
    connection.finish(serving.into_parts().io.into_inner()).await;
}
