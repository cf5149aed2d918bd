//! Downloads that are interrupted: what has arrived is not fetched again, and never makes a wrong file.

use std::path::PathBuf;
use std::time::Duration;

use wslimage::{ClientOptions, ErrorKind, Job, RetryPolicy};
use wslimage_test_registry::{Blob, Image, LogEntry, Platform as Served, Step};

use crate::fixture::{Fixture, Recorder};

const MEGABYTE: u64 = 1024 * 1024;
/// Larger than what is worth keeping, and no multiple of any buffer.
const SIZE: u64 = 5 * MEGABYTE + 12_345;

/// Bytes that repeat nowhere, so that a piece in a wrong place shows.
fn content(size: u64) -> Vec<u8> {
    (0..size / 8 + 1).flat_map(|number| (number ^ 0x5bd1_e995).to_le_bytes()).take(size as usize).collect()
}

struct Large {
    fixture: Fixture,
    blob: String,
    content: Vec<u8>,
}

impl Large {
    async fn new() -> Self {
        Self::of(SIZE).await
    }

    async fn of(size: u64) -> Self {
        let fixture = Fixture::new().await;
        let content = content(size);
        let file = fixture.extra().join("layer");
        std::fs::write(&file, &content).expect("a file");
        let served = fixture
            .serve(Image { platforms: vec![Served::linux_amd64(vec![Blob::file(&file)])], ..Fixture::image("a/b") });
        let blob = format!("/v2/a/b/blobs/{}", served.layers[0][0].digest);
        Self { fixture, blob, content }
    }

    /// All of the blob, whatever part was asked for.
    fn whole(&self) -> Step {
        Step { body_file: Some(self.fixture.extra().join("layer")), ..Step::default() }
    }

    fn digest(&self) -> &str {
        self.blob.rsplit('/').next().expect("a digest")
    }

    fn partial(&self) -> PathBuf {
        self.fixture.folder.path().join("rootfs.tar.gz.partial")
    }

    /// What an earlier run has left.
    fn leave(&self, bytes: &[u8], digest: &str) {
        std::fs::write(self.partial(), bytes).expect("a file");
        std::fs::write(self.fixture.folder.path().join("rootfs.tar.gz.partial.digest"), digest).expect("a file");
    }

    /// The questions for the blob, in their order.
    fn asked(&self) -> Vec<LogEntry> {
        self.fixture.registry.log("a/b").into_iter().filter(|request| request.path == self.blob).collect()
    }

    fn ranges(&self) -> Vec<Option<String>> {
        self.asked().iter().map(|request| request.headers.get("range").cloned()).collect()
    }

    fn sent(&self) -> u64 {
        self.asked().iter().filter_map(|request| request.body_bytes).sum()
    }

    async fn pull(&self) -> wslimage::Result<wslimage::PulledFile> {
        self.fixture.pull(&self.fixture.client(), "a/b").await
    }

    fn expect_file(&self, name: &str) {
        let file = std::fs::read(self.fixture.destination()).expect("the file");
        assert!(file == self.content, "{name}: another content");
        assert_eq!(self.fixture.files(), ["rootfs.tar.gz"], "{name}");
    }
}

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
        wslimage::pull(&client, &image, &large.fixture.destination(), &job).await.expect("a file");
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
    let pull = wslimage::pull(&client, &image, &destination, &job);
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
            wslimage::pull(&client, &image, &destination, &job).await?;
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
        wslimage::pull(&client, &image, &destination, &first_job),
        wslimage::pull(&client, &image, &destination, &second_job),
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
    let client =
        wslimage::Client::new(ClientOptions { stall_timeout: Duration::from_millis(300), ..large.fixture.options() })
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

/// Several connections.
mod connections {
    use super::*;

    const LARGE: u64 = 48 * MEGABYTE + 777;

    async fn pull_with(large: &Large, maximum_connections: usize) -> wslimage::Result<()> {
        let client =
            wslimage::Client::new(ClientOptions { maximum_connections, ..large.fixture.options() }).expect("a client");
        let image = large.fixture.resolve(&client, "a/b").await?;
        wslimage::pull(&client, &image, &large.fixture.destination(), &Job::default()).await.map(|_| ())
    }

    fn slow() -> Step {
        Step { bytes_per_second: Some(4 * MEGABYTE), ..Step::pass() }
    }

    fn connections(large: &Large) -> usize {
        let mut connections: Vec<_> = large.asked().iter().map(|request| request.connection).collect();
        connections.sort_unstable();
        connections.dedup();
        connections.len()
    }

    #[tokio::test]
    async fn a_large_blob_comes_over_several_when_each_is_slow() {
        let large = Large::of(LARGE).await;
        large.fixture.route(&large.blob, [slow()]);
        pull_with(&large, 6).await.expect("a file");
        large.expect_file("several");
        assert!(connections(&large) >= 4, "{:?}", large.ranges());
        assert_eq!(large.ranges()[0], None, "the first question is that of everybody");
        let again = large.sent() - LARGE;
        assert!(again < LARGE / 20, "{again} bytes were sent twice");
    }

    #[tokio::test]
    async fn one_is_enough_where_more_are_not_wanted_or_not_to_be_had() {
        for (name, maximum, step) in
            [("by parameter", 1, slow()), ("no ranges", 6, slow().header("Accept-Ranges", "none"))]
        {
            let large = Large::of(12 * MEGABYTE).await;
            large.fixture.route(&large.blob, [step]);
            pull_with(&large, maximum).await.expect(name);
            large.expect_file(name);
            assert_eq!(large.ranges(), [None], "{name}");
        }
    }

    #[tokio::test]
    async fn a_server_that_takes_back_its_word_is_asked_as_before() {
        for (name, second) in [
            ("all of it", None),
            ("416", Some(Step::status(416))),
            ("503", Some(Step::status(503))),
            ("403", Some(Step::status(403))),
            ("429", Some(Step::status(429).header("Retry-After", "1"))),
            ("no answer", Some(Step { close_before_response: true, ..Step::default() })),
            ("another part", Some(Step { status: Some(206), ..Step::pass() }.header("Content-Range", "bytes 0-9/10"))),
        ] {
            let large = Large::of(16 * MEGABYTE).await;
            large.fixture.route(&large.blob, [slow(), second.unwrap_or_else(|| large.whole())]);
            pull_with(&large, 6).await.unwrap_or_else(|error| panic!("{name}: {error}"));
            large.expect_file(name);
        }
    }

    #[tokio::test]
    async fn cuts_do_not_stop_it() {
        let large = Large::of(LARGE).await;
        large.fixture.route(&large.blob, [Step { cut_after: Some(3 * MEGABYTE), ..slow() }]);
        pull_with(&large, 6).await.expect("a file");
        large.expect_file("cut");
        assert!(connections(&large) > 4);
    }
}
