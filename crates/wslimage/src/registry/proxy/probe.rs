//! What a proxy says to CONNECT: reqwest tells that it refused, but neither the status nor the ways to sign in.

use std::time::Duration;

use http_auth::basic::encode_credentials;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use super::Chosen;
use crate::error::printable;

/// It answered a moment ago.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
const LONGEST_HEAD: u64 = 16 * 1024;
const MOST_HEADERS: usize = 100;

/// How a proxy answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ProxyAnswer {
    pub(super) status: u16,
    /// The status's own words.
    pub(super) reason: String,
    /// The ways to sign in that it offers, as it writes them.
    pub(super) schemes: Vec<String>,
}

/// Sends CONNECT for `url` once more. `None` where the proxy cannot be asked so, or does not answer by HTTP.
pub(super) async fn ask(chosen: &Chosen, url: &Url) -> Option<ProxyAnswer> {
    tokio::time::timeout(LONGEST_WAIT, connect(chosen, url)).await.ok()?
}

async fn connect(chosen: &Chosen, url: &Url) -> Option<ProxyAnswer> {
    if chosen.url().scheme() != "http" {
        return None;
    }
    let host = chosen.url().host_str()?.trim_start_matches('[').trim_end_matches(']');
    let mut connection = TcpStream::connect((host, chosen.url().port_or_known_default()?)).await.ok()?;
    let request = connect_request(chosen, url)?;
    connection.write_all(request.expose_secret().as_bytes()).await.ok()?;
    let mut head = Vec::new();
    let mut limited = connection.take(LONGEST_HEAD);
    loop {
        if limited.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
        if let Some(answer) = parse(&head)? {
            return Some(answer);
        }
    }
}

fn connect_request(chosen: &Chosen, url: &Url) -> Option<SecretString> {
    let target = format!("{}:{}", url.host_str()?, url.port_or_known_default()?);
    let authorization = match chosen.credential() {
        Some(credential) => format!(
            "Proxy-Authorization: {}\r\n",
            encode_credentials(&credential.username, credential.password.expose_secret())
        ),
        None => String::new(),
    };
    Some(SecretString::from(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n")))
}

/// `Some(None)` where more must be read, `None` where it is not HTTP.
fn parse(head: &[u8]) -> Option<Option<ProxyAnswer>> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    if response.parse(head).ok()?.is_partial() {
        return Some(None);
    }
    let mut map = HeaderMap::new();
    for header in response.headers.iter() {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(header.name.as_bytes()), HeaderValue::from_bytes(header.value))
        {
            map.append(name, value);
        }
    }
    Some(Some(ProxyAnswer {
        status: response.code?,
        reason: printable(response.reason.unwrap_or_default()),
        schemes: offered_schemes(&map),
    }))
}

/// The schemes of `Proxy-Authenticate` (RFC 9110 section 11.7.1).
pub(super) fn offered_schemes(headers: &HeaderMap) -> Vec<String> {
    let mut schemes: Vec<String> = Vec::new();
    for header in headers.get_all(PROXY_AUTHENTICATE) {
        let Ok(text) = header.to_str() else { continue };
        let parsed: Vec<_> = http_auth::ChallengeParser::new(text).map_while(Result::ok).collect();
        let found: Vec<&str> = if parsed.is_empty() {
            // `Negotiate` with a token, which is no list of parameters.
            text.split([' ', ',']).take(1).collect()
        } else {
            parsed.iter().map(|challenge| challenge.scheme).collect()
        };
        for scheme in found.into_iter().filter(|scheme| !scheme.is_empty()) {
            if !schemes.iter().any(|known| known.eq_ignore_ascii_case(scheme)) {
                schemes.push(printable(scheme));
            }
        }
    }
    schemes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(status: u16, reason: &str, schemes: &[&str]) -> Option<Option<ProxyAnswer>> {
        let schemes = schemes.iter().map(|&scheme| scheme.to_owned()).collect();
        Some(Some(ProxyAnswer { status, reason: reason.to_owned(), schemes }))
    }

    #[test]
    fn status_and_schemes_are_read_from_the_head() {
        for (head, expected) in [
            ("", Some(None)),
            ("HTTP/1.1 407 Proxy", Some(None)),
            ("HTTP/1.1 502 Bad Gateway\r\nVia: x\r\n", Some(None)),
            ("HTTP/1.1 502 Bad Gateway\r\n\r\n<html>", answer(502, "Bad Gateway", &[])),
            ("HTTP/1.0 403 \r\n\r\n", answer(403, "", &[])),
            ("SSH-2.0-OpenSSH\r\n\r\n", None),
            ("HTTP/1.1 407 A\u{1b}B\r\nProxy-Authenticate: Negotiate\r\nproxy-authenticate: NTLM\r\n\r\n", None),
            (
                "HTTP/1.1 407 Auth\r\nProxy-Authenticate: Negotiate\r\nproxy-authenticate: NTLM\r\n\r\n",
                answer(407, "Auth", &["Negotiate", "NTLM"]),
            ),
            (
                "HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic realm=\"a, b\", Digest realm=\"x\"\r\n\r\n",
                answer(407, "Auth", &["Basic", "Digest"]),
            ),
            (
                "HTTP/1.1 407 Auth\r\nProxy-Authenticate: Negotiate TlRMTVNTUAAC==\r\nProxy-Authenticate: basic\r\n\r\n",
                answer(407, "Auth", &["Negotiate", "basic"]),
            ),
        ] {
            assert_eq!(parse(head.as_bytes()), expected, "{head:?}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_parser_panic(tail in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut head = b"HTTP/1.1 407 Auth\r\nProxy-Authenticate: ".to_vec();
            head.extend(&tail);
            let _ = parse(&head);
            head.extend(b"\r\n\r\n");
            let _ = parse(&head);
            let _ = parse(&tail);
        }
    }
}
