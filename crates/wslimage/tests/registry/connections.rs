//! Several connections for one layer.

use futures_util::future::join_all;
use wslimage::{Client, ClientOptions, Job};
use wslimage_test_registry::Step;

use crate::large::{Large, MEGABYTE};

const LARGE: u64 = 32 * MEGABYTE + 777;

async fn pull_with(large: &Large, maximum_connections: usize) -> wslimage::Result<()> {
    let client = Client::new(ClientOptions { maximum_connections, ..large.fixture.options() }).expect("a client");
    let image = large.fixture.resolve(&client, "a/b").await?;
    wslimage::pull(&client, &image, &large.fixture.destination(), wslimage::PullOptions::default(), &Job::default())
        .await
        .map(|_| ())
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
    for (name, maximum, step) in [("by parameter", 1, slow()), ("no ranges", 6, slow().header("Accept-Ranges", "none"))]
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
    let cases = [
        ("all of it", None),
        ("416", Some(Step::status(416))),
        ("503", Some(Step::status(503))),
        ("403", Some(Step::status(403))),
        ("429", Some(Step::status(429).header("Retry-After", "1"))),
        ("no answer", Some(Step { close_before_response: true, ..Step::default() })),
        ("another part", Some(Step { status: Some(206), ..Step::pass() }.header("Content-Range", "bytes 0-9/10"))),
    ];
    // Each is slow, so all at once.
    join_all(cases.map(|(name, second)| async move {
        let large = Large::of(16 * MEGABYTE).await;
        large.fixture.route(&large.blob, [slow(), second.unwrap_or_else(|| large.whole())]);
        pull_with(&large, 6).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        large.expect_file(name);
    }))
    .await;
}

#[tokio::test]
async fn cuts_do_not_stop_it() {
    let large = Large::of(LARGE).await;
    large.fixture.route(&large.blob, [Step { cut_after: Some(3 * MEGABYTE), ..slow() }]);
    pull_with(&large, 6).await.expect("a file");
    large.expect_file("cut");
    assert!(connections(&large) > 4);
}
