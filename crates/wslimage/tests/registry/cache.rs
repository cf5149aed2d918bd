//! Pulls with a cache: what is kept is not asked for again, and nothing wrong comes out of it.

use std::path::{Path, PathBuf};

use wslimage::{Cache, CacheFilter, Client, ClientOptions, Environment, ImageRequest, Job, Notice};
use wslimage_test_registry::{LogEntry, Step};

use crate::fixture::{Event, Fixture, LAYER, Recorder};

struct Cached {
    fixture: Fixture,
    layer: String,
    index: String,
}

impl Cached {
    async fn new() -> Self {
        let fixture = Fixture::new().await;
        let served = fixture.serve(Fixture::image("a/b"));
        let layer = served.layers[0][0].digest.clone();
        Self { fixture, layer, index: served.index.expect("an index") }
    }

    fn folder(&self) -> PathBuf {
        self.fixture.folder.path().join("cache")
    }

    fn blob(&self, digest: &str) -> PathBuf {
        self.folder().join("blobs").join(digest.replace(':', "/"))
    }

    fn client(&self) -> Client {
        Client::new(ClientOptions { cache: Some(self.folder()), ..self.fixture.options() }).expect("a client")
    }

    async fn pull(&self, client: &Client, request: ImageRequest, file: &str) -> wslimage::Result<Vec<Event>> {
        let (recorder, _, job) = Recorder::job();
        let image = wslimage::resolve(client, request, &job).await?;
        wslimage::pull(client, &image, &self.file(file), wslimage::PullOptions::default(), &job).await?;
        assert_eq!(std::fs::read_to_string(self.file(file)).expect("the file"), LAYER);
        Ok(recorder.events())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.fixture.folder.path().join(name)
    }

    fn asked(&self) -> Vec<LogEntry> {
        self.fixture.registry.log("a/b")
    }

    fn forget(&self) {
        self.fixture.registry.delete_log(&wslimage_test_registry::LogFilter::default());
    }
}

/// But for that which layers of text get from everybody.
fn warnings(events: &[Event]) -> Vec<&str> {
    events
        .iter()
        .filter_map(|event| if let Event::Notice(Notice::Warning(line)) = event { Some(&**line) } else { None })
        .filter(|line| !line.ends_with(" is not a tar archive: wsl --import refuses it."))
        .collect()
}

#[tokio::test]
async fn what_is_kept_is_not_asked_for_again() {
    let cached = Cached::new().await;
    let tag = || cached.fixture.request("a/b:latest");
    assert!(warnings(&cached.pull(&cached.client(), tag(), "one").await.expect("a file")).is_empty());
    cached.forget();
    let events = cached.pull(&cached.client(), tag(), "two").await.expect("a file");
    assert!(warnings(&events).is_empty(), "{events:?}");
    let asked: Vec<_> = cached.asked().iter().map(|request| request.path.clone()).collect();
    assert_eq!(asked, ["/v2/a/b/manifests/latest"], "only what the tag stands for");
    let names: Vec<_> = Cache::open(cached.folder()).expect("a cache").entries().expect("entries");
    assert_eq!(names.len(), 4, "index, manifest, config, layer");
}

#[tokio::test]
async fn an_image_named_by_its_digest_needs_no_registry() {
    let cached = Cached::new().await;
    let pinned = || cached.fixture.request(&format!("a/b@{}", cached.index));
    cached.pull(&cached.client(), pinned(), "one").await.expect("a file");
    cached.forget();
    cached.fixture.route("/v2/*", [Step::status(500)]);
    cached.pull(&cached.client(), pinned(), "two").await.expect("a file");
    assert!(cached.asked().is_empty(), "{:?}", cached.asked());
}

#[tokio::test]
async fn the_environment_names_the_folder() {
    let cached = Cached::new().await;
    let environment: Environment = [("WSLIMAGE_CACHE", cached.folder())].into_iter().collect();
    let client = Client::new(ClientOptions { environment, ..cached.fixture.options() }).expect("a client");
    cached.pull(&client, cached.fixture.request("a/b"), "one").await.expect("a file");
    assert!(cached.blob(&cached.layer).is_file());
}

#[tokio::test]
async fn damaged_blobs_are_fetched_again_with_a_warning() {
    let cached = Cached::new().await;
    let request = || cached.fixture.request("a/b");
    cached.pull(&cached.client(), request(), "zero").await.expect("a file");
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 4] = [
        ("another byte", |path| std::fs::write(path, LAYER.replacen('t', "T", 1)).expect("a file")),
        ("shorter", |path| std::fs::write(path, &LAYER[1..]).expect("a file")),
        ("empty", |path| std::fs::write(path, "").expect("a file")),
        ("gone", |path| std::fs::remove_file(path).expect("no file")),
    ];
    for (name, damage) in damages {
        damage(&cached.blob(&cached.layer));
        cached.forget();
        let events = cached.pull(&cached.client(), request(), name).await.expect(name);
        assert_eq!(warnings(&events).is_empty(), name == "gone", "{name}: {events:?}");
        assert_eq!(cached.asked().iter().filter(|request| request.path.ends_with(&cached.layer)).count(), 1, "{name}");
        assert_eq!(std::fs::read_to_string(cached.blob(&cached.layer)).expect("the blob"), LAYER, "{name}: kept anew");
    }
}

#[tokio::test]
async fn a_cache_that_cannot_be_used_is_a_warning() {
    let cached = Cached::new().await;
    std::fs::create_dir(cached.folder()).expect("a folder");
    std::fs::write(cached.folder().join("partial"), "a file in the way").expect("a file");
    let events = cached.pull(&cached.client(), cached.fixture.request("a/b"), "one").await.expect("a file");
    assert!(!warnings(&events).is_empty());
    std::fs::write(cached.file("no folder"), "a file").expect("a file");
    let options = ClientOptions { cache: Some(cached.file("no folder")), ..cached.fixture.options() };
    assert!(Client::new(options).is_err());
}

#[tokio::test]
async fn twenty_destinations_and_one_cache_make_one_download() {
    let cached = Cached::new().await;
    let pulls = (0..20).map(|number| {
        let cached = &cached;
        async move { cached.pull(&cached.client(), cached.fixture.request("a/b"), &number.to_string()).await }
    });
    for result in futures_util::future::join_all(pulls).await {
        result.expect("a file");
    }
    assert_eq!(cached.asked().iter().filter(|request| request.path.ends_with(&cached.layer)).count(), 1);
}

#[tokio::test]
async fn what_was_removed_is_fetched_again() {
    let cached = Cached::new().await;
    let request = || cached.fixture.request("a/b");
    cached.pull(&cached.client(), request(), "one").await.expect("a file");
    let removed = Cache::open(cached.folder()).and_then(|cache| cache.remove(&CacheFilter::All)).expect("removed");
    assert_eq!(removed.count, 4);
    cached.forget();
    cached.pull(&cached.client(), request(), "two").await.expect("a file");
    assert_eq!(cached.asked().len(), 4);
    let job = Job::default();
    let image = wslimage::resolve(&cached.client(), request(), &job).await.expect("an image");
    assert_eq!(image.media_type(), "application/vnd.oci.image.manifest.v1+json", "also from the cache");
}
