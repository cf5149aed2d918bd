//! What comes where a list of tags should.

use serde_json::json;
use tokio::time::timeout;
use wslimage::{ErrorKind as Kind, Job};
use wslimage_test_registry::{LogFilter, Step};

use super::{HANG, HOSTILE, expect_readable};
use crate::fixture::Fixture;

type Expected = Result<&'static [&'static str], (Kind, &'static str)>;

fn page(tags: &[&str], next: &str) -> Step {
    Step::text(200, &json!({"name": "a/b", "tags": tags}).to_string()).header("Link", next)
}

fn answer(text: &str) -> Vec<Step> {
    vec![Step::text(200, text)]
}

#[tokio::test]
async fn a_list_of_tags_is_read_or_refused() {
    let link = |target: &str| format!("<{target}>; rel=\"next\"");
    let none = "Failed to get the tags: REGISTRY sent a list of tags that is none (";
    let lost = "Failed to get the tags: REGISTRY sent a link to the next tags that cannot be followed: ";
    let long = "x".repeat(1_000_000);
    let cases: Vec<(&str, Vec<Step>, Expected)> = vec![
        ("a page", answer("<html></html>"), Err((Kind::InvalidResponse, none))),
        ("nothing", answer(""), Err((Kind::InvalidResponse, none))),
        ("a text", answer(r#""tags""#), Err((Kind::InvalidResponse, none))),
        ("a hostile text", answer(&json!(HOSTILE.repeat(1000)).to_string()), Err((Kind::InvalidResponse, none))),
        ("tags as a text", answer(r#"{"tags":"latest"}"#), Err((Kind::InvalidResponse, none))),
        ("tags with null", answer(r#"{"tags":[null]}"#), Err((Kind::InvalidResponse, none))),
        ("tags twice", answer(r#"{"tags":[],"tags":[]}"#), Err((Kind::InvalidResponse, none))),
        ("brackets without end", answer(&"[".repeat(100_000)), Err((Kind::InvalidResponse, none))),
        (
            "20 MB",
            answer(&" ".repeat(20_000_000)),
            Err((Kind::InvalidResponse, "Failed to get the tags: REGISTRY sent more than 16384 KiB")),
        ),
        (
            "204",
            vec![Step::status(204)],
            Err((Kind::Server, "Failed to get the tags: REGISTRY answered 204 No Content")),
        ),
        (
            "404",
            vec![Step::status(404)],
            Err((Kind::NotFound, "Repository not found: REGISTRY/a/b. REGISTRY answered 404")),
        ),
        ("null tags", answer(r#"{"tags":null}"#), Ok(&[])),
        ("no tags", answer("{}"), Ok(&[])),
        ("another name", answer(r#"{"name":"c/d","tags":["1"]}"#), Ok(&["1"])),
        ("a name that is none", answer(r#"{"name":5,"tags":["1"]}"#), Ok(&["1"])),
        (
            "tags that cannot be",
            answer(&json!({"tags": ["1", "", HOSTILE, "a/b", "a b", long, "2"]}).to_string()),
            Ok(&["1", "2"]),
        ),
        ("a link that is none", vec![page(&["1"], "garbage")], Ok(&["1"])),
        ("a link to something else", vec![page(&["1"], "</v2/>; rel=\"first\"")], Ok(&["1"])),
        ("an unfinished link", vec![page(&["1"], "</v2/a/b/tags/list?n=1; rel=\"next\"")], Ok(&["1"])),
        ("an empty page that leads on", vec![page(&[], &link("?last=1"))], Ok(&[])),
        ("a link to its own page", vec![page(&["1"], &link("?n=1000"))], Ok(&["1"])),
        ("two pages", vec![page(&["1"], &link("?last=1")), answer(r#"{"tags":["2"]}"#).remove(0)], Ok(&["1", "2"])),
        (
            "pages in a circle",
            (0..50).map(|number| page(&["1"], &link(if number % 2 == 0 { "?last=1" } else { "?last=2" }))).collect(),
            Err((Kind::InvalidResponse, lost)),
        ),
        (
            "another host",
            vec![page(&["1"], &link("https://127.0.0.1:1/v2/a/b/tags/list?secret"))],
            Err((Kind::InvalidResponse, lost)),
        ),
        (
            "plain http",
            vec![page(&["1"], &link("http://localhost/v2/a/b/tags/list"))],
            Err((Kind::InvalidResponse, lost)),
        ),
        ("a file", vec![page(&["1"], &link("file:///etc/passwd"))], Err((Kind::InvalidResponse, lost))),
        ("another repository", vec![page(&["1"], &link("/v2/c/d/tags/list"))], Err((Kind::InvalidResponse, lost))),
        ("no address", vec![page(&["1"], &link("https://[::1"))], Err((Kind::InvalidResponse, lost))),
        (
            "a host without end",
            vec![page(&["1"], &link(&format!("https://{}/", "x".repeat(50_000))))],
            Err((Kind::InvalidResponse, lost)),
        ),
    ];
    let fixture = Fixture::new().await;
    fixture.serve(Fixture::image("a/b"));
    let client = fixture.client();
    let repository = fixture.request("a/b").reference.repository().clone();
    for (name, steps, expected) in cases {
        fixture.route("/v2/a/b/tags/list", steps);
        fixture.registry.delete_log(&LogFilter::default());
        let Ok(tags) = timeout(HANG, client.tags(&repository, &Job::default())).await else {
            panic!("{name}: it hangs")
        };
        match (tags, expected) {
            (Ok(tags), Ok(expected)) => assert_eq!(tags, expected, "{name}"),
            (Ok(tags), Err(_)) => panic!("{name}: it went unseen: {} tags", tags.len()),
            (Err(error), Ok(_)) => panic!("{name}: {error}"),
            (Err(error), Err((kind, message))) => {
                let message = message.replace("REGISTRY", fixture.registry.https_address());
                assert!(error.to_string().starts_with(&message), "{name}:\n{error}\n{message}");
                assert_eq!(error.kind(), kind, "{name}: {error}");
                expect_readable(&error).expect(name);
            }
        }
        assert!(fixture.registry.log("a/b").len() < 20, "{name}: it is asked on and on");
    }
}
