//! What registries say of how to sign in, and what token services answer.

use std::time::Duration;

use serde_json::{Value, json};
use wslimage::{ClientOptions, ErrorKind as Kind};
use wslimage_test_registry::{HeaderValues, Step};

use super::{Case, HOSTILE, Place, error, expect, expect_with, file};
use crate::fixture::Fixture;

const FAILED: &str = "Failed to get authentication token: ";
const REFUSED: &str =
    "Access denied to registry. The image may not exist or authentication failed. REGISTRY answered 401 Unauthorized";

/// Asks for a token of the place's own service, whose answers are `steps`.
fn sign_in_at(place: &Place<'_>, steps: impl Into<Vec<Step>>) {
    let service = format!("/token/{}", place.repository);
    place.at_tag([Step::status(401).header("WWW-Authenticate", &format!("Bearer realm=\"{service}\""))]);
    place.fixture.route(&service, steps);
}

/// Asks for a token once, and is content with any.
fn sign_in_once_at(place: &Place<'_>, step: Step) {
    place.serve();
    let service = format!("/token/{}", place.repository);
    let challenge = Step::status(401).header("WWW-Authenticate", &format!("Bearer realm=\"{service}\""));
    place.at_tag([challenge, Step::pass()]);
    place.fixture.route(&service, [step]);
}

fn answered(name: &str, kind: Kind, message: &str, step: Step) -> Case {
    error(name, kind, message, move |place| sign_in_at(place, [step.clone()])).asked("manifests/", 1)
}

#[tokio::test]
async fn what_is_no_token_is_told_and_not_shown() {
    let document = format!("{FAILED}https://REGISTRY/token/REPOSITORY sent an answer that is no token document (line ");
    let none = "Failed to retrieve authentication token for registry REGISTRY and repository REPOSITORY. ";
    let unreadable = |name: &str, text: &str| answered(name, Kind::InvalidResponse, &document, Step::text(200, text));
    let empty =
        |name: &str, answer: Value| answered(name, Kind::InvalidResponse, none, Step::text(200, &answer.to_string()));
    let unusable = |name: &str, token: &str| {
        let message = format!(
            "{FAILED}https://REGISTRY/token/REPOSITORY sent a token with characters that cannot stand in a header"
        );
        answered(name, Kind::InvalidResponse, &message, Step::text(200, &json!({"token": token}).to_string()))
    };
    expect(vec![
        unreadable("a page", "<html>secret</html>"),
        unreadable("nothing", ""),
        unreadable("spaces", "  "),
        unreadable("the token alone", "\"secret\""),
        unreadable("an array", "[]"),
        unreadable("an array in the order of the members", r#"["secret"]"#),
        unreadable("null", "null"),
        unreadable("a token that is a number", r#"{"token":5}"#),
        unreadable("a token that is an object", r#"{"token":{"secret":1}}"#),
        unreadable("an array of tokens", r#"{"token":["secret"]}"#),
        unreadable("the token twice", r#"{"token":"secret","token":"secret"}"#),
        unreadable("brackets without end", &"[".repeat(100_000)),
        unreadable("a deep lifetime", &format!("{{\"expires_in\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000))),
        unreadable("half a token", r#"{"token":"secr"#),
        empty("an empty object", json!({})),
        empty("null tokens", json!({"token": null, "access_token": null})),
        empty("empty tokens", json!({"token": "", "access_token": ""})),
        empty("only a token to get others with", json!({"refresh_token": "secret"})),
        unusable("a token with a new line", "secret\r\nX-Injected: 1"),
        unusable("a token with a zero byte", "secret\0"),
        unusable("a hostile token", &format!("secret{HOSTILE}")),
        answered(
            "2 MB",
            Kind::InvalidResponse,
            &format!("{FAILED}REGISTRY sent more than 1024 KiB"),
            Step::text(200, &" ".repeat(2_000_000)),
        ),
        answered(
            "2 MB in chunks",
            Kind::InvalidResponse,
            &format!("{FAILED}REGISTRY sent more than 1024 KiB"),
            Step { chunked: true, ..Step::text(200, &" ".repeat(2_000_000)) },
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_token_serves_whatever_stands_beside_it() {
    let beside = |name: &str, answer: Value| {
        file(name, move |place| sign_in_once_at(place, Step::text(200, &answer.to_string())))
            .asked("manifests/latest", 2)
    };
    let lifetime = |value: Value| beside(&format!("expires_in: {value}"), json!({"token": "t", "expires_in": value}));
    let issued = |value: Value| {
        beside(&format!("issued_at: {value}"), json!({"token": "t", "expires_in": 300, "issued_at": value}))
    };
    expect(vec![
        beside("nothing", json!({"token": "t"})),
        beside("a null token first", json!({"token": null, "access_token": "t"})),
        beside("another token", json!({"token": "t", "access_token": "other"})),
        beside("a token that is no ASCII", json!({"token": "t\u{e4}\u{1f600}"})),
        beside("hostile members", json!({"token": "t", HOSTILE: HOSTILE})),
        lifetime(json!(null)),
        lifetime(json!(0)),
        lifetime(json!(-1)),
        lifetime(json!(0.5)),
        lifetime(json!(u64::MAX)),
        lifetime(json!(1e300)),
        lifetime(json!("300")),
        lifetime(json!("18446744073709551616")),
        lifetime(json!("soon")),
        lifetime(json!([300])),
        issued(json!(null)),
        issued(json!(5)),
        issued(json!("yesterday")),
        issued(json!("0001-01-01T00:00:00Z")),
        issued(json!("9999-12-31T23:59:59Z")),
        issued(json!("-99999-01-01T00:00:00Z")),
        file("a date that is none", |place| {
            let answer = json!({"token": "t", "expires_in": 300, "issued_at": "2026-01-01T00:00:00Z"}).to_string();
            sign_in_once_at(place, Step::text(200, &answer).header("Date", "yesterday"));
        }),
        file("a page's type", |place| {
            sign_in_once_at(place, Step::text(200, r#"{"token":"t"}"#).header("Content-Type", "text/html"));
        }),
        file("another success", |place| sign_in_once_at(place, Step::text(203, r#"{"token":"t"}"#))),
    ])
    .await;
}

#[tokio::test]
async fn a_token_service_that_fails_is_told_with_what_it_says() {
    let status = |status: u16, kind: Kind, words: &str, body: &str| {
        answered(
            &format!("{status} {body}"),
            kind,
            &format!("{FAILED}REGISTRY answered {words}"),
            Step::text(status, body),
        )
        .status(status)
    };
    expect(vec![
        answered(
            "204",
            Kind::InvalidResponse,
            &format!("{FAILED}https://REGISTRY/token/REPOSITORY sent an answer that is no token"),
            Step::status(204),
        ),
        status(300, Kind::Server, "300 Multiple Choices", ""),
        status(
            400,
            Kind::Server,
            "400 Bad Request (invalid_scope: no)",
            r#"{"error":"invalid_scope","error_description":"no"}"#,
        ),
        status(401, Kind::Unauthorized, "401 Unauthorized", "<html>"),
        status(403, Kind::Denied, "403 Forbidden (no)", r#"{"details":"no"}"#),
        status(404, Kind::Server, "404 Not Found", ""),
        status(418, Kind::Server, "418 I'm a teapot (\u{b7}\u{b7}[31m", &json!({"message": HOSTILE}).to_string()),
        status(429, Kind::RateLimited, "429 Too Many Requests", "").asked("manifests/", 3),
        status(500, Kind::Server, "500 Internal Server Error", "").asked("manifests/", 3),
        error(
            "redirects without end",
            Kind::InvalidResponse,
            format!("{FAILED}REGISTRY redirects more than 10 times"),
            |place| {
                sign_in_at(place, [Step::status(302).header("Location", "?again")]);
            },
        ),
        error(
            "a redirect to plain http",
            Kind::Insecure,
            format!("{FAILED}REGISTRY redirects from https to plain http"),
            |place| {
                sign_in_at(place, [Step::status(302).header("Location", "http://127.0.0.1:1/?secret")]);
            },
        ),
        error(
            "a redirect to nowhere",
            Kind::InvalidResponse,
            format!("{FAILED}REGISTRY answered 302 Found without"),
            |place| {
                sign_in_at(place, [Step::status(302)]);
            },
        )
        .status(302),
        error("a token that is never taken", Kind::Unauthorized, REFUSED, |place| {
            sign_in_at(place, [Step::text(200, r#"{"token":"secret"}"#)]);
            let challenge = format!("Bearer realm=\"/token/{}\",error=\"invalid_token\"", place.repository);
            place.at_tag([Step::status(401).header("WWW-Authenticate", &challenge)]);
        })
        .status(401)
        .asked("manifests/", 3),
    ])
    .await;
}

#[tokio::test]
async fn a_token_service_that_stalls_ends_in_time() {
    let options = |fixture: &Fixture| ClientOptions { stall_timeout: Duration::from_millis(300), ..fixture.options() };
    let stalled = |name: &str, step: Step| {
        error(name, Kind::Timeout, format!("{FAILED}no byte from REGISTRY in time"), move |place| {
            sign_in_at(place, [step.clone()]);
        })
    };
    expect_with(
        options,
        vec![
            stalled("before the head", Step { close_before_response: true, stall_after: Some(0), ..Step::default() }),
            stalled("in the answer", Step { stall_after: Some(5), ..Step::text(200, r#"{"token":"secret"}"#) }),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_challenge_that_nobody_can_answer_ends_in_an_error() {
    let asked = |name: &str, kind: Kind, message: &str, challenge: String| {
        error(name, kind, message, move |place| {
            place.at_tag([Step::status(401).header("WWW-Authenticate", &challenge)]);
        })
    };
    let refused =
        |name: &str, challenge: &str| asked(name, Kind::Unauthorized, REFUSED, challenge.to_owned()).status(401);
    let realm = |name: &str, kind: Kind, message: &str, realm: &str| {
        asked(name, kind, &format!("{FAILED}{message}"), format!("Bearer realm=\"{realm}\""))
    };
    let no_address = |name: &str, text: &str| {
        realm(name, Kind::InvalidResponse, "the registry names a token service that is no address (\"", text)
    };
    let scheme = |name: &str, scheme: &str, text: &str| {
        realm(name, Kind::InvalidResponse, &format!("the registry names a token service of scheme {scheme}"), text)
    };
    let schemes = (0..100).map(|number| format!("Scheme{number} realm=\"x\"")).collect::<Vec<_>>();
    expect(vec![
        refused("nothing", ""),
        refused("commas", ",,, ,"),
        refused("no text", "\u{e4}"),
        refused("a scheme that nobody knows", "Negotiate"),
        refused("a hundred schemes", &schemes.join(", ")),
        refused("a quote without end", "Bearer realm=\"https://localhost"),
        refused("a backslash at the end", "Bearer realm=\"x\\"),
        refused("garbage behind it", "Bearer realm=\"https://localhost\",,,\"\"="),
        refused("no realm", "Bearer service=\"secret\""),
        refused("equals signs", "Bearer =====\"\"\"===,=,\"="),
        refused("100 KB of nothing", &"x".repeat(100_000)),
        refused("100 KB of quotes", &"\"".repeat(100_000)),
        refused("100 KB of commas", &",".repeat(100_000)),
        no_address("half an address", "https://[::1"),
        no_address("no host", "https://"),
        no_address("a port beyond all", "https://localhost:99999/"),
        no_address("an endless address that is none", &format!("https://[{}", "x".repeat(50_000))),
        scheme("ftp", "ftp", "ftp://localhost/token"),
        scheme("a file", "file", "file:///etc/passwd"),
        scheme("a script", "javascript", "javascript:secret"),
        scheme("an endless scheme", "xxxx", &format!("{}:secret", "x".repeat(50_000))),
        realm(
            "a port where nobody listens",
            Kind::Connection,
            "no connection to 127.0.0.1:1: ",
            "https://user:secret@127.0.0.1:1/?secret",
        ),
        // A label is 63 bytes at the most, so that nobody is asked for it.
        realm(
            "a host that cannot be",
            Kind::Connection,
            "no connection to ",
            &format!("https://{}.invalid/", "x".repeat(64)),
        ),
        realm("an endless host", Kind::Connection, "no connection to ", &format!("https://{}/", "x".repeat(50_000))),
        realm("an empty address", Kind::Server, "REGISTRY answered 404 Not Found", "").status(404),
    ])
    .await;
}

#[tokio::test]
async fn a_challenge_is_answered_whatever_stands_around_it() {
    let found = |name: &str, values: fn(&str) -> Vec<String>| {
        file(name, move |place| {
            place.serve();
            sign_in_at(place, [Step::text(200, r#"{"token":"t"}"#)]);
            let values = HeaderValues::Many(values(&format!("Bearer realm=\"/token/{}\"", place.repository)));
            let challenge = Step { headers: [("WWW-Authenticate".to_owned(), values)].into(), ..Step::status(401) };
            place.at_tag([challenge, Step::pass()]);
        })
        .asked("manifests/latest", 2)
    };
    expect(vec![
        found("a hundred others before it", |it| {
            (0..90).map(|number| format!("Scheme{number} realm=\"x\"")).chain([it.to_owned()]).collect()
        }),
        found("half of one before it", |it| vec!["Bearer realm=\"x".to_owned(), it.to_owned()]),
        found("another behind it", |it| vec![it.to_owned(), "Bearer realm=\"https://127.0.0.1:1/\"".to_owned()]),
        found("members that nobody knows", |it| vec![format!("{it},x=y,error=\"invalid\",nonce=\"\\\"\"")]),
        found("a scope of nothing", |it| vec![format!("{it},scope=\"   \"")]),
        found("a scope without end", |it| vec![format!("{it},scope=\"{}\"", "a:b:c ".repeat(1000))]),
    ])
    .await;
}
