//! Who may read a repository: challenges, the token service, tokens and passwords.

use std::collections::{HashMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HOST, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use parking_lot::Mutex;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::distribution::{Answer, Refusal};
use crate::error::{Error, Result};
use crate::listener::Listener;

/// Who may read a repository.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(tag = "scheme", rename_all = "lowercase")]
pub enum Auth {
    /// Everybody.
    #[default]
    None,
    /// Whoever has a token of the token service `/token`.
    Bearer(Bearer),
    /// Whoever knows a password.
    Basic(Basic),
}

impl Auth {
    /// Tokens for everybody.
    pub fn anonymous_bearer() -> Self {
        Self::Bearer(Bearer::default())
    }

    /// Tokens for whoever knows the password.
    pub fn password_bearer(username: &str, password: &str) -> Self {
        Self::Bearer(Bearer {
            username: Some(username.to_owned()),
            password: Some(password.to_owned()),
            ..Bearer::default()
        })
    }

    /// Basic with this login.
    pub fn basic(username: &str, password: &str) -> Self {
        Self::Basic(Basic { username: username.to_owned(), password: password.to_owned() })
    }
}

/// A login at the registry itself.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Basic {
    /// The user's name.
    pub username: String,
    /// The password.
    pub password: String,
}

/// Tokens of a token service. A token is random and valid for the repository of its scope only, until the
/// repository's auth is set again.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Bearer {
    /// Whether somebody without a login gets a token. Default: yes where `username` is not set. A wrong login gets
    /// none in any case.
    pub anonymous: Option<bool>,
    /// The user's name at the token service.
    pub username: Option<String>,
    /// The password there.
    pub password: Option<String>,
    /// The realm in the challenge. Default: `/token` of the listener and host that were asked. Every path under
    /// `/token/` is the same service, so that a test on a shared registry can have a route there for itself.
    pub realm: Option<String>,
    /// The service in the challenge. Default: the host that was asked.
    pub service: Option<String>,
    /// The member that has the token in the service's answer.
    pub token_field: Option<TokenField>,
    /// The service refuses everybody.
    pub deny: bool,
    /// The status of that refusal. Default: 401.
    pub deny_status: Option<u16>,
}

/// The member that has the token in a token service's answer.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenField {
    /// `token`, Docker's.
    #[default]
    Token,
    /// `access_token`, OAuth 2.0's.
    AccessToken,
}

/// The auth of each repository and the tokens given.
#[derive(Default)]
pub(crate) struct AuthTable {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    auths: HashMap<String, Auth>,
    /// Repository to tokens.
    tokens: HashMap<String, HashSet<String>>,
}

impl AuthTable {
    pub(crate) fn set(&self, repository: &str, auth: Auth) -> Result<()> {
        if let Auth::Bearer(bearer) = &auth {
            let status = bearer.deny_status.unwrap_or(401);
            if !(400..600).contains(&status) {
                return Err(Error::Invalid(format!("denyStatus {status} is no error")));
            }
            for text in [&bearer.realm, &bearer.service].into_iter().flatten() {
                HeaderValue::from_str(text).map_err(|_| Error::Invalid(format!("{text:?} cannot be in a header")))?;
            }
        }
        let mut state = self.state.lock();
        state.tokens.remove(repository);
        state.auths.insert(repository.to_owned(), auth);
        Ok(())
    }

    /// The challenge, if the request may not read the repository.
    pub(crate) fn challenge(&self, repository: &str, headers: &HeaderMap, listener: &Listener) -> Option<Answer> {
        let state = self.state.lock();
        let challenge = match state.auths.get(repository) {
            None | Some(Auth::None) => return None,
            Some(Auth::Basic(basic)) => {
                if login(headers) == Some((basic.username.clone(), basic.password.clone())) {
                    return None;
                }
                "Basic realm=\"wslimage-test-registry\"".to_owned()
            }
            Some(Auth::Bearer(bearer)) => {
                let token = credentials(headers, "Bearer");
                let known = state.tokens.get(repository);
                if token.is_some_and(|token| known.is_some_and(|known| known.contains(token))) {
                    return None;
                }
                let host = host(headers, listener);
                let realm = match &bearer.realm {
                    Some(realm) => realm.clone(),
                    None => format!("{}://{host}/token", listener.scheme()),
                };
                let service = bearer.service.as_deref().unwrap_or(host);
                let error = if token.is_some() { ",error=\"invalid_token\"" } else { "" };
                format!("Bearer realm=\"{realm}\",service=\"{service}\",scope=\"repository:{repository}:pull\"{error}")
            }
        };
        let refusal = Refusal::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "authentication required");
        Some(with_challenge(refusal.into(), &challenge))
    }

    /// The token service: a token for all repositories of the request's scopes, as
    /// [Docker specifies it](https://distribution.github.io/distribution/spec/auth/token/).
    pub(crate) fn token(&self, query: &str, headers: &HeaderMap) -> Answer {
        let parameters = url::form_urlencoded::parse(query.as_bytes());
        let repositories: Vec<String> = parameters
            .filter(|(name, _)| name == "scope")
            .flat_map(|(_, scopes)| scopes.split(' ').filter_map(repository_of).collect::<Vec<_>>())
            .collect();
        let mut state = self.state.lock();
        let mut field = TokenField::Token;
        for repository in &repositories {
            if let Some(Auth::Bearer(bearer)) = state.auths.get(repository) {
                if let Some(refusal) = bearer.refusal(headers) {
                    return refusal;
                }
                field = bearer.token_field.unwrap_or_default();
            }
        }
        let token = match random_token() {
            Ok(token) => token,
            Err(error) => {
                return Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", &error.to_string()).into();
            }
        };
        for repository in repositories {
            state.tokens.entry(repository).or_default().insert(token.clone());
        }
        Answer::json(
            StatusCode::OK,
            &match field {
                TokenField::Token => json!({"token": token, "expires_in": 300}),
                TokenField::AccessToken => json!({"access_token": token, "expires_in": 300}),
            },
        )
    }
}

impl Bearer {
    fn refusal(&self, headers: &HeaderMap) -> Option<Answer> {
        let allowed = match login(headers) {
            None => self.anonymous.unwrap_or(self.username.is_none()),
            Some((username, password)) => {
                let expected = (self.username.as_deref(), self.password.as_deref());
                self.username.is_none() || expected == (Some(username.as_str()), Some(password.as_str()))
            }
        };
        if allowed && !self.deny {
            return None;
        }
        let status = match self.deny_status {
            Some(status) if self.deny => StatusCode::from_u16(status).unwrap_or(StatusCode::UNAUTHORIZED),
            _ => StatusCode::UNAUTHORIZED,
        };
        let answer = match status {
            StatusCode::UNAUTHORIZED => Refusal::new(status, "UNAUTHORIZED", "authentication required"),
            StatusCode::TOO_MANY_REQUESTS => Refusal::new(status, "TOOMANYREQUESTS", "too many requests"),
            _ => Refusal::new(status, "DENIED", "requested access to the resource is denied"),
        };
        Some(match status {
            StatusCode::UNAUTHORIZED => with_challenge(answer.into(), "Basic realm=\"token service\""),
            _ => answer.into(),
        })
    }
}

/// The repository of a scope such as `repository:a/b:pull`.
fn repository_of(scope: &str) -> Option<String> {
    let (repository, _actions) = scope.strip_prefix("repository:")?.rsplit_once(':')?;
    Some(repository.to_owned())
}

fn random_token() -> std::result::Result<String, ring::error::Unspecified> {
    let mut bytes = [0; 24];
    SystemRandom::new().fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn with_challenge(mut answer: Answer, challenge: &str) -> Answer {
    if let Ok(challenge) = HeaderValue::from_str(challenge) {
        answer.headers.insert(WWW_AUTHENTICATE, challenge);
    }
    answer
}

/// The host and port as the client named them.
fn host<'a>(headers: &'a HeaderMap, listener: &'a Listener) -> &'a str {
    headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or(listener.address())
}

/// The login of an `Authorization: Basic` ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)).
fn login(headers: &HeaderMap) -> Option<(String, String)> {
    let decoded = STANDARD.decode(credentials(headers, "Basic")?).ok()?;
    let (username, password) = str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some((username.to_owned(), password.to_owned()))
}

fn credentials<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let (given, credentials) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then(|| credentials.trim())
}
