//! The bytes of a blob, from wherever they are to be had, over one connection or several.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT_RANGES, ETAG, HeaderValue};
use reqwest::{Response, StatusCode};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use url::Url;

use super::adapt::{Adapt, Decision};
use super::body::{Body, Part};
use super::plan::{Chunk, Plan};
use super::writer::Inlet;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::Layer;
use crate::progress::Job;
use crate::registry::{BlobPart, Client, Retries, Session};

/// How often the rate is looked at.
const TICK: Duration = Duration::from_millis(50);
/// A second connection that has not answered by then is given up.
const TRIAL: Duration = Duration::from_secs(5);
/// So many of a foreign layer's addresses are tried.
const MOST_FOREIGN: usize = 10;
/// Less than this is no progress: a server that cuts after every few bytes must not be asked for ever.
const PROGRESS: u64 = 16 * 1024;

/// One blob that is being fetched.
pub(super) struct Fetch {
    client: Client,
    sessions: Vec<Session>,
    layer: Layer,
    job: Job,
    plan: Plan,
    inlet: Inlet,
    place: Mutex<Place>,
    received: AtomicU64,
    /// Connections that work, and how many there may be.
    alive: AtomicUsize,
    wanted: AtomicUsize,
}

/// Where the blob is asked for, and what is known of it there.
#[derive(Clone, Default)]
struct Place {
    /// Index of the session.
    session: usize,
    /// Index of the next foreign address.
    foreign: usize,
    /// Where the registry has sent others for this blob.
    location: Option<Url>,
    entity_tag: Option<HeaderValue>,
    /// It says that it takes ranges.
    takes_ranges: bool,
    /// It was asked for a range, and did not give it.
    refuses_ranges: bool,
}

/// One connection's state.
struct Connection<'a> {
    retries: Retries<'a>,
    body: Option<Body>,
    /// Bytes since the last failure.
    fresh: u64,
}

impl Fetch {
    /// What is to come of `layer` from byte `start` on, for `inlet`.
    pub(super) fn new(
        client: &Client,
        sessions: Vec<Session>,
        layer: &Layer,
        start: u64,
        inlet: Inlet,
        takes_parts: bool,
        job: &Job,
    ) -> Self {
        Self {
            client: client.clone(),
            sessions,
            layer: layer.clone(),
            job: job.clone(),
            plan: Plan::new(start, layer.size()),
            inlet,
            place: Mutex::new(Place { refuses_ranges: !takes_parts, ..Place::default() }),
            received: AtomicU64::new(0),
            alive: AtomicUsize::new(1),
            wanted: AtomicUsize::new(1),
        }
    }

    /// Which of the sessions is asked.
    pub(super) fn session(&self) -> usize {
        self.place().session
    }

    /// Fetches all of it.
    pub(super) async fn run(self: &Arc<Self>, start: u64) -> Result<()> {
        let mut adapt = Adapt::new(self.client.options().maximum_connections);
        let mut connections = JoinSet::new();
        let work = |trial: Option<(Chunk, Body)>| {
            let fetch = self.clone();
            async move { fetch.work(trial).await }
        };
        connections.spawn(work(None));
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                ended = connections.join_next() => match ended {
                    None => return Ok(()),
                    Some(Ok(Ok(()))) => {}
                    Some(Ok(Err(Ended::Retired(error)))) => {
                        adapt.settle();
                        self.job.verbose(format!("Going on with one connection less: {error}"));
                    }
                    Some(Ok(Err(Ended::Failed(error)))) => return Err(error),
                    Some(Err(error)) => match error.try_into_panic() {
                        Ok(panic) => std::panic::resume_unwind(panic),
                        Err(error) => {
                            let failure = Error::new(ErrorKind::Internal, "A connection's task has ended");
                            return Err(failure.caused_by(error));
                        }
                    },
                },
                _ = ticks.tick(), if !adapt.is_settled() => {
                    let received = self.received.load(Ordering::Relaxed);
                    match adapt.look(Instant::now(), received, self.layer.size() - start - received) {
                        Decision::Stay => {}
                        Decision::CloseTo(fewer) => self.wanted.store(fewer, Ordering::Relaxed),
                        Decision::Open(more) => {
                            let Some(trial) = self.try_another().await? else {
                                adapt.settle();
                                continue;
                            };
                            if self.wanted.swap(more, Ordering::Relaxed) == 1 {
                                self.inlet.widen();
                            }
                            self.job.verbose(format!("Downloading over {more} connections..."));
                            let mut trial = Some(trial);
                            while self.alive.load(Ordering::Relaxed) < more {
                                self.alive.fetch_add(1, Ordering::Relaxed);
                                connections.spawn(work(trial.take()));
                            }
                            adapt.opened(Instant::now(), self.received.load(Ordering::Relaxed));
                        }
                    }
                }
            }
        }
    }

    /// Opens a second connection while the first goes on with what it has: only when that has shown that parts are to be
    /// had does the first leave its own answer.
    async fn try_another(&self) -> Result<Option<(Chunk, Body)>> {
        {
            let place = self.place();
            if !place.takes_ranges || place.refuses_ranges {
                return Ok(None);
            }
        }
        let Some((chunk, _turn)) = self.plan.take_for_trial(&self.inlet) else { return Ok(None) };
        let body = self.open(chunk.position(), Some(chunk.end()));
        match timeout(TRIAL, body).await {
            Ok(Ok(body)) if body.position() == chunk.position() => return Ok(Some((chunk, body))),
            Ok(Err(error)) if error.kind() == ErrorKind::Cancelled => return Err(error),
            // One connection has to do.
            Ok(_) | Err(_) => {}
        }
        self.plan.give_back(chunk);
        Ok(None)
    }

    /// One connection's work, until there is none left or one connection less is wanted.
    async fn work(&self, trial: Option<(Chunk, Body)>) -> Result<(), Ended> {
        let mut connection = Connection { retries: self.retries(), body: None, fresh: 0 };
        let mut first = trial.map(|(chunk, body)| {
            connection.body = Some(body);
            chunk
        });
        loop {
            let chunk = match first.take() {
                Some(chunk) => Some(chunk),
                None => self.plan.take(&self.inlet, &self.job).await.map_err(Ended::Failed)?,
            };
            let Some(mut chunk) = chunk else { return Ok(()) };
            if let Err(ended) = self.fill(&mut chunk, &mut connection).await {
                self.plan.give_back(chunk);
                return Err(ended);
            }
            self.plan.fetched();
            if self.leaves(self.wanted.load(Ordering::Relaxed)) {
                return Ok(());
            }
        }
    }

    /// Whether this connection is one more than `wanted`, and then counts no more.
    fn leaves(&self, wanted: usize) -> bool {
        let fewer = |alive: usize| (alive > wanted).then(|| alive - 1);
        self.alive.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer).is_ok()
    }

    async fn fill<'a>(&'a self, chunk: &mut Chunk, connection: &mut Connection<'a>) -> Result<(), Ended> {
        while chunk.left() > 0 {
            let Err(error) = self.read(chunk, connection).await else { continue };
            connection.body = None;
            let is_over = error.kind() == ErrorKind::Cancelled || self.is_writer_gone();
            if is_over {
                return Err(Ended::Failed(error));
            }
            if std::mem::take(&mut connection.fresh) >= PROGRESS {
                connection.retries.progressed();
            } else if self.leaves(1) {
                // Others work: they fetch what is left, and only the last one waits and tries.
                return Err(Ended::Retired(error));
            }
            if let Err(error) = connection.retries.after(error).await {
                self.next_place(error).map_err(Ended::Failed)?;
                connection.retries = self.retries();
            }
        }
        Ok(())
    }

    /// Reads on until the chunk is full or something fails.
    async fn read(&self, chunk: &mut Chunk, connection: &mut Connection<'_>) -> Result<()> {
        let mut body = match connection.body.take() {
            Some(body) if body.position() == chunk.position() => body,
            _ => {
                let end = (self.wanted.load(Ordering::Relaxed) > 1).then_some(chunk.end());
                self.open(chunk.position(), end).await?
            }
        };
        while body.position() < chunk.position() {
            body.next(chunk.position() - body.position(), &self.job).await?;
        }
        while chunk.left() > 0 {
            let bytes = body.next(chunk.left(), &self.job).await?;
            let count = bytes.len() as u64;
            chunk.add(&bytes, &self.inlet);
            connection.fresh += count;
            self.received.fetch_add(count, Ordering::Relaxed);
            self.job.advanced(count);
        }
        if body.is_over() {
            body.finish(&self.job).await?;
        } else {
            connection.body = Some(body);
        }
        Ok(())
    }

    /// Asks for the bytes from `position` to before `end`. What comes may begin earlier, at the blob's first byte.
    async fn open(&self, position: u64, end: Option<u64>) -> Result<Body> {
        // A refused part, or an address that has ended, is followed by another question, each at most once a place.
        const MOST_QUESTIONS: usize = 4;
        for _ in 0..MOST_QUESTIONS {
            let place = self.place().clone();
            let session = &self.sessions[place.session];
            let wants_part = !place.refuses_ranges && (position > 0 || end.is_some());
            let part = BlobPart {
                range: wants_part.then_some((position, end)),
                if_range: place.entity_tag.clone(),
                location: place.location.clone(),
            };
            let response = match session.blob(self.layer.digest(), &part, &self.job).await {
                Err(error) if place.location.is_some() && has_ended(&error) => {
                    self.place().location = None;
                    continue;
                }
                response => response?,
            };
            let learnt = Learnt::of(&response, session, self.layer.digest().as_ref());
            match Body::of(response, part.range.map(|(start, _)| start), self.layer.size())? {
                Part::Refused => self.place().refuses_ranges = true,
                Part::Body(body) => {
                    let mut place = self.place();
                    place.refuses_ranges |= wants_part && body.position() != position;
                    place.takes_ranges = learnt.takes_ranges;
                    place.location = learnt.location;
                    place.entity_tag = learnt.entity_tag;
                    return Ok(body);
                }
            }
        }
        Err(Error::new(ErrorKind::InvalidResponse, "the registry gives neither a part of the layer nor all of it"))
    }

    /// Goes on elsewhere, if there is anywhere else.
    fn next_place(&self, error: Error) -> Result<()> {
        let mut place = self.place();
        if error.kind() == ErrorKind::BlobNotFound || place.foreign > 0 {
            let foreign = self.layer.urls().iter().take(MOST_FOREIGN).skip(place.foreign);
            let plain_http = self.client.options().plain_http;
            let mut usable = foreign
                .enumerate()
                .filter_map(|(index, url)| Some((index, Url::parse(url).ok()?)))
                .filter(|(_, url)| url.scheme() == "https" || plain_http && url.scheme() == "http");
            if let Some((index, url)) = usable.next() {
                let foreign = place.foreign + index + 1;
                self.job.verbose(format!("The registry does not hold the layer; asking {}...", host(&url)));
                *place = Place { session: place.session, foreign, location: Some(url), ..Place::default() };
                return Ok(());
            }
        }
        let session = &self.sessions[place.session];
        if place.session + 1 == self.sessions.len() {
            return Err(error);
        }
        self.client.leave_mirror(session, &error, &self.job);
        *place = Place { session: place.session + 1, ..Place::default() };
        Ok(())
    }

    fn retries(&self) -> Retries<'_> {
        let session = self.place().session;
        Retries::new(self.sessions[session].retry_policy(), &self.job)
    }

    fn is_writer_gone(&self) -> bool {
        self.inlet.is_closed()
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a connection has ended before the blob did.
enum Ended {
    /// Others go on.
    Retired(Error),
    Failed(Error),
}

/// What an answer tells of its place.
struct Learnt {
    location: Option<Url>,
    takes_ranges: bool,
    entity_tag: Option<HeaderValue>,
}

impl Learnt {
    fn of(response: &Response, session: &Session, digest: &str) -> Self {
        let asked = session.url(&format!("blobs/{digest}")).ok();
        let headers = response.headers();
        let takes_ranges = response.status() == StatusCode::PARTIAL_CONTENT
            || headers.get(ACCEPT_RANGES).is_some_and(|units| units.as_bytes().eq_ignore_ascii_case(b"bytes"));
        // A weak one says nothing of bytes (RFC 9110 section 13.1.5).
        let entity_tag = headers.get(ETAG).filter(|tag| tag.as_bytes().starts_with(b"\"")).cloned();
        Self {
            location: Some(response.url().clone()).filter(|url| Some(url) != asked.as_ref()),
            takes_ranges,
            entity_tag,
        }
    }
}

/// Whether an address that the registry gave is good no longer.
fn has_ended(error: &Error) -> bool {
    error.http_status().is_some_and(|status| (400..500).contains(&status) && !matches!(status, 408 | 429))
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}
