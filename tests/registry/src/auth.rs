//! Who may read a repository: challenges, tokens and passwords.

use std::collections::HashMap;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HOST, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::distribution::{Answer, Refusal, Request};
use crate::error::{Error, Result};
use crate::listener::Listener;
use crate::token::{self, Tokens};

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

/// Tokens of a token service. A token is random and valid for the repository of its scope only, until it ends or the
/// repository's auth is set again.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Bearer {
    /// Whether somebody without a login gets a token. Default: yes where neither `username` nor `identity_token` is set.
    /// A wrong login gets none in any case.
    pub anonymous: Option<bool>,
    /// The user's name at the token service.
    pub username: Option<String>,
    /// The password there.
    pub password: Option<String>,
    /// The refresh token that POST takes with `grant_type=refresh_token`, and that is given to whoever asks for one.
    pub identity_token: Option<String>,
    /// The status that every POST to the service is refused with.
    pub post_status: Option<u16>,
    /// Seconds that a token is worth something, told as `expires_in`. Default: not told, and until auth is set again.
    pub expires_in: Option<u64>,
    /// The `issued_at` of the answer, as it is. Default: not told. It changes nothing about the token.
    pub issued_at: Option<String>,
    /// How many requests a token is accepted for. Default: any number.
    pub maximum_uses: Option<u64>,
    /// The realm in the challenge. Default: `/token` of the listener and host that were asked. Every path under
    /// `/token/` is the same service, so that a test on a shared registry can have a route there for itself.
    pub realm: Option<String>,
    /// The service in the challenge. Default: the host that was asked.
    pub service: Option<String>,
    /// The member that has the token in the service's answer. Default: `token` for GET, `access_token` for POST.
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
    tokens: Tokens,
}

impl AuthTable {
    pub(crate) fn set(&self, repository: &str, auth: Auth) -> Result<()> {
        if let Auth::Bearer(bearer) = &auth {
            for (name, status) in [("denyStatus", bearer.deny_status), ("postStatus", bearer.post_status)] {
                if let Some(status) = status.filter(|status| !(400..600).contains(status)) {
                    return Err(Error::Invalid(format!("{name} {status} is no error")));
                }
            }
            for text in [&bearer.realm, &bearer.service].into_iter().flatten() {
                HeaderValue::from_str(text).map_err(|_| Error::Invalid(format!("{text:?} cannot be in a header")))?;
            }
        }
        let mut state = self.state.lock();
        state.tokens.expire(repository);
        state.auths.insert(repository.to_owned(), auth);
        Ok(())
    }

    pub(crate) fn expire_tokens(&self, repository: &str) {
        self.state.lock().tokens.expire(repository);
    }

    /// The challenge, if the request may not read the repository.
    pub(crate) fn challenge(&self, repository: &str, headers: &HeaderMap, listener: &Listener) -> Option<Answer> {
        let State { auths, tokens } = &mut *self.state.lock();
        let challenge = match auths.get(repository) {
            None | Some(Auth::None) => return None,
            Some(Auth::Basic(basic)) => {
                if login(headers) == Some((basic.username.clone(), basic.password.clone())) {
                    return None;
                }
                "Basic realm=\"wslimage-test-registry\"".to_owned()
            }
            Some(Auth::Bearer(bearer)) => {
                let token = credentials(headers, "Bearer");
                if token.is_some_and(|token| tokens.accept(repository, token, Instant::now())) {
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

    /// What the token service answers.
    pub(crate) fn token(&self, request: &Request<'_>) -> Answer {
        let State { auths, tokens } = &mut *self.state.lock();
        let bearer_of = |repository: &str| match auths.get(repository) {
            Some(Auth::Bearer(bearer)) => Some(bearer),
            _ => None,
        };
        token::answer(request, bearer_of, tokens)
    }
}

pub(crate) fn with_challenge(mut answer: Answer, challenge: &str) -> Answer {
    if let Ok(challenge) = HeaderValue::from_str(challenge) {
        answer.headers.insert(WWW_AUTHENTICATE, challenge);
    }
    answer
}

/// The host and port as the client named them.
pub(crate) fn host<'a>(headers: &'a HeaderMap, listener: &'a Listener) -> &'a str {
    headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or(listener.address())
}

/// The login of an `Authorization: Basic` ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)).
pub(crate) fn login(headers: &HeaderMap) -> Option<(String, String)> {
    let decoded = STANDARD.decode(credentials(headers, "Basic")?).ok()?;
    let (username, password) = str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some((username.to_owned(), password.to_owned()))
}

fn credentials<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let (given, credentials) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then(|| credentials.trim())
}
