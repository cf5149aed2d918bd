//! The address of a proxy as users write it.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::registry::options::Credential;

/// The port of SOCKS (RFC 1928 section 3); `url` knows none for it.
const SOCKS_PORT: u16 = 1080;

/// Where a proxy is and who signs in there.
#[derive(Clone, Debug)]
pub(super) struct ProxyAddress {
    /// Without user, path and query.
    pub(super) url: Url,
    pub(super) credential: Option<Credential>,
}

impl ProxyAddress {
    /// Reads `proxy:3128` or `SCHEME://[USER[:PASSWORD]@]HOST[:PORT]`. The error is a reason that shows nothing of
    /// `text`, which may hold a password.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let url = if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("http://{text}")) };
        // The parser's own reasons quote nothing, but they mislead where a password's # or / cut the address.
        Self::of_url(&url.map_err(|_| "it is not the address of a server")?)
    }

    /// Takes the user out of `url`.
    pub(super) fn of_url(url: &Url) -> Result<Self, &'static str> {
        if !matches!(url.scheme(), "http" | "https" | "socks4" | "socks5" | "socks5h") {
            return Err("its scheme is not http, https, socks4, socks5 or socks5h");
        }
        let after_host = &url[url::Position::BeforePath..];
        if after_host.contains('@') {
            return Err("in its user or password the characters / ? # and @ must be written as %2F %3F %23 and %40");
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err("it names no host");
        }
        let credential = match (url.username(), url.password()) {
            ("", None) => None,
            (username, password) => Some(Credential {
                username: decoded(username)?,
                password: SecretString::from(decoded(password.unwrap_or_default())?),
            }),
        };
        let mut server = url.clone();
        let is_without_user = server.set_username("").is_ok() && server.set_password(None).is_ok();
        let is_with_port =
            !url.scheme().starts_with("socks") || url.port().is_some() || server.set_port(Some(SOCKS_PORT)).is_ok();
        if !is_without_user || !is_with_port {
            return Err("it is not the address of a server");
        }
        server.set_path("");
        server.set_query(None);
        server.set_fragment(None);
        Ok(Self { url: server, credential })
    }

    /// The address with its user, percent-encoded: what reqwest takes credentials from.
    pub(super) fn with_user(&self) -> Url {
        let mut url = self.url.clone();
        if let Some(credential) = &self.credential {
            let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            url.set_username(&encoded(&credential.username)).expect("it has a host");
            url.set_password(Some(&encoded(credential.password.expose_secret()))).expect("it has a host");
        }
        url
    }
}

fn decoded(text: &str) -> Result<String, &'static str> {
    percent_decode_str(text)
        .decode_utf8()
        .map(|text| text.into_owned())
        .map_err(|_| "its user or password is not UTF-8 when percent-decoded")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_read_with_and_without_their_parts() {
        for (text, url, user) in [
            ("proxy", "http://proxy/", None),
            ("proxy:3128", "http://proxy:3128/", None),
            (" proxy:3128 ", "http://proxy:3128/", None),
            ("10.0.0.1:3128", "http://10.0.0.1:3128/", None),
            ("[fd12::1]:3128", "http://[fd12::1]:3128/", None),
            ("http://proxy:3128/", "http://proxy:3128/", None),
            ("http://proxy:3128/some/path?query", "http://proxy:3128/", None),
            ("HTTPS://proxy", "https://proxy/", None),
            ("socks5://proxy", "socks5://proxy:1080", None),
            ("socks5h://proxy:9050", "socks5h://proxy:9050", None),
            ("user:secret@proxy:3128", "http://proxy:3128/", Some(("user", "secret"))),
            ("http://user@proxy", "http://proxy/", Some(("user", ""))),
            ("http://:secret@proxy", "http://proxy/", Some(("", "secret"))),
            ("http://us%3Aer:p%40s%2fs@proxy", "http://proxy/", Some(("us:er", "p@s/s"))),
            ("http://user:p@ss@proxy", "http://proxy/", Some(("user", "p@ss"))),
            ("socks5h://user:s%C3%A9cret@proxy", "socks5h://proxy:1080", Some(("user", "sécret"))),
        ] {
            let address = ProxyAddress::parse(text).expect(text);
            assert_eq!(address.url.as_str(), url, "{text}");
            let found = address.credential.as_ref().map(|it| (it.username.as_str(), it.password.expose_secret()));
            assert_eq!(found, user, "{text}");
            let shown = format!("{address:?}");
            assert!(user.is_none_or(|(_, password)| password.is_empty() || !shown.contains(password)), "{shown}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_showing_it() {
        for text in [
            "",
            "http://",
            "ftp://proxy",
            "socks://proxy",
            "http://user:se#cret@proxy:3128",
            "http://user:12#cret@proxy:3128",
            "http://user:12/cret@proxy:3128",
            "http://user:12?cret@proxy:3128",
            "http://proxy:99999",
            "http://user:%ff@proxy",
            "socks5:///path",
        ] {
            let reason = ProxyAddress::parse(text).expect_err(text);
            assert!(!reason.contains("cret") && !reason.contains("12"), "{text}: {reason}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,60}") {
            let _ = ProxyAddress::parse(&text);
        }

        #[test]
        fn any_user_and_password_come_back_from_the_address(username in "\\PC{1,20}", password in "\\PC{0,20}") {
            let password = SecretString::from(password);
            let credential = Credential { username: username.clone(), password: password.clone() };
            for url in ["http://proxy:3128", "socks5h://proxy:1080"] {
                let url = url.parse().expect("a URL");
                let address = ProxyAddress { url, credential: Some(credential.clone()) };
                let again = ProxyAddress::of_url(&address.with_user()).expect("an address");
                let credential = again.credential.expect("a credential");
                prop_assert_eq!(&credential.username, &username);
                prop_assert_eq!(credential.password.expose_secret(), password.expose_secret());
            }
        }
    }
}
