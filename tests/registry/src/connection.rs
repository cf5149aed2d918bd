//! A connection that can end in the way that a step asks for.
//!
//! hyper has no word for "send what is there, then reset". So the body notes how the connection is to end and stays
//! pending; hyper flushes what it has, and the flush of [`Ended`] then fails. That ends hyper's part, and the stream is
//! taken back and ended by [`Connection::finish`].

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::server::TlsStream;

/// How a connection ends when it does not end by itself.
#[derive(Debug)]
pub(crate) enum Ending {
    /// Closed: with TLS's close_notify where there is TLS, and a FIN.
    Close,
    /// The same after these bytes, which no answer announced.
    CloseAfter(Bytes),
    /// Reset, when what was sent before has arrived.
    Reset,
}

/// How long a client may take to read what it is sent before its connection ends.
const LAST_READ: Duration = Duration::from_secs(30);
/// How long a client may take to close its side of a closed connection.
const LAST_WORD: Duration = Duration::from_secs(2);

/// What the answers on one connection share.
pub(crate) struct Connection {
    pub(crate) number: u64,
    ending: Mutex<Option<Ending>>,
    /// When the next bytes are due on a connection with a speed.
    pub(crate) due: Mutex<Instant>,
    body_bytes: AtomicU64,
}

impl Connection {
    pub(crate) fn new(number: u64) -> Self {
        Self { number, ending: Mutex::new(None), due: Mutex::new(Instant::now()), body_bytes: AtomicU64::new(0) }
    }

    /// The bytes of all bodies so far.
    pub(crate) fn body_bytes(&self) -> u64 {
        self.body_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn count_body_bytes(&self, count: u64) {
        self.body_bytes.fetch_add(count, Ordering::Relaxed);
    }

    /// Ends the connection as soon as all that was written before is sent. The caller, polled by hyper, must have
    /// returned pending or its last bytes when it is next polled.
    pub(crate) fn end(&self, ending: Ending) {
        self.ending.lock().get_or_insert(ending);
    }

    fn is_ending(&self) -> bool {
        self.ending.lock().is_some()
    }

    /// Ends the stream of a connection that hyper has left.
    pub(crate) async fn finish<S: Stream>(&self, stream: Ended<S>) {
        let mut stream = stream.inner;
        let ending = self.ending.lock().take();
        // Whatever fails here fails because the client is gone already.
        let _ = match ending {
            None => Ok(()),
            Some(Ending::Close) => close(stream).await,
            Some(Ending::CloseAfter(bytes)) => match timeout(LAST_READ, stream.write_all(&bytes)).await {
                Ok(Ok(())) => close(stream).await,
                _ => Ok(()),
            },
            Some(Ending::Reset) => reset(stream.tcp()).await,
        };
    }
}

/// Closes and then reads until the client has closed too: a socket that is closed with unread bytes sends a reset, which
/// may take away from the client what it has not read yet.
async fn close<S: Stream>(mut stream: S) -> io::Result<()> {
    timeout(LAST_READ, stream.shutdown()).await??;
    let mut ignored = [0; 4096];
    timeout(LAST_WORD, async {
        while stream.read(&mut ignored).await? > 0 {}
        io::Result::Ok(())
    })
    .await?
}

/// Makes the close of the socket, which follows, a reset.
async fn reset(tcp: &TcpStream) -> io::Result<()> {
    // A reset throws away what is still in the send buffer.
    timeout(LAST_READ, sent(tcp)).await??;
    tcp.set_zero_linger()
}

/// Waits until the client's machine has acknowledged all that was sent.
#[cfg(target_os = "linux")]
async fn sent(tcp: &TcpStream) -> io::Result<()> {
    let (local, remote) = (tcp.local_addr()?.port(), tcp.peer_addr()?.port());
    while unacknowledged(local, remote)? > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// The bytes in the send queue of the loopback connection between two ports: column `tx_queue` of /proc/net/tcp
/// (proc_pid_net(5)).
#[cfg(target_os = "linux")]
fn unacknowledged(local: u16, remote: u16) -> io::Result<u64> {
    let port = |address: &str| address.rsplit(':').next().and_then(|port| u16::from_str_radix(port, 16).ok());
    let table = std::fs::read_to_string("/proc/self/net/tcp")?;
    for line in table.lines().skip(1) {
        let mut columns = line.split_ascii_whitespace().skip(1);
        let (from, to, queues) = (columns.next(), columns.next(), columns.nth(1));
        if from.and_then(port) == Some(local) && to.and_then(port) == Some(remote) {
            let queue = queues.and_then(|queues| u64::from_str_radix(queues.split(':').next()?, 16).ok());
            return queue.ok_or_else(|| io::Error::other("/proc/net/tcp has another form than expected"));
        }
    }
    Ok(0)
}

/// Elsewhere the system does not tell, and what the client has not got by now is lost to it.
#[cfg(not(target_os = "linux"))]
async fn sent(_: &TcpStream) -> io::Result<()> {
    Ok(())
}

/// A stream over TCP.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    fn tcp(&self) -> &TcpStream;
}

impl Stream for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Stream for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// A stream that fails when its connection is to end and all was flushed.
pub(crate) struct Ended<S> {
    inner: S,
    connection: Arc<Connection>,
}

impl<S> Ended<S> {
    pub(crate) fn new(inner: S, connection: Arc<Connection>) -> Self {
        Self { inner, connection }
    }
}

impl<S: Stream> AsyncRead for Ended<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: Stream> AsyncWrite for Ended<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.inner).poll_flush(context))?;
        if self.connection.is_ending() {
            return Poll::Ready(Err(io::Error::other("the test ends this connection")));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
