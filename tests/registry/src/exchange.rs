//! One request and its answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;

use crate::blob::RangeRules;
use crate::body::{Body, Plan};
use crate::connection::{Connection, Ending, Protocol};
use crate::distribution::{self, Answer};
use crate::listener::Listener;
use crate::log::{Log, LogEntry, headers_of};
use crate::registry::State;
use crate::route::Turn;
use crate::step::{Fault, ReadyStep};

/// What is sent of a body beyond its Content-Length.
const MOST_EXCESS: u64 = 64 * 1024;
/// What is read of a form.
const MOST_FORM: usize = 64 * 1024;

/// A request's entry in the log. Dropped, it has ended.
pub(crate) struct Exchange {
    state: Arc<State>,
    number: u64,
    status: Option<u16>,
    body_bytes: u64,
    ended: bool,
}

impl Exchange {
    pub(crate) fn new(state: Arc<State>, entry: LogEntry) -> Self {
        let number = state.log.arrived(entry);
        Self { state, number, status: None, body_bytes: 0, ended: false }
    }

    pub(crate) fn sent(&mut self, count: u64) {
        self.body_bytes += count;
    }

    /// The answer's head was made, and that is all there is to tell.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status.as_u16());
        self.end();
    }

    pub(crate) fn end(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            self.log().ended(self.number, self.status, self.body_bytes);
        }
    }

    fn log(&self) -> &Log {
        &self.state.log
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.end();
    }
}

/// Answers a request as its route wants, else as the registry does.
pub(crate) async fn answer(
    state: Arc<State>,
    listener: Arc<Listener>,
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Response<Body> {
    let (mut head, body) = request.into_parts();
    // HTTP/2 has the host in the URL.
    if let Some(Ok(host)) = head.uri.authority().map(|it| HeaderValue::from_str(it.as_str())) {
        head.headers.entry(HOST).or_insert(host);
    }
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
    let form = read_form(&head.headers, body).await;
    let mut exchange = Exchange::new(
        state.clone(),
        LogEntry {
            listener: listener.name().to_owned(),
            connection: connection.number,
            version: format!("{:?}", head.version),
            method: head.method.to_string(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: headers_of(&head.headers),
            form: form.clone(),
            status: None,
            body_bytes: None,
        },
    );
    if let Some(latency) = state.latency.of(listener.name()) {
        tokio::time::sleep(latency).await;
    }
    let turn = state.routes.next(head.method.as_str(), path);
    if let Some(Turn { step, deleted }) = &turn {
        let delay = tokio::time::sleep(Duration::from_millis(step.delay_ms));
        let deleted_before = step.delay_ms > 0 && deleted.run_until_cancelled(delay).await.is_none();
        if deleted_before || step.close_before_response || step.raw.is_some() {
            let step = (!deleted_before).then_some(step);
            no_response(exchange, &connection, step, deleted).await;
        }
    }
    let step = turn.as_ref().map(|turn| &*turn.step);
    let mut answer = match step {
        Some(step) if !step.pass => Answer::new(step.status.unwrap_or(StatusCode::OK), step.content.clone()),
        _ => {
            let no_rules = RangeRules::default();
            let asked = distribution::Request {
                method: &head.method,
                path,
                query,
                headers: &head.headers,
                form: &form,
                range_rules: step.map_or(&no_rules, |step| &step.range_rules),
            };
            distribution::answer(&state, &listener, &asked)
        }
    };
    if let Some(step) = step {
        change(&mut answer, step);
        if let Some(repository) = distribution::repository_of(path).filter(|_| step.expire_tokens) {
            state.auth.expire_tokens(&repository);
        }
    }
    exchange.status = Some(answer.status.as_u16());
    respond(&head.method, answer, turn.as_ref(), connection, exchange)
}

/// The fields of a form; none where the body is something else, too long or did not come.
async fn read_form(headers: &HeaderMap, body: Incoming) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::<String, String>::new();
    let media_type = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    if !media_type.starts_with("application/x-www-form-urlencoded") {
        return fields;
    }
    let Ok(body) = Limited::new(body, MOST_FORM).collect().await else { return fields };
    for (name, value) in url::form_urlencoded::parse(&body.to_bytes()) {
        fields
            .entry(name.into_owned())
            .and_modify(|values| {
                values.push(' ');
                values.push_str(&value);
            })
            .or_insert_with(|| value.clone().into_owned());
    }
    fields
}

/// Ends the connection without an answer of hyper's: as the step wants, or when its route is deleted.
async fn no_response(
    mut exchange: Exchange,
    connection: &Connection,
    step: Option<&Arc<ReadyStep>>,
    deleted: &CancellationToken,
) -> ! {
    let raw = step.filter(|step| step.raw.is_some());
    let ending = match step.and_then(|step| step.fault) {
        Some((_, Fault::Reset)) => Ending::Reset,
        Some((_, Fault::Stall)) if raw.is_some() => Ending::Silence(deleted.clone()),
        Some((_, Fault::Stall)) => {
            deleted.cancelled().await;
            Ending::Close
        }
        _ => Ending::Close,
    };
    exchange.end();
    connection.end(match raw {
        Some(step) => Ending::AfterRaw(step.clone(), Box::new(ending)),
        None => ending,
    });
    std::future::pending().await
}

fn change(answer: &mut Answer, step: &ReadyStep) {
    if let Some(status) = step.status {
        answer.status = status;
    }
    for name in step.headers.keys() {
        answer.headers.remove(name);
        for value in step.headers.get_all(name) {
            answer.headers.append(name.clone(), value.clone());
        }
    }
}

fn respond(
    method: &Method,
    answer: Answer,
    turn: Option<&Turn>,
    connection: Arc<Connection>,
    exchange: Exchange,
) -> Response<Body> {
    let length = answer.range.end - answer.range.start;
    let step = turn.map(|turn| &*turn.step);
    let promised = match step {
        Some(step) if step.chunked => None,
        Some(ReadyStep { content_length: Some(promised), .. }) => Some(*promised),
        _ => Some(length),
    };
    let is_http2 = connection.protocol == Protocol::Http2;
    // HTTP/2 has no bytes outside of answers: there the answer itself goes on.
    let sent = if is_http2 { length } else { length.min(promised.unwrap_or(length)) };
    let is_short = promised.is_some_and(|promised| promised > length);
    let mut plan = Plan { is_announced: promised == Some(sent) && !is_http2, ..Plan::default() };
    if let Some(Turn { step, deleted }) = turn {
        plan.deleted = deleted.clone();
        plan.bytes_per_second = step.bytes_per_second;
        plan.connection_cut_after = step.connection_cut_after;
        plan.fault = step.fault.filter(|(after, _)| *after <= sent);
    }
    if is_short && plan.fault.is_none() {
        plan.fault = Some((sent, step.and_then(|step| step.fault).map_or(Fault::Cut, |(_, fault)| fault)));
    }
    if length > sent {
        let excess = answer.range.start + sent..answer.range.start + length.min(sent.saturating_add(MOST_EXCESS));
        // A file that cannot be read any more has no excess either.
        plan.excess = answer.content.read(excess).unwrap_or_default();
    }

    let bodiless = matches!(answer.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let mut headers = answer.headers;
    if let Some(promised) = promised.filter(|_| !bodiless) {
        headers.insert(CONTENT_LENGTH, promised.into());
    }
    let body = if bodiless || method == Method::HEAD || sent == 0 && promised == Some(0) {
        Body::none(plan, connection, exchange)
    } else {
        let part = answer.range.start..answer.range.start + sent;
        Body::new(answer.content.reader(part), sent, plan, connection, exchange)
    };
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = headers;
    response
}
