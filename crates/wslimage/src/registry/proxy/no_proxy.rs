//! Which addresses are reached without the proxy that the environment names.

use std::net::IpAddr;

use ipnet::IpNet;
use url::{Host, Url};

/// Where a request goes, as rules see it.
pub(super) struct Target {
    /// In lower case, without a final dot and without brackets.
    pub(super) host: String,
    pub(super) address: Option<IpAddr>,
    port: Option<u16>,
}

impl Target {
    /// `None` for an address without a host.
    pub(super) fn of(url: &Url) -> Option<Self> {
        let port = url.port_or_known_default();
        let (host, address) = match url.host()? {
            Host::Domain(name) => (name.trim_end_matches('.').to_ascii_lowercase(), None),
            Host::Ipv4(address) => (address.to_string(), Some(IpAddr::V4(address))),
            Host::Ipv6(address) => (address.to_string(), Some(IpAddr::V6(address).to_canonical())),
        };
        Some(Self { host, address, port })
    }

    /// `localhost`, 127.0.0.0/8 or ::1.
    pub(super) fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.address.is_some_and(|address| address.is_loopback())
    }

    pub(super) fn has_port(&self, port: Option<u16>) -> bool {
        port.is_none() || port == self.port
    }
}

/// `NO_PROXY`, read as docker and podman do (golang.org/x/net/http/httpproxy): a name stands for itself and all below
/// it, `.name` and `*.name` for those below it only, `*` for everything; addresses and networks in CIDR form; each with
/// a port if only that port is meant. What is none of these matches nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct NoProxy {
    rules: Vec<NoProxyRule>,
}

#[derive(Clone, Debug)]
enum NoProxyRule {
    Everything,
    Network(IpNet),
    Address(IpAddr, Option<u16>),
    Name { name: String, itself: bool, port: Option<u16> },
}

impl NoProxy {
    pub(super) fn parse(list: &str) -> Self {
        let entries = list.split([',', ' ', '\t']).filter(|entry| !entry.is_empty());
        Self { rules: entries.filter_map(NoProxyRule::parse).collect() }
    }

    pub(super) fn contains(&self, target: &Target) -> bool {
        self.rules.iter().any(|rule| rule.contains(target))
    }
}

impl NoProxyRule {
    fn parse(entry: &str) -> Option<Self> {
        if entry == "*" {
            return Some(Self::Everything);
        }
        if let Ok(network) = entry.parse() {
            return Some(Self::Network(network));
        }
        let (host, port) = host_and_port(entry)?;
        if let Ok(address) = host.parse::<IpAddr>() {
            return Some(Self::Address(address.to_canonical(), port));
        }
        let lower = host.to_ascii_lowercase();
        let name = lower.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(&lower);
        let (name, itself) = match name.strip_prefix('.') {
            Some(name) => (name, false),
            None => (name, true),
        };
        let name = name.trim_end_matches('.');
        (!name.is_empty()).then(|| Self::Name { name: name.to_owned(), itself, port })
    }

    fn contains(&self, target: &Target) -> bool {
        match self {
            Self::Everything => true,
            Self::Network(network) => target.address.is_some_and(|address| network.contains(&address)),
            Self::Address(address, port) => target.address == Some(*address) && target.has_port(*port),
            Self::Name { name, itself, port } => {
                let above = target.host.strip_suffix(name.as_str());
                above.is_some_and(|above| if above.is_empty() { *itself } else { above.ends_with('.') })
                    && target.has_port(*port)
            }
        }
    }
}

/// A host and its port, without the brackets of IPv6. `None` where the port is no number.
pub(super) fn host_and_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':')?)),
        None => match text.split_once(':') {
            // More than one colon: an IPv6 address.
            Some((_, port)) if port.contains(':') => (text, None),
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    match port {
        None | Some("") => Some((host, None)),
        Some(port) => Some((host, Some(port.parse().ok()?))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn target(url: &str) -> Target {
        Target::of(&url.parse().expect(url)).expect(url)
    }

    #[test]
    fn no_proxy_names_what_is_reached_directly() {
        for (list, url, is_direct) in [
            ("", "https://ghcr.io/", false),
            ("*", "https://ghcr.io/", true),
            ("a.example, *", "https://ghcr.io/", true),
            ("ghcr.io", "https://ghcr.io/", true),
            ("GHCR.io", "https://ghcr.IO/", true),
            ("ghcr.io", "https://pkg.ghcr.io/", true),
            ("ghcr.io", "https://notghcr.io/", false),
            ("ghcr.io", "https://ghcr.io.example/", false),
            ("ghcr.io.", "https://ghcr.io/", true),
            ("ghcr.io", "https://ghcr.io./", true),
            (".example.com", "https://a.example.com/", true),
            (".example.com", "https://a.b.example.com/", true),
            (".example.com", "https://example.com/", false),
            ("*.example.com", "https://a.example.com/", true),
            ("*.example.com", "https://example.com/", false),
            ("a*b.example.com", "https://acb.example.com/", false),
            ("a.example,b.example", "https://b.example/", true),
            ("a.example b.example", "https://b.example/", true),
            ("a.example , ,b.example", "https://b.example/", true),
            ("ghcr.io:443", "https://ghcr.io/", true),
            ("ghcr.io:443", "http://ghcr.io/", false),
            ("ghcr.io:80", "http://ghcr.io/", true),
            ("ghcr.io:8443", "https://ghcr.io/", false),
            ("ghcr.io:8443", "https://ghcr.io:8443/", true),
            ("ghcr.io:https", "https://ghcr.io/", false),
            ("10.1.2.3", "https://10.1.2.3/", true),
            ("10.1.2.3", "https://10.1.2.4/", false),
            ("10.1.2.3:5000", "http://10.1.2.3:5000/", true),
            ("10.1.2.3:5000", "http://10.1.2.3:5001/", false),
            ("10.0.0.0/8", "https://10.9.9.9/", true),
            ("10.1.2.3/8", "https://10.9.9.9/", true),
            ("10.0.0.0/8", "https://11.0.0.1/", false),
            ("10.0.0.0/99", "https://10.0.0.1/", false),
            ("10.0.0.0/8", "https://10.example/", false),
            ("fd00::/8", "https://[fd12::1]/", true),
            ("fd12::1", "https://[fd12::1]/", true),
            ("[fd12::1]", "https://[fd12::1]/", true),
            ("[fd12::1]:443", "https://[fd12::1]/", true),
            ("[fd12::1]:444", "https://[fd12::1]/", false),
            ("10.0.0.0/8", "https://[::ffff:10.0.0.1]/", true),
            (",:,.,*.,[,[]:,:80", "https://ghcr.io/", false),
        ] {
            assert_eq!(NoProxy::parse(list).contains(&target(url)), is_direct, "{list:?} for {url}");
        }
    }

    proptest! {
        #[test]
        fn no_list_makes_the_parser_panic(list in "\\PC{0,60}") {
            let target = target("https://ghcr.io:8443/");
            let _ = NoProxy::parse(&list).contains(&target);
        }

        #[test]
        fn a_name_in_the_list_is_reached_directly(host in "[a-z]{1,8}(\\.[a-z]{1,8}){0,3}", port in 1u16..) {
            let url = format!("https://{host}:{port}/");
            for list in [host.clone(), format!("{host}:{port}"), format!("x.invalid,{host}")] {
                prop_assert!(NoProxy::parse(&list).contains(&target(&url)), "{}", list);
            }
        }
    }
}
