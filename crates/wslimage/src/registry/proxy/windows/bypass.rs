//! Which addresses are reached without the proxy of Windows' settings.

use crate::registry::proxy::no_proxy::{Target, host_and_port};

/// The exceptions of Windows' proxy settings: names with `*` anywhere, separated by `;` or spaces, `<local>` for names
/// without a dot, and `<-loopback>` where this machine too is reached through the proxy
/// (learn.microsoft.com, WINHTTP_PROXY_INFO and "Proxy Server Bypass List"; chromium's `net::ProxyBypassRules`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct WindowsBypass {
    local: bool,
    loopback_is_proxied: bool,
    patterns: Vec<WindowsPattern>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct WindowsPattern {
    scheme: Option<String>,
    host: String,
    port: Option<u16>,
}

impl WindowsBypass {
    pub(super) fn parse(list: &str) -> Self {
        let mut bypass = Self::default();
        for entry in list.split([';', ',', ' ', '\t', '\r', '\n']).filter(|entry| !entry.is_empty()) {
            let lower = entry.to_ascii_lowercase();
            match lower.as_str() {
                "<local>" => bypass.local = true,
                "<-loopback>" => bypass.loopback_is_proxied = true,
                entry => bypass.patterns.extend(WindowsPattern::parse(entry)),
            }
        }
        bypass
    }

    pub(super) fn contains(&self, scheme: &str, target: &Target) -> bool {
        (target.is_loopback() && !self.loopback_is_proxied)
            || (self.local && target.address.is_none() && !target.host.contains('.'))
            || self.patterns.iter().any(|pattern| pattern.contains(scheme, target))
    }
}

impl WindowsPattern {
    fn parse(entry: &str) -> Option<Self> {
        let (scheme, rest) = match entry.split_once("://") {
            Some((scheme, rest)) => (Some(scheme.to_owned()), rest),
            None => (None, entry),
        };
        let (host, port) = host_and_port(rest)?;
        (!host.is_empty()).then(|| Self { scheme, host: host.to_owned(), port })
    }

    fn contains(&self, scheme: &str, target: &Target) -> bool {
        self.scheme.as_deref().is_none_or(|wanted| wanted == scheme)
            && target.has_port(self.port)
            && fits(self.host.as_bytes(), target.host.as_bytes())
    }
}

/// Whether `text` is of the form of `pattern`, in which `*` stands for any characters, also none.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            last_star = Some((p, t));
            p += 1;
        } else if pattern.get(p) == text.get(t) {
            p += 1;
            t += 1;
        } else if let Some((star, from)) = last_star {
            // The last star takes one character more.
            last_star = Some((star, from + 1));
            p = star + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn target(url: &str) -> Target {
        Target::of(&url.parse().expect(url)).expect(url)
    }

    #[test]
    fn the_exceptions_of_windows_are_patterns() {
        for (list, url, is_direct) in [
            ("", "https://ghcr.io/", false),
            ("", "https://localhost:5000/", true),
            ("", "https://127.0.0.1:5000/", true),
            ("<-loopback>", "https://127.0.0.1:5000/", false),
            ("<local>", "https://intranet/", true),
            ("<local>", "https://intranet.example/", false),
            ("<local>", "https://[fd12::1]/", false),
            ("<LOCAL>;*.example.com", "https://a.example.com/", true),
            ("*.example.com", "https://example.com/", false),
            ("*example.com", "https://example.com/", true),
            ("example.com", "https://a.example.com/", false),
            ("192.168.*", "https://192.168.7.9/", true),
            ("192.168.*", "https://192.169.7.9/", false),
            ("a.example b.example;c.example", "https://b.example/", true),
            ("a.example b.example;c.example", "https://c.example/", true),
            ("https://a.example", "https://a.example/", true),
            ("http://a.example", "https://a.example/", false),
            ("a.example:8443", "https://a.example:8443/", true),
            ("a.example:8443", "https://a.example/", false),
            ("*", "https://ghcr.io/", true),
            ("*a*b*c", "https://xaybzc/", true),
            ("*a*b*c", "https://xaybz/", false),
        ] {
            let url_scheme = url.split(':').next().expect(url);
            assert_eq!(WindowsBypass::parse(list).contains(url_scheme, &target(url)), is_direct, "{list:?} for {url}");
        }
    }

    proptest! {
        #[test]
        fn no_list_makes_the_parser_panic(list in "\\PC{0,60}") {
            let _ = WindowsBypass::parse(&list).contains("https", &target("https://ghcr.io:8443/"));
        }

        #[test]
        fn a_name_in_the_list_is_reached_directly(host in "[a-z]{1,8}(\\.[a-z]{1,8}){0,3}", port in 1u16..) {
            let target = target(&format!("https://{host}:{port}/"));
            for list in [host.clone(), format!("{host}:{port}"), format!("x.invalid;*{host}")] {
                prop_assert!(WindowsBypass::parse(&list).contains("https", &target), "{}", list);
            }
        }
    }
}
