//! The JSON of `config.json` and `auth.json`: who signs in where.
//!
//! Source: docker/cli, `cli/config/configfile/file.go` and `cli/config/types/authconfig.go`; containers-auth.json(5).

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;

use crate::registry::options::Credential;

/// The largest file that is read, in bytes.
const LARGEST_FILE: u64 = 1024 * 1024;
const UTF8_BOM: &[u8] = b"\xef\xbb\xbf";
const UTF16_BOMS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// What stands in a file of logins, as far as it concerns logins. A `null` is as good as nothing (encoding/json).
#[derive(Default, Deserialize)]
pub(super) struct AuthFile {
    auths: Option<BTreeMap<String, Option<Entry>>>,
    #[serde(rename = "credHelpers")]
    credential_helpers: Option<BTreeMap<String, Option<String>>>,
    #[serde(rename = "credsStore")]
    credentials_store: Option<String>,
}

/// What is kept for one key of `auths`.
#[derive(Default, Deserialize)]
pub(super) struct Entry {
    auth: Option<SecretString>,
    username: Option<String>,
    password: Option<SecretString>,
    #[serde(rename = "identitytoken")]
    identity_token: Option<SecretString>,
    #[serde(rename = "registrytoken")]
    registry_token: Option<SecretString>,
}

/// Why a file or an entry cannot be used, in words that quote nothing of it: any part may be a secret.
#[derive(Debug)]
pub(super) struct Unusable(String);

impl fmt::Display for Unusable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl AuthFile {
    /// Reads the file at `path`; `None` when there is none.
    pub(super) async fn read(path: &Path) -> Result<Option<Self>, Unusable> {
        let unreadable = |error: io::Error| Unusable(format!("the file cannot be read ({error})"));
        let file = match tokio::fs::File::open(path).await {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        let mut content = Zeroizing::new(Vec::new());
        let length = file.take(LARGEST_FILE + 1).read_to_end(&mut content).await.map_err(unreadable)?;
        if length as u64 > LARGEST_FILE {
            return Err(Unusable("the file is larger than 1 MiB".to_owned()));
        }
        Self::parse(&content).map(Some)
    }

    /// Reads `json`. Empty is as good as `{}`, and what follows the object does not matter, as with docker.
    pub(super) fn parse(json: &[u8]) -> Result<Self, Unusable> {
        if UTF16_BOMS.iter().any(|bom| json.starts_with(bom)) {
            return Err(Unusable("it is UTF-16 text, and JSON is UTF-8: save it as UTF-8".to_owned()));
        }
        let json = json.strip_prefix(UTF8_BOM).unwrap_or(json);
        if json.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        Self::deserialize(&mut serde_json::Deserializer::from_slice(json)).map_err(|error| {
            let what = if error.is_data() { "it does not have the form of such a file" } else { "it is not JSON" };
            Unusable(format!("{what} (line {}, column {})", error.line(), error.column()))
        })
    }

    /// What stands under `key`, the case of letters aside: host names have none.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, entry)| entry)
    }

    /// All entries, in the order of their keys.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.auths.iter().flatten().filter_map(|(key, entry)| Some((key.as_str(), entry.as_ref()?)))
    }

    /// The helper that is set for `key` alone. An empty name says: none, look in this file.
    pub(super) fn helper(&self, key: &str) -> Option<&str> {
        let mut helpers = self.credential_helpers.iter().flatten();
        helpers.find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, helper)| helper.as_deref().unwrap_or(""))
    }

    /// The helper that keeps the logins for all registries.
    pub(super) fn credentials_store(&self) -> Option<&str> {
        self.credentials_store.as_deref().filter(|name| !name.is_empty())
    }

    /// Whether it says anything about logins.
    pub(super) fn is_empty(&self) -> bool {
        self.credentials_store().is_none()
            && self.credential_helpers.as_ref().is_none_or(BTreeMap::is_empty)
            && self.auths.as_ref().is_none_or(BTreeMap::is_empty)
    }
}

impl Entry {
    /// The login that is kept here; `None` in the mark that `docker login` leaves when a helper keeps the login.
    pub(super) fn login(&self) -> Result<Option<Credential>, Unusable> {
        if let Some(token) = given(self.identity_token.as_ref()) {
            let username = Credential::IDENTITY_TOKEN.to_owned();
            return Ok(Some(Credential { username, password: token.clone() }));
        }
        if let Some(auth) = given(self.auth.as_ref()) {
            return decode_auth(auth).map(Some);
        }
        let Some(username) = self.username.clone().filter(|username| !username.is_empty()) else { return Ok(None) };
        Ok(Some(Credential { username, password: self.password.clone().unwrap_or_default() }))
    }

    /// Whether there is a token for the registry itself. `docker login` never writes one.
    pub(super) fn has_registry_token(&self) -> bool {
        given(self.registry_token.as_ref()).is_some()
    }
}

fn given(secret: Option<&SecretString>) -> Option<&SecretString> {
    secret.filter(|secret| !secret.expose_secret().is_empty())
}

/// User and password from base64, as docker decodes them: line ends between the digits do not matter, and NULs around
/// the password are dropped.
fn decode_auth(auth: &SecretString) -> Result<Credential, Unusable> {
    let unusable = |what: &str| Unusable(format!("its auth is not base64 of USER:PASSWORD ({what})"));
    let digits: Zeroizing<Vec<u8>> =
        Zeroizing::new(auth.expose_secret().bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect());
    let decoded = STANDARD.decode(&digits).map(Zeroizing::new).map_err(|_| unusable("other characters"))?;
    let text = std::str::from_utf8(&decoded).map_err(|_| unusable("not UTF-8"))?;
    match text.split_once(':') {
        Some(("", _)) => Err(unusable("no user")),
        Some((username, password)) => {
            Ok(Credential { username: username.to_owned(), password: password.trim_matches('\0').into() })
        }
        None => Err(unusable("no colon")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// User and password of the entry `entry`, or why there are none.
    fn login(entry: &str) -> Result<Option<(String, String)>, String> {
        let file = AuthFile::parse(format!(r#"{{"auths": {{"host": {entry}}}}}"#).as_bytes()).expect(entry);
        let login = file.entry("host").map_or(Ok(None), Entry::login).map_err(|reason| reason.to_string())?;
        Ok(login.map(|login| (login.username, login.password.expose_secret().to_owned())))
    }

    #[test]
    fn an_entry_says_who_signs_in() {
        let of = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        for (entry, expected) in [
            (r#"{"auth": "dXNlcjpwYXNz"}"#, of("user", "pass")),
            (r#"{"auth": "dXNl\ncjpwYXNz\r\n"}"#, of("user", "pass")),
            (r#"{"auth": "dXNlcjphOmI6Yw=="}"#, of("user", "a:b:c")),
            (r#"{"auth": "dXNlcjpwYXNzAAA="}"#, of("user", "pass")),
            (r#"{"auth": "dXNlcjo="}"#, of("user", "")),
            (r#"{"auth": "dXNlcjpwYXNz", "username": "other", "password": "other"}"#, of("user", "pass")),
            (r#"{"auth": "dXNlcjpwYXNz", "email": "a@b", "serveraddress": "host"}"#, of("user", "pass")),
            (r#"{"username": "user", "password": "pass"}"#, of("user", "pass")),
            (r#"{"auth": "MDAwMDAwMDA6", "identitytoken": "token"}"#, of("<token>", "token")),
            (r#"{"auth": "dXNlcjpwYXNz", "identitytoken": ""}"#, of("user", "pass")),
            (r#"{"password": "pass"}"#, None),
            (r#"{"registrytoken": "token"}"#, None),
            (r#"{"auth": ""}"#, None),
            (r#"{"auth": null, "username": null}"#, None),
            ("{}", None),
            ("null", None),
        ] {
            assert_eq!(login(entry), Ok(expected), "{entry}");
        }
    }

    #[test]
    fn an_auth_that_is_no_login_is_named_without_being_quoted() {
        for (entry, reason) in [
            (r#"{"auth": "c2VjcmV0"}"#, "no colon"),
            (r#"{"auth": "OnNlY3JldA=="}"#, "no user"),
            (r#"{"auth": "secret!"}"#, "other characters"),
            (r#"{"auth": "dXNlcjr/"}"#, "not UTF-8"),
        ] {
            let message = login(entry).expect_err(entry);
            assert_eq!(message, format!("its auth is not base64 of USER:PASSWORD ({reason})"));
        }
    }

    #[test]
    fn a_file_that_cannot_be_used_is_told_by_the_place_alone() {
        for (json, message) in [
            ("{\n  \"auths\": {\"host\": secret}}", "it is not JSON (line 2, column 21)"),
            ("{\"auths\": {\"host\": {\"auth\": \"secret", "it is not JSON (line 1, column 35)"),
            ("{\"auths\":\n[\"secret\"]}", "it does not have the form of such a file (line 2, column 0)"),
            ("{\"credsStore\": 5}", "it does not have the form of such a file (line 1, column 16)"),
            ("\u{feff}{\"auths\": 5}", "it does not have the form of such a file (line 1, column 11)"),
            ("secret", "it is not JSON (line 1, column 1)"),
        ] {
            assert_eq!(AuthFile::parse(json.as_bytes()).err().expect(json).to_string(), message);
        }
        let utf16: Vec<u8> = "\u{feff}{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let message = AuthFile::parse(&utf16).err().expect("UTF-16 is refused").to_string();
        assert_eq!(message, "it is UTF-16 text, and JSON is UTF-8: save it as UTF-8");
    }

    #[test]
    fn what_says_nothing_of_logins_is_empty() {
        for json in
            ["", " \r\n", "\u{feff}", "{}", "\u{feff}{}", r#"{"auths": {}, "credHelpers": {}, "credsStore": ""}"#]
        {
            assert!(AuthFile::parse(json.as_bytes()).expect(json).is_empty(), "{json:?}");
        }
        for json in [
            r#"{"auths": {"host": {}}}"#,
            r#"{"credHelpers": {"host": "x"}}"#,
            r#"{"credsStore": "x", "HttpHeaders": {"a": "b"}, "proxies": {"default": {}}} trailing"#,
        ] {
            assert!(!AuthFile::parse(json.as_bytes()).expect(json).is_empty(), "{json}");
        }
    }

    #[test]
    fn fuzz_auth_file() {
        crate::fuzz::check("auth_file", |document| {
            if let Ok(file) = AuthFile::parse(document) {
                for (_, entry) in file.entries() {
                    let _ = entry.login();
                }
            }
        });
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = AuthFile::parse(&bytes);
        }

        #[test]
        fn no_auth_makes_the_decoder_panic(auth in "\\PC{0,40}|[A-Za-z0-9+/=\r\n]{0,40}") {
            let _ = decode_auth(&auth.into());
        }

        #[test]
        fn what_docker_encodes_is_read_back(user in "[^:]{1,20}", password in "[^\0]{0,20}") {
            let auth = STANDARD.encode(format!("{user}:{password}"));
            let login = decode_auth(&auth.into()).expect("a login");
            prop_assert_eq!(login.username, user);
            prop_assert_eq!(login.password.expose_secret(), &password);
        }
    }
}
