//! A connection that can end in the way that a step asks for.
//!
//! hyper has no word for "send what is there, then reset". So the body notes how the connection is to end and stays
//! pending; hyper flushes what it has, and the flush of [`Ended`] then fails. That ends hyper's part, and the stream is
//! taken back ([`TakenBack`]) and ended by [`Connection::finish`]. With HTTP/2 bodies are polled by other tasks than the
//! connection, which is woken therefore.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::step::ReadyStep;

/// How a connection ends when it does not end by itself.
#[derive(Debug)]
pub(crate) enum Ending {
    /// Closed: with TLS's close_notify where there is TLS, and a FIN.
    Close,
    /// The same after these bytes, which no answer announced.
    CloseAfter(Bytes),
    /// Reset, when what was sent before has arrived.
    Reset,
    /// Closed when the client goes or this is cancelled.
    Silence(CancellationToken),
    /// The same endings after a raw answer.
    AfterRaw(Arc<ReadyStep>, Box<Ending>),
}

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// How long a client may take to read what it is sent before its connection ends.
const LAST_READ: Duration = Duration::from_secs(30);
/// How long a client may take to close its side of a closed connection.
const LAST_WORD: Duration = Duration::from_secs(2);

/// What the answers on one connection share.
pub(crate) struct Connection {
    pub(crate) number: u64,
    pub(crate) protocol: Protocol,
    ending: Mutex<Option<Ending>>,
    /// Wakes the task that hyper serves the connection in.
    served: Mutex<Option<Waker>>,
    /// When the next bytes are due on a connection with a speed.
    pub(crate) due: Mutex<Instant>,
    body_bytes: AtomicU64,
}

impl Connection {
    pub(crate) fn new(number: u64, protocol: Protocol) -> Self {
        Self {
            number,
            protocol,
            ending: Mutex::new(None),
            served: Mutex::new(None),
            due: Mutex::new(Instant::now()),
            body_bytes: AtomicU64::new(0),
        }
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
        if let Some(served) = self.served.lock().take() {
            served.wake();
        }
    }

    fn is_ending(&self) -> bool {
        self.ending.lock().is_some()
    }

    /// Ends the stream of a connection that hyper has left.
    pub(crate) async fn finish<S: Stream>(&self, mut stream: S) {
        let mut ending = self.ending.lock().take();
        if let Some(Ending::AfterRaw(step, then)) = ending {
            ending = match &step.raw {
                Some(raw) if raw.write(&mut stream, LAST_READ).await.is_err() => None,
                _ => Some(*then),
            };
        }
        // Whatever fails here fails because the client is gone already.
        let _ = match ending {
            None | Some(Ending::AfterRaw(..)) => Ok(()),
            Some(Ending::Close) => close(stream).await,
            Some(Ending::CloseAfter(bytes)) => match timeout(LAST_READ, stream.write_all(&bytes)).await {
                Ok(Ok(())) => close(stream).await,
                _ => Ok(()),
            },
            Some(Ending::Reset) => reset(stream.tcp()).await,
            Some(Ending::Silence(end)) => match end.run_until_cancelled(read_to_end(&mut stream)).await {
                None => close(stream).await,
                Some(gone) => gone,
            },
        };
    }
}

async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut ignored = [0; 4096];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}

/// Closes and then reads until the client has closed too: a socket that is closed with unread bytes sends a reset, which
/// may take away from the client what it has not read yet.
pub(crate) async fn close(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    timeout(LAST_READ, stream.shutdown()).await??;
    timeout(LAST_WORD, read_to_end(&mut stream)).await?
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
    inner: Option<S>,
    connection: Arc<Connection>,
    back: TakenBack<S>,
}

/// Where the stream is when hyper has dropped it.
pub(crate) struct TakenBack<S>(Arc<Mutex<Option<S>>>);

impl<S> TakenBack<S> {
    pub(crate) fn take(&self) -> Option<S> {
        self.0.lock().take()
    }
}

impl<S> Ended<S> {
    pub(crate) fn new(inner: S, connection: Arc<Connection>) -> (Self, TakenBack<S>) {
        let place = Arc::new(Mutex::new(None));
        (Self { inner: Some(inner), connection, back: TakenBack(place.clone()) }, TakenBack(place))
    }
}

impl<S: Unpin> Ended<S> {
    fn inner(&mut self) -> Pin<&mut S> {
        Pin::new(self.inner.as_mut().expect("it is taken out by the drop only"))
    }
}

impl<S> Drop for Ended<S> {
    fn drop(&mut self) {
        *self.back.0.lock() = self.inner.take();
    }
}

impl<S: Stream> AsyncRead for Ended<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut served = self.connection.served.lock();
        if served.as_ref().is_none_or(|served| !served.will_wake(context.waker())) {
            *served = Some(context.waker().clone());
        }
        drop(served);
        self.inner().poll_read(context, buffer)
    }
}

impl<S: Stream> AsyncWrite for Ended<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.inner().poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.as_ref().is_some_and(S::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.inner().poll_flush(context))?;
        if self.connection.is_ending() {
            return Poll::Ready(Err(io::Error::other("the test ends this connection")));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_shutdown(context)
    }
}
