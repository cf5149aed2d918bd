//! A registry, a folder, and an image that is pulled from the one into the other.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use wslimage::{
    CancellationToken, Client, ClientOptions, Credential, Environment, Image, ImageRequest, Job, Notice, Observer,
    PulledFile, Result, RetryPolicy, SecretString, Stage,
};
use wslimage_test_registry::{self as registry, Blob, ImageDigests, Route, Step, TestRegistry};

/// What every layer of these tests holds.
pub(crate) const LAYER: &str = "the bytes of the layer, which nobody unpacks here";
/// What lies at the destination before.
pub(crate) const OLDER: &str =
    "an older file, a good deal longer than the layer that comes to stand in its place, and untouched by failures";

pub(crate) struct Fixture {
    pub(crate) registry: TestRegistry,
    pub(crate) folder: TempDir,
    /// Files of the case that are not the pull's.
    extra: TempDir,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let registry = TestRegistry::start().await.expect("a registry");
        Self { registry, folder: TempDir::new().expect("a folder"), extra: TempDir::new().expect("a folder") }
    }

    /// An image of one layer for linux/amd64, under `latest`.
    pub(crate) fn image(repository: &str) -> registry::Image {
        registry::Image {
            repository: repository.to_owned(),
            platforms: vec![registry::Platform::linux_amd64(vec![Blob::text(LAYER)])],
            ..registry::Image::default()
        }
    }

    pub(crate) fn serve(&self, image: registry::Image) -> ImageDigests {
        self.registry.add_image(image).expect("an image")
    }

    pub(crate) fn route(&self, path: &str, steps: impl Into<Vec<Step>>) {
        self.registry.add_route(Route::new(path, steps)).expect("a route");
    }

    /// Trusts the registry's authority.
    pub(crate) fn options(&self) -> ClientOptions {
        ClientOptions {
            ca_certificate: Some(self.registry.ca_certificate_path().to_owned()),
            environment: Environment::default(),
            retry: RetryPolicy {
                maximum_retries: 2,
                first_wait: Duration::from_millis(1),
                maximum_wait: Duration::from_secs(1),
            },
            ..ClientOptions::default()
        }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.options()).expect("a client")
    }

    /// A client that signs in.
    pub(crate) fn client_of(&self, username: &str, password: &str) -> Client {
        Client::new(ClientOptions { credential: Some(credential(username, password)), ..self.options() })
            .expect("a client")
    }

    /// The image `name` (`repository:tag`) at the TLS listener.
    pub(crate) fn request(&self, name: &str) -> ImageRequest {
        request_at(self.registry.https_address(), name)
    }

    /// A folder for files of the case that are not the pull's.
    pub(crate) fn extra(&self) -> &Path {
        self.extra.path()
    }

    pub(crate) fn destination(&self) -> PathBuf {
        self.folder.path().join("rootfs.tar.gz")
    }

    pub(crate) fn put_older_file(&self) {
        std::fs::write(self.destination(), OLDER).expect("a file");
    }

    /// The names of all files in the folder.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.folder.path())
            .expect("the folder")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    pub(crate) async fn resolve(&self, client: &Client, name: &str) -> Result<Image> {
        wslimage::resolve(client, self.request(name), &Job::default()).await
    }

    pub(crate) async fn pull(&self, client: &Client, name: &str) -> Result<PulledFile> {
        self.pull_request(client, self.request(name)).await
    }

    pub(crate) async fn pull_request(&self, client: &Client, request: ImageRequest) -> Result<PulledFile> {
        let job = Job::default();
        let image = wslimage::resolve(client, request, &job).await?;
        wslimage::pull(client, &image, &self.destination(), wslimage::PullOptions::default(), &job).await
    }

    pub(crate) fn expect_layer_in_file(&self) {
        assert_eq!(std::fs::read_to_string(self.destination()).expect("the file"), LAYER);
        assert_eq!(self.files(), ["rootfs.tar.gz"]);
    }

    pub(crate) fn expect_older_file(&self) {
        assert_eq!(std::fs::read_to_string(self.destination()).expect("the file"), OLDER);
        assert_eq!(self.files(), ["rootfs.tar.gz"]);
    }
}

pub(crate) fn request_at(registry: &str, name: &str) -> ImageRequest {
    ImageRequest::new(format!("{registry}/{name}").parse().expect("a reference"))
}

pub(crate) fn credential(username: &str, password: &str) -> Credential {
    Credential { username: username.to_owned(), password: SecretString::from(password) }
}

/// All that a user may come to see of `error`: its texts, its causes, and what a program prints of it.
pub(crate) fn everything_said(error: &wslimage::Error) -> String {
    let (target, advice) = (error.target_name(), error.recommended_action());
    format!("{error} {error:?} {error:#?} {:?} {target:?} {advice:?} {:?}", error.causes(), error.registry_code())
}

/// What a job told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Stage(Stage),
    Expects(usize, u64),
    Advanced(usize, u64),
    Notice(Notice),
}

/// Writes down what a job tells.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<Vec<Event>>);

impl Recorder {
    pub(crate) fn job() -> (Arc<Self>, CancellationToken, Job) {
        let (recorder, cancellation) = (Arc::new(Self::default()), CancellationToken::new());
        let job = Job::new(recorder.clone(), cancellation.clone());
        (recorder, cancellation, job)
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.0.lock().expect("the events").clone()
    }

    pub(crate) fn verbose_lines(&self) -> Vec<String> {
        self.events()
            .into_iter()
            .filter_map(|event| match event {
                Event::Notice(Notice::Verbose(line)) => Some(line),
                _ => None,
            })
            .collect()
    }

    /// The bytes that were told as arrived.
    pub(crate) fn advanced(&self) -> u64 {
        let told = self.0.lock().expect("the events");
        told.iter().map(|event| if let Event::Advanced(_, bytes) = event { *bytes } else { 0 }).sum()
    }

    fn add(&self, event: Event) {
        self.0.lock().expect("the events").push(event);
    }
}

impl Observer for Recorder {
    fn stage(&self, stage: Stage) {
        self.add(Event::Stage(stage));
    }

    fn expects(&self, layers: usize, bytes: u64) {
        self.add(Event::Expects(layers, bytes));
    }

    fn advanced(&self, layer: usize, bytes: u64) {
        self.add(Event::Advanced(layer, bytes));
    }

    fn notice(&self, notice: Notice) {
        self.add(Event::Notice(notice));
    }
}
