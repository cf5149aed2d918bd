//! What is tried again, what is not, and how long.

use std::time::{Duration, Instant};

use wslimage::{Client, ClientOptions, ErrorKind, RetryPolicy};
use wslimage_test_registry::{Auth, Image, LogFilter, Step};

use crate::fixture::{Fixture, Recorder};

/// Where a failure comes: each is a question of its own.
const PLACES: [&str; 4] = ["/v2/a/b/manifests/latest", "/v2/a/b/blobs/CONFIG", "/v2/a/b/blobs/LAYER", "/token"];

type Answer = fn() -> Step;

struct Pulled {
    result: wslimage::Result<()>,
    /// How often the place was asked.
    asked: usize,
    lines: Vec<String>,
}

/// Pulls an image from a registry that makes `steps` at `place`.
async fn pull(place: &str, steps: Vec<Step>, policy: RetryPolicy) -> Pulled {
    let fixture = Fixture::new().await;
    fixture.put_older_file();
    // Without a sign-in, one question for the manifest would be the challenge's.
    let auth = (place == "/token").then(Auth::anonymous_bearer);
    let served = fixture.serve(Image { auth, ..Fixture::image("a/b") });
    let path = place.replace("CONFIG", &served.configs[0]).replace("LAYER", &served.layers[0][0].digest);
    fixture.route(&path, steps);
    let client = Client::new(ClientOptions { retry: policy, ..fixture.options() }).expect("a client");
    let (recorder, _, job) = Recorder::job();
    let result = async {
        let image = wslimage::resolve(&client, fixture.request("a/b"), &job).await?;
        wslimage::pull(&client, &image, &fixture.destination(), wslimage::PullOptions::default(), &job).await
    };
    let result = result.await.map(|_| ());
    match &result {
        Ok(()) => fixture.expect_layer_in_file(),
        Err(_) => fixture.expect_older_file(),
    }
    let asked = fixture.registry.log_of(&LogFilter { path: Some(path), ..LogFilter::default() }).len();
    Pulled { result, asked, lines: recorder.verbose_lines() }
}

fn policy(maximum_retries: u32) -> RetryPolicy {
    RetryPolicy { maximum_retries, first_wait: Duration::from_millis(1), maximum_wait: Duration::from_secs(2) }
}

fn closed() -> Step {
    Step { close_before_response: true, ..Step::default() }
}

#[tokio::test]
async fn what_may_pass_is_tried_again_wherever_it_comes() {
    let failures: [(&str, Answer); 10] = [
        ("408", || Step::status(408)),
        ("429", || Step::status(429)),
        ("429 with Retry-After: 0", || Step::status(429).header("Retry-After", "0")),
        ("429 until a date that is over", || Step::status(429).header("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT")),
        ("500", || Step::status(500)),
        ("502", || Step::text(502, "<html>bad gateway</html>")),
        ("503 with Retry-After: 1", || Step::status(503).header("Retry-After", "1")),
        ("504", || Step::status(504)),
        ("a closed connection", closed),
        ("a reset connection", || Step { reset_after: Some(0), ..closed() }),
    ];
    for place in PLACES {
        for (name, failure) in &failures {
            let pulled = pull(place, vec![failure(), Step::pass()], policy(2)).await;
            pulled.result.unwrap_or_else(|error| panic!("{name} at {place}: {error}"));
            assert_eq!(pulled.asked, 2, "{name} at {place}");
            let told = pulled.lines.iter().filter(|line| line.contains(". Trying again in ")).count();
            assert_eq!(told, 1, "{name} at {place}: {:?}", pulled.lines);
        }
        for (name, cut) in [
            ("cut", Step { cut_after: Some(3), ..Step::pass() }),
            ("reset", Step { reset_after: Some(3), ..Step::pass() }),
            ("cut and chunked", Step { cut_after: Some(3), chunked: true, ..Step::pass() }),
        ] {
            let pulled = pull(place, vec![cut, Step::pass()], policy(2)).await;
            pulled.result.unwrap_or_else(|error| panic!("{name} at {place}: {error}"));
            assert_eq!(pulled.asked, 2, "{name} at {place}");
        }
    }
}

#[tokio::test]
async fn what_cannot_pass_is_asked_once() {
    let failures: [(&str, Answer, ErrorKind); 8] = [
        ("400", || Step::status(400), ErrorKind::Server),
        ("403", || Step::status(403), ErrorKind::Denied),
        ("405", || Step::status(405), ErrorKind::Server),
        ("410", || Step::status(410), ErrorKind::Server),
        ("451", || Step::status(451), ErrorKind::Server),
        ("501", || Step::status(501), ErrorKind::Server),
        ("507", || Step::status(507), ErrorKind::Server),
        ("a redirect to plain http", || Step::status(302).header("Location", "http://a.invalid/"), ErrorKind::Insecure),
    ];
    for place in PLACES {
        for (name, failure, kind) in &failures {
            let pulled = pull(place, vec![failure(), Step::pass()], policy(5)).await;
            let error = pulled.result.expect_err(name);
            assert_eq!((error.kind(), pulled.asked), (*kind, 1), "{name} at {place}: {error}");
        }
        let pulled = pull(place, vec![Step::status(404), Step::pass()], policy(5)).await;
        assert!(pulled.result.is_err());
        assert_eq!(pulled.asked, 1, "404 at {place}");
    }
}

#[tokio::test]
async fn a_wrong_digest_is_fetched_twice_and_no_more() {
    for place in &PLACES[1..3] {
        let wrong = || Step::text(200, "x".repeat(crate::fixture::LAYER.len()).as_str());
        let pulled = pull(place, vec![wrong(), Step::pass()], policy(5)).await;
        pulled.result.expect("a file");
        assert_eq!(pulled.asked, 2, "{place}");
        let pulled = pull(place, vec![wrong()], policy(5)).await;
        assert_eq!(pulled.result.expect_err("twice").kind(), ErrorKind::DigestMismatch, "{place}");
        assert_eq!(pulled.asked, 2, "{place}");
    }
}

#[tokio::test]
async fn the_count_of_retries_is_the_users() {
    for place in PLACES {
        for (maximum, expected) in [(0, 1), (1, 2), (3, 4)] {
            let pulled = pull(place, vec![Step::status(503)], policy(maximum)).await;
            let error = pulled.result.expect_err("503 for ever");
            assert_eq!(error.http_status(), Some(503), "{place}: {error}");
            assert_eq!(pulled.asked, expected, "{maximum} at {place}");
        }
    }
}

#[tokio::test]
async fn a_wait_beyond_the_cap_is_not_begun() {
    for place in PLACES {
        for wait in ["3600", "Wed, 21 Oct 2099 07:28:00 GMT"] {
            let begin = Instant::now();
            let step = Step::status(429).header("Retry-After", wait);
            let pulled = pull(place, vec![step, Step::pass()], policy(5)).await;
            let error = pulled.result.expect_err("an hour");
            assert_eq!((error.kind(), pulled.asked), (ErrorKind::RateLimited, 1), "{wait} at {place}: {error}");
            assert!(error.retry_after().is_some_and(|wait| wait >= Duration::from_secs(3600)), "{error:?}");
            assert!(begin.elapsed() < Duration::from_secs(60));
        }
    }
}

#[tokio::test]
async fn a_wait_that_the_server_asks_for_is_kept() {
    let begin = Instant::now();
    let step = Step::status(503).header("Retry-After", "1");
    pull(PLACES[0], vec![step, Step::pass()], policy(1)).await.result.expect("a file");
    assert!(begin.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_limit_is_told_with_what_is_known_of_it() {
    let step = Step::text(429, r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your limit"}]}"#)
        .header("ratelimit-limit", "100;w=21600")
        .header("ratelimit-remaining", "0;w=21600")
        .header("Retry-After", "600");
    let pulled = pull(PLACES[0], vec![step], policy(1)).await;
    let error = pulled.result.expect_err("a limit");
    let text = error.to_string();
    for part in ["429 Too Many Requests", "You have reached your limit", "100", "6 h", "sign in", "mirror"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn nobody_listening_is_an_answer() {
    let fixture = Fixture::new().await;
    let begin = Instant::now();
    let client = Client::new(ClientOptions {
        retry: RetryPolicy { first_wait: Duration::from_secs(30), ..RetryPolicy::default() },
        ..fixture.options()
    })
    .expect("a client");
    let request = crate::fixture::request_at("127.0.0.1:1", "a/b");
    let error = fixture.pull_request(&client, request).await.expect_err("nobody");
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(begin.elapsed() < Duration::from_secs(20), "no wait");
}

#[tokio::test]
async fn a_name_that_is_not_found_is_looked_up_a_few_times() {
    let fixture = Fixture::new().await;
    let (recorder, _, job) = Recorder::job();
    let request = crate::fixture::request_at("registry.invalid", "a/b");
    let client = Client::new(ClientOptions { retry: policy(5), ..fixture.options() }).expect("a client");
    let error = wslimage::resolve(&client, request, &job).await.expect_err("no such host");
    assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
    let told = recorder.verbose_lines();
    assert_eq!(told.iter().filter(|line| line.contains("Trying again")).count(), 2, "{told:?}");
}
