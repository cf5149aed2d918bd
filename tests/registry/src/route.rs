//! Routes: what is answered at a path instead of what would be, step by step.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::content::Content;
use crate::error::{Error, Result};

/// The answers at a path. Each request takes the next step, and the last one repeats.
///
/// Of several routes that match a request, one with the whole path is taken before one that ends in `*`, a longer one
/// before a shorter one, one with a method before one for all. A route replaces the one of the same path and method.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The method, in capitals. `None`: all.
    #[serde(default)]
    pub method: Option<String>,
    /// The path without a query; a `*` at its end stands for anything.
    pub path: String,
    /// At least one step.
    pub steps: Vec<Step>,
}

impl Route {
    /// A route for all methods.
    pub fn new(path: &str, steps: impl Into<Vec<Step>>) -> Self {
        Self { method: None, path: path.to_owned(), steps: steps.into() }
    }
}

/// One answer and what goes wrong with it. The counts of bytes are of this answer's body.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Step {
    /// The status. Default: 200, or with `pass` what would be answered.
    pub status: Option<u16>,
    /// Headers to set, in place of those of the same name.
    pub headers: BTreeMap<String, HeaderValues>,
    /// The body as text. Default: empty.
    pub body: Option<String>,
    /// The body in standard base64.
    pub body_base64: Option<String>,
    /// The body is this file.
    pub body_file: Option<PathBuf>,
    /// Milliseconds to wait before the answer.
    pub delay_ms: Option<u64>,
    /// The connection is closed after so many bytes, although more were promised.
    pub cut_after: Option<u64>,
    /// The connection is reset (TCP RST) after so many bytes have arrived.
    pub reset_after: Option<u64>,
    /// Nothing is sent after so many bytes; the connection stays open until the client goes or the route is deleted.
    pub stall_after: Option<u64>,
    /// The speed of the body, shared by all answers on the connection that have one.
    pub bytes_per_second: Option<u64>,
    /// Chunked transfer coding instead of a Content-Length.
    pub chunked: bool,
    /// The Content-Length to promise. Bytes beyond it follow the answer (at most 64 KiB), then the connection closes;
    /// where bytes are missing it closes too.
    pub content_length: Option<u64>,
    /// What would be served without the route is served, changed by the other members.
    pub pass: bool,
    /// The connection is closed before any answer; reset with `reset_after`, kept open silently with `stall_after`.
    pub close_before_response: bool,
    /// All tokens of the path's repository are worthless from when this answer begins; this request's own was looked at
    /// before.
    pub expire_tokens: bool,
}

impl Step {
    /// What would be served without the route.
    pub fn pass() -> Self {
        Self { pass: true, ..Self::default() }
    }

    /// An answer with this status and an empty body.
    pub fn status(status: u16) -> Self {
        Self { status: Some(status), ..Self::default() }
    }

    /// An answer with this status and this text.
    pub fn text(status: u16, body: &str) -> Self {
        Self { status: Some(status), body: Some(body.to_owned()), ..Self::default() }
    }

    /// This step with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), HeaderValues::One(value.to_owned()));
        self
    }
}

/// The values of a header, each in its own line.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub enum HeaderValues {
    /// One value.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// What ends a body before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Cut,
    Reset,
    Stall,
}

/// A step that was found to make sense.
#[derive(Debug)]
pub(crate) struct ReadyStep {
    pub(crate) pass: bool,
    pub(crate) status: Option<StatusCode>,
    pub(crate) headers: HeaderMap,
    pub(crate) content: Content,
    pub(crate) delay_ms: u64,
    /// The bytes after which the fault comes.
    pub(crate) fault: Option<(u64, Fault)>,
    pub(crate) bytes_per_second: Option<u64>,
    pub(crate) chunked: bool,
    pub(crate) content_length: Option<u64>,
    pub(crate) close_before_response: bool,
    pub(crate) expire_tokens: bool,
}

impl TryFrom<&Step> for ReadyStep {
    type Error = Error;

    fn try_from(step: &Step) -> Result<Self> {
        let invalid = |reason: String| Err(Error::Invalid(reason));
        let content = match (&step.body, &step.body_base64, &step.body_file) {
            (None, None, None) => Content::Memory(bytes::Bytes::new()),
            _ if step.pass => return invalid("a step with pass has no body of its own".to_owned()),
            (Some(text), None, None) => Content::Memory(text.clone().into()),
            (None, Some(base64), None) => match STANDARD.decode(base64) {
                Ok(bytes) => Content::Memory(bytes.into()),
                Err(error) => return invalid(format!("bodyBase64: {error}")),
            },
            (None, None, Some(path)) => Content::file(path)?,
            _ => return invalid("a step has one of body, bodyBase64 and bodyFile".to_owned()),
        };
        let status = match step.status {
            None => None,
            Some(status) => match StatusCode::from_u16(status) {
                Ok(status) if !status.is_informational() => Some(status),
                _ => return invalid(format!("{status} is no status of an answer")),
            },
        };
        let mut headers = HeaderMap::new();
        for (name, values) in &step.headers {
            let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
                return invalid(format!("{name:?} is no name of a header"));
            };
            if name == http::header::CONTENT_LENGTH || name == http::header::TRANSFER_ENCODING {
                return invalid(format!("instead of the header {name} a step has contentLength or chunked"));
            }
            let values = match values {
                HeaderValues::One(value) => std::slice::from_ref(value),
                HeaderValues::Many(values) => values,
            };
            for value in values {
                let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) else {
                    return invalid(format!("{value:?} cannot be in a header"));
                };
                headers.append(name.clone(), value);
            }
        }
        let faults = [
            step.cut_after.map(|count| (count, Fault::Cut)),
            step.reset_after.map(|count| (count, Fault::Reset)),
            step.stall_after.map(|count| (count, Fault::Stall)),
        ];
        let mut faults = faults.into_iter().flatten();
        let fault = faults.next();
        if faults.next().is_some() {
            return invalid("a step has one of cutAfter, resetAfter and stallAfter".to_owned());
        }
        if step.chunked && step.content_length.is_some() {
            return invalid("a step has one of chunked and contentLength".to_owned());
        }
        if step.bytes_per_second == Some(0) {
            return invalid("bytesPerSecond is more than 0; stallAfter sends nothing".to_owned());
        }
        Ok(Self {
            pass: step.pass,
            status,
            headers,
            content,
            delay_ms: step.delay_ms.unwrap_or(0),
            fault,
            bytes_per_second: step.bytes_per_second,
            chunked: step.chunked,
            content_length: step.content_length,
            close_before_response: step.close_before_response,
            expire_tokens: step.expire_tokens,
        })
    }
}

/// The routes of the whole registry.
#[derive(Default)]
pub(crate) struct RouteTable {
    routes: Mutex<Vec<Entry>>,
}

struct Entry {
    method: Option<String>,
    path: String,
    steps: Vec<Arc<ReadyStep>>,
    next: usize,
    deleted: CancellationToken,
    _deletion: DropGuard,
}

/// A request's step.
pub(crate) struct Turn {
    pub(crate) step: Arc<ReadyStep>,
    /// Cancelled when the route is deleted or replaced.
    pub(crate) deleted: CancellationToken,
}

impl RouteTable {
    pub(crate) fn add(&self, route: &Route) -> Result<()> {
        if !route.path.starts_with('/') || route.path.contains('?') {
            return Err(Error::Invalid("the path of a route begins with / and has no query".to_owned()));
        }
        if route.steps.is_empty() {
            return Err(Error::Invalid("a route has at least one step".to_owned()));
        }
        let steps = route.steps.iter().map(|step| step.try_into().map(Arc::new)).collect::<Result<_>>()?;
        let deleted = CancellationToken::new();
        let entry = Entry {
            method: route.method.clone(),
            path: route.path.clone(),
            steps,
            next: 0,
            deleted: deleted.clone(),
            _deletion: deleted.drop_guard(),
        };
        let mut routes = self.routes.lock();
        routes.retain(|it| it.path != entry.path || it.method != entry.method);
        routes.push(entry);
        Ok(())
    }

    /// Deletes the routes whose path was given in this way.
    pub(crate) fn delete(&self, path: &str) {
        self.routes.lock().retain(|it| it.path != path);
    }

    pub(crate) fn next(&self, method: &str, path: &str) -> Option<Turn> {
        let decoded = percent_decode_str(path).decode_utf8_lossy();
        let mut routes = self.routes.lock();
        let entry = routes
            .iter_mut()
            .filter(|it| it.method.as_deref().is_none_or(|it| it == method))
            .filter(|it| matches(&it.path, path) || matches(&it.path, &decoded))
            .max_by_key(|it| (!it.path.ends_with('*'), it.path.len(), it.method.is_some()))?;
        let step = entry.steps[entry.next].clone();
        entry.next = (entry.next + 1).min(entry.steps.len() - 1);
        Some(Turn { step, deleted: entry.deleted.clone() })
    }
}

/// Whether a path is meant by one that may end in `*`.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix),
        None => path == pattern,
    }
}
