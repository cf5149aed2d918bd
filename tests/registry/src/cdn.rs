//! Blobs under signed URLs, as registries have them at a content delivery network.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;

use crate::auth::host;
use crate::blob;
use crate::content::Content;
use crate::distribution::{Answer, DOCKER_CONTENT_DIGEST, Refusal, Request};
use crate::listener::Listener;
use crate::options::{RedirectBlobs, RedirectTarget};
use crate::token::random_hex;

const FOLDER: &str = "/cdn/";
/// What the URL says of its validity; only its uses end it.
const VALIDITY: Duration = Duration::from_secs(900);

/// The ports of the CDN's listeners.
#[derive(Clone, Copy)]
pub(crate) struct CdnPorts {
    pub(crate) http: u16,
    pub(crate) https: u16,
}

impl CdnPorts {
    /// Another host than the registry's `127.0.0.1`.
    pub(crate) fn http_address(self) -> String {
        format!("localhost:{}", self.http)
    }

    /// Another host than the registry's `localhost`.
    pub(crate) fn https_address(self) -> String {
        format!("127.0.0.1:{}", self.https)
    }

    pub(crate) fn origin(self, target: RedirectTarget, headers: &HeaderMap, listener: &Listener) -> String {
        match target {
            RedirectTarget::Cdn => format!("https://{}", self.https_address()),
            RedirectTarget::CdnHttp => format!("http://{}", self.http_address()),
            RedirectTarget::SameHostOtherPort => {
                let asked = host(headers, listener);
                let name = asked.rsplit_once(':').map_or(asked, |(name, _)| name);
                let port = if listener.scheme() == "https" { self.https } else { self.http };
                format!("{}://{name}:{port}", listener.scheme())
            }
        }
    }
}

/// All signed URLs, by path.
#[derive(Default)]
pub(crate) struct SignedUrls {
    of_path: Mutex<HashMap<String, SignedUrl>>,
}

struct SignedUrl {
    signature: String,
    digest: String,
    content: Content,
    uses_left: Option<u64>,
}

/// The repository of a signed path.
pub(crate) fn repository_of(path: &str) -> Option<&str> {
    let (rest, _digest) = path.strip_prefix(FOLDER)?.rsplit_once('/')?;
    Some(rest.rsplit_once('/')?.0)
}

pub(crate) fn is_signed(path: &str) -> bool {
    path.starts_with(FOLDER)
}

impl SignedUrls {
    /// A redirect to a new URL of the blob.
    pub(crate) fn redirect(
        &self,
        repository: &str,
        digest: &str,
        content: Content,
        rules: &RedirectBlobs,
        origin: impl FnOnce(RedirectTarget) -> String,
    ) -> Answer {
        let (Ok(number), Ok(signature)) = (random_hex(), random_hex()) else {
            let message = "the system has no random bytes";
            return Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", message).into();
        };
        let path = format!("{FOLDER}{repository}/{number}/{digest}");
        let expires = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + VALIDITY;
        let origin = if rules.relative { String::new() } else { origin(rules.to) };
        let location = format!("{origin}{path}?signature={signature}&expires={}", expires.as_secs());
        let url = SignedUrl { signature, digest: digest.to_owned(), content, uses_left: rules.expires_after_uses };
        self.of_path.lock().insert(path, url);
        let text = format!("<a href=\"{}\">Redirect</a>.\n", location.replace('&', "&amp;"));
        Answer::new(rules.status(), Content::Memory(text.into()))
            .with(CONTENT_TYPE, "text/html; charset=utf-8")
            .with(LOCATION, &location)
    }

    /// What is at a signed path, which is decoded.
    pub(crate) fn answer(&self, path: &str, request: &Request<'_>) -> Answer {
        let signature = url::form_urlencoded::parse(request.query.as_bytes()).find(|(name, _)| name == "signature");
        let mut of_path = self.of_path.lock();
        let url = match of_path.get_mut(path) {
            Some(url) if signature.is_some_and(|(_, given)| given == url.signature) => url,
            _ => return denied("SignatureDoesNotMatch", "The request signature we calculated does not match"),
        };
        match &mut url.uses_left {
            None => {}
            Some(0) => return denied("AccessDenied", "Request has expired"),
            Some(left) => *left -= 1,
        }
        let mut answer = blob::answer(url.content.clone(), &url.digest, request);
        answer.headers.remove(DOCKER_CONTENT_DIGEST);
        answer
    }
}

/// An error [as S3 writes it](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
pub(crate) fn denied(code: &str, message: &str) -> Answer {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    Answer::new(StatusCode::FORBIDDEN, Content::Memory(text.into())).with(CONTENT_TYPE, "application/xml")
}
