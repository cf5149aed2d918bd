//! What went wrong: a kind for programs, a message for people, and the chain of causes.

use std::fmt;
use std::time::Duration;

use crate::progress::Stage;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kind of a failure. The values cross the C ABI and never change meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An option that cannot be used, such as a certificate file that cannot be read.
    InvalidArgument = 1,
    /// A registry, repository, tag, digest or platform that is not well formed.
    InvalidReference = 2,
    /// 401 by the registry or the token service.
    Unauthorized = 3,
    /// 403 by the registry or the token service.
    Denied = 4,
    /// 404 for a manifest: the image does not exist.
    NotFound = 5,
    /// 404 for a blob that the manifest names.
    BlobNotFound = 6,
    /// 429: too many requests.
    RateLimited = 7,
    /// Any other status that is not success.
    Server = 8,
    /// Name lookup, refused or reset connection, a body cut short.
    Connection = 9,
    /// The TLS handshake or the server's certificate.
    Tls = 10,
    /// No answer, or no byte, in time.
    Timeout = 11,
    /// An answer that is not what the protocol says: not JSON, too large, a bad redirect.
    InvalidResponse = 12,
    /// The image has no manifest for the platform asked for.
    NoPlatform = 13,
    /// An image of a form that cannot become an archive.
    UnsupportedImage = 14,
    /// Bytes that do not hash to their digest.
    DigestMismatch = 15,
    /// The destination: folder, permission, space.
    File = 16,
    /// A secret would have gone over a connection that anybody can read.
    Insecure = 17,
    /// The caller cancelled.
    Cancelled = 18,
    /// A defect of this library.
    Internal = 19,
    /// The proxy refused or could not reach the registry.
    Proxy = 20,
    /// A registry that the configuration of this machine blocks.
    Blocked = 21,
}

/// A failure: what was attempted, on what, what came back and, where known, what to do.
///
/// `Display` gives the whole text; [`std::error::Error::source`] the chain of causes.
#[derive(thiserror::Error)]
#[error("{}", details.message())]
pub struct Error {
    details: Box<Details>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

#[derive(Debug)]
struct Details {
    kind: ErrorKind,
    stage: Stage,
    sentence: String,
    advice: Option<String>,
    target: Option<String>,
    http_status: Option<u16>,
    registry_code: Option<String>,
    retry_after: Option<Duration>,
    is_lookup: bool,
}

impl Details {
    fn message(&self) -> String {
        match &self.advice {
            Some(advice) => format!("{} {advice}", with_full_stop(&self.sentence)),
            None => self.sentence.clone(),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The causes' own `Debug` could quote a whole document of a server.
        formatter.debug_struct("Error").field("details", &self.details).field("causes", &self.causes()).finish()
    }
}

impl Error {
    /// A failure of `kind` whose text is `sentence`.
    pub fn new(kind: ErrorKind, sentence: impl Into<String>) -> Self {
        let details = Details {
            kind,
            stage: Stage::Starting,
            sentence: shown(&sentence.into(), LONGEST_SENTENCE),
            advice: None,
            target: None,
            http_status: None,
            registry_code: None,
            retry_after: None,
            is_lookup: false,
        };
        Self { details: Box::new(details), source: None }
    }

    /// The caller asked to stop.
    pub fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "The operation was cancelled")
    }

    pub(crate) fn at(mut self, stage: Stage) -> Self {
        self.details.stage = stage;
        self
    }

    pub(crate) fn of_kind(mut self, kind: ErrorKind) -> Self {
        self.details.kind = kind;
        self
    }

    /// Puts what was attempted before the sentence that says what came back.
    pub(crate) fn attempting(mut self, attempt: &str) -> Self {
        self.details.sentence = shown(&format!("{attempt}{}", self.details.sentence), LONGEST_SENTENCE);
        self
    }

    pub(crate) fn advice(mut self, advice: impl Into<String>) -> Self {
        self.details.advice = Some(advice.into());
        self
    }

    pub(crate) fn target(mut self, target: impl fmt::Display) -> Self {
        self.details.target = Some(shown(&target.to_string(), LONGEST_TARGET));
        self
    }

    pub(crate) fn with_http_status(mut self, status: u16) -> Self {
        self.details.http_status = Some(status);
        self
    }

    pub(crate) fn with_registry_code(mut self, code: Option<String>) -> Self {
        self.details.registry_code = code;
        self
    }

    pub(crate) fn with_retry_after(mut self, retry_after: Option<Duration>) -> Self {
        self.details.retry_after = retry_after;
        self
    }

    /// A failure to find the address of a name.
    pub(crate) fn in_lookup(mut self) -> Self {
        self.details.is_lookup = true;
        self
    }

    pub(crate) fn is_lookup(&self) -> bool {
        self.details.is_lookup
    }

    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.details.kind
    }

    /// In which part of the job it happened.
    pub fn stage(&self) -> Stage {
        self.details.stage
    }

    /// The HTTP status that was answered, if it was one.
    pub fn http_status(&self) -> Option<u16> {
        self.details.http_status
    }

    /// The registry's own code (OCI distribution-spec, "Error Codes"), such as `MANIFEST_UNKNOWN`.
    pub fn registry_code(&self) -> Option<&str> {
        self.details.registry_code.as_deref()
    }

    /// How long the server asked to wait before the next try.
    pub fn retry_after(&self) -> Option<Duration> {
        self.details.retry_after
    }

    /// What the user can do, where that is known. It is also the end of the message.
    pub fn recommended_action(&self) -> Option<&str> {
        self.details.advice.as_deref()
    }

    /// What it was about: a reference, an address without its query, or a file.
    pub fn target_name(&self) -> Option<&str> {
        self.details.target.as_deref()
    }

    /// The chain of causes as texts that can be shown, the nearest first, without repetitions.
    pub fn causes(&self) -> Vec<String> {
        let mut causes: Vec<String> = Vec::new();
        let mut next: Option<&(dyn std::error::Error + 'static)> = self.source.as_deref().map(|source| source as _);
        while let Some(error) = next {
            // Readers of JSON quote what a server sent.
            let text = printable(&error.to_string());
            if causes.last() != Some(&text) {
                causes.push(text);
            }
            next = error.source();
        }
        causes
    }
}

fn with_full_stop(sentence: &str) -> String {
    match sentence.chars().last() {
        Some('.' | '!' | '?' | '…') | None => sentence.to_owned(),
        Some(_) => format!("{sentence}."),
    }
}

/// A sentence quotes more than one text, a target may be a long path.
const LONGEST_SENTENCE: usize = 2000;
const LONGEST_TARGET: usize = 5000;

/// Text of a server as it may be shown: no control characters (they drive terminals), and not endless.
pub(crate) fn printable(text: &str) -> String {
    const LONGEST: usize = 300;
    shown(text, LONGEST)
}

/// A line with text of a server or of a file in it.
pub(crate) fn printable_line(text: &str) -> String {
    shown(text, LONGEST_TARGET)
}

/// At most `longest` characters of `text`, a dot in the place of each that drives a terminal or hides something.
fn shown(text: &str, longest: usize) -> String {
    let mut shown: String =
        text.chars().take(longest).map(|c| if c.is_control() || is_format_control(c) { '\u{b7}' } else { c }).collect();
    if text.chars().nth(longest).is_some() {
        shown.push('…');
    }
    shown
}

/// Characters that reorder or hide what stands around them (Unicode UAX #9, general category Cf).
fn is_format_control(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_an_error_drives_a_terminal_or_goes_on_for_ever() {
        let hostile = "\u{1b}[31m\u{202e}\u{0}\r\n\u{ad}\u{e0041}";
        let error = Error::new(ErrorKind::Server, format!("it said {hostile}"))
            .attempting("Failed: ")
            .target(hostile)
            .advice("Try again.")
            .caused_by(std::io::Error::other(hostile));
        let shown = "\u{b7}[31m\u{b7}\u{b7}\u{b7}\u{b7}\u{b7}\u{b7}";
        assert_eq!(error.to_string(), format!("Failed: it said {shown}. Try again."));
        assert_eq!(error.target_name(), Some(shown));
        assert_eq!(error.causes(), [shown]);
        assert!(!format!("{error:?}").contains(char::is_control));

        let long = "x".repeat(1_000_000);
        let error =
            Error::new(ErrorKind::Server, &long).target(&long).caused_by(std::io::Error::other(long)).advice("Go.");
        assert!(error.to_string().ends_with("x… Go."), "the advice is not cut off");
        assert!(format!("{error:?}").chars().count() < 10_000);
    }
}
