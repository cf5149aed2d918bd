//! Redirects: what is followed, what never goes along, and what is told of an address that is a secret.

use std::time::Duration;

use wslimage::{Client, ClientOptions, Credential, ErrorKind, RetryPolicy};
use wslimage_test_registry::{
    Auth, Bearer, Blob, Image, LogEntry, LogFilter, Platform as Served, RedirectBlobs, RedirectTarget,
    RepositoryOptions, Step,
};

use crate::fixture::{Fixture, LAYER, Recorder, credential, everything_said};

const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];
const PASSWORD: &str = "s3cret-password";
const IDENTITY: &str = "1dentity-t0ken";
/// Stands in the query of addresses, where signatures do.
const SIGNATURE: &str = "SECRET-s1gnature";

fn redirected(redirect: RedirectBlobs) -> Image {
    let options = RepositoryOptions { redirect_blobs: Some(redirect), ..RepositoryOptions::default() };
    Image { options: Some(options), ..Fixture::image("a/b") }
}

fn to(status: u16, location: &str) -> Step {
    Step::status(status).header("Location", location)
}

fn at(fixture: &Fixture, listener: &str) -> Vec<LogEntry> {
    fixture.registry.log_of(&LogFilter { listener: Some(listener.to_owned()), ..LogFilter::default() })
}

fn shows_login(request: &LogEntry) -> bool {
    request.headers.contains_key("authorization")
}

/// Pulls `a/b`; the verbose lines come along.
async fn pull(fixture: &Fixture, options: ClientOptions) -> (wslimage::Result<()>, Vec<String>) {
    pull_from(fixture, fixture.registry.https_address(), options).await
}

async fn pull_from(fixture: &Fixture, host: &str, options: ClientOptions) -> (wslimage::Result<()>, Vec<String>) {
    let client = Client::new(options).expect("a client");
    let (recorder, _, job) = Recorder::job();
    let result = async {
        let image = wslimage::resolve(&client, crate::fixture::request_at(host, "a/b"), &job).await?;
        wslimage::pull(&client, &image, &fixture.destination(), wslimage::PullOptions::default(), &job).await
    };
    let result = result.await.map(drop);
    (result, recorder.verbose_lines())
}

#[tokio::test]
async fn config_and_layer_are_found_elsewhere_and_the_login_stays_at_the_registry() {
    type Login = fn() -> (Auth, Option<Credential>);
    let logins: [(&str, Login); 3] = [
        ("Bearer", || (Auth::anonymous_bearer(), None)),
        ("Bearer by password", || (Auth::password_bearer("user", PASSWORD), Some(credential("user", PASSWORD)))),
        ("Basic", || (Auth::basic("user", PASSWORD), Some(credential("user", PASSWORD)))),
    ];
    let targets = [
        ("another host", RedirectTarget::Cdn, false),
        ("another port", RedirectTarget::SameHostOtherPort, false),
        ("the registry itself", RedirectTarget::Cdn, true),
    ];
    for (name, login) in logins {
        for (place, target, relative) in targets {
            for status in STATUSES {
                let case = format!("{name}, {status} to {place}");
                let fixture = Fixture::new().await;
                let (auth, credential) = login();
                let redirect = RedirectBlobs { to: target, status, relative, ..RedirectBlobs::default() };
                fixture.serve(Image { auth: Some(auth), ..redirected(redirect) });
                let options = ClientOptions { credential, ..fixture.options() };
                pull(&fixture, options).await.0.unwrap_or_else(|error| panic!("{case}: {error}"));
                fixture.expect_layer_in_file();
                let (https, cdn) = (at(&fixture, "https"), at(&fixture, "cdn"));
                let signed: Vec<_> = https.iter().chain(&cdn).filter(|it| it.path.starts_with("/cdn/")).collect();
                assert_eq!(signed.len(), 2, "{case}");
                assert_eq!(cdn.len(), if relative { 0 } else { 2 }, "{case}");
                assert!(signed.iter().all(|request| shows_login(request) == relative), "{case}");
                let asked: Vec<_> = https.iter().filter(|it| it.path.starts_with("/v2/a/b/blobs/")).collect();
                assert!(asked.len() == 2 && asked.iter().all(|request| shows_login(request)), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn a_registry_by_plain_http_redirects_to_any_scheme_and_the_login_stays() {
    for (name, target, listener) in [
        ("http to http on another host", RedirectTarget::CdnHttp, "cdnHttp"),
        ("http to https", RedirectTarget::Cdn, "cdn"),
        ("http to another port", RedirectTarget::SameHostOtherPort, "cdnHttp"),
    ] {
        let fixture = Fixture::new().await;
        let redirect = RedirectBlobs { to: target, ..RedirectBlobs::default() };
        fixture.serve(Image { auth: Some(Auth::basic("user", PASSWORD)), ..redirected(redirect) });
        let credential = Some(credential("user", PASSWORD));
        let options = ClientOptions { credential, plain_http: true, ..fixture.options() };
        let (result, _) = pull_from(&fixture, fixture.registry.http_address(), options).await;
        result.unwrap_or_else(|error| panic!("{name}: {error}"));
        fixture.expect_layer_in_file();
        let asked = at(&fixture, listener);
        assert!(asked.len() == 2 && !asked.iter().any(shows_login), "{name}: {asked:?}");
        assert!(at(&fixture, "http").iter().any(shows_login), "{name}");
    }
}

#[tokio::test]
async fn manifests_are_found_elsewhere() {
    for status in STATUSES {
        for is_elsewhere in [false, true] {
            let case = format!("{status}, elsewhere: {is_elsewhere}");
            let fixture = Fixture::new().await;
            let auth = Some(Auth::anonymous_bearer());
            fixture.serve(Image { auth, index: false, ..Fixture::image("a/b") });
            let image = fixture.resolve(&fixture.client(), "a/b").await.expect("an image");
            let manifest = String::from_utf8(image.manifest_json().to_vec()).expect("text");
            fixture.registry.delete_log(&LogFilter::default());
            let origin = match is_elsewhere {
                true => format!("https://{}", fixture.registry.cdn_https_address()),
                false => String::new(),
            };
            let location = format!("{origin}/cdn/a/b/number/manifest?signature={SIGNATURE}");
            // The first question is for the challenge.
            fixture.route("/v2/a/b/manifests/latest", [Step::pass(), to(status, &location)]);
            fixture.route(
                "/cdn/a/b/number/manifest",
                [Step::text(200, &manifest).header("Content-Type", image.media_type())],
            );
            let (result, lines) = pull(&fixture, fixture.options()).await;
            result.unwrap_or_else(|error| panic!("{case}: {error}"));
            fixture.expect_layer_in_file();
            assert!(!lines.join("\n").contains(SIGNATURE), "{case}: {lines:?}");
            let log = fixture.registry.log("a/b");
            let found: Vec<_> = log.iter().filter(|it| it.path.ends_with("/manifest")).collect();
            assert_eq!(found.len(), 1, "{case}");
            assert_eq!(shows_login(found[0]), !is_elsewhere, "{case}");
            // What is asked for is asked for at every place.
            assert!(found[0].headers["accept"].contains("manifest"), "{case}: {:?}", found[0].headers);
        }
    }
}

/// A layer that is found after `hops` redirects; each second one leads through the CDN where `through_cdn`.
async fn chain(fixture: &Fixture, hops: usize, through_cdn: bool) {
    let served = fixture.serve(Image { auth: Some(Auth::anonymous_bearer()), ..Fixture::image("a/b") });
    let (registry, cdn) = (fixture.registry.https_address(), fixture.registry.cdn_https_address());
    let path = |hop: usize| match (hop, through_cdn) {
        (0, _) => (registry, format!("/v2/a/b/blobs/{}", served.layers[0][0].digest)),
        (hop, true) if hop % 2 == 1 => (cdn, format!("/cdn/a/b/number/{hop}")),
        // Paths of the CDN can be asked for at the registry's own listener too.
        (hop, _) => (registry, format!("/cdn/a/b/other/{hop}")),
    };
    for hop in 0..hops {
        let (host, next) = path(hop + 1);
        let location = if through_cdn { format!("https://{host}{next}?signature={SIGNATURE}") } else { next };
        fixture.route(&path(hop).1, [to(STATUSES[hop % STATUSES.len()], &location)]);
    }
    fixture.route(&path(hops).1, [Step::text(200, LAYER)]);
}

#[tokio::test]
async fn ten_redirects_are_followed_and_no_more() {
    for (hops, through_cdn, is_followed) in [
        (1, false, true),
        (2, true, true),
        (9, false, true),
        (9, true, true),
        (10, false, true),
        (10, true, true),
        (11, false, false),
        (11, true, false),
        (30, true, false),
    ] {
        let case = format!("{hops} redirects, through the CDN: {through_cdn}");
        let fixture = Fixture::new().await;
        fixture.put_older_file();
        chain(&fixture, hops, through_cdn).await;
        let (result, lines) = pull(&fixture, fixture.options()).await;
        let asked = fixture.registry.log("a/b");
        let followed: Vec<_> = asked.iter().filter(|it| it.path.starts_with("/cdn/")).collect();
        assert_eq!(followed.len(), hops.min(10), "{case}");
        assert!(followed.iter().all(|it| shows_login(it) == (it.listener == "https")), "{case}");
        assert!(!lines.join("\n").contains(SIGNATURE), "{case}");
        match result {
            Ok(()) => {
                assert!(is_followed, "{case}");
                fixture.expect_layer_in_file();
            }
            Err(error) => {
                assert!(!is_followed, "{case}: {error}");
                assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{case}: {error}");
                assert!(error.to_string().contains(" redirects more than 10 times"), "{case}: {error}");
                assert!(!everything_said(&error).contains(SIGNATURE), "{case}: {error:?}");
                fixture.expect_older_file();
            }
        }
    }
}

#[tokio::test]
async fn a_way_from_https_to_plain_http_is_refused_wherever_it_begins() {
    for status in STATUSES {
        for place in ["/v2/a/b/manifests/latest", "/v2/a/b/blobs/CONFIG", "/v2/a/b/blobs/LAYER", "/token", "the CDN"] {
            let case = format!("{status} at {place}");
            let fixture = Fixture::new().await;
            fixture.put_older_file();
            let served = fixture.serve(Image { auth: Some(Auth::anonymous_bearer()), ..Fixture::image("a/b") });
            let plain = format!("http://{}/cdn/a/b/x?signature={SIGNATURE}", fixture.registry.cdn_http_address());
            let layer = format!("/v2/a/b/blobs/{}", served.layers[0][0].digest);
            if place == "the CDN" {
                let cdn = fixture.registry.cdn_https_address();
                fixture.route(&layer, [to(307, &format!("https://{cdn}/cdn/a/b/number/x?signature={SIGNATURE}"))]);
                fixture.route("/cdn/a/b/number/x", [to(status, &plain)]);
            } else {
                let path = place.replace("CONFIG", &served.configs[0]).replace("/v2/a/b/blobs/LAYER", &layer);
                fixture.route(&path, [to(status, &plain)]);
            }
            let (result, lines) = pull(&fixture, fixture.options()).await;
            let error = result.expect_err(&case);
            assert_eq!(error.kind(), ErrorKind::Insecure, "{case}: {error}");
            let told = format!(
                " redirects from https to plain http at {}, which is refused",
                fixture.registry.cdn_http_address()
            );
            assert!(error.to_string().contains(&told), "{case}: {error}");
            assert!(!everything_said(&error).contains(SIGNATURE), "{case}: {error:?}");
            assert!(!lines.join("\n").contains(SIGNATURE), "{case}: {lines:?}");
            assert!(at(&fixture, "cdnHttp").is_empty(), "{case}");
            fixture.expect_older_file();
        }
    }
}

#[tokio::test]
async fn a_location_that_leads_nowhere_is_told_without_its_secrets() {
    let secret = |text: &str| text.replace("SIGNED", &format!("signature={SIGNATURE}"));
    for (name, location, kind) in [
        ("no address", "https://?SIGNED", ErrorKind::InvalidResponse),
        ("no port", "https://cdn.invalid:99999/x?SIGNED", ErrorKind::InvalidResponse),
        ("a scheme of files", "file:///etc/passwd?SIGNED", ErrorKind::InvalidResponse),
        ("a scheme of other servers", "ftp://127.0.0.1/x?SIGNED", ErrorKind::InvalidResponse),
        ("data in the address itself", "data:text/plain,SIGNED", ErrorKind::InvalidResponse),
        ("nobody listens", "https://127.0.0.1:1/x?SIGNED", ErrorKind::Connection),
        ("a login in the address", "https://user:SECRET-s1gnature@127.0.0.1:1/x?SIGNED", ErrorKind::Connection),
        ("a fragment", "https://127.0.0.1:1/x#SIGNED", ErrorKind::Connection),
    ] {
        let fixture = Fixture::new().await;
        fixture.put_older_file();
        let served = fixture.serve(Fixture::image("a/b"));
        fixture.route(&format!("/v2/a/b/blobs/{}", served.layers[0][0].digest), [to(307, &secret(location))]);
        let (result, lines) = pull(&fixture, fixture.options()).await;
        let error = result.expect_err(name);
        assert_eq!(error.kind(), kind, "{name}: {error}");
        assert!(error.to_string().starts_with("Failed to download Docker image layer: "), "{name}: {error}");
        assert!(!everything_said(&error).contains(SIGNATURE), "{name}: {error:?}");
        assert!(!lines.join("\n").contains(SIGNATURE), "{name}: {lines:?}");
        fixture.expect_older_file();
    }
}

#[tokio::test]
async fn a_cdn_that_fails_is_named_and_its_signed_address_is_not() {
    type Answer = fn() -> Step;
    let failures: [(&str, Answer, ErrorKind, Option<u16>); 14] = [
        ("400", || Step::status(400), ErrorKind::Server, Some(400)),
        ("401", || Step::status(401), ErrorKind::Unauthorized, Some(401)),
        ("403", || Step::text(403, "<Error>SECRET-s1gnature</Error>"), ErrorKind::Denied, Some(403)),
        ("404", || Step::status(404), ErrorKind::BlobNotFound, Some(404)),
        ("410", || Step::status(410), ErrorKind::Server, Some(410)),
        ("429", || Step::status(429), ErrorKind::RateLimited, Some(429)),
        ("500", || Step::text(500, "SECRET-s1gnature"), ErrorKind::Server, Some(500)),
        ("503", || Step::status(503), ErrorKind::Server, Some(503)),
        ("cut", || Step { cut_after: Some(5), ..Step::text(200, LAYER) }, ErrorKind::Connection, None),
        ("reset", || Step { reset_after: Some(5), ..Step::text(200, LAYER) }, ErrorKind::Connection, None),
        ("closed", || Step { close_before_response: true, ..Step::default() }, ErrorKind::Connection, None),
        ("stalled", || Step { stall_after: Some(5), ..Step::text(200, LAYER) }, ErrorKind::Timeout, None),
        (
            "silent",
            || Step { close_before_response: true, stall_after: Some(0), ..Step::default() },
            ErrorKind::Timeout,
            None,
        ),
        ("wrong bytes", || Step::text(200, &"x".repeat(LAYER.len())), ErrorKind::DigestMismatch, None),
    ];
    for (name, failure, kind, status) in failures {
        let fixture = Fixture::new().await;
        fixture.put_older_file();
        let served = fixture.serve(Fixture::image("a/b"));
        let cdn = fixture.registry.cdn_https_address();
        let location = format!("https://{cdn}/cdn/a/b/number/layer?X-Amz-Signature={SIGNATURE}");
        fixture.route(&format!("/v2/a/b/blobs/{}", served.layers[0][0].digest), [to(307, &location)]);
        fixture.route("/cdn/a/b/number/layer", [failure()]);
        let options = ClientOptions {
            stall_timeout: Duration::from_millis(300),
            retry: RetryPolicy { maximum_retries: 1, ..fixture.options().retry },
            ..fixture.options()
        };
        let (result, lines) = pull(&fixture, options).await;
        let error = result.expect_err(name);
        assert_eq!((error.kind(), error.http_status()), (kind, status), "{name}: {error}");
        assert!(kind == ErrorKind::DigestMismatch || error.to_string().contains(cdn), "{name}: {error}");
        assert!(!everything_said(&error).contains(SIGNATURE), "{name}: {error:?}");
        assert!(!lines.join("\n").contains(SIGNATURE), "{name}: {lines:?}");
        fixture.expect_older_file();
    }
}

#[tokio::test]
async fn a_cdn_that_fails_once_is_asked_again() {
    type Answer = fn() -> Step;
    let failures: [(&str, Answer); 6] = [
        ("500", || Step::status(500)),
        ("429", || Step::status(429)),
        ("503", || Step::status(503)),
        ("cut", || Step { cut_after: Some(5), ..Step::text(200, LAYER) }),
        ("reset", || Step { reset_after: Some(5), ..Step::text(200, LAYER) }),
        ("wrong bytes", || Step::text(200, &"x".repeat(LAYER.len()))),
    ];
    for (name, failure) in failures {
        let fixture = Fixture::new().await;
        fixture.serve(redirected(RedirectBlobs::default()));
        // The config comes first.
        fixture.route("/cdn/a/b/*", [Step::pass(), failure(), Step::pass()]);
        let (result, lines) = pull(&fixture, fixture.options()).await;
        result.unwrap_or_else(|error| panic!("{name}: {error}"));
        fixture.expect_layer_in_file();
        assert!(!lines.join("\n").contains("signature"), "{name}: {lines:?}");
    }
}

const MEGABYTE: u64 = 1024 * 1024;

#[tokio::test]
async fn a_signed_address_that_has_ended_is_got_anew_in_the_middle_of_a_download() {
    let cut = || Step { cut_after: Some(2 * MEGABYTE), ..Step::pass() };
    let pass = Step::pass;
    let expired = || Step { expire_tokens: true, ..cut() };
    type Ended = (&'static str, Option<u64>, Vec<Step>, &'static [u16], usize);
    let cases: Vec<Ended> = vec![
        ("good for more than one", None, vec![pass(), cut(), pass()], &[200, 206], 1),
        ("good for both", Some(2), vec![pass(), cut(), pass()], &[200, 206], 1),
        ("good once", Some(1), vec![pass(), cut(), pass()], &[200, 403, 206], 2),
        (
            "good once, again and again",
            Some(1),
            vec![pass(), cut(), pass(), cut(), pass(), pass()],
            &[200, 403, 206, 403, 206],
            3,
        ),
        // The token has ended too: the registry is asked for both.
        ("good once, with its token", Some(1), vec![pass(), expired(), pass()], &[200, 403, 206], 3),
        ("refused with 401", None, vec![pass(), cut(), Step::status(401), pass()], &[200, 401, 206], 2),
        ("gone", None, vec![pass(), cut(), Step::status(410), pass()], &[200, 410, 206], 2),
    ];
    for (name, expires_after_uses, steps, statuses, asked) in cases {
        let fixture = Fixture::new().await;
        let content: String = (0..5 * MEGABYTE / 8).map(|number| format!("{number:07} ")).collect();
        let redirect = RedirectBlobs { expires_after_uses, ..RedirectBlobs::default() };
        let served = fixture.serve(Image {
            auth: Some(Auth::anonymous_bearer()),
            platforms: vec![Served::linux_amd64(vec![Blob::text(content.clone())])],
            ..redirected(redirect)
        });
        let digest = &served.layers[0][0].digest;
        fixture.route("/cdn/a/b/*", steps);
        let (result, lines) = pull(&fixture, fixture.options()).await;
        result.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(std::fs::read_to_string(fixture.destination()).expect("the file") == content, "{name}");
        let signed: Vec<_> = at(&fixture, "cdn").into_iter().filter(|it| it.path.ends_with(digest)).collect();
        let answered: Vec<_> = signed.iter().filter_map(|it| it.status).collect();
        assert_eq!(answered, statuses, "{name}");
        assert!(!signed.iter().any(shows_login), "{name}");
        // What had come is not fetched again.
        let sent: u64 = signed.iter().filter(|it| it.status < Some(400)).filter_map(|it| it.body_bytes).sum();
        assert_eq!(sent, content.len() as u64, "{name}");
        let at_registry = at(&fixture, "https").iter().filter(|it| it.path.ends_with(digest)).count();
        assert_eq!(at_registry, asked, "{name}");
        assert!(!lines.join("\n").contains("signature"), "{name}: {lines:?}");
    }
}

/// Where a token service sends those who ask it.
const MOVED: &str = "/token/moved";

#[tokio::test]
async fn a_password_never_follows_a_token_service_to_another_host() {
    for status in STATUSES {
        for is_elsewhere in [false, true] {
            let case = format!("{status}, elsewhere: {is_elsewhere}");
            let fixture = Fixture::new().await;
            fixture.serve(Image { auth: Some(Auth::password_bearer("user", PASSWORD)), ..Fixture::image("a/b") });
            let location = match is_elsewhere {
                true => format!("https://{}/cdn/a/b/token", fixture.registry.cdn_https_address()),
                // Relative, with what the service needs to know.
                false => format!("{MOVED}?service=x&scope=repository:a/b:pull"),
            };
            fixture.route("/token", [to(status, &location)]);
            fixture.route("/cdn/a/b/token", [Step::text(401, "no login")]);
            let options = ClientOptions { credential: Some(credential("user", PASSWORD)), ..fixture.options() };
            let (result, lines) = pull(&fixture, options).await;
            let elsewhere = at(&fixture, "cdn");
            assert_eq!(elsewhere.len(), usize::from(is_elsewhere), "{case}");
            assert!(!elsewhere.iter().any(shows_login), "{case}: {elsewhere:?}");
            assert!(!lines.join("\n").contains(PASSWORD), "{case}");
            match result {
                Ok(()) => assert!(!is_elsewhere, "{case}"),
                Err(error) => {
                    assert!(is_elsewhere, "{case}: {error}");
                    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{case}: {error}");
                    assert!(error.to_string().contains(fixture.registry.cdn_https_address()), "{case}: {error}");
                    assert!(!everything_said(&error).contains(PASSWORD), "{case}: {error:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn an_identity_token_is_posted_again_only_where_the_service_is_and_asks_for_it() {
    for status in STATUSES {
        for is_elsewhere in [false, true] {
            let case = format!("{status}, elsewhere: {is_elsewhere}");
            let fixture = Fixture::new().await;
            let bearer = Bearer { identity_token: Some(IDENTITY.to_owned()), ..Bearer::default() };
            fixture.serve(Image { auth: Some(Auth::Bearer(bearer)), ..Fixture::image("a/b") });
            let host = if is_elsewhere { fixture.registry.cdn_https_address() } else { "" };
            let origin = if is_elsewhere { format!("https://{host}/cdn/a/b") } else { String::new() };
            fixture.route("/token", [to(status, &format!("{origin}{MOVED}"))]);
            let login = credential(Credential::IDENTITY_TOKEN, IDENTITY);
            let options = ClientOptions { credential: Some(login), ..fixture.options() };
            let (result, _) = pull(&fixture, options).await;
            let moved: Vec<_> = fixture
                .registry
                .log_of(&LogFilter { path: Some(MOVED.to_owned()), ..LogFilter::default() })
                .into_iter()
                .map(|request| (request.method, request.form.contains_key("refresh_token")))
                .collect();
            assert!(at(&fixture, "cdn").is_empty(), "{case}");
            match (is_elsewhere, status) {
                (true, _) => {
                    let error = result.expect_err(&case);
                    assert_eq!(error.kind(), ErrorKind::Insecure, "{case}: {error}");
                    let told = format!("redirects a login to {host}, which is refused");
                    assert!(error.to_string().contains(&told), "{case}: {error}");
                    assert!(!everything_said(&error).contains(IDENTITY), "{case}: {error:?}");
                }
                (false, 307 | 308) => {
                    result.unwrap_or_else(|error| panic!("{case}: {error}"));
                    assert_eq!(moved, [("POST".to_owned(), true)], "{case}");
                }
                (false, _) => {
                    let error = result.expect_err(&case);
                    assert!(!everything_said(&error).contains(IDENTITY), "{case}: {error:?}");
                    let is_bare = |(method, has_token): &(String, bool)| method == "GET" && !has_token;
                    assert!(!moved.is_empty() && moved.iter().all(is_bare), "{case}: {moved:?}");
                }
            }
        }
    }
}
