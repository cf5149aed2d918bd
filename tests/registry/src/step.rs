//! Steps: one answer at a path and what goes wrong with it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use crate::blob::RangeRules;
use crate::content::Content;
use crate::error::{Error, Result};
use crate::raw::{Raw, ReadyRaw};

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
    /// The connection is closed after so many bytes of bodies in all its answers together, those before this one too.
    pub connection_cut_after: Option<u64>,
    /// With `pass`: a `Range` is ignored and the blob sent whole, with 200.
    pub ignore_range: bool,
    /// With `pass`: a part begins so many bytes later than was asked (earlier, where negative) and says so in its
    /// Content-Range. It ends where it was asked to.
    pub range_shift: Option<i64>,
    /// With `pass`: the Content-Range of a blob, true or not; empty: none.
    pub content_range: Option<String>,
    /// With `pass`: the status (4xx or 5xx) that a request for a part of a blob is refused with.
    pub range_status: Option<u16>,
    /// With `pass`: the ETag of a blob, quotes included, which an If-Range is compared with; empty: none.
    pub etag: Option<String>,
    /// With `pass`: `false` leaves the Accept-Ranges of a blob out.
    pub accept_ranges: Option<bool>,
    /// Chunked transfer coding instead of a Content-Length.
    pub chunked: bool,
    /// The Content-Length to promise. Bytes beyond it follow the answer (at most 64 KiB), then the connection closes;
    /// where bytes are missing it closes too.
    pub content_length: Option<u64>,
    /// What would be served without the route is served, changed by the other members.
    pub pass: bool,
    /// The connection is closed before any answer; reset with `reset_after`, kept open silently with `stall_after`.
    pub close_before_response: bool,
    /// Instead of an answer these bytes are written as they are, at the speed of `bytes_per_second`, and the connection is
    /// closed; reset with `reset_after`, kept open silently with `stall_after`.
    pub raw: Option<Raw>,
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
    pub(crate) connection_cut_after: Option<u64>,
    pub(crate) range_rules: RangeRules,
    pub(crate) chunked: bool,
    pub(crate) content_length: Option<u64>,
    pub(crate) close_before_response: bool,
    pub(crate) expire_tokens: bool,
    pub(crate) raw: Option<ReadyRaw>,
}

impl Step {
    fn ready_headers(&self) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        for (name, values) in &self.headers {
            let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
                return Err(Error::Invalid(format!("{name:?} is no name of a header")));
            };
            if name == http::header::CONTENT_LENGTH || name == http::header::TRANSFER_ENCODING {
                let reason = format!("instead of the header {name} a step has contentLength or chunked");
                return Err(Error::Invalid(reason));
            }
            let values = match values {
                HeaderValues::One(value) => std::slice::from_ref(value),
                HeaderValues::Many(values) => values,
            };
            for value in values {
                headers.append(name.clone(), header_value(value)?);
            }
        }
        Ok(headers)
    }

    fn range_rules(&self) -> Result<RangeRules> {
        let (shift, status) = (self.range_shift, self.range_status);
        let texts = [&self.content_range, &self.etag];
        let any = self.ignore_range || shift.is_some() || status.is_some() || self.accept_ranges.is_some();
        if !self.pass && (any || texts.into_iter().any(Option::is_some)) {
            return Err(Error::Invalid("what a step says of ranges and etag is about what pass serves".to_owned()));
        }
        for text in texts.into_iter().flatten() {
            header_value(text)?;
        }
        let status = match status.map(StatusCode::from_u16) {
            None => None,
            Some(Ok(status)) if status.is_client_error() || status.is_server_error() => Some(status),
            Some(_) => return Err(Error::Invalid("rangeStatus is no error".to_owned())),
        };
        let content_range = match self.content_range.as_deref() {
            None => None,
            Some("") => Some(None),
            Some(text) => Some(Some(header_value(text)?)),
        };
        Ok(RangeRules {
            ignore: self.ignore_range,
            shift: shift.unwrap_or(0),
            content_range,
            status,
            etag: self.etag.clone(),
            hides_accept_ranges: self.accept_ranges == Some(false),
        })
    }
}

fn header_value(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| Error::Invalid(format!("{text:?} cannot be in a header")))
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
        let is_answer = step.pass || step.status.is_some() || !step.headers.is_empty() || content.length() > 0;
        if step.raw.is_some() && (is_answer || step.close_before_response) {
            return invalid("a step with raw has no other answer".to_owned());
        }
        if step.bytes_per_second == Some(0) {
            return invalid("bytesPerSecond is more than 0; stallAfter sends nothing".to_owned());
        }
        Ok(Self {
            pass: step.pass,
            status,
            headers: step.ready_headers()?,
            content,
            delay_ms: step.delay_ms.unwrap_or(0),
            fault,
            bytes_per_second: step.bytes_per_second,
            connection_cut_after: step.connection_cut_after,
            range_rules: step.range_rules()?,
            chunked: step.chunked,
            content_length: step.content_length,
            close_before_response: step.close_before_response,
            expire_tokens: step.expire_tokens,
            raw: step.raw.as_ref().map(|raw| ReadyRaw::new(raw, step.bytes_per_second)).transpose()?,
        })
    }
}
