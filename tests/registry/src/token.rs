//! The token service: who gets a token, and for how long it is worth something.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use http::{HeaderMap, Method, StatusCode};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Value, json};

use crate::auth::{Bearer, TokenField, login, with_challenge};
use crate::distribution::{Answer, Refusal, Request};

/// Tokens that were given, by repository.
#[derive(Default)]
pub(crate) struct Tokens {
    of_repository: HashMap<String, HashMap<String, Grant>>,
}

struct Grant {
    ends: Option<Instant>,
    uses_left: Option<u64>,
}

impl Tokens {
    fn give(&mut self, repository: String, token: String, bearer: Option<&Bearer>, now: Instant) {
        let grant = Grant {
            ends: bearer.and_then(|it| it.expires_in).and_then(|it| now.checked_add(Duration::from_secs(it))),
            uses_left: bearer.and_then(|it| it.maximum_uses),
        };
        self.of_repository.entry(repository).or_default().insert(token, grant);
    }

    /// Whether the token opens the repository now, which is one of its uses.
    pub(crate) fn accept(&mut self, repository: &str, token: &str, now: Instant) -> bool {
        let Some(grant) = self.of_repository.get_mut(repository).and_then(|tokens| tokens.get_mut(token)) else {
            return false;
        };
        if grant.ends.is_some_and(|ends| ends <= now) {
            return false;
        }
        match &mut grant.uses_left {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    /// Makes all tokens of the repository worthless.
    pub(crate) fn expire(&mut self, repository: &str) {
        self.of_repository.remove(repository);
    }
}

/// Whom a request for a token comes from.
enum Applicant {
    Anonymous,
    User { username: String, password: String },
    Holder { refresh_token: String },
}

impl Applicant {
    fn of_headers(headers: &HeaderMap) -> Self {
        login(headers).map_or(Self::Anonymous, |(username, password)| Self::User { username, password })
    }

    /// The applicant of an [OAuth 2 request](https://distribution.github.io/distribution/spec/auth/oauth/), or what is
    /// wrong with it.
    fn of_form(form: &BTreeMap<String, String>) -> Result<Self, OauthError> {
        let field = |name: &str| match form.get(name) {
            Some(value) if !value.is_empty() => Ok(value.clone()),
            _ => Err(OauthError { code: "invalid_request", description: format!("the form has no {name}") }),
        };
        field("service")?;
        field("client_id")?;
        match field("grant_type")?.as_str() {
            "password" => Ok(Self::User { username: field("username")?, password: field("password")? }),
            "refresh_token" => Ok(Self::Holder { refresh_token: field("refresh_token")? }),
            other => Err(OauthError {
                code: "unsupported_grant_type",
                description: format!("the grant_type {other} is unknown"),
            }),
        }
    }

    fn may_have(&self, bearer: &Bearer) -> bool {
        let everybody = bearer.username.is_none() && bearer.identity_token.is_none();
        match self {
            Self::Anonymous => bearer.anonymous.unwrap_or(everybody),
            Self::User { username, password } => {
                let expected = (bearer.username.as_deref(), bearer.password.as_deref());
                everybody || expected == (Some(username.as_str()), Some(password.as_str()))
            }
            Self::Holder { refresh_token } => bearer.identity_token.as_ref() == Some(refresh_token),
        }
    }
}

/// A token for all repositories of the request's scopes, as Docker specifies it for
/// [GET](https://distribution.github.io/distribution/spec/auth/token/) and
/// [POST](https://distribution.github.io/distribution/spec/auth/oauth/).
pub(crate) fn answer<'a>(
    request: &Request<'_>,
    bearer_of: impl Fn(&str) -> Option<&'a Bearer>,
    tokens: &mut Tokens,
) -> Answer {
    let is_post = request.method == Method::POST;
    let repositories = repositories(request, is_post);
    let bearers = || repositories.iter().filter_map(|repository| bearer_of(repository));
    if let Some(status) = bearers().find_map(|bearer| bearer.post_status.filter(|_| is_post)) {
        return refusal(status);
    }
    let applicant = if is_post { Applicant::of_form(request.form) } else { Ok(Applicant::of_headers(request.headers)) };
    let applicant = match applicant {
        Ok(applicant) => applicant,
        Err(error) => return error.into(),
    };
    for bearer in bearers() {
        if bearer.deny {
            return refusal(bearer.deny_status.unwrap_or(401));
        }
        if !applicant.may_have(bearer) {
            return refusal(401);
        }
    }
    let token = match random_hex() {
        Ok(token) => token,
        Err(error) => return Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", &error.to_string()).into(),
    };
    let answer = described(&token, bearers().last(), request, is_post);
    let now = Instant::now();
    for repository in &repositories {
        tokens.give(repository.clone(), token.clone(), bearer_of(repository), now);
    }
    Answer::json(StatusCode::OK, &answer)
}

fn described(token: &str, bearer: Option<&Bearer>, request: &Request<'_>, is_post: bool) -> Value {
    let default = if is_post { TokenField::AccessToken } else { TokenField::Token };
    let mut answer = match bearer.and_then(|it| it.token_field).unwrap_or(default) {
        TokenField::Token => json!({"token": token}),
        TokenField::AccessToken => json!({"access_token": token}),
    };
    let Some(bearer) = bearer else { return answer };
    if let Some(seconds) = bearer.expires_in {
        answer["expires_in"] = seconds.into();
    }
    if let Some(text) = &bearer.issued_at {
        answer["issued_at"] = text.as_str().into();
    }
    let wants_refresh_token = if is_post {
        request.form.get("access_type").is_some_and(|it| it == "offline")
    } else {
        url::form_urlencoded::parse(request.query.as_bytes())
            .any(|(name, value)| name == "offline_token" && value == "true")
    };
    if let Some(identity_token) = bearer.identity_token.as_ref().filter(|_| wants_refresh_token) {
        answer["refresh_token"] = identity_token.as_str().into();
    }
    answer
}

/// The repositories of all scopes. A form's are separated by spaces, and so may a query's be.
fn repositories(request: &Request<'_>, is_post: bool) -> Vec<String> {
    let scopes: Vec<String> = if is_post {
        request.form.get("scope").cloned().into_iter().collect()
    } else {
        let parameters = url::form_urlencoded::parse(request.query.as_bytes());
        parameters.filter(|(name, _)| name == "scope").map(|(_, scopes)| scopes.into_owned()).collect()
    };
    scopes.iter().flat_map(|scopes| scopes.split(' ')).filter_map(repository_of).collect()
}

/// The repository of a scope such as `repository:a/b:pull`.
fn repository_of(scope: &str) -> Option<String> {
    let (repository, _actions) = scope.strip_prefix("repository:")?.rsplit_once(':')?;
    Some(repository.to_owned())
}

fn refusal(status: u16) -> Answer {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::UNAUTHORIZED);
    let refusal = match status {
        StatusCode::UNAUTHORIZED => Refusal::new(status, "UNAUTHORIZED", "authentication required"),
        StatusCode::NOT_FOUND => Refusal::new(status, "UNSUPPORTED", "there is nothing here"),
        StatusCode::METHOD_NOT_ALLOWED => Refusal::new(status, "UNSUPPORTED", "the operation is unsupported"),
        StatusCode::TOO_MANY_REQUESTS => Refusal::new(status, "TOOMANYREQUESTS", "too many requests"),
        _ => Refusal::new(status, "DENIED", "requested access to the resource is denied"),
    };
    match status {
        StatusCode::UNAUTHORIZED => with_challenge(refusal.into(), "Basic realm=\"token service\""),
        _ => refusal.into(),
    }
}

/// An error as [RFC 6749, section 5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2) has it.
struct OauthError {
    code: &'static str,
    description: String,
}

impl From<OauthError> for Answer {
    fn from(error: OauthError) -> Self {
        let described = json!({"error": error.code, "error_description": error.description});
        Self::json(StatusCode::BAD_REQUEST, &described)
    }
}

/// What nobody guesses.
pub(crate) fn random_hex() -> Result<String, ring::error::Unspecified> {
    let mut bytes = [0; 24];
    SystemRandom::new().fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Tokens;
    use crate::auth::Bearer;

    #[test]
    fn a_token_is_worth_something_until_its_end() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        for (expires_in, accepted, refused) in
            [(Some(0), vec![], vec![0, 1]), (Some(60), vec![0, 59], vec![60, 61]), (None, vec![0, 1_000_000], vec![])]
        {
            let mut tokens = Tokens::default();
            let bearer = Bearer { expires_in, ..Bearer::default() };
            tokens.give("a/b".to_owned(), "token".to_owned(), Some(&bearer), start);
            for seconds in accepted {
                assert!(tokens.accept("a/b", "token", after(seconds)), "{expires_in:?} after {seconds}");
            }
            for seconds in refused {
                assert!(!tokens.accept("a/b", "token", after(seconds)), "{expires_in:?} after {seconds}");
            }
        }
    }
}
