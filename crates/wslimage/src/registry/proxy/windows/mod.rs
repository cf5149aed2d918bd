//! What Windows' proxy settings say.
//!
//! The form of the lists is that of `WINHTTP_PROXY_INFO` (learn.microsoft.com):
//! `([<scheme>=][<scheme>"://"]<server>[":"<port>])`, separated by semicolons or white space. Scripts are run by WinHTTP,
//! which gives the same form; the words of scripts themselves (`PROXY`, `DIRECT`) are read too.

mod bypass;

use url::Url;

use self::bypass::WindowsBypass;
use super::address::ProxyAddress;
use super::no_proxy::Target;
use super::{Chosen, ChosenBy};

/// Proxies as Windows lists them, each for the requests of one scheme or for all.
#[derive(Clone, Debug, Default)]
pub(super) struct ProxyList {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    requests: Requests,
    /// `None`: without a proxy.
    proxy: Option<ProxyAddress>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requests {
    All,
    Scheme(String),
    /// Those for which nothing else is listed (`socks=`).
    Others,
}

impl ProxyList {
    /// Reads a list; the error is a reason that shows nothing of it.
    pub(super) fn parse(list: &str) -> Result<Self, &'static str> {
        let mut entries = Vec::new();
        let mut announced = None;
        for word in list.split([';', ',', ' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()) {
            match word.to_ascii_uppercase().as_str() {
                "DIRECT" => entries.push(Entry { requests: Requests::All, proxy: None }),
                "PROXY" | "HTTP" => announced = Some("http"),
                "HTTPS" => announced = Some("https"),
                "SOCKS" | "SOCKS4" => announced = Some("socks4"),
                "SOCKS5" => announced = Some("socks5"),
                _ => entries.push(Entry::parse(word, announced.take().unwrap_or("http"))?),
            }
        }
        Ok(Self { entries })
    }

    /// The proxy for requests by `scheme`, the first one listed.
    pub(super) fn proxy_for(&self, scheme: &str) -> Option<&ProxyAddress> {
        let of = |requests: &Requests| self.entries.iter().find(|entry| entry.requests == *requests);
        of(&Requests::Scheme(scheme.to_owned()))
            .or_else(|| of(&Requests::All))
            .or_else(|| of(&Requests::Others))?
            .proxy
            .as_ref()
    }
}

impl Entry {
    fn parse(word: &str, default_scheme: &str) -> Result<Self, &'static str> {
        let (requests, server) = match word.split_once('=') {
            Some((key, server)) => (
                match key.to_ascii_lowercase().as_str() {
                    "socks" => Requests::Others,
                    key => Requests::Scheme(key.to_owned()),
                },
                server,
            ),
            None => (Requests::All, word),
        };
        // Windows' own SOCKS is version 4.
        let scheme = if requests == Requests::Others { "socks4" } else { default_scheme };
        let server = if server.contains("://") { server.to_owned() } else { format!("{scheme}://{server}") };
        Ok(Self { requests, proxy: Some(ProxyAddress::parse(&server)?) })
    }
}

/// The proxy for `url`: none for what the exceptions name.
fn choose_from(proxies: &ProxyList, exceptions: &WindowsBypass, url: &Url) -> Option<Chosen> {
    if exceptions.contains(url.scheme(), &Target::of(url)?) {
        return None;
    }
    let address = proxies.proxy_for(url.scheme())?.clone();
    Some(Chosen { address, chosen_by: ChosenBy::Windows })
}

#[cfg(windows)]
pub(super) use self::system::SystemSettings;

#[cfg(windows)]
mod system {
    use std::collections::HashMap;
    use std::sync::{Mutex, PoisonError};

    use url::Url;
    use wslimage_winhttp::{ScriptAnswer, ScriptRunner, UserSettings};

    use super::super::unusable;
    use super::{Chosen, ProxyList, Target, WindowsBypass, choose_from};
    use crate::error::Result;

    /// The settings of the user whose session this is.
    #[derive(Debug)]
    pub(in super::super) struct SystemSettings {
        user: UserSettings,
        proxies: ProxyList,
        exceptions: WindowsBypass,
        script_runner: Option<ScriptRunner>,
        /// What the script said for an origin.
        known: Mutex<HashMap<String, Option<Chosen>>>,
    }

    impl SystemSettings {
        pub(in super::super) fn of_current_user() -> Result<Self> {
            // An account without settings, such as a service's, has no proxy.
            let user = UserSettings::of_current_user().unwrap_or_default();
            let proxies = ProxyList::parse(user.proxies.as_deref().unwrap_or_default())
                .map_err(|reason| unusable("The proxy of Windows' settings", reason))?;
            let exceptions = WindowsBypass::parse(user.exceptions.as_deref().unwrap_or_default());
            let script_runner = if user.has_script() { ScriptRunner::new().ok() } else { None };
            Ok(Self { user, proxies, exceptions, script_runner, known: Mutex::default() })
        }

        pub(in super::super) fn choose(&self, url: &Url) -> Option<Chosen> {
            let Some(script_runner) = &self.script_runner else {
                return choose_from(&self.proxies, &self.exceptions, url);
            };
            if Target::of(url)?.is_loopback() {
                return None;
            }
            let origin = format!("{}/", url.origin().ascii_serialization());
            if let Some(known) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&origin) {
                return known.clone();
            }
            // Without the lock: a script may take seconds, and another host must not wait for it.
            let chosen = self.ask(script_runner, &origin, url);
            self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(origin, chosen.clone());
            chosen
        }

        /// The script's word; where there is none, what is set by hand.
        fn ask(&self, script_runner: &ScriptRunner, origin: &str, url: &Url) -> Option<Chosen> {
            match script_runner.run(&self.user, origin) {
                Ok(ScriptAnswer::Direct) => None,
                Ok(ScriptAnswer::Proxies { proxies, exceptions }) => {
                    let exceptions = WindowsBypass::parse(exceptions.as_deref().unwrap_or_default());
                    choose_from(&ProxyList::parse(&proxies).ok()?, &exceptions, url)
                }
                Err(_) => choose_from(&self.proxies, &self.exceptions, url),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_lists_of_windows_name_a_proxy_for_each_scheme() {
        for (list, for_http, for_https) in [
            ("", None, None),
            ("proxy:8080", Some("http://proxy:8080/"), Some("http://proxy:8080/")),
            ("http://proxy:8080", Some("http://proxy:8080/"), Some("http://proxy:8080/")),
            ("first:80;second:80", Some("http://first/"), Some("http://first/")),
            ("first:8080 second:8080", Some("http://first:8080/"), Some("http://first:8080/")),
            ("http=proxy:8080;https=proxy2:8080", Some("http://proxy:8080/"), Some("http://proxy2:8080/")),
            ("HTTPS=proxy:8080", None, Some("http://proxy:8080/")),
            ("https=https://proxy:8443", None, Some("https://proxy:8443/")),
            ("ftp=proxy:8080", None, None),
            ("http=a:1;b:2", Some("http://a:1/"), Some("http://b:2/")),
            ("socks=proxy:1080", Some("socks4://proxy:1080"), Some("socks4://proxy:1080")),
            ("socks=socks5://proxy", Some("socks5://proxy:1080"), Some("socks5://proxy:1080")),
            ("http=a:1;socks=b:2", Some("http://a:1/"), Some("socks4://b:2")),
            ("PROXY proxy:8080; DIRECT", Some("http://proxy:8080/"), Some("http://proxy:8080/")),
            ("SOCKS5 proxy:1080", Some("socks5://proxy:1080"), Some("socks5://proxy:1080")),
            ("DIRECT; PROXY proxy:8080", None, None),
        ] {
            let proxies = ProxyList::parse(list).expect(list);
            let found = |scheme| proxies.proxy_for(scheme).map(|address| address.url.as_str());
            assert_eq!((found("http"), found("https")), (for_http, for_https), "{list:?}");
        }
        for list in ["http=", "proxy:99999", "ftp://proxy"] {
            assert!(ProxyList::parse(list).is_err(), "{list}");
        }
    }

    #[test]
    fn what_the_exceptions_name_is_reached_directly() {
        let proxies = ProxyList::parse("proxy:8080").expect("a list");
        let exceptions = WindowsBypass::parse("*.example.com;<local>");
        for (url, is_proxied) in [
            ("https://ghcr.io/", true),
            ("https://registry.example.com/", false),
            ("https://intranet/", false),
            ("http://localhost:5000/", false),
        ] {
            let url = url.parse().expect(url);
            let chosen = choose_from(&proxies, &exceptions, &url).map(|chosen| chosen.to_string());
            assert_eq!(chosen.as_deref(), is_proxied.then_some("proxy:8080 (Windows' settings)"), "{url}");
        }
    }

    proptest! {
        #[test]
        fn no_list_makes_the_parser_panic(list in "\\PC{0,60}") {
            if let Ok(proxies) = ProxyList::parse(&list) {
                let _ = proxies.proxy_for("https");
            }
        }
    }
}
