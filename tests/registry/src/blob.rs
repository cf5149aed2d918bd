//! One blob as an answer, whole or in part.

use std::ops::Range;

use http::header::{ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_RANGE, RANGE};
use http::{HeaderValue, Method, StatusCode};

use crate::content::Content;
use crate::distribution::{Answer, DOCKER_CONTENT_DIGEST, Refusal, Request};

/// What a step changes about ranges.
#[derive(Debug, Default)]
pub(crate) struct RangeRules {
    /// A `Range` is not seen.
    pub(crate) ignore: bool,
    /// Where a part begins, in bytes after (or before) what was asked.
    pub(crate) shift: i64,
    /// The `Content-Range`, instead of the true one; `Some(None)`: none.
    pub(crate) content_range: Option<Option<HeaderValue>>,
    /// What a request with `Range` is refused with.
    pub(crate) status: Option<StatusCode>,
    /// The `ETag`, instead of the digest; empty: none.
    pub(crate) etag: Option<String>,
    /// The answers have no `Accept-Ranges`.
    pub(crate) hides_accept_ranges: bool,
}

pub(crate) fn answer(content: Content, digest: &str, request: &Request<'_>) -> Answer {
    let rules = request.range_rules;
    let etag = rules.etag.clone().unwrap_or_else(|| format!("\"{digest}\""));
    let mut answer = part(content, &etag, request);
    if answer.status.is_success() {
        answer = answer.with(CONTENT_TYPE, "application/octet-stream");
    }
    if !etag.is_empty() {
        answer = answer.with(ETAG, &etag);
    }
    if !rules.hides_accept_ranges {
        answer = answer.with(ACCEPT_RANGES, "bytes");
    }
    match &rules.content_range {
        None => {}
        Some(None) => drop(answer.headers.remove(CONTENT_RANGE)),
        Some(Some(value)) => drop(answer.headers.insert(CONTENT_RANGE, value.clone())),
    }
    answer.with(DOCKER_CONTENT_DIGEST, digest)
}

fn part(content: Content, etag: &str, request: &Request<'_>) -> Answer {
    let (rules, length) = (request.range_rules, content.length());
    // [RFC 9110, section 14.2](https://www.rfc-editor.org/rfc/rfc9110#section-14.2): only GET has ranges.
    let range = request.headers.get(RANGE).filter(|_| request.method == Method::GET && !rules.ignore);
    if let (Some(status), Some(_)) = (rules.status, range) {
        return refusal(status, length);
    }
    // Section 13.1.5: the comparison is the strong one.
    let strong = !etag.is_empty() && !etag.starts_with("W/");
    let same = request.headers.get(IF_RANGE).is_none_or(|value| strong && value.as_bytes() == etag.as_bytes());
    let range = range.and_then(|range| range.to_str().ok()).filter(|_| same);
    match range.map_or(Asked::Everything, |range| parse_range(range, length)) {
        Asked::Everything => Answer::new(StatusCode::OK, content),
        Asked::Part(range) => {
            let last = range.end - 1;
            let first = range.start.saturating_add_signed(rules.shift).min(last);
            let mut answer = Answer::new(StatusCode::PARTIAL_CONTENT, content);
            answer.range = first..range.end;
            answer.with(CONTENT_RANGE, &format!("bytes {first}-{last}/{length}"))
        }
        Asked::Nothing => refusal(StatusCode::RANGE_NOT_SATISFIABLE, length),
    }
}

fn refusal(status: StatusCode, length: u64) -> Answer {
    if status != StatusCode::RANGE_NOT_SATISFIABLE {
        return Refusal::new(status, "UNKNOWN", "no part of the blob can be had").into();
    }
    Answer::from(Refusal::new(status, "UNSUPPORTED", "the range is beyond the blob"))
        .with(CONTENT_RANGE, &format!("bytes */{length}"))
}

#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Everything,
    Part(Range<u64>),
    Nothing,
}

/// A `Range` header ([RFC 9110, section 14.2](https://www.rfc-editor.org/rfc/rfc9110#section-14.2)). One that is
/// malformed or has several ranges is ignored, as the section allows.
fn parse_range(header: &str, length: u64) -> Asked {
    let Some((first, last)) = header.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-')) else {
        return Asked::Everything;
    };
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first > last => return Asked::Everything,
        (Ok(first), Ok(last)) => first..last.saturating_add(1).min(length),
        (Ok(first), Err(_)) if last.is_empty() => first..length,
        (Err(_), Ok(count)) if first.is_empty() => length.saturating_sub(count)..length,
        _ => return Asked::Everything,
    };
    if range.is_empty() { Asked::Nothing } else { Asked::Part(range) }
}

#[cfg(test)]
mod tests {
    use super::{Asked, parse_range};

    #[test]
    fn a_range_is_a_part_or_nothing_or_ignored() {
        for (header, asked) in [
            ("bytes=0-0", Asked::Part(0..1)),
            ("bytes=2-", Asked::Part(2..10)),
            ("bytes=-3", Asked::Part(7..10)),
            ("bytes=-30", Asked::Part(0..10)),
            ("bytes=8-99", Asked::Part(8..10)),
            ("bytes=9-18446744073709551615", Asked::Part(9..10)),
            ("bytes=10-", Asked::Nothing),
            ("bytes=10-20", Asked::Nothing),
            ("bytes=-0", Asked::Nothing),
            ("bytes=5-4", Asked::Everything),
            ("bytes=0-1,3-4", Asked::Everything),
            ("bytes=-", Asked::Everything),
            ("bytes=a-b", Asked::Everything),
            ("items=0-1", Asked::Everything),
        ] {
            assert_eq!(parse_range(header, 10), asked, "{header}");
        }
    }
}
