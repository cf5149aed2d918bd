//! Statuses that are no success, whatever comes with them, and headers that lie about a manifest.

use std::time::Duration;

use serde_json::{Value, json};
use wslimage::{ClientOptions, ErrorKind as Kind, RetryPolicy};
use wslimage_test_registry::{HeaderValues, Step};

use super::{Case, HOSTILE, error, expect, expect_with, file};

fn at_tag(name: impl Into<String>, kind: Kind, message: impl Into<String>, step: Step) -> Case {
    error(name, kind, format!("Failed to get manifest: {}", message.into()), move |place| {
        place.serve();
        place.at_tag([step.clone()]);
    })
}

#[tokio::test]
async fn a_status_is_told_with_its_name_and_tried_again_where_that_may_help() {
    let case = |status: u16, words: &str, times: usize| {
        at_tag(words, Kind::Server, format!("REGISTRY answered {words}"), Step::status(status))
            .status(status)
            .asked("manifests/latest", times)
    };
    expect(vec![
        case(201, "201 Created", 1),
        case(204, "204 No Content", 1),
        case(205, "205 Reset Content", 1),
        case(206, "206 Partial Content", 1),
        case(300, "300 Multiple Choices", 1),
        case(304, "304 Not Modified", 1),
        case(306, "306 <unknown status code>", 1),
        case(400, "400 Bad Request", 1),
        case(402, "402 Payment Required", 1),
        case(405, "405 Method Not Allowed", 1),
        case(406, "406 Not Acceptable", 1),
        case(408, "408 Request Timeout", 3),
        case(410, "410 Gone", 1),
        case(418, "418 I'm a teapot", 1),
        case(421, "421 Misdirected Request", 1),
        case(426, "426 Upgrade Required", 1),
        case(431, "431 Request Header Fields Too Large", 1),
        case(451, "451 Unavailable For Legal Reasons", 1),
        case(500, "500 Internal Server Error", 3),
        case(501, "501 Not Implemented", 1),
        case(503, "503 Service Unavailable", 3),
        case(507, "507 Insufficient Storage", 1),
        case(511, "511 Network Authentication Required", 1),
        case(599, "599 <unknown status code>", 1),
        case(999, "999 <unknown status code>", 1),
    ])
    .await;
}

#[tokio::test]
async fn of_what_comes_with_a_status_only_short_words_are_told() {
    let with_body = |name: &str, words: &str, body: &str| {
        let message = format!("REGISTRY answered 451 Unavailable For Legal Reasons{words}");
        at_tag(name, Kind::Server, message, Step::text(451, body)).status(451)
    };
    let silent = |name: &str, body: &str| with_body(name, "", body);
    let json = |name: &str, words: &str, body: Value| with_body(name, words, &body.to_string());
    let long = "x".repeat(1_000_000);
    let cut_off = format!(" ({}…", "x".repeat(300));
    expect(vec![
        silent("a page", "<html><body>\u{1b}[31mNo</body></html>"),
        silent("a page of 1 MB", &long),
        silent("deep brackets", &"[".repeat(60_000)),
        silent("spaces", "   "),
        json("an array", "", json!([])),
        json("a text", "", json!("denied")),
        json("null", "", Value::Null),
        json("null errors", "", json!({"errors": null})),
        json("errors as an object", "", json!({"errors": {"code": "DENIED"}})),
        json("errors as a text", "", json!({"errors": "denied"})),
        json("an error that is null", "", json!({"errors": [null]})),
        json("an error without members", "", json!({"errors": [{}]})),
        json("a code that is a number", "", json!({"errors": [{"code": 5}]})),
        json("empty words", "", json!({"errors": [{"code": "", "message": ""}]})),
        json("a message alone", " (go away)", json!({"message": "go away"})),
        json("a thousand errors", " (NO: 0)", {
            let errors: Vec<Value> =
                (0..1000).map(|number| json!({"code": "NO", "message": number.to_string()})).collect();
            json!({"errors": errors})
        }),
        json("an endless code", &cut_off, json!({"errors": [{"code": "x".repeat(50_000)}]})),
        json("an endless message", &cut_off, json!({"message": "x".repeat(50_000)})),
        json("1 MB of JSON", "", json!({"errors": [{"code": long}]})),
        json("hostile words", " (\u{b7}\u{b7}[31m", json!({"errors": [{"code": HOSTILE, "message": HOSTILE}]})),
        json(
            "hostile words of another sort",
            " (\u{b7}\u{b7}[31m",
            json!({"error": HOSTILE, "error_description": HOSTILE}),
        ),
        at_tag(
            "half a document",
            Kind::Server,
            "REGISTRY answered 451 Unavailable For Legal Reasons",
            Step { cut_after: Some(10), ..Step::text(451, r#"{"errors":[{"code":"DENIED"}]}"#) },
        )
        .status(451),
        at_tag(
            "a length that is a lie",
            Kind::Server,
            "REGISTRY answered 451 Unavailable For Legal Reasons",
            Step { content_length: Some(1 << 40), ..Step::text(451, "{}") },
        )
        .status(451),
    ])
    .await;
}

#[tokio::test]
async fn words_that_do_not_come_are_not_waited_for() {
    let slow = |name: &str, step: Step| {
        at_tag(name, Kind::Server, "REGISTRY answered 418 I'm a teapot", Step { status: Some(418), ..step }).status(418)
    };
    let body = Some("x".repeat(60_000));
    expect(vec![
        slow(
            "a byte now and then",
            Step { body: body.clone(), chunked: true, bytes_per_second: Some(40), ..Step::default() },
        ),
        slow("a stall", Step { body, stall_after: Some(10), ..Step::default() }),
    ])
    .await;
}

#[tokio::test]
async fn a_wait_that_makes_no_sense_is_not_waited_for() {
    let wait = |value: &'static str, times: usize| {
        at_tag(
            format!("Retry-After: {value}"),
            Kind::RateLimited,
            "REGISTRY answered 429 Too Many Requests. Wait",
            Step::status(429).header("Retry-After", value),
        )
        .status(429)
        .asked("manifests/latest", times)
    };
    expect(vec![
        wait("", 3),
        wait("0", 3),
        wait("-5", 3),
        wait("0.001", 3),
        wait("soon", 3),
        wait("\u{e4}", 3),
        wait("99999999999999999999", 3),
        wait("Wed, 21 Oct 2015 07:28:00 GMT", 3),
        wait("Wed, 99 Foo 2015 77:28:00 GMT", 3),
        wait("18446744073709551615", 1),
        wait("86400", 1),
        wait("Fri, 31 Dec 9999 23:59:59 GMT", 1),
    ])
    .await;
    // Waits are added up.
    let patient = |fixture: &crate::fixture::Fixture| {
        let retry = RetryPolicy { maximum_wait: Duration::from_secs(10), ..fixture.options().retry };
        ClientOptions { retry, ..fixture.options() }
    };
    expect_with(
        patient,
        vec![
            error(
                "a short wait, then an endless one",
                Kind::Server,
                "Failed to get manifest: REGISTRY answered 503",
                |place| {
                    place.at_tag(
                        ["1", "18446744073709551615"].map(|wait| Step::status(503).header("Retry-After", wait)),
                    );
                },
            )
            .status(503)
            .asked("manifests/latest", 2),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_digest_in_a_header_counts_when_it_is_one() {
    let told = |name: &str, values: &[&str]| {
        let values = HeaderValues::Many(values.iter().map(|value| (*value).to_owned()).collect());
        let step = Step { headers: [("Docker-Content-Digest".to_owned(), values)].into(), ..Step::pass() };
        file(name, move |place| {
            place.serve();
            place.at_tag([step.clone()]);
        })
    };
    let zeros = "0".repeat(64);
    expect(vec![
        file("none", |place| place.at_tag([Step::text(200, &place.manifest().to_string())])),
        told("an empty one", &[""]),
        told("garbage", &["garbage"]),
        told("a path", &["sha256:../../../x"]),
        told("bytes that are no text", &["sha256:\u{e4}"]),
        told("upper case", &[&format!("SHA256:{zeros}")]),
        told("too short", &["sha256:00"]),
        told("a list", &[&format!("sha256:{zeros}, sha256:{zeros}")]),
        at_tag(
            "the first of several",
            Kind::DigestMismatch,
            "what was sent does not match its digest. Expected: 0000",
            Step {
                headers: [(
                    "Docker-Content-Digest".to_owned(),
                    HeaderValues::Many(vec![format!("sha256:{zeros}"), "x".to_owned()]),
                )]
                .into(),
                ..Step::pass()
            },
        ),
        at_tag(
            "of another algorithm",
            Kind::DigestMismatch,
            "what was sent does not match its digest. Expected: 0000",
            Step::pass().header("Docker-Content-Digest", &format!("sha512:{zeros}{zeros}")),
        ),
        at_tag(
            "of an algorithm that nobody knows",
            Kind::InvalidResponse,
            "the digest blake3:xxxx",
            Step::pass().header("Docker-Content-Digest", &format!("blake3:{}", "x".repeat(50_000))),
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_flood_of_headers_ends_in_an_error() {
    let flood = |name: &str, values: Vec<String>| {
        let step = Step { headers: [("X-Flood".to_owned(), HeaderValues::Many(values))].into(), ..Step::pass() };
        let message = "Failed to get authentication token: the request to REGISTRY failed: message head is too large";
        error(name, Kind::Connection, message, move |place| place.at_tag([step.clone()]))
    };
    expect(vec![
        flood("a thousand headers", (0..1000).map(|number| number.to_string()).collect()),
        flood("1 MB in a header", vec!["x".repeat(1_000_000)]),
    ])
    .await;
}
