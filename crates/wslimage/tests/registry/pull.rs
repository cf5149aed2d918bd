//! What the user gets: the right file, or a clear error and nothing changed.

use std::path::Path;
use std::time::Duration;

use crate::faults::{image, lying_layer, with_layers};
use crate::fixture::{Event, Fixture, LAYER, OLDER, Recorder, request_at};
use wslimage::{ErrorKind, ImageRequest, Job, Platform, Stage};
use wslimage_test_registry::{Blob, Image, LogFilter, Platform as Served, Step, WaitFor};

#[tokio::test]
async fn the_layer_becomes_the_file_whatever_form_the_image_has() {
    for (index, docker) in [(true, false), (true, true), (false, false), (false, true)] {
        let fixture = Fixture::new().await;
        fixture.put_older_file();
        let served = fixture.serve(Image { index, docker, ..Fixture::image("a/b") });
        let client = fixture.client();
        let file = fixture.pull(&client, "a/b").await.expect("a file");
        fixture.expect_layer_in_file();
        assert_eq!(file.digest().as_ref(), served.layers[0][0].digest);
        assert_eq!(file.size(), LAYER.len() as u64);

        let image = fixture.resolve(&client, "a/b").await.expect("an image");
        assert_eq!(image.digest().as_ref(), served.manifests[0]);
        assert_eq!(image.layers()[0].media_type(), served.layers[0][0].media_type);
        assert_eq!(image.platform().to_string(), "linux/amd64");
        assert!(image.metadata().json().contains("\"Labels\""));
        let by_digest = format!("a/b@{}", served.manifests[0]);
        fixture.pull(&client, &by_digest).await.expect("a file");
        if let Some(index) = &served.index {
            fixture.pull(&client, &format!("a/b:latest@{index}")).await.expect("a file");
        }
    }
}

#[tokio::test]
async fn requests_say_who_asks_and_want_blobs_as_they_are() {
    let fixture = Fixture::new().await;
    let served = fixture.serve(Fixture::image("a/b"));
    fixture.pull(&fixture.client(), "a/b").await.expect("a file");
    for request in fixture.registry.log("a/b") {
        assert!(request.headers["user-agent"].starts_with("WslImage/0."), "{request:?}");
        assert_eq!(request.headers["accept-encoding"], "identity");
        if request.path.contains("/manifests/latest") {
            for media_type in [
                "application/vnd.oci.image.index.v1+json",
                "application/vnd.oci.image.manifest.v1+json",
                "application/vnd.docker.distribution.manifest.list.v2+json",
                "application/vnd.docker.distribution.manifest.v2+json",
            ] {
                assert!(request.headers["accept"].contains(media_type));
            }
        }
    }
    assert!(fixture.registry.log("a/b").iter().any(|request| request.path.ends_with(&served.layers[0][0].digest)));
}

#[tokio::test]
async fn the_platform_that_was_asked_for_is_taken() {
    let fixture = Fixture::new().await;
    let for_platform = |os: &str, architecture: &str, variant: Option<&str>| {
        let name = [os, architecture].into_iter().chain(variant).collect::<Vec<_>>().join("/");
        let mut served = Served::new(os, architecture, vec![Blob::text(format!("layer for {name}"))]);
        if let (Some(platform), Some(variant)) = (&mut served.platform, variant) {
            platform.insert("variant".to_owned(), variant.into());
        }
        served
    };
    fixture.serve(Image {
        platforms: vec![
            for_platform("unknown", "unknown", None),
            for_platform("windows", "amd64", None),
            for_platform("linux", "arm", Some("v6")),
            for_platform("linux", "arm", Some("v7")),
            for_platform("linux", "arm64", Some("v8")),
            for_platform("linux", "amd64", None),
            for_platform("linux", "amd64", None),
            for_platform("linux", "386", None),
        ],
        ..Fixture::image("a/many")
    });
    for (wanted, taken) in [
        (None, "linux/amd64"),
        (Some("linux/amd64"), "linux/amd64"),
        (Some("linux/x86_64"), "linux/amd64"),
        (Some("linux/arm64"), "linux/arm64/v8"),
        (Some("linux/arm64/v8"), "linux/arm64/v8"),
        (Some("linux/arm"), "linux/arm/v7"),
        (Some("linux/arm/v6"), "linux/arm/v6"),
        (Some("linux/386"), "linux/386"),
    ] {
        let mut request = fixture.request("a/many");
        if let Some(wanted) = wanted {
            request.platform = wanted.parse().expect("a platform");
        }
        fixture.pull_request(&fixture.client(), request).await.expect("a file");
        let text = std::fs::read_to_string(fixture.destination()).expect("the file");
        assert_eq!(text, format!("layer for {taken}"), "{wanted:?}");
    }
    let mut request = fixture.request("a/many");
    request.platform = "linux/s390x".parse().expect("a platform");
    let error = fixture.pull_request(&fixture.client(), request).await.expect_err("no such platform");
    assert_eq!(error.kind(), ErrorKind::NoPlatform);
    assert_eq!(
        error.to_string(),
        "No s390x manifest found in the image manifest. The image is for linux/386, linux/amd64, linux/arm/v6, \
         linux/arm/v7, linux/arm64, windows/amd64, not for linux/s390x"
    );
}

#[tokio::test]
async fn a_manifest_without_an_index_is_for_the_platform_that_its_config_names() {
    let fixture = Fixture::new().await;
    let image = |repository: &str, config: &str| Image {
        index: false,
        platforms: vec![Served {
            config_text: Some(config.to_owned()),
            ..Served::linux_amd64(vec![Blob::text(LAYER)])
        }],
        ..Fixture::image(repository)
    };
    fixture.serve(image("plain/arm", r#"{"os":"linux","architecture":"arm64"}"#));
    fixture.serve(image("plain/silent", r#"{"config":{}}"#));
    let error = fixture.pull(&fixture.client(), "plain/arm").await.expect_err("another platform");
    assert_eq!(
        error.to_string(),
        "No amd64 manifest found in the image manifest. The image is for linux/arm64, not for linux/amd64"
    );
    let mut request = fixture.request("plain/arm");
    request.platform = Platform::new("linux", "arm64", None);
    fixture.pull_request(&fixture.client(), request).await.expect("a file");
    fixture.pull(&fixture.client(), "plain/silent").await.expect("a file");
    fixture.expect_layer_in_file();
}

#[tokio::test]
async fn a_wait_that_the_registry_asks_for_is_told() {
    let fixture = Fixture::new().await;
    fixture.serve(image());
    fixture.route("/v2/a/b/manifests/latest", [Step::status(429).header("Retry-After", "7")]);
    let error = fixture.pull(&fixture.client(), "a/b").await.expect_err("too many requests");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn nobody_at_the_other_end_is_told_with_the_registry() {
    let fixture = Fixture::new().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let error = fixture.pull_request(&fixture.client(), request_at(&address, "a/b")).await.expect_err("nobody");
    assert_eq!(error.kind(), ErrorKind::Connection);
    let expected = format!("Failed to get authentication token: no connection to {address}: ");
    assert!(error.to_string().starts_with(&expected), "{error}");
    assert!(!error.causes().is_empty());
}

#[tokio::test]
async fn a_redirected_blob_is_fetched_and_the_token_stays_at_home() {
    let fixture = Fixture::new().await;
    let served = fixture.serve(Image { auth: Some(wslimage_test_registry::Auth::anonymous_bearer()), ..image() });
    // The same server under another name is another host.
    let port = fixture.registry.https_address().rsplit(':').next().expect("a port").to_owned();
    let cdn = format!("https://127.0.0.1:{port}/cdn/blob?X-Signature=secret");
    for status in [301, 302, 303, 307, 308] {
        fixture.registry.delete_log(&LogFilter::default());
        fixture.route(
            &format!("/v2/a/b/blobs/{}", served.layers[0][0].digest),
            [Step::status(status).header("Location", &cdn)],
        );
        fixture.route("/cdn/blob", [Step::status(302).header("Location", "/cdn/moved")]);
        fixture.route("/cdn/moved", [Step::text(200, LAYER)]);
        fixture.pull(&fixture.client(), "a/b").await.expect("a file");
        fixture.expect_layer_in_file();
        std::fs::remove_file(fixture.destination()).expect("the file");
        let at_cdn = fixture.registry.log_of(&LogFilter { path: Some("/cdn/".to_owned()), ..LogFilter::default() });
        assert_eq!(at_cdn.len(), 2);
        assert!(at_cdn.iter().all(|request| !request.headers.contains_key("authorization")), "{at_cdn:?}");
    }
}

#[tokio::test]
async fn cancelling_a_stalled_download_ends_it_and_leaves_what_was_there() {
    let fixture = Fixture::new().await;
    fixture.put_older_file();
    let served = fixture.serve(image());
    let path = format!("/v2/a/b/blobs/{}", served.layers[0][0].digest);
    fixture.route(&path, [Step { stall_after: Some(10), ..Step::pass() }]);
    let client = fixture.client();
    let (_, cancellation, job) = Recorder::job();
    let image = fixture.resolve(&client, "a/b").await.expect("an image");
    let destination = fixture.destination();
    let pull = tokio::spawn(async move {
        wslimage::pull(&client, &image, &destination, wslimage::PullOptions::default(), &job).await
    });
    fixture.registry.wait(&WaitFor { path, ..WaitFor::default() }).await.expect("a request");
    cancellation.cancel();
    let error = pull.await.expect("a task").expect_err("cancelled");
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    fixture.expect_older_file();
}

#[tokio::test]
async fn cancelling_works_while_the_registry_does_not_answer() {
    let fixture = Fixture::new().await;
    fixture.serve(image());
    let path = "/v2/a/b/manifests/latest";
    fixture.route(path, [Step { close_before_response: true, stall_after: Some(0), ..Step::default() }]);
    let (_, cancellation, job) = Recorder::job();
    let (client, request) = (fixture.client(), fixture.request("a/b"));
    let resolve = tokio::spawn(async move { wslimage::resolve(&client, request, &job).await.map(drop) });
    fixture.registry.wait(&WaitFor { path: path.to_owned(), ..WaitFor::default() }).await.expect("a request");
    cancellation.cancel();
    assert_eq!(resolve.await.expect("a task").expect_err("cancelled").kind(), ErrorKind::Cancelled);
}

#[tokio::test]
async fn pulls_to_one_file_at_the_same_time_wait_for_each_other() {
    let fixture = Fixture::new().await;
    fixture.serve(image());
    let client = fixture.client();
    let pulls: Vec<_> = (0..6)
        .map(|_| {
            let (client, request, destination) = (client.clone(), fixture.request("a/b"), fixture.destination());
            tokio::spawn(async move {
                let job = Job::default();
                let image = wslimage::resolve(&client, request, &job).await?;
                wslimage::pull(&client, &image, &destination, wslimage::PullOptions::default(), &job).await
            })
        })
        .collect();
    for pull in pulls {
        pull.await.expect("a task").expect("a file");
    }
    fixture.expect_layer_in_file();
}

#[tokio::test]
async fn progress_tells_the_stages_the_size_and_every_byte() {
    let fixture = Fixture::new().await;
    let text = "0123456789".repeat(1_000_000);
    let media_type = Some("application/vnd.oci.image.layer.v1.tar".to_owned());
    fixture.serve(with_layers(vec![Blob { media_type, ..Blob::text(text) }].into()));
    let (recorder, _, job) = Recorder::job();
    let client = fixture.client();
    let image = wslimage::resolve(&client, fixture.request("a/b"), &job).await.expect("an image");
    wslimage::pull(&client, &image, &fixture.destination(), wslimage::PullOptions::default(), &job)
        .await
        .expect("a file");
    let events = recorder.events();
    let stages: Vec<Stage> = events
        .iter()
        .filter_map(|event| match event {
            Event::Stage(stage) => Some(*stage),
            _ => None,
        })
        .collect();
    use Stage::{Authenticating, Done, Downloading, Finishing, Resolving};
    assert_eq!(stages, [Authenticating, Resolving, Downloading, Finishing, Done]);
    assert!(events.contains(&Event::Expects(1, 10_000_000)));
    let advanced: u64 = events
        .iter()
        .map(|event| match event {
            Event::Advanced(0, bytes) => *bytes,
            _ => 0,
        })
        .sum();
    assert_eq!(advanced, 10_000_000);
    let registry = fixture.registry.https_address();
    let lines = recorder.verbose_lines();
    assert_eq!(lines[0], format!("Getting docker authentication token for registry {registry} and repository a/b..."));
    assert_eq!(lines[1], format!("Getting docker image manifest https://{registry}/v2/a/b/manifests/latest..."));
    assert!(
        lines[2]
            .starts_with(&format!("Getting docker image amd64 manifest https://{registry}/v2/a/b/manifests/sha256:"))
    );
    assert!(lines[3].starts_with(&format!("Getting docker image config https://{registry}/v2/a/b/blobs/sha256:")));
    assert_eq!(lines.len(), 4);
}

async fn pull_to(fixture: &Fixture, destination: &Path) -> wslimage::Result<wslimage::PulledFile> {
    let client = fixture.client();
    let image = fixture.resolve(&client, "a/b").await?;
    wslimage::pull(&client, &image, destination, wslimage::PullOptions::default(), &Job::default()).await
}

#[tokio::test]
async fn missing_folders_are_made_and_gone_again_after_a_failure() {
    let fixture = Fixture::new().await;
    let served = fixture.serve(image());
    let destination = fixture.folder.path().join("new").join("deep").join("rootfs.tar.gz");
    fixture.route(&format!("/v2/a/b/blobs/{}", served.layers[0][0].digest), [Step::status(403), Step::pass()]);
    pull_to(&fixture, &destination).await.expect_err("denied");
    assert!(fixture.files().is_empty(), "{:?}", fixture.files());
    pull_to(&fixture, &destination).await.expect("a file");
    assert_eq!(std::fs::read_to_string(&destination).expect("the file"), LAYER);
}

#[tokio::test]
async fn a_destination_that_cannot_be_a_file_is_refused_before_the_download() {
    let fixture = Fixture::new().await;
    let served = fixture.serve(image());
    let folder = fixture.folder.path();
    std::fs::create_dir(folder.join("folder")).expect("a folder");
    std::fs::write(folder.join("file"), OLDER).expect("a file");
    for destination in [folder.join("folder"), folder.join("new/"), folder.join("file").join("below"), "/".into()] {
        let error = pull_to(&fixture, &destination).await.expect_err("no file");
        assert_eq!(error.kind(), ErrorKind::File, "{error}");
        assert!(error.to_string().starts_with("Failed to create destination file: "), "{error}");
    }
    assert_eq!(std::fs::read_to_string(folder.join("file")).expect("the file"), OLDER);
    let layer = &served.layers[0][0].digest;
    let fetched: u64 =
        fixture.registry.log("a/b").iter().filter(|r| r.path.ends_with(layer)).filter_map(|r| r.body_bytes).sum();
    assert!(fetched <= LAYER.len() as u64, "only what cannot be known before costs a request");
}

#[cfg(unix)]
#[tokio::test]
async fn a_symbolic_link_stays_one_and_its_file_is_replaced() {
    let fixture = Fixture::new().await;
    fixture.serve(image());
    let folder = fixture.folder.path();
    std::fs::create_dir(folder.join("real")).expect("a folder");
    std::fs::write(folder.join("real").join("file"), OLDER).expect("a file");
    std::os::unix::fs::symlink("real/file", folder.join("link")).expect("a link");
    std::os::unix::fs::symlink("circle", folder.join("circle")).expect("a link");
    pull_to(&fixture, &folder.join("link")).await.expect("a file");
    assert!(folder.join("link").is_symlink());
    assert_eq!(std::fs::read_to_string(folder.join("real").join("file")).expect("the file"), LAYER);
    assert!(pull_to(&fixture, &folder.join("circle")).await.is_err());
}

#[cfg(unix)]
#[tokio::test]
async fn a_device_is_not_replaced_by_a_file() {
    let fixture = Fixture::new().await;
    fixture.serve(image());
    let error = pull_to(&fixture, Path::new("/dev/null")).await.expect_err("a device");
    assert!(error.to_string().contains("It is a device or a pipe"), "{error}");
    assert!(!Path::new("/dev/null").is_file());
}

#[tokio::test]
async fn sha512_verifies_like_sha256() {
    let fixture = Fixture::new().await;
    let digest = "sha512:d65d7b2d0b7b6b30b0bcb3b19d7b8df4a5d4fd87e4a9f10b0ac5a4dd6d3a8c6c6d1f6b8fd4b7d2f7a6dc1a0e0b6f5fd9bfe0a6a65a6a5f13a7cfba5a7eb8d1fe";
    fixture.serve(lying_layer(Some(digest.to_owned()), None));
    let error = fixture.pull(&fixture.client(), "a/b").await.expect_err("a wrong digest");
    assert_eq!(error.kind(), ErrorKind::DigestMismatch);
    let text = error.to_string();
    let actual = text.split("Actual: ").nth(1).and_then(|rest| rest.split('.').next()).expect("the actual hash");
    fixture.serve(lying_layer(Some(format!("sha512:{actual}")), None));
    fixture.pull(&fixture.client(), "a/b").await.expect("a file");
    fixture.expect_layer_in_file();
}

#[test]
fn a_request_is_for_linux_amd64_unless_it_says_otherwise() {
    let request = ImageRequest::new("alpine".parse().expect("a reference"));
    assert_eq!(request.platform.to_string(), "linux/amd64");
}
