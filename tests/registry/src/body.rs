//! The body of an answer, sent as far and as fast as its step wants.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use parking_lot::Mutex;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::connection::{Connection, Ending, Protocol};
use crate::content::Reader;
use crate::exchange::Exchange;
use crate::step::Fault;

/// What happens to a body.
#[derive(Default)]
pub(crate) struct Plan {
    /// The bytes after which the fault comes.
    pub(crate) fault: Option<(u64, Fault)>,
    pub(crate) bytes_per_second: Option<u64>,
    /// The bytes of all bodies on the connection after which it is closed.
    pub(crate) connection_cut_after: Option<u64>,
    /// The Content-Length is what is sent, so that the answer is over with its last byte.
    pub(crate) is_announced: bool,
    /// Bytes that follow although the Content-Length does not cover them.
    pub(crate) excess: Bytes,
    /// Ends a stall.
    pub(crate) deleted: CancellationToken,
}

pub(crate) struct Body {
    reader: Reader,
    /// What is left to send.
    left: u64,
    sent: u64,
    fault: Option<(u64, Fault)>,
    pace: Option<Pace>,
    connection_cut_after: Option<u64>,
    is_announced: bool,
    excess: Bytes,
    deleted: CancellationToken,
    stall: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// What hyper has not written yet, on a connection where it does not say.
    under_way: Option<Arc<UnderWay>>,
    connection: Arc<Connection>,
    exchange: Exchange,
}

impl Body {
    pub(crate) fn new(
        reader: Reader,
        length: u64,
        plan: Plan,
        connection: Arc<Connection>,
        exchange: Exchange,
    ) -> Self {
        let may_end = plan.fault.is_some() || plan.connection_cut_after.is_some();
        let under_way = (may_end && connection.protocol == Protocol::Http2).then(Arc::default);
        Self {
            reader,
            left: length,
            sent: 0,
            fault: plan.fault,
            pace: plan.bytes_per_second.map(Pace::new),
            connection_cut_after: plan.connection_cut_after,
            is_announced: plan.is_announced,
            excess: plan.excess,
            deleted: plan.deleted,
            stall: None,
            under_way,
            connection,
            exchange,
        }
    }

    /// The body of an answer that has none: what ends the connection does so after the head.
    pub(crate) fn none(plan: Plan, connection: Arc<Connection>, exchange: Exchange) -> Self {
        let mut body = Self::new(Reader::empty(), 0, plan, connection, exchange);
        if body.connection.protocol == Protocol::Http1 {
            body.end_with_last_byte();
        }
        body
    }

    /// How many bytes may come before the fault, if one is to come.
    fn until_fault(&self) -> u64 {
        self.fault.map_or(u64::MAX, |(after, _)| after - self.sent)
    }

    /// How many bytes may come before the connection is closed because of all that it has carried.
    fn until_connection_cut(&self) -> u64 {
        self.connection_cut_after.map_or(u64::MAX, |after| after.saturating_sub(self.connection.body_bytes()))
    }

    /// Whether the connection ends here.
    fn is_at_end(&self) -> bool {
        self.until_connection_cut() == 0 || self.until_fault() == 0
    }

    fn end(&mut self, ending: Ending) {
        self.exchange.end();
        self.connection.end(ending);
    }

    /// hyper asks for nothing beyond the Content-Length, so what is to happen after the last byte happens with it. And
    /// the log is complete before the client can know that the answer is.
    fn end_with_last_byte(&mut self) {
        match self.fault {
            Some((after, Fault::Cut)) if after == self.sent => self.end(Ending::Close),
            Some((after, Fault::Reset)) if after == self.sent => self.end(Ending::Reset),
            _ if self.until_connection_cut() == 0 => self.end(Ending::Close),
            _ if !self.excess.is_empty() => {
                let excess = std::mem::take(&mut self.excess);
                self.end(Ending::CloseAfter(excess));
            }
            _ => self.exchange.end(),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if let Some(under_way) = this.under_way.as_ref().filter(|_| this.is_at_end()) {
            ready!(under_way.poll_written(context));
        }
        if this.until_fault() == 0 {
            match this.fault {
                Some((_, Fault::Stall)) => {
                    let deleted = &this.deleted;
                    let stall = this.stall.get_or_insert_with(|| Box::pin(deleted.clone().cancelled_owned()));
                    ready!(stall.as_mut().poll(context));
                    this.end(Ending::Close);
                }
                Some((_, Fault::Reset)) => this.end(Ending::Reset),
                _ => this.end(Ending::Close),
            }
            return Poll::Pending;
        }
        if this.until_connection_cut() == 0 {
            this.end(Ending::Close);
            return Poll::Pending;
        }
        if this.left == 0 {
            this.exchange.end();
            return Poll::Ready(None);
        }
        let mut limit = this.left.min(this.until_fault()).min(this.until_connection_cut());
        if let Some(pace) = &mut this.pace {
            ready!(pace.poll(&this.connection, context));
            limit = limit.min(pace.slice());
        }
        let Ok(Some(piece)) = ready!(this.reader.poll_next(context, limit)) else {
            // The file became shorter or unreadable while it was served.
            this.end(Ending::Close);
            return Poll::Pending;
        };
        let count = piece.len() as u64;
        if let Some(pace) = &mut this.pace {
            pace.spend(&this.connection, count);
        }
        this.left -= count;
        this.sent += count;
        this.exchange.sent(count);
        this.connection.count_body_bytes(count);
        if this.left == 0 && this.is_announced {
            this.end_with_last_byte();
        }
        let piece = match &this.under_way {
            None => piece,
            Some(under_way) => under_way.track(piece),
        };
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

/// The pieces of a body that HTTP/2 has taken but not written, for lack of a window or of time.
#[derive(Default)]
struct UnderWay {
    count: AtomicUsize,
    when_written: Mutex<Option<Waker>>,
}

impl UnderWay {
    fn track(self: &Arc<Self>, bytes: Bytes) -> Bytes {
        self.count.fetch_add(1, Ordering::SeqCst);
        Bytes::from_owner(Tracked { bytes, under_way: self.clone() })
    }

    fn poll_written(&self, context: &mut Context<'_>) -> Poll<()> {
        *self.when_written.lock() = Some(context.waker().clone());
        if self.count.load(Ordering::SeqCst) == 0 { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// A piece that tells when it is written, which is when it is dropped.
struct Tracked {
    bytes: Bytes,
    under_way: Arc<UnderWay>,
}

impl AsRef<[u8]> for Tracked {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.under_way.count.fetch_sub(1, Ordering::SeqCst);
        if let Some(written) = self.under_way.when_written.lock().take() {
            written.wake();
        }
    }
}

/// A speed in bytes a second.
struct Pace {
    bytes_per_second: u64,
    sleep: Pin<Box<Sleep>>,
}

/// What a connection may make up for when the client or the machine was slow.
const CATCH_UP: Duration = Duration::from_millis(50);

impl Pace {
    fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second, sleep: Box::pin(tokio::time::sleep(Duration::ZERO)) }
    }

    /// Bytes to send at once: a twentieth of a second's, and no more than one write takes well.
    fn slice(&self) -> u64 {
        (self.bytes_per_second / 20).clamp(1, 64 * 1024)
    }

    fn poll(&mut self, connection: &Connection, context: &mut Context<'_>) -> Poll<()> {
        let due = *connection.due.lock();
        if due <= Instant::now() {
            return Poll::Ready(());
        }
        if self.sleep.deadline() != due {
            self.sleep.as_mut().reset(due);
        }
        self.sleep.as_mut().poll(context)
    }

    fn spend(&mut self, connection: &Connection, count: u64) {
        let mut due = connection.due.lock();
        let now = Instant::now();
        let from = (*due).max(now.checked_sub(CATCH_UP).unwrap_or(now));
        *due = from + Duration::from_secs_f64(count as f64 / self.bytes_per_second as f64);
    }
}
