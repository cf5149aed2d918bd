//! What a registry or a CDN answers to the question for a layer.

use serde_json::{Value, json};
use wslimage::{ClientOptions, ErrorKind as Kind};
use wslimage_test_registry::{HeaderValues, Step};

use super::{Case, error, expect, expect_with, file};
use crate::fixture::LAYER;

const FAILED: &str = "Failed to download Docker image layer: ";

fn answered(name: impl Into<String>, step: Step) -> Case {
    file(name, move |place| place.at_layer(step.clone()))
}

fn refused(name: impl Into<String>, kind: Kind, message: &str, step: Step) -> Case {
    error(name, kind, format!("{FAILED}{message}"), move |place| place.at_layer(step.clone()))
}

#[tokio::test]
async fn headers_that_lie_about_a_layer_do_not_count() {
    let header = |name: &str, header: &str, value: &str| answered(name, Step::pass().header(header, value));
    let many = |header: &str, values: Vec<String>| Step {
        headers: [(header.to_owned(), HeaderValues::Many(values))].into(),
        ..Step::pass()
    };
    let zeros = format!("sha256:{}", "0".repeat(64));
    expect(vec![
        header("a digest of another content", "Docker-Content-Digest", &zeros),
        header("a digest that is none", "Docker-Content-Digest", "garbage"),
        header("an encoding that is not there", "Content-Encoding", "gzip"),
        header("an encoding that nobody knows", "Content-Encoding", "x-nonsense, br"),
        header("a page's type", "Content-Type", "text/html"),
        header("a type that is none", "Content-Type", "\u{e4}"),
        header("parts of things", "Accept-Ranges", "pages"),
        header("a part of nothing", "Content-Range", "bytes 5-4/3"),
        header("an entity tag that is none", "ETag", "\u{e4}\u{f6}"),
        header("a language", "Content-Language", "tlh"),
        header("a place for a complete answer", "Location", "https://127.0.0.1:1/"),
        header("a wait for a complete answer", "Retry-After", "99999999999"),
        header("a question for a password", "WWW-Authenticate", "Basic realm=\"x\""),
        answered("ninety cookies", many("Set-Cookie", (0..90).map(|n| format!("c{n}={n}; Path=/")).collect())),
        answered("a header of 100 KB", Step::pass().header("X-Long", &"x".repeat(100_000))),
        answered("chunks", Step { chunked: true, ..Step::pass() }),
        answered("a byte at a time", Step { bytes_per_second: Some(2000), ..Step::pass() }),
    ])
    .await;
}

#[tokio::test]
async fn a_layer_of_another_length_is_told() {
    let other = |name: &str, sent: &str, step: Step| {
        refused(name, Kind::InvalidResponse, &format!("the layer has 49 bytes, the registry sent {sent}"), step)
    };
    let page = "<html><title>Welcome to this network</title>";
    expect(vec![
        other("no bytes", "0", Step::status(200)),
        other("a page", "44", Step::text(200, page).header("Content-Type", "text/html")),
        other("a compressed one", "60", Step::text(200, &"x".repeat(60)).header("Content-Encoding", "gzip")),
        other("one byte less", "48", Step::text(200, &LAYER[1..])),
        other("one byte more", "50", Step::text(200, &format!("{LAYER}!"))),
        other("one byte more in chunks", "more", Step { chunked: true, ..Step::text(200, &format!("{LAYER}!")) }),
        other("a length below the truth", "10", Step { content_length: Some(10), ..Step::pass() }),
        other("a length above the truth", "1000", Step { content_length: Some(1000), ..Step::pass() }),
        other(
            "a length beyond any disk",
            "9007199254740993",
            Step { content_length: Some(9_007_199_254_740_993), ..Step::pass() },
        ),
        refused(
            "no bytes in chunks",
            Kind::Connection,
            "the layer has 49 bytes, the registry sent only 0",
            Step { chunked: true, ..Step::status(200) },
        ),
        refused(
            "chunks that are cut",
            Kind::Connection,
            "the connection to REGISTRY was cut: ",
            Step { chunked: true, cut_after: Some(10), ..Step::pass() },
        ),
        file("chunks that are cut once", |place| {
            let served = place.serve();
            let cut = Step { chunked: true, cut_after: Some(10), ..Step::pass() };
            place.at(&format!("blobs/{}", served.layers[0][0].digest), [cut, Step::pass()]);
        }),
        error(
            "another content of the same length",
            Kind::DigestMismatch,
            "Downloaded file hash does not match expected hash. Expected: ",
            |place| place.at_layer(Step::text(200, &LAYER.to_uppercase())),
        ),
        file("another content at first", |place| {
            let served = place.serve();
            let other = Step::text(200, &LAYER.to_uppercase());
            place.at(&format!("blobs/{}", served.layers[0][0].digest), [other, Step::pass()]);
        }),
    ])
    .await;
}

#[tokio::test]
async fn a_status_that_is_no_layer_is_told() {
    let status = |status: u16, words: &str| {
        refused(
            words,
            Kind::Server,
            &format!("REGISTRY answered {words}"),
            Step { status: Some(status), ..Step::pass() },
        )
        .status(status)
    };
    let bodiless = |status: u16, words: &str| {
        refused(words, Kind::Server, &format!("REGISTRY answered {words}"), Step::status(status)).status(status)
    };
    expect(vec![
        status(201, "201 Created"),
        status(202, "202 Accepted"),
        status(203, "203 Non Authoritative Information"),
        bodiless(204, "204 No Content"),
        bodiless(205, "205 Reset Content"),
        status(226, "226 IM Used"),
        status(300, "300 Multiple Choices"),
        bodiless(304, "304 Not Modified"),
        status(305, "305 Use Proxy"),
        status(400, "400 Bad Request"),
        status(410, "410 Gone"),
        status(416, "416 Range Not Satisfiable"),
        status(418, "418 I'm a teapot"),
        status(451, "451 Unavailable For Legal Reasons"),
        status(507, "507 Insufficient Storage"),
        status(799, "799 <unknown status code>"),
    ])
    .await;
}

#[tokio::test]
async fn a_redirect_leads_to_the_layer_or_to_a_clear_error() {
    let follow = |name: &str, location: &'static str| {
        file(name, move |place| {
            let registry = place.fixture.registry.https_address();
            place.at_layer(Step::status(307).header("Location", &location.replace("REGISTRY", registry)));
            place.fixture.route("/cdn/blob", [Step::text(200, LAYER)]);
        })
    };
    let lost = |name: &str, kind: Kind, message: &str, location: &str| {
        refused(name, kind, message, Step::status(307).header("Location", location))
    };
    let bad = |name: &str, message: &str, location: &str| {
        lost(name, Kind::InvalidResponse, &format!("REGISTRY answered 307 Temporary Redirect {message}"), location)
            .status(307)
    };
    expect(vec![
        follow("a path", "/cdn/blob"),
        follow("a path with dots", "../../../../../cdn/x/../blob"),
        follow("another host's name", "//REGISTRY/cdn/blob"),
        follow("a user", "https://user:secret@REGISTRY/cdn/blob"),
        follow("a fragment", "/cdn/blob#secret"),
        follow("spaces around it", "  /cdn/blob\t"),
        follow("backslashes", "\\cdn\\blob"),
        lost("nothing", Kind::InvalidResponse, "REGISTRY redirects more than 10 times", ""),
        lost("only a fragment", Kind::InvalidResponse, "REGISTRY redirects more than 10 times", "#secret"),
        bad("bytes that are no text", "with an address that is no text", "/cdn/\u{e4}"),
        bad("no host", "with a bad address (", "https://"),
        bad("a port beyond all", "with a bad address (", "https://localhost:99999/"),
        bad("an unfinished address", "with a bad address (", "https://[::1"),
        bad("an address of ftp", "to an address of scheme ftp", "ftp://localhost/secret"),
        bad("the bytes themselves", "to an address of scheme data", "data:text/plain,secret"),
        bad("a script", "to an address of scheme javascript", "javascript:secret"),
        bad("a scheme without end", "to an address of scheme xxxx", &format!("{}:secret", "x".repeat(50_000))),
        lost(
            "a host without end",
            Kind::Connection,
            "no connection to ",
            &format!("https://{}.invalid/?secret", "x".repeat(70)),
        ),
        lost(
            "a port that nobody listens at",
            Kind::Connection,
            "no connection to 127.0.0.1:1: ",
            "https://127.0.0.1:1/?secret",
        ),
        lost(
            "a user over plain http",
            Kind::Insecure,
            "REGISTRY redirects from https to plain http at 127.0.0.1:1, ",
            "http://user:secret@127.0.0.1:1/",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_foreign_layer_comes_from_where_the_manifest_says_and_only_by_https() {
    let foreign = |place: &super::Place<'_>, urls: Value, is_held: bool| {
        let mut manifest = place.manifest();
        let digest = manifest["layers"][0]["digest"].as_str().expect("a digest").to_owned();
        manifest["layers"][0]["mediaType"] = json!("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
        manifest["layers"][0]["urls"] = urls;
        place.put(manifest.to_string());
        if !is_held {
            place.at(&format!("blobs/{digest}"), [Step::status(404)]);
        }
        place.fixture.route(&format!("/foreign/{}", place.repository), [Step::text(200, LAYER)]);
    };
    let here = |place: &super::Place<'_>| {
        format!("https://{}/foreign/{}", place.fixture.registry.https_address(), place.repository)
    };
    let not_found = format!("{FAILED}REGISTRY answered 404 Not Found");
    let nowhere = |name: &str, urls: Value| {
        error(name, Kind::BlobNotFound, not_found.clone(), move |place| foreign(place, urls.clone(), false)).status(404)
    };
    let unreadable = |name: &str, urls: Value| {
        let message = "Failed to get manifest: \"layers\" of the manifest cannot be read: ";
        error(name, Kind::InvalidResponse, message, move |place| foreign(place, urls.clone(), false))
    };
    expect(vec![
        file("elsewhere by https", move |place| foreign(place, json!([here(place)]), false)),
        file("held by the registry too", move |place| foreign(place, json!(["https://127.0.0.1:1/x"]), true)),
        file("behind addresses that cannot be used", move |place| {
            let urls =
                json!(["", "nonsense", "file:///etc/passwd", "ftp://localhost/x", "http://127.0.0.1:1/", here(place)]);
            foreign(place, urls, false);
        }),
        file("behind an address where nobody listens", move |place| {
            foreign(place, json!(["https://127.0.0.1:1/x", here(place)]), false);
        }),
        nowhere("null", json!(null)),
        nowhere("none", json!([])),
        nowhere("an empty one", json!([""])),
        nowhere("plain http", json!(["http://127.0.0.1:1/secret"])),
        nowhere("a file", json!(["file:///etc/passwd"])),
        nowhere("a hostile one", json!([super::HOSTILE])),
        unreadable("a text", json!("https://127.0.0.1:1/")),
        unreadable("null among them", json!([null])),
        unreadable("an object", json!({})),
        error("ten thousand that lead nowhere", Kind::BlobNotFound, not_found.clone(), move |place| {
            let urls: Vec<String> = (0..10_000).map(|number| format!("{}/{number}", here(place))).collect();
            foreign(place, json!(urls), false);
            place.fixture.route(&format!("/foreign/{}/*", place.repository), [Step::status(410)]);
        })
        .status(404)
        // The config once, the layer before the first address and after each of the ten that are tried.
        .asked("blobs/", 12),
    ])
    .await;
}

#[tokio::test]
async fn a_layer_that_stalls_ends_in_time() {
    let options = |fixture: &crate::fixture::Fixture| ClientOptions {
        stall_timeout: std::time::Duration::from_millis(300),
        ..fixture.options()
    };
    let stalled = |name: &str, step: Step| refused(name, Kind::Timeout, "no byte from REGISTRY in time", step);
    expect_with(
        options,
        vec![
            stalled("before the first byte", Step { stall_after: Some(0), ..Step::pass() }),
            answered("after each bit", Step { stall_after: Some(30), ..Step::pass() }),
            answered("after each bit of a chunk", Step { stall_after: Some(30), chunked: true, ..Step::pass() }),
            answered("behind the last byte", Step { stall_after: Some(49), chunked: true, ..Step::pass() }),
            error("a config", Kind::Timeout, "Failed to get manifest: no byte from REGISTRY in time", |place| {
                let served = place.serve();
                place.at(&format!("blobs/{}", served.configs[0]), [Step { stall_after: Some(5), ..Step::pass() }]);
            }),
            error("a manifest", Kind::Timeout, "Failed to get manifest: no byte from REGISTRY in time", |place| {
                place.serve();
                place.at_tag([Step { stall_after: Some(5), ..Step::pass() }]);
            }),
        ],
    )
    .await;
}
