//! What the registry answers when it behaves: the pull endpoints of the
//! [OCI distribution specification](https://github.com/opencontainers/distribution-spec/blob/main/spec.md).

use std::collections::BTreeMap;
use std::ops::Range;

use http::header::{ALLOW, CONTENT_TYPE, ETAG, HeaderName, LINK};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::auth::host;
use crate::blob::{self, RangeRules};
use crate::cdn;
use crate::content::Content;
use crate::listener::Listener;
use crate::registry::State;

pub(crate) const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
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

    pub(crate) fn with(mut self, name: HeaderName, value: &str) -> Self {
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
    if let Some(repository) = cdn::repository_of(&path) {
        return Some(repository.to_owned());
    }
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
    pub(crate) range_rules: &'a RangeRules,
}

pub(crate) fn answer(state: &State, listener: &Listener, request: &Request<'_>) -> Answer {
    let path = percent_decode_str(request.path).decode_utf8_lossy();
    let is_token = path == "/token" || path.starts_with("/token/");
    let is_known = match *request.method {
        Method::GET | Method::HEAD => true,
        Method::POST => is_token,
        _ => false,
    };
    if !is_known {
        let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "the operation is unsupported");
        return Answer::from(refusal).with(ALLOW, "GET, HEAD");
    }
    if cdn::is_signed(&path) {
        return state.signed_urls.answer(&path, request);
    }
    if listener.is_cdn() {
        return cdn::denied("AccessDenied", "Access Denied");
    }
    if is_token {
        return state.auth.token(request);
    }
    let Some((repository, resource)) = parse(&path) else {
        return Refusal::new(StatusCode::NOT_FOUND, "UNSUPPORTED", "there is nothing here").into();
    };
    let answer = match state.auth.challenge(repository, request.headers, listener) {
        Some(challenge) => challenge,
        None => serve(state, listener, repository, resource, request),
    };
    answer.with(API_VERSION, "registry/2.0")
}

fn serve(
    state: &State,
    listener: &Listener,
    repository: &str,
    resource: Resource<'_>,
    request: &Request<'_>,
) -> Answer {
    let store = &state.store;
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
    let options = state.options.of(repository);
    match resource {
        Resource::Base | Resource::Unknown => not_found("UNSUPPORTED", "there is nothing here"),
        Resource::Tags => {
            let origin = match options.tags_link_absolute {
                true => format!("{}://{}", listener.scheme(), host(request.headers, listener)),
                false => String::new(),
            };
            let tags = store.tags(repository).unwrap_or_default();
            tag_page(repository, &tags, request.query, options.tags_page_size, &origin)
        }
        Resource::Manifest(reference) => match store.manifest(repository, reference) {
            None => not_found("MANIFEST_UNKNOWN", "manifest unknown"),
            Some((digest, manifest)) => Answer::new(StatusCode::OK, Content::Memory(manifest.text))
                .with(CONTENT_TYPE, &manifest.media_type)
                .with(ETAG, &format!("\"{digest}\""))
                .with(DOCKER_CONTENT_DIGEST, &digest),
        },
        Resource::Blob(digest) => match store.blob(repository, digest) {
            None => not_found("BLOB_UNKNOWN", "blob unknown to registry"),
            Some(content) => match &options.redirect_blobs {
                Some(rules) if request.method == Method::GET => {
                    let origin = |target| state.cdn.origin(target, request.headers, listener);
                    state.signed_urls.redirect(repository, digest, content, rules, origin)
                }
                _ => blob::answer(content, digest, request),
            },
        },
    }
}

/// The tags after `last`, at most `n` and at most as many as a page has, and the link to those that follow.
fn tag_page(repository: &str, tags: &[String], query: &str, page_size: Option<usize>, origin: &str) -> Answer {
    let parameter = |wanted: &str| {
        let mut parameters = url::form_urlencoded::parse(query.as_bytes());
        parameters.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    let last = parameter("last");
    let rest: Vec<&String> = tags.iter().filter(|tag| last.as_ref().is_none_or(|last| *tag > last)).collect();
    let wanted = parameter("n").and_then(|n| n.parse().ok()).unwrap_or(rest.len());
    let count = wanted.min(page_size.unwrap_or(usize::MAX)).min(rest.len());
    let page = &rest[..count];
    let answer = Answer::json(StatusCode::OK, &json!({"name": repository, "tags": page}));
    match page.last() {
        Some(last) if count < rest.len() => {
            let next = format!("{origin}/v2/{repository}/tags/list?n={count}&last={last}");
            answer.with(LINK, &format!("<{next}>; rel=\"next\""))
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
    use super::{Resource, is_name, parse};

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
    fn names_follow_the_specification() {
        for name in ["a", "library/alpine", "a-b/c_d/e.f", "0/1"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "A/B", "a//b", "-a", "a-", "a/", "a b", "ä"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
