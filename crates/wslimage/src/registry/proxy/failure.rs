//! What a proxy answers, as errors that tell it apart from the registry.

use std::error::Error as StdError;

use reqwest::Response;
use url::Url;

use super::probe::{self, ProxyAnswer};
use super::{Chosen, ChosenBy};
use crate::error::{Error, ErrorKind, printable};
use crate::registry::answer::without_query;

/// What stands in the chain of a request that a proxy did not let through. hyper-util keeps the types to itself; the
/// tests hold its words fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hindrance {
    /// No connection to the proxy itself.
    Unreachable,
    /// 407 to CONNECT.
    WantsLogin,
    /// Another status to CONNECT, or no HTTP.
    Refused,
    /// Cut between CONNECT and its answer.
    Cut,
    /// SOCKS, by its own words.
    SocksWantsLogin,
    SocksRefused,
}

/// Why the request for `url` through the proxy `chosen` got no answer, where that is the proxy's doing: `None` where the
/// failure is the registry's, or between it and the proxy. A proxy that refused is asked once more for its reasons,
/// which takes at most 10 s.
pub(in crate::registry) async fn proxy_failure(error: &reqwest::Error, chosen: &Chosen, url: &Url) -> Option<Error> {
    let failure = match hindrance(error, chosen, url)? {
        Hindrance::Unreachable if error.is_timeout() => {
            Error::new(ErrorKind::Proxy, format!("no connection to the proxy {chosen} in time"))
                .advice(check_address(chosen))
        }
        Hindrance::Unreachable => {
            Error::new(ErrorKind::Proxy, format!("no connection to the proxy {chosen}: {}", innermost(error)))
                .advice(check_address(chosen))
        }
        Hindrance::WantsLogin => match probe::ask(chosen, url).await {
            Some(answer) if answer.status == 407 => refused(&answer, chosen, url),
            _ => refused(&ProxyAnswer { status: 407, ..ProxyAnswer::default() }, chosen, url),
        },
        Hindrance::Refused => match probe::ask(chosen, url).await {
            Some(answer) if answer.status != 200 => refused(&answer, chosen, url),
            _ => {
                Error::new(ErrorKind::Proxy, format!("the proxy {chosen} opened no connection to {}", destination(url)))
            }
        },
        Hindrance::Cut => Error::new(
            ErrorKind::Proxy,
            format!("the proxy {chosen} ended the connection when asked for {}", destination(url)),
        ),
        Hindrance::SocksWantsLogin => wants_login(chosen, ""),
        Hindrance::SocksRefused => Error::new(
            ErrorKind::Proxy,
            format!("the proxy {chosen} could not reach {} ({})", destination(url), socks_words(error)),
        ),
    };
    Some(failure.target(without_query(url)))
}

/// What a proxy answered in the registry's place to a request by plain http, or `None` where the answer is the
/// registry's. Through CONNECT (https) every answer is.
pub(in crate::registry) fn answer_of_proxy(response: &Response, chosen: &Chosen, url: &Url) -> Option<Error> {
    if url.scheme() != "http" || !chosen.url().scheme().starts_with("http") {
        return None;
    }
    let headers = response.headers();
    // RFC 9209; squid says it its own way.
    let is_by_proxy = || headers.contains_key("proxy-status") || headers.contains_key("x-squid-error");
    let answer = match response.status().as_u16() {
        407 => ProxyAnswer { status: 407, schemes: probe::offered_schemes(headers), ..ProxyAnswer::default() },
        status @ (403 | 502..=504) if is_by_proxy() => ProxyAnswer { status, ..ProxyAnswer::default() },
        _ => return None,
    };
    let reason = response.status().canonical_reason().unwrap_or_default().to_owned();
    Some(refused(&ProxyAnswer { reason, ..answer }, chosen, url).target(without_query(url)))
}

fn refused(answer: &ProxyAnswer, chosen: &Chosen, url: &Url) -> Error {
    let ProxyAnswer { status, reason, schemes } = answer;
    let words = format!("{status} {reason}");
    let words = words.trim_end();
    let to = destination(url);
    let error = match status {
        407 if !schemes.is_empty() && !schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case("Basic")) => Error::new(
            ErrorKind::Proxy,
            format!("the proxy {chosen} wants a login by {} ({status}), which is not supported", schemes.join(" or ")),
        )
        .advice("Use a proxy that takes Basic or no login, such as a local one (Px, Cntlm) that signs in for you."),
        407 => wants_login(chosen, " (407)"),
        403 | 405 => Error::new(ErrorKind::Proxy, format!("the proxy {chosen} does not allow {to} ({words})"))
            .advice("Ask who runs the proxy to allow it."),
        500..=599 => Error::new(ErrorKind::Proxy, format!("the proxy {chosen} could not reach {to} ({words})")),
        _ => Error::new(ErrorKind::Proxy, format!("the proxy {chosen} opened no connection to {to} ({words})")),
    };
    error.with_http_status(*status)
}

fn wants_login(chosen: &Chosen, status: &str) -> Error {
    match chosen.credential() {
        Some(_) => {
            Error::new(ErrorKind::Proxy, format!("the proxy {chosen} does not accept the login given for it{status}"))
                .advice("Check the user and the password for the proxy.")
        }
        None => Error::new(ErrorKind::Proxy, format!("the proxy {chosen} wants a login{status}"))
            .advice("Give it with -Proxy and -ProxyCredential, or in HTTPS_PROXY as http://user:password@host:port."),
    }
}

fn hindrance(error: &reqwest::Error, chosen: &Chosen, url: &Url) -> Option<Hindrance> {
    if !error.is_connect() {
        return None;
    }
    let words = chain(error).find_map(|error| {
        let text = error.to_string();
        ["tunnel error: ", "SOCKS error: "].iter().find_map(|start| text.strip_prefix(start).map(str::to_owned))
    });
    let is_socks = chosen.url().scheme().starts_with("socks");
    match words.as_deref() {
        Some("failed to create underlying connection") => Some(Hindrance::Unreachable),
        Some("proxy authorization required") => Some(Hindrance::WantsLogin),
        Some("unexpected end of file" | "io error establishing tunnel") => Some(Hindrance::Cut),
        // A proxy that wants a login refuses when it is offered none.
        Some("credentials not accepted" | "server does not support user/pass authentication") if is_socks => {
            Some(Hindrance::SocksWantsLogin)
        }
        Some(_) if is_socks => Some(Hindrance::SocksRefused),
        Some(_) => Some(Hindrance::Refused),
        // Plain http goes to no other server than the proxy.
        None if !is_socks && url.scheme() == "http" => Some(Hindrance::Unreachable),
        None => None,
    }
}

fn socks_words(error: &(dyn StdError + 'static)) -> String {
    let text = chain(error).map(ToString::to_string).find(|text| text.starts_with("SOCKS error: "));
    printable(text.as_deref().and_then(|text| text.strip_prefix("SOCKS error: ")).unwrap_or("no reason given"))
}

fn check_address(chosen: &Chosen) -> String {
    match chosen.chosen_by {
        ChosenBy::Caller => "Check the address of the proxy.".to_owned(),
        ChosenBy::Variable(name) => format!("Check the address in the environment variable {name}."),
        #[cfg(any(windows, test))]
        ChosenBy::Windows => "Check the proxy in Windows' settings (Network & Internet, Proxy).".to_owned(),
    }
}

/// Host and port, as the proxy was asked for it.
fn destination(url: &Url) -> String {
    match (url.host_str(), url.port_or_known_default()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    }
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn innermost(error: &(dyn StdError + 'static)) -> String {
    chain(error).last().unwrap_or(error).to_string()
}
