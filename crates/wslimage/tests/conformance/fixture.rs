//! A folder for the files of servers, one for the user's file, and how a pull goes from the ones to the other.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::watch;
use wslimage::{
    CancellationToken, Client, ClientOptions, Credential, Environment, ImageRequest, Job, Notice, Observer, PulledFile,
    Result, RetryPolicy, SecretString,
};

use crate::certificate::Certificate;
use crate::pushed_image::PushedImage;

/// What lies at the destination before.
const OLDER: &str = "an older file, untouched by failures";

pub(crate) struct Fixture {
    pub(crate) servers: TempDir,
    pub(crate) certificate: Certificate,
    user: TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let [servers, user] = [(); 2].map(|()| TempDir::new().expect("a folder"));
        Self { certificate: Certificate::new(servers.path()), servers, user }
    }

    /// Trusts the authority of the servers, and nothing of this machine leaks in. One connection: with more, what servers
    /// are asked depends on the machine's speed.
    pub(crate) fn options(&self) -> ClientOptions {
        ClientOptions {
            ca_certificate: Some(self.certificate.authority.clone()),
            environment: Environment::default(),
            retry: RetryPolicy {
                maximum_retries: 6,
                first_wait: Duration::from_millis(100),
                maximum_wait: Duration::from_secs(15),
            },
            maximum_connections: 1,
            ..ClientOptions::default()
        }
    }

    pub(crate) fn options_of(&self, username: &str, password: &str) -> ClientOptions {
        ClientOptions { credential: Some(credential(username, password)), ..self.options() }
    }

    pub(crate) fn destination(&self) -> PathBuf {
        self.user.path().join("rootfs.tar.gz")
    }

    /// Pulls the image `name` from `registry` into the destination.
    pub(crate) async fn pull(&self, options: ClientOptions, registry: &str, name: &str) -> Result<PulledFile> {
        self.pull_as(options, registry, name, &Job::default()).await
    }

    pub(crate) async fn pull_as(
        &self,
        options: ClientOptions,
        registry: &str,
        name: &str,
        job: &Job,
    ) -> Result<PulledFile> {
        let client = Client::new(options)?;
        let request = ImageRequest::new(format!("{registry}/{name}").parse()?);
        let image = wslimage::resolve(&client, request, job).await?;
        wslimage::pull(&client, &image, &self.destination(), wslimage::PullOptions::default(), job).await
    }

    pub(crate) fn put_older_file(&self) {
        std::fs::write(self.destination(), OLDER).expect("a file");
    }

    /// What an earlier run has left of the blob `digest`.
    pub(crate) fn put_partial_file(&self, bytes: &[u8], digest: &str) {
        std::fs::write(self.user.path().join("rootfs.tar.gz.partial"), bytes).expect("a file");
        std::fs::write(self.user.path().join("rootfs.tar.gz.partial.digest"), digest).expect("a file");
    }

    /// The layer of `image`, byte for byte, and nothing beside it.
    pub(crate) fn expect_layer(&self, image: &PushedImage, file: &PulledFile) {
        assert_eq!(file.digest().as_ref(), image.layer_digest);
        assert_eq!(file.size(), image.layer.len() as u64);
        assert!(std::fs::read(file.path()).expect("the file") == image.layer, "another content");
        assert_eq!(self.file_names(), ["rootfs.tar.gz"]);
    }

    pub(crate) fn expect_older_file(&self) {
        assert_eq!(std::fs::read_to_string(self.destination()).expect("the file"), OLDER);
        assert_eq!(self.file_names(), ["rootfs.tar.gz"]);
    }

    fn file_names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.user.path()).expect("the folder");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

pub(crate) fn credential(username: &str, password: &str) -> Credential {
    Credential { username: username.to_owned(), password: SecretString::from(password) }
}

/// What a job has told so far.
#[derive(Default)]
pub(crate) struct Told {
    /// Bytes of the layer that have arrived.
    pub(crate) bytes: u64,
    pub(crate) lines: Vec<String>,
}

struct Watcher(watch::Sender<Told>);

impl Observer for Watcher {
    fn advanced(&self, _layer: usize, bytes: u64) {
        self.0.send_modify(|told| told.bytes += bytes);
    }

    fn notice(&self, notice: Notice) {
        if let Notice::Verbose(line) = notice {
            self.0.send_modify(|told| told.lines.push(line));
        }
    }
}

/// A job, and what it tells, which can be waited for.
pub(crate) fn watched_job() -> (Job, watch::Receiver<Told>) {
    let (sender, receiver) = watch::channel(Told::default());
    (Job::new(Arc::new(Watcher(sender)), CancellationToken::new()), receiver)
}
