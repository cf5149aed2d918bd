//! The bytes of a blob as one answer brings them.

use bytes::Bytes;
use reqwest::header::CONTENT_RANGE;
use reqwest::{Response, StatusCode};

use crate::error::{Error, ErrorKind, Result};
use crate::progress::Job;
use crate::registry::Session;

/// The body of an answer, from some byte of the blob on.
pub(super) struct Body {
    response: Response,
    /// The next byte to come.
    position: u64,
    end: u64,
    pending: Bytes,
}

/// What a registry made of the wish for a part.
pub(super) enum Part {
    /// The part, or the whole blob.
    Body(Body),
    /// Nothing that could be used: it does not know parts as it should.
    Refused,
}

impl Body {
    /// Reads what was answered to the wish for the bytes from `start` on (`None`: for the whole blob) of a blob of
    /// `size` bytes.
    pub(super) fn of(response: Response, start: Option<u64>, size: u64) -> Result<Part> {
        let (position, end) = match (response.status(), start) {
            (StatusCode::PARTIAL_CONTENT, Some(start)) => match content_range(&response) {
                Some((first, last, total))
                    if first == start && last < size && total.is_none_or(|total| total == size) =>
                {
                    (first, last + 1)
                }
                _ => return Ok(Part::Refused),
            },
            (StatusCode::OK, _) => (0, size),
            _ => return Ok(Part::Refused),
        };
        match response.content_length() {
            Some(length) if length != end - position => Err(wrong_length(end - position, &length.to_string())),
            _ => Ok(Part::Body(Self { response, position, end, pending: Bytes::new() })),
        }
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The next bytes, at most `limit` of them.
    pub(super) async fn next(&mut self, limit: u64, job: &Job) -> Result<Bytes> {
        while self.pending.is_empty() {
            match Session::chunk(&mut self.response, job).await? {
                Some(bytes) => self.pending = bytes,
                None => {
                    let missing = wrong_length(self.end, &format!("only {}", self.position));
                    return Err(missing.of_kind(ErrorKind::Connection));
                }
            }
        }
        let limit = usize::try_from(limit.min(self.end - self.position)).unwrap_or(usize::MAX);
        let bytes = self.pending.split_to(limit.min(self.pending.len()));
        self.position += bytes.len() as u64;
        Ok(bytes)
    }

    /// Reads the end of the answer where it is at hand, so that its connection can serve the next question.
    pub(super) async fn finish(mut self, job: &Job) -> Result<()> {
        let is_told = self.response.content_length().is_some();
        if !self.pending.is_empty() {
            return Err(wrong_length(self.end, "more"));
        }
        if is_told {
            Session::chunk(&mut self.response, job).await?;
        }
        Ok(())
    }

    pub(super) fn is_over(&self) -> bool {
        self.position == self.end
    }
}

/// `bytes FIRST-LAST/TOTAL` (RFC 9110 section 14.4).
fn content_range(response: &Response) -> Option<(u64, u64, Option<u64>)> {
    parse_content_range(response.headers().get(CONTENT_RANGE)?.to_str().ok()?)
}

fn parse_content_range(text: &str) -> Option<(u64, u64, Option<u64>)> {
    let (unit, rest) = text.trim().split_once(' ')?;
    let (range, total) = rest.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let total = match total.trim() {
        "*" => None,
        total => Some(number(total)?),
    };
    let (first, last) = (number(first)?, number(last)?);
    (unit.eq_ignore_ascii_case("bytes") && first <= last).then_some((first, last, total))
}

/// Digits only: `parse` would take a sign.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn wrong_length(expected: u64, sent: &str) -> Error {
    Error::new(ErrorKind::InvalidResponse, format!("the layer has {expected} bytes, the registry sent {sent}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_is_read_as_the_standard_has_it() {
        for (text, expected) in [
            ("bytes 0-99/100", Some((0, 99, Some(100)))),
            ("Bytes 5-5/*", Some((5, 5, None))),
            ("bytes */100", None),
            ("bytes 5-4/100", None),
            ("bytes +1-4/100", None),
            ("items 0-99/100", None),
            ("bytes 0-99", None),
            ("bytes 0-18446744073709551616/100", None),
            ("", None),
        ] {
            assert_eq!(parse_content_range(text), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_content_range_can_be_read(text in "\\PC*") {
            parse_content_range(&text);
        }
    }
}
