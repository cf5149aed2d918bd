//! What a 401 asks for: `WWW-Authenticate` by RFC 9110 section 11.6.1, Bearer as the distribution project's token
//! specification has it.

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// A way to sign in that this client knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

/// The challenge to answer: Bearer before Basic, because it keeps the password from the registry.
/// `None` where there is none that this client knows; what was offered instead is for the error.
pub(crate) fn choose(headers: &HeaderMap) -> Option<Challenge> {
    let mut basic = None;
    for header in headers.get_all(WWW_AUTHENTICATE) {
        let Ok(text) = header.to_str() else { continue };
        // What stands before a fault in the header still counts.
        for challenge in http_auth::ChallengeParser::new(text).map_while(Result::ok) {
            let parameter = |name: &str| {
                challenge
                    .params
                    .iter()
                    .find(|(key, _)| key.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value.to_unescaped())
            };
            if challenge.scheme.eq_ignore_ascii_case("Bearer") {
                if let Some(realm) = parameter("realm") {
                    return Some(Challenge::Bearer {
                        realm,
                        service: parameter("service"),
                        scope: parameter("scope").filter(|scope| !scope.is_empty()),
                    });
                }
            } else if challenge.scheme.eq_ignore_ascii_case("Basic") {
                basic = Some(Challenge::Basic);
            }
        }
    }
    basic
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Option<Challenge> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Some(Challenge::Bearer { realm: realm.to_owned(), service: owned(service), scope: owned(scope) })
    }

    #[test]
    fn the_challenge_is_found_whatever_stands_around_it() {
        let hub = bearer("https://auth.docker.io/token", Some("registry.docker.io"), Some("repository:a/b:pull"));
        for (headers, expected) in [
            (vec![], None),
            (vec!["Negotiate"], None),
            (vec![r#"Basic realm="x""#], Some(Challenge::Basic)),
            (vec!["bAsIc"], Some(Challenge::Basic)),
            (
                vec![
                    r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull""#,
                ],
                hub.clone(),
            ),
            (
                vec![
                    r#"bearer Scope="repository:a/b:pull" , SERVICE=registry.docker.io,realm="https://auth.docker.io/token""#,
                ],
                hub.clone(),
            ),
            (vec![r#"Basic realm="a, b", Bearer realm="https://r/t""#], bearer("https://r/t", None, None)),
            (vec![r#"Bearer realm="https://r/t", Basic realm="a""#], bearer("https://r/t", None, None)),
            (vec!["Negotiate", r#"NTLM"#, r#"Bearer realm="https://r/t""#], bearer("https://r/t", None, None)),
            (
                vec![r#"Bearer realm="https://r/t",service="a \"quoted\", one",scope="repository:a:pull,push""#],
                bearer("https://r/t", Some(r#"a "quoted", one"#), Some("repository:a:pull,push")),
            ),
            (vec![r#"Bearer service="no realm""#], None),
            (vec![r#"Basic realm="x", Bearer realm=""#], Some(Challenge::Basic)),
        ] {
            let mut map = HeaderMap::new();
            for header in &headers {
                map.append(WWW_AUTHENTICATE, header.parse().expect("a header value"));
            }
            assert_eq!(choose(&map), expected, "{headers:?}");
        }
    }

    #[test]
    fn fuzz_challenge() {
        crate::fuzz::check("challenge", |bytes| {
            let mut headers = HeaderMap::new();
            for line in bytes.split(|byte| *byte == b'\n') {
                if let Ok(value) = line.try_into() {
                    headers.append(WWW_AUTHENTICATE, value);
                }
            }
            let offers = |scheme: &str| {
                headers.values().any(|value| {
                    value.as_bytes().windows(scheme.len()).any(|word| word.eq_ignore_ascii_case(scheme.as_bytes()))
                })
            };
            match choose(&headers) {
                Some(Challenge::Basic) => assert!(offers("basic")),
                Some(Challenge::Bearer { scope, .. }) => {
                    assert!(offers("bearer") && offers("realm"));
                    assert_ne!(scope.as_deref(), Some(""));
                }
                None => {}
            }
        });
    }
}
