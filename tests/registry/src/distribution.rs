//! What the registry answers when it behaves: the pull endpoints of the
//! [OCI distribution specification](https://github.com/opencontainers/distribution-spec/blob/main/spec.md).

use std::collections::BTreeMap;
use std::ops::Range;

use http::header::{ACCEPT_RANGES, ALLOW, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, IF_RANGE, LINK, RANGE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::auth::AuthTable;
use crate::content::Content;
use crate::listener::Listener;
use crate::store::Store;

const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

/// An answer before anything is done to it.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) content: Content,
    /// The part of the content that is the body.
    pub(crate) range: Range<u64>,
}

impl Answer {
    pub(crate) fn new(status: StatusCode, content: Content) -> Self {
        let range = 0..content.length();
        Self { status, headers: HeaderMap::new(), content, range }
    }

    pub(crate) fn json(status: StatusCode, json: &Value) -> Self {
        Self::new(status, Content::Memory(json.to_string().into()))
            .with(CONTENT_TYPE, "application/json; charset=utf-8")
    }

    fn with(mut self, name: HeaderName, value: &str) -> Self {
        // A value that a header cannot hold comes only from a test's own odd name: the answer goes without it.
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }
}

/// An error as the specification writes it, section "Error Codes".
pub(crate) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: &str) -> Self {
        Self { status, code, message: message.to_owned() }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let error = json!({"code": refusal.code, "message": refusal.message, "detail": null});
        Self::json(refusal.status, &json!({"errors": [error]}))
    }
}

/// What a path under `/v2/` names.
#[derive(Debug, PartialEq, Eq)]
enum Resource<'a> {
    Base,
    Manifest(&'a str),
    Blob(&'a str),
    Tags,
    Unknown,
}

/// The repository and the resource that a decoded path names. The names of repositories have slashes.
fn parse(path: &str) -> Option<(&str, Resource<'_>)> {
    let rest = path.strip_prefix("/v2")?;
    if rest.is_empty() || rest == "/" {
        return Some(("", Resource::Base));
    }
    let rest = rest.strip_prefix('/')?;
    if let Some(repository) = rest.strip_suffix("/tags/list") {
        return Some((repository, Resource::Tags));
    }
    if let Some((parent, last)) = rest.rsplit_once('/') {
        if let Some(repository) = parent.strip_suffix("/manifests") {
            return Some((repository, Resource::Manifest(last)));
        }
        if let Some(repository) = parent.strip_suffix("/blobs") {
            return Some((repository, Resource::Blob(last)));
        }
    }
    Some((rest, Resource::Unknown))
}

/// The repository that a path as it came belongs to.
pub(crate) fn repository_of(path: &str) -> Option<String> {
    let path = percent_decode_str(path).decode_utf8_lossy();
    let (repository, _) = parse(&path)?;
    (!repository.is_empty()).then(|| repository.to_owned())
}

/// A request as far as the registry's own answer depends on it.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    /// The fields of a form in the body.
    pub(crate) form: &'a BTreeMap<String, String>,
}

pub(crate) fn answer(store: &Store, auth: &AuthTable, listener: &Listener, request: &Request<'_>) -> Answer {
    let path = percent_decode_str(request.path).decode_utf8_lossy();
    let is_token = path == "/token" || path.starts_with("/token/");
    let reads = request.method == Method::GET || request.method == Method::HEAD;
    if !reads && !(is_token && request.method == Method::POST) {
        let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "the operation is unsupported");
        return Answer::from(refusal).with(ALLOW, "GET, HEAD");
    }
    if is_token {
        return auth.token(request);
    }
    let Some((repository, resource)) = parse(&path) else {
        return Refusal::new(StatusCode::NOT_FOUND, "UNSUPPORTED", "there is nothing here").into();
    };
    let answer = match auth.challenge(repository, request.headers, listener) {
        Some(challenge) => challenge,
        None => serve(store, repository, resource, request),
    };
    answer.with(API_VERSION, "registry/2.0")
}

fn serve(store: &Store, repository: &str, resource: Resource<'_>, request: &Request<'_>) -> Answer {
    let not_found = |code, message: &str| Refusal::new(StatusCode::NOT_FOUND, code, message).into();
    if resource == Resource::Base {
        return Answer::json(StatusCode::OK, &json!({}));
    }
    if !store.has(repository) {
        return if is_name(repository) {
            not_found("NAME_UNKNOWN", "repository name not known to registry")
        } else {
            not_found("NAME_INVALID", "invalid repository name")
        };
    }
    match resource {
        Resource::Base | Resource::Unknown => not_found("UNSUPPORTED", "there is nothing here"),
        Resource::Tags => tags(repository, &store.tags(repository).unwrap_or_default(), request.query),
        Resource::Manifest(reference) => match store.manifest(repository, reference) {
            None => not_found("MANIFEST_UNKNOWN", "manifest unknown"),
            Some((digest, manifest)) => Answer::new(StatusCode::OK, Content::Memory(manifest.text))
                .with(CONTENT_TYPE, &manifest.media_type)
                .with(ETAG, &format!("\"{digest}\""))
                .with(DOCKER_CONTENT_DIGEST, &digest),
        },
        Resource::Blob(digest) => match store.blob(repository, digest) {
            None => not_found("BLOB_UNKNOWN", "blob unknown to registry"),
            Some(content) => blob(content, digest, request.headers),
        },
    }
}

fn blob(content: Content, digest: &str, headers: &HeaderMap) -> Answer {
    let length = content.length();
    let etag = format!("\"{digest}\"");
    let same = headers.get(IF_RANGE).is_none_or(|value| value.as_bytes() == etag.as_bytes());
    let asked = headers.get(RANGE).and_then(|range| range.to_str().ok()).filter(|_| same);
    match asked.map_or(Asked::Everything, |range| parse_range(range, length)) {
        Asked::Everything => Answer::new(StatusCode::OK, content),
        Asked::Part(range) => {
            let (first, last) = (range.start, range.end - 1);
            let mut answer = Answer::new(StatusCode::PARTIAL_CONTENT, content);
            answer.range = range;
            answer.with(CONTENT_RANGE, &format!("bytes {first}-{last}/{length}"))
        }
        Asked::Nothing => {
            let message = "the range is beyond the blob";
            Answer::from(Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, "UNSUPPORTED", message))
                .with(CONTENT_RANGE, &format!("bytes */{length}"))
        }
    }
    .with_blob_headers(digest, &etag)
}

impl Answer {
    fn with_blob_headers(self, digest: &str, etag: &str) -> Self {
        let answer = match self.status {
            StatusCode::RANGE_NOT_SATISFIABLE => self,
            _ => self.with(CONTENT_TYPE, "application/octet-stream"),
        };
        answer.with(ACCEPT_RANGES, "bytes").with(ETAG, etag).with(DOCKER_CONTENT_DIGEST, digest)
    }
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

/// The listing of tags, cut by `n` and continued after `last`.
fn tags(repository: &str, tags: &[String], query: &str) -> Answer {
    let parameter = |wanted: &str| {
        let mut parameters = url::form_urlencoded::parse(query.as_bytes());
        parameters.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    let last = parameter("last");
    let rest: Vec<&String> = tags.iter().filter(|tag| last.as_ref().is_none_or(|last| *tag > last)).collect();
    let count = parameter("n").and_then(|n| n.parse().ok()).unwrap_or(rest.len()).min(rest.len());
    let page = &rest[..count];
    let answer = Answer::json(StatusCode::OK, &json!({"name": repository, "tags": page}));
    match page.last() {
        Some(last) if count < rest.len() => {
            answer.with(LINK, &format!("</v2/{repository}/tags/list?n={count}&last={last}>; rel=\"next\""))
        }
        _ => answer,
    }
}

/// Whether the specification allows the name of a repository, section "Pulling manifests".
fn is_name(name: &str) -> bool {
    name.split('/').all(|component| {
        let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        edge(component.as_bytes().first())
            && edge(component.as_bytes().last())
            && component.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
    })
}

#[cfg(test)]
mod tests {
    use super::{Asked, Resource, is_name, parse, parse_range};

    #[test]
    fn a_path_names_a_repository_and_a_resource() {
        for (path, repository, resource) in [
            ("/v2/", "", Resource::Base),
            ("/v2", "", Resource::Base),
            ("/v2/a/manifests/latest", "a", Resource::Manifest("latest")),
            ("/v2/a/b/manifests/sha256:00", "a/b", Resource::Manifest("sha256:00")),
            ("/v2/a/manifests/blobs/sha256:00", "a/manifests", Resource::Blob("sha256:00")),
            ("/v2/a/b/tags/list", "a/b", Resource::Tags),
            ("/v2/a/b/referrers/sha256:00", "a/b/referrers/sha256:00", Resource::Unknown),
        ] {
            assert_eq!(parse(path), Some((repository, resource)), "{path}");
        }
        assert_eq!(parse("/"), None);
        assert_eq!(parse("/v20/a/blobs/b"), None);
    }

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

    #[test]
    fn names_follow_the_specification() {
        for name in ["a", "library/alpine", "a-b/c_d/e.f", "0/1"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "A/B", "a//b", "-a", "a-", "a/", "a b", "ä"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
