//! Downloads that are interrupted: what has arrived is not fetched again, and never makes a wrong file.

use std::time::Duration;

use wslimage::{ClientOptions, ErrorKind, RetryPolicy};
use wslimage_test_registry::Step;

use crate::faults::lying_layer;
use crate::fixture::{Fixture, Recorder};
use crate::large::{Large, MEGABYTE, SIZE, content};

#[tokio::test]
async fn a_cut_body_goes_on_where_it_was_cut() {
    let cut = |after| Step { cut_after: Some(after), ..Step::pass() };
    let reset = |after| Step { reset_after: Some(after), ..Step::pass() };
    type Ranges = &'static [Option<&'static str>];
    for (name, steps, ranges) in [
        ("once", vec![cut(2 * MEGABYTE), Step::pass()], &[None, Some("bytes=2097152-")] as Ranges),
        (
            "again and again",
            vec![cut(MEGABYTE), cut(MEGABYTE), cut(MEGABYTE), cut(MEGABYTE), cut(MEGABYTE), Step::pass()],
            &[
                None,
                Some("bytes=1048576-"),
                Some("bytes=2097152-"),
                Some("bytes=3145728-"),
                Some("bytes=4194304-"),
                Some("bytes=5242880-"),
            ],
        ),
        ("at its first byte", vec![cut(0), Step::pass()], &[None, None]),
        (
            "before any answer",
            vec![Step { close_before_response: true, ..Step::default() }, Step::pass()],
            &[None, None],
        ),
        (
            "and then the registry is busy",
            vec![cut(3 * MEGABYTE), Step::status(503), Step::status(429).header("Retry-After", "0"), Step::pass()],
            &[None, Some("bytes=3145728-"), Some("bytes=3145728-"), Some("bytes=3145728-")],
        ),
        ("a byte before its end", vec![cut(SIZE - 1), Step::pass()], &[None, Some("bytes=5255224-")]),
        ("by a reset", vec![reset(MEGABYTE), Step::pass()], &[None]),
    ] {
        let large = Large::new().await;
        large.fixture.route(&large.blob, steps);
        large.pull().await.unwrap_or_else(|error| panic!("{name}: {error}"));
        large.expect_file(name);
        let asked = large.ranges();
        let asked: Vec<Option<&str>> = asked.iter().map(Option::as_deref).collect();
        // What a reset leaves of what was sent is the system's choice.
        assert!(asked.starts_with(ranges), "{name}: {asked:?}");
        assert!(large.sent() < SIZE + MEGABYTE, "{name}: {} bytes for {SIZE}", large.sent());
    }
}

#[tokio::test]
async fn a_server_that_does_not_know_parts_sends_all_again() {
    let cut = || Step { cut_after: Some(2 * MEGABYTE), ..Step::pass() };
    let lie = |range: &str| Step { status: Some(206), ..Step::pass() }.header("Content-Range", range);
    for (name, second) in [
        ("it sends all of it as 200", None),
        ("it answers 416", Some(Step::status(416))),
        ("it answers 416 with the size", Some(Step::status(416).header("Content-Range", "bytes */5255225"))),
        ("another part than was asked for", Some(lie("bytes 0-5255224/5255225"))),
        ("a part of a longer blob", Some(lie("bytes 2097152-5255224/9999999"))),
        ("a part beyond the end", Some(lie("bytes 2097152-99999999/*"))),
        ("a part in other units", Some(lie("lines 2097152-5255224/5255225"))),
        ("a part that does not say which", Some(lie(""))),
        ("a part that says nothing sensible", Some(lie("bytes 9-1/x"))),
    ] {
        let large = Large::new().await;
        large.fixture.route(&large.blob, [cut(), second.unwrap_or_else(|| large.whole()), large.whole()]);
        large.pull().await.unwrap_or_else(|error| panic!("{name}: {error}"));
        large.expect_file(name);
        assert_eq!(large.ranges().first(), Some(&None), "{name}");
        assert_eq!(large.ranges().get(1), Some(&Some("bytes=2097152-".to_owned())), "{name}");
    }
}

#[tokio::test]
async fn a_content_that_changes_in_between_is_fetched_again_from_its_first_byte() {
    let large = Large::new().await;
    let other = "x".repeat((SIZE - 2 * MEGABYTE) as usize);
    let range = format!("bytes {}-{}/{SIZE}", 2 * MEGABYTE, SIZE - 1);
    let part = Step { status: Some(206), body: Some(other), ..Step::default() }.header("Content-Range", &range);
    let cut = Step { cut_after: Some(2 * MEGABYTE), ..Step::pass() };
    large.fixture.route(&large.blob, [cut.clone(), part.clone(), Step::pass()]);
    large.pull().await.expect("a file");
    large.expect_file("once");
    assert_eq!(large.ranges(), [None, Some("bytes=2097152-".to_owned()), None]);

    std::fs::remove_file(large.fixture.destination()).expect("the file");
    let wrong = Step { body: Some("y".repeat(SIZE as usize)), ..Step::default() };
    large.fixture.route(&large.blob, [cut, part, wrong]);
    let error = large.pull().await.expect_err("a wrong digest twice");
    assert_eq!(error.kind(), ErrorKind::DigestMismatch);
    assert_eq!(large.fixture.files(), Vec::<String>::new(), "what is wrong is not kept");
}

#[tokio::test]
async fn an_entity_tag_guards_the_rest() {
    let large = Large::new().await;
    let cut = Step { cut_after: Some(2 * MEGABYTE), ..Step::pass() };
    for (name, tag, expected) in
        [("strong", "\"one\"", Some("\"one\"")), ("weak", "W/\"one\"", None), ("empty", "", None)]
    {
        large.fixture.registry.delete_log(&wslimage_test_registry::LogFilter::default());
        large.fixture.route(&large.blob, [cut.clone().header("ETag", tag), Step::pass().header("ETag", tag)]);
        large.pull().await.unwrap_or_else(|error| panic!("{name}: {error}"));
        large.expect_file(name);
        std::fs::remove_file(large.fixture.destination()).expect("the file");
        let if_range: Vec<_> = large.asked().iter().map(|request| request.headers.get("if-range").cloned()).collect();
        assert_eq!(if_range.get(1), Some(&expected.map(str::to_owned)), "{name}: {if_range:?}");
    }
}

#[tokio::test]
async fn a_later_run_goes_on_where_an_earlier_one_has_ended() {
    for (name, last) in [
        ("a registry that went away", Step { close_before_response: true, ..Step::default() }),
        ("a registry that is out of order", Step::status(500)),
        ("too many requests", Step::status(429)),
        ("a login that has ended", Step::status(401)),
    ] {
        let large = Large::new().await;
        let cut = Step { cut_after: Some(3 * MEGABYTE), ..Step::pass() };
        large.fixture.route(&large.blob, [cut, last]);
        let error = large.pull().await.expect_err(name);
        assert_eq!(large.fixture.files(), ["rootfs.tar.gz.partial", "rootfs.tar.gz.partial.digest"], "{name}: {error}");
        large.fixture.registry.delete_routes(&large.blob);
        large.fixture.registry.delete_log(&wslimage_test_registry::LogFilter::default());

        let (recorder, _, job) = Recorder::job();
        let client = large.fixture.client();
        let image = large.fixture.resolve(&client, "a/b").await.expect("an image");
        wslimage::pull(&client, &image, &large.fixture.destination(), wslimage::PullOptions::default(), &job)
            .await
            .expect("a file");
        large.expect_file(name);
        assert_eq!(large.ranges(), [Some("bytes=3145728-".to_owned())], "{name}");
        assert_eq!(large.sent(), SIZE - 3 * MEGABYTE, "{name}");
        assert_eq!(recorder.advanced(), SIZE, "{name}: what is there counts as progress");
    }
}

#[tokio::test]
async fn a_cancelled_download_is_kept_for_the_next() {
    let large = Large::new().await;
    large.fixture.route(&large.blob, [Step { stall_after: Some(2 * MEGABYTE), ..Step::pass() }]);
    let client = large.fixture.client();
    let image = large.fixture.resolve(&client, "a/b").await.expect("an image");
    let (recorder, cancellation, job) = Recorder::job();
    let destination = large.fixture.destination();
    let pull = wslimage::pull(&client, &image, &destination, wslimage::PullOptions::default(), &job);
    let cancel = async {
        while recorder.advanced() < 2 * MEGABYTE {
            tokio::task::yield_now().await;
        }
        cancellation.cancel();
    };
    let (result, ()) = tokio::join!(pull, cancel);
    assert_eq!(result.expect_err("cancelled").kind(), ErrorKind::Cancelled);
    large.fixture.registry.delete_routes(&large.blob);
    large.pull().await.expect("a file");
    large.expect_file("cancelled");
    assert_eq!(large.ranges(), [None, Some("bytes=2097152-".to_owned())]);
}

#[tokio::test]
async fn what_an_earlier_run_has_left_is_used_only_when_it_is_of_the_same_digest() {
    let other = format!("sha256:{}", "0".repeat(64));
    for (name, left, is_same, ranges) in [
        ("the beginning", content(SIZE)[..2_000_000].to_vec(), true, vec![Some("bytes=2000000-")]),
        ("all of it", content(SIZE), true, vec![]),
        ("the beginning of another", content(SIZE)[..2_000_000].to_vec(), false, vec![None]),
        ("nothing", vec![], true, vec![None]),
        ("more than all", [content(SIZE), vec![0]].concat(), true, vec![None]),
        ("damaged bytes", vec![b'x'; 2_000_000], true, vec![Some("bytes=2000000-"), None]),
        ("damaged bytes of the right length", vec![b'x'; SIZE as usize], true, vec![None]),
    ] {
        let large = Large::new().await;
        large.leave(&left, if is_same { large.digest() } else { &other });
        large.pull().await.unwrap_or_else(|error| panic!("{name}: {error}"));
        large.expect_file(name);
        let asked = large.ranges();
        assert_eq!(asked.iter().map(Option::as_deref).collect::<Vec<_>>(), ranges, "{name}");
    }
    let large = Large::new().await;
    std::fs::write(large.partial(), &large.content[..2_000_000]).expect("a file");
    large.pull().await.expect("a file");
    large.expect_file("without a digest");
    assert_eq!(large.ranges(), [None]);
}

#[tokio::test]
async fn a_file_that_is_there_and_right_is_not_fetched_again() {
    let large = Large::new().await;
    std::fs::write(large.fixture.destination(), &large.content).expect("a file");
    large.pull().await.expect("a file");
    large.expect_file("there");
    assert!(large.asked().is_empty());
    let mut damaged = large.content.clone();
    damaged[SIZE as usize / 2] ^= 1;
    std::fs::write(large.fixture.destination(), &damaged).expect("a file");
    large.pull().await.expect("a file");
    large.expect_file("damaged");
    assert_eq!(large.asked().len(), 1);
}

#[tokio::test]
async fn twenty_at_once_make_one_download() {
    let large = Large::new().await;
    large.fixture.route(&large.blob, [Step { bytes_per_second: Some(20 * MEGABYTE), ..Step::pass() }]);
    let destination = large.fixture.destination();
    let pulls = (0..20).map(|_| {
        let (client, fixture, destination) = (large.fixture.client(), &large.fixture, destination.clone());
        async move {
            let (recorder, _, job) = Recorder::job();
            let image = fixture.resolve(&client, "a/b").await?;
            wslimage::pull(&client, &image, &destination, wslimage::PullOptions::default(), &job).await?;
            Ok::<_, wslimage::Error>(recorder.verbose_lines())
        }
    });
    let told = futures_util::future::join_all(pulls).await;
    large.expect_file("twenty");
    assert_eq!(large.asked().len(), 1, "one download");
    let waited = told.iter().map(|lines| lines.as_ref().expect("no error"));
    let waited = waited.filter(|lines| lines.iter().any(|line| line.starts_with("Waiting for another process")));
    assert_eq!(waited.count(), 19);
}

#[tokio::test]
async fn whoever_waits_can_be_cancelled() {
    let large = Large::new().await;
    large.fixture.route(&large.blob, [Step { stall_after: Some(MEGABYTE), ..Step::pass() }]);
    let client = large.fixture.client();
    let image = large.fixture.resolve(&client, "a/b").await.expect("an image");
    let destination = large.fixture.destination();
    let (first, end_first, first_job) = Recorder::job();
    let (second, end_second, second_job) = Recorder::job();
    let waits =
        |recorder: &Recorder| recorder.verbose_lines().iter().any(|line| line.starts_with("Waiting for another"));
    let (one, two, ()) = tokio::join!(
        wslimage::pull(&client, &image, &destination, wslimage::PullOptions::default(), &first_job),
        wslimage::pull(&client, &image, &destination, wslimage::PullOptions::default(), &second_job),
        async {
            while !waits(&first) && !waits(&second) {
                tokio::task::yield_now().await;
            }
            let (waiting, working) = if waits(&first) { (end_first, end_second) } else { (end_second, end_first) };
            waiting.cancel();
            working.cancel();
        }
    );
    for result in [one, two] {
        assert_eq!(result.expect_err("cancelled").kind(), ErrorKind::Cancelled);
    }
}

#[tokio::test]
async fn a_stall_ends_in_time_and_the_rest_comes_over_another_connection() {
    let large = Large::new().await;
    large.fixture.route(&large.blob, [Step { stall_after: Some(2 * MEGABYTE), ..Step::pass() }, Step::pass()]);
    let client = wslimage::Client::new(ClientOptions {
        stall_timeout: Duration::from_millis(300),
        maximum_connections: 1,
        ..large.fixture.options()
    })
    .expect("a client");
    large.fixture.pull(&client, "a/b").await.expect("a file");
    large.expect_file("stalled");
    assert_eq!(large.ranges(), [None, Some("bytes=2097152-".to_owned())]);
    let connections: Vec<_> = large.asked().iter().map(|request| request.connection).collect();
    assert_ne!(connections[0], connections[1]);
}

#[tokio::test]
async fn without_retries_the_first_failure_is_the_last() {
    let large = Large::new().await;
    large.fixture.route(&large.blob, [Step { cut_after: Some(2 * MEGABYTE), ..Step::pass() }, Step::pass()]);
    let client = wslimage::Client::new(ClientOptions {
        retry: RetryPolicy { maximum_retries: 0, ..RetryPolicy::default() },
        ..large.fixture.options()
    })
    .expect("a client");
    let error = large.fixture.pull(&client, "a/b").await.expect_err("cut");
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert_eq!(large.asked().len(), 1);
    let advice = error.recommended_action().expect("advice");
    assert!(advice.contains("2097152 bytes"), "{advice}");
}

#[tokio::test]
async fn a_disk_without_room_is_told_before_the_download() {
    let fixture = Fixture::new().await;
    fixture.put_older_file();
    let served = fixture.serve(lying_layer(None, Some(1 << 60)));
    let error = fixture.pull(&fixture.client(), "a/b").await.expect_err("an exabyte");
    assert_eq!(error.kind(), ErrorKind::File);
    assert!(error.to_string().contains("It needs 1152921504606846976 bytes more, and the disk has "), "{error}");
    fixture.expect_older_file();
    let layer = &served.layers[0][0].digest;
    assert!(fixture.registry.log("a/b").iter().all(|request| !request.path.ends_with(layer)), "nothing was asked for");
}
