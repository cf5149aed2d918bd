//! What came back, as errors: statuses with the registry's own words, and failures of the transport.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use serde::Deserialize;
use tokio::time::timeout;
use url::Url;

use super::direct::Unanswered;
use super::rate_limit::{rate_limit, retry_after};
use super::transport::{Transport, host};
use crate::error::{Error, ErrorKind, printable};
use crate::progress::Job;

/// Longer than any list of errors, short enough to read whole.
const LONGEST_ERROR_BODY: usize = 64 * 1024;
/// Words are not worth more: the status is known already.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// An address without its query and user, which may be secrets (signed addresses of CDNs).
pub(super) fn without_query(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), host(url), url.path())
}

/// A status that is not success, told in the registry's own words where it has any.
pub(super) async fn from_status(response: Response, job: &Job) -> Error {
    let (status, url) = (response.status(), response.url().clone());
    let (retry_after, limit) = (retry_after(response.headers()), rate_limit(response.headers()));
    // A body that cannot be read, or comes at a snail's pace, makes the error poorer, not another one.
    let body = timeout(LONGEST_WAIT, Transport::body(response, LONGEST_ERROR_BODY, job)).await;
    let body = body.unwrap_or_else(|_| Ok(Bytes::new())).unwrap_or_default();
    let (code, words) = registry_words(&body);
    let kind = match status.as_u16() {
        401 => ErrorKind::Unauthorized,
        403 => ErrorKind::Denied,
        429 => ErrorKind::RateLimited,
        _ => ErrorKind::Server,
    };
    let limit = limit.filter(|_| kind == ErrorKind::RateLimited).map(|limit| format!(": {limit}"));
    let words = words.map(|words| format!(" ({words})"));
    let sentence =
        format!("{} answered {status}{}{}", host(&url), words.unwrap_or_default(), limit.unwrap_or_default());
    let error = Error::new(kind, sentence)
        .with_http_status(status.as_u16())
        .with_registry_code(code)
        .with_retry_after(retry_after)
        .target(without_query(&url));
    match kind {
        ErrorKind::RateLimited => {
            let wait = match retry_after {
                Some(wait) => format!("Wait {} s before the next try", wait.as_secs()),
                None => "Wait before the next try".to_owned(),
            };
            error.advice(format!("{wait}, or sign in: registries allow more to users they know. A mirror helps too."))
        }
        _ => error,
    }
}

/// The first error of the OCI distribution-spec's error document, or of the token service's.
fn registry_words(body: &[u8]) -> (Option<String>, Option<String>) {
    #[derive(Deserialize)]
    struct Document {
        #[serde(default)]
        errors: Vec<Entry>,
        // Token services answer so (OAuth 2, RFC 6749 section 5.2), or with `details` and `message`.
        error: Option<String>,
        error_description: Option<String>,
        details: Option<String>,
        message: Option<String>,
    }
    #[derive(Deserialize)]
    struct Entry {
        code: Option<String>,
        message: Option<String>,
    }
    let Ok(document) = serde_json::from_slice::<Document>(body) else { return (None, None) };
    let (code, message) = match document.errors.into_iter().next() {
        Some(entry) => (entry.code, entry.message),
        None => (document.error, document.error_description.or(document.details).or(document.message)),
    };
    let shown = |text: Option<String>| text.filter(|text| !text.is_empty()).map(|text| printable(&text));
    let (code, message) = (shown(code), shown(message));
    let words = match (&code, &message) {
        (Some(code), Some(message)) => Some(format!("{code}: {message}")),
        (Some(one), None) | (None, Some(one)) => Some(one.clone()),
        (None, None) => None,
    };
    (code, words)
}

/// What was under way when a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Connecting,
    Asking,
    Reading,
}

/// A request that got no answer, or not a whole one.
pub(super) fn from_transport(error: reqwest::Error, url: &Url) -> Error {
    let (is_connect, is_body) = (error.is_connect(), error.is_body() || error.is_decode());
    let step = if is_connect {
        Step::Connecting
    } else if is_body {
        Step::Reading
    } else {
        Step::Asking
    };
    // reqwest would print the address with its query.
    not_answered(step, error.is_timeout(), error.without_url(), url)
}

/// The same of a request that went through no proxy.
pub(super) fn from_direct(unanswered: Unanswered, url: &Url) -> Error {
    match unanswered {
        Unanswered::Late(error) => not_answered(Step::Asking, true, error, url),
        Unanswered::Failed(error) => {
            let step = if error.is_connect() { Step::Connecting } else { Step::Asking };
            let is_timeout = find::<io::Error>(&error).is_some_and(|error| error.kind() == io::ErrorKind::TimedOut);
            not_answered(step, is_timeout, error, url)
        }
    }
}

fn not_answered(step: Step, is_timeout: bool, error: impl StdError + Send + Sync + 'static, url: &Url) -> Error {
    let server = host(url);
    let (kind, sentence, advice) = if let Some(tls) = find::<rustls::Error>(&error) {
        let (reason, advice) = tls_reason(tls);
        (ErrorKind::Tls, format!("no secure connection to {server}: {reason}"), advice)
    } else if is_timeout {
        let what = if step == Step::Connecting { "no connection to" } else { "no byte from" };
        (ErrorKind::Timeout, format!("{what} {server} in time"), None)
    } else {
        let reason = innermost(&error);
        let sentence = match step {
            Step::Connecting => format!("no connection to {server}: {reason}"),
            Step::Asking => format!("the request to {server} failed: {reason}"),
            Step::Reading => format!("the connection to {server} was cut: {reason}"),
        };
        (ErrorKind::Connection, sentence, None)
    };
    let is_lookup = is_lookup(&error);
    let failure = Error::new(kind, sentence).target(without_query(url)).caused_by(error);
    let failure = if is_lookup { failure.in_lookup() } else { failure };
    match advice {
        Some(advice) => failure.advice(advice),
        None => failure,
    }
}

/// Whether the server at the other end does not speak TLS, or nobody listens there: what a registry that is only
/// reached by plain http looks like.
pub(super) fn speaks_no_tls(error: &Error) -> bool {
    let Some(source) = error.source() else { return false };
    match find::<rustls::Error>(source) {
        Some(rustls::Error::InvalidMessage(_)) => true,
        Some(_) => false,
        None => error.kind() == ErrorKind::Connection,
    }
}

fn tls_reason(error: &rustls::Error) -> (String, Option<&'static str>) {
    use rustls::CertificateError as Bad;
    let certificate = match error {
        rustls::Error::InvalidCertificate(certificate) => certificate,
        rustls::Error::InvalidMessage(_) => {
            return (
                "what it answers is no TLS".to_owned(),
                Some("Check the host and the port. A registry that speaks plain http only is asked so by name."),
            );
        }
        rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired) => {
            return (
                "it wants a certificate of this client".to_owned(),
                Some("Put it and its key, as NAME.cert and NAME.key, into the registry's folder in certs.d."),
            );
        }
        other => return (other.to_string(), None),
    };
    match certificate {
        Bad::Expired | Bad::ExpiredContext { .. } => {
            ("its certificate has expired".to_owned(), Some("Check this machine's clock too."))
        }
        Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
            ("its certificate is not valid yet".to_owned(), Some("Check this machine's clock."))
        }
        Bad::UnknownIssuer => (
            "its certificate is by an issuer that this system does not trust".to_owned(),
            Some("Add the issuer's certificate to the system's store, or give its PEM file."),
        ),
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
            (format!("its certificate is for another name ({certificate})"), None)
        }
        Bad::Revoked => ("its certificate was revoked".to_owned(), None),
        Bad::Other(reason) => (
            format!("this system refuses its certificate: {}", reason.0),
            Some("Mend what the system says, or give the issuer's PEM file, which is asked before the system."),
        ),
        other => (format!("its certificate cannot be used: {other}"), None),
    }
}

/// The first error of type `T` in the chain, also inside an [`io::Error`], which hides what it wraps from `source`.
pub(super) fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        if let Some(wrapped) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref)
            && let Some(found) = find::<T>(wrapped)
        {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// Whether a name was looked up in vain. hyper-util has no type for it but the words of its connector.
fn is_lookup(error: &(dyn StdError + 'static)) -> bool {
    let mut next = error.source();
    while let Some(error) = next {
        if error.to_string() == "dns error" {
            return true;
        }
        next = error.source();
    }
    false
}

fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_registries_and_token_services_are_found() {
        for (body, code, words) in [
            (
                r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{}}]}"#,
                Some("MANIFEST_UNKNOWN"),
                Some("MANIFEST_UNKNOWN: manifest unknown"),
            ),
            (r#"{"errors":[{"code":"DENIED"}]}"#, Some("DENIED"), Some("DENIED")),
            (r#"{"error":"invalid_grant","error_description":"no"}"#, Some("invalid_grant"), Some("invalid_grant: no")),
            (r#"{"details":"incorrect username or password"}"#, None, Some("incorrect username or password")),
            (r#"{"errors":[]}"#, None, None),
            ("<html>502</html>", None, None),
            ("", None, None),
            (
                "{\"errors\":[{\"code\":\"\\u001b[31mRED\",\"message\":\"a\\u0000b\\u202ec\"}]}",
                Some("\u{b7}[31mRED"),
                Some("\u{b7}[31mRED: a\u{b7}b\u{b7}c"),
            ),
        ] {
            let found = registry_words(body.as_bytes());
            assert_eq!((found.0.as_deref(), found.1.as_deref()), (code, words), "{body}");
        }
    }

    #[test]
    fn fuzz_error_document() {
        crate::fuzz::check("error_document", |body| {
            let (code, words) = registry_words(body);
            assert!(code.is_none() || words.is_some());
            for text in [code, words].into_iter().flatten() {
                assert!(!text.is_empty() && !text.contains(char::is_control), "{text:?}");
                assert!(text.chars().count() < 700, "{text:?}");
            }
        });
    }

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        let url: Url = "https://user:secret@cdn.example:8443/blob?X-Amz-Signature=secret#part".parse().expect("a URL");
        assert_eq!(without_query(&url), "https://cdn.example:8443/blob");
    }
}
