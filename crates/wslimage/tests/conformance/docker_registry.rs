//! docker-registry (distribution), the reference implementation.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use wslimage::{Client, ClientOptions, ErrorKind, Job, Registry, Repository};

use crate::certificate::Certificate;
use crate::fixture::Fixture;
use crate::program::{self, Program};
use crate::pushed_image::{MEGABYTE, PushedImage};

pub(crate) const PROGRAM: &str = "docker-registry";
pub(crate) const HTPASSWD: &str = "htpasswd";
pub(crate) const LOGIN: (&str, &str) = ("joanna", "a pass:wörd");

/// docker-registry on loopback. Dropped, it ends.
pub(crate) struct DockerRegistry {
    folder: PathBuf,
    certificate: Option<Certificate>,
    login: Option<(&'static str, &'static str)>,
    port: u16,
    program: Option<Program>,
}

impl DockerRegistry {
    /// One that speaks plain http and lets everybody in.
    pub(crate) async fn open(fixture: &Fixture) -> Self {
        Self::start(fixture, None, None).await
    }

    /// One that speaks https where it has a certificate, and knows one user where it has a login.
    pub(crate) async fn start(
        fixture: &Fixture,
        certificate: Option<&Certificate>,
        login: Option<(&'static str, &'static str)>,
    ) -> Self {
        let folder = fixture.servers.path().join(PROGRAM);
        fs::create_dir(&folder).expect("a folder");
        if let Some((user, password)) = login {
            fs::write(folder.join("htpasswd"), htpasswd(user, password)).expect("a file");
        }
        let mut registry = Self { folder, certificate: certificate.cloned(), login, port: 0, program: None };
        registry.go_on().await;
        registry
    }

    /// `HOST:PORT`, as references have it.
    pub(crate) fn address(&self) -> String {
        self.address_as("127.0.0.1")
    }

    /// The same where `host` leads to this machine.
    pub(crate) fn address_as(&self, host: &str) -> String {
        format!("{host}:{}", self.port)
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address())
    }

    pub(crate) fn login(&self) -> Option<(&str, &str)> {
        self.login
    }

    /// A client that trusts it.
    pub(crate) fn http_client(&self) -> reqwest::Client {
        let mut roots = rustls::RootCertStore::empty();
        if let Some(certificate) = &self.certificate {
            let authority = CertificateDer::from_pem_file(&certificate.authority).expect("a certificate");
            roots.add(authority).expect("an authority");
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS")
            .with_root_certificates(roots)
            .with_no_client_auth();
        reqwest::Client::builder().no_proxy().tls_backend_preconfigured(tls).build().expect("a client")
    }

    /// Ends it, in the middle of whatever it does.
    pub(crate) fn stop(&mut self) {
        self.program = None;
    }

    /// Starts it, at the address that it had before if it had one.
    pub(crate) async fn go_on(&mut self) {
        let configuration = self.folder.join("config.yml");
        fs::write(&configuration, self.configuration()).expect("a file");
        let arguments = [Path::new("serve"), &configuration];
        let log = self.folder.join(format!("{PROGRAM}.err"));
        let sign = (log.as_path(), "listening on");
        let program = Program::start(PROGRAM, None, &arguments, &self.folder, sign).await;
        self.program = Some(program.unwrap_or_else(|reason| panic!("{reason}")));
        let told = fs::read_to_string(&log).expect("what it told");
        let (_, listening) = told.split_once("listening on 127.0.0.1:").expect("an address");
        let port: String = listening.chars().take_while(char::is_ascii_digit).collect();
        self.port = port.parse().expect("a port");
    }

    fn configuration(&self) -> String {
        let folder = self.folder.display();
        let mut text = format!(
            "version: 0.1\n\
             storage:\n  filesystem:\n    rootdirectory: {folder}/store\n\
             http:\n  addr: 127.0.0.1:{}\n  secret: tests\n",
            self.port
        );
        if let Some(Certificate { certificate, key, .. }) = &self.certificate {
            let (certificate, key) = (certificate.display(), key.display());
            text += &format!("  tls:\n    certificate: {certificate}\n    key: {key}\n");
        }
        if self.login.is_some() {
            text += &format!("auth:\n  htpasswd:\n    realm: tests\n    path: {folder}/htpasswd\n");
        }
        text
    }

    /// Status and length of its answers to GET of `path`, once there are `count` of them.
    pub(crate) async fn answers(&self, path: &str, count: usize) -> Vec<(u16, u64)> {
        let question = format!("\"GET {path} ");
        let log = self.folder.join(format!("{PROGRAM}.out"));
        let of_path = |lines: &[String]| lines.iter().filter(|line| line.contains(&question)).count();
        let lines = program::lines_once(&log, |lines| of_path(lines) >= count).await;
        let answers = lines.iter().filter_map(|line| line.split_once(&question));
        answers
            .map(|(_, answer)| {
                let mut words = answer.split(' ').skip(1);
                let mut number = || words.next().and_then(|word| word.parse().ok()).expect("a number");
                (number() as u16, number())
            })
            .collect()
    }

    /// The folder in which it keeps what belongs to `repository`.
    fn repository_folder(&self, repository: &str) -> PathBuf {
        self.folder.join("store/docker/registry/v2/repositories").join(repository)
    }

    /// The file in which it keeps the blob `digest`.
    fn blob_file(&self, digest: &str) -> PathBuf {
        let (algorithm, hex) = digest.split_once(':').expect("a digest");
        self.folder.join("store/docker/registry/v2/blobs").join(algorithm).join(&hex[..2]).join(hex).join("data")
    }
}

/// The line of a password file for `user`.
pub(crate) fn htpasswd(user: &str, password: &str) -> Vec<u8> {
    let mut command = Command::new(program::find(HTPASSWD).expect("it is installed"));
    let output = command.args(["-Bbn", user, password]).output().expect("a line");
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

#[tokio::test]
async fn an_image_becomes_the_file_by_tag_and_by_digest_over_https_and_plain_http() {
    if program::is_missing(&[PROGRAM]) {
        return;
    }
    for is_tls in [true, false] {
        let fixture = Fixture::new();
        let registry = DockerRegistry::start(&fixture, is_tls.then_some(&fixture.certificate), None).await;
        let image = PushedImage::new(&registry, "deep/er/debian:12.5", 3 * MEGABYTE + 12_345).await;
        for version in [":12.5".to_owned(), format!("@{}", image.index_digest), format!("@{}", image.manifest_digest)] {
            fixture.put_older_file();
            let name = format!("{}{version}", image.repository);
            let file = fixture.pull(fixture.options(), &registry.address(), &name).await;
            fixture.expect_layer(&image, &file.unwrap_or_else(|error| panic!("{name}, TLS {is_tls}: {error}")));
        }
    }
}

#[tokio::test]
async fn a_registry_with_a_password_opens_to_the_right_one_only() {
    if program::is_missing(&[PROGRAM, HTPASSWD]) {
        return;
    }
    let fixture = Fixture::new();
    let registry = DockerRegistry::start(&fixture, Some(&fixture.certificate), Some(LOGIN)).await;
    let image = PushedImage::new(&registry, "private/debian:latest", MEGABYTE).await;
    let right = fixture.options_of(LOGIN.0, LOGIN.1);
    let file = fixture.pull(right.clone(), &registry.address(), "private/debian").await.expect("a file");
    fixture.expect_layer(&image, &file);

    fixture.put_older_file();
    for (name, options, advice) in [
        ("no password", fixture.options(), "Sign in with a user name and a password"),
        ("a wrong password", fixture.options_of(LOGIN.0, "wrong"), "Check the user name and the password"),
        ("a wrong user", fixture.options_of("nobody", LOGIN.1), "Check the user name and the password"),
    ] {
        let error = fixture.pull(options, &registry.address(), "private/debian").await.expect_err(name);
        assert_eq!((error.kind(), error.http_status()), (ErrorKind::Unauthorized, Some(401)), "{name}: {error}");
        assert_eq!(error.registry_code(), Some("UNAUTHORIZED"), "{name}: {error}");
        assert!(error.to_string().contains(advice), "{name}: {error}");
        assert!(!error.to_string().contains(LOGIN.1), "{name}: {error}");
        fixture.expect_older_file();
    }

    let client = Client::new(right).expect("a client");
    let token = client.token(&registry.address(), "private/debian", &Job::default()).await.expect("no error");
    assert!(token.is_none(), "it wants a password, and gives no token");
}

#[tokio::test]
async fn a_password_goes_over_plain_http_only_when_that_was_asked_for() {
    if program::is_missing(&[PROGRAM, HTPASSWD]) {
        return;
    }
    let fixture = Fixture::new();
    let registry = DockerRegistry::start(&fixture, None, Some(LOGIN)).await;
    let image = PushedImage::new(&registry, "private/debian:latest", MEGABYTE).await;
    let options = fixture.options_of(LOGIN.0, LOGIN.1);
    let error = fixture.pull(options.clone(), &registry.address(), "private/debian").await.expect_err("plain http");
    assert_eq!(error.kind(), ErrorKind::Insecure, "{error}");

    let options = ClientOptions { plain_http: true, ..options };
    let file = fixture.pull(options, &registry.address(), "private/debian").await.expect("a file");
    fixture.expect_layer(&image, &file);
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_is_told() {
    if program::is_missing(&[PROGRAM]) {
        return;
    }
    let fixture = Fixture::new();
    let registry = DockerRegistry::start(&fixture, Some(&fixture.certificate), None).await;
    let image = PushedImage::new(&registry, "debian:latest", MEGABYTE).await;
    let options = ClientOptions { ca_certificate: None, ..fixture.options() };
    let error = fixture.pull(options.clone(), &registry.address(), "debian").await.expect_err("an unknown issuer");
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    assert!(error.recommended_action().is_some(), "{error}");

    let options = ClientOptions { skip_certificate_check: true, ..options };
    let file = fixture.pull(options, &registry.address(), "debian").await.expect("a file");
    fixture.expect_layer(&image, &file);
}

#[tokio::test]
async fn what_is_not_there_is_told_by_its_name() {
    if program::is_missing(&[PROGRAM]) {
        return;
    }
    let fixture = Fixture::new();
    fixture.put_older_file();
    let registry = DockerRegistry::open(&fixture).await;
    let image = PushedImage::new(&registry, "a/debian:latest", MEGABYTE).await;
    let absent = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    for name in ["a/debian:absent".to_owned(), "a/absent:latest".to_owned(), format!("a/debian@{absent}")] {
        let error = fixture.pull(fixture.options(), &registry.address(), &name).await.expect_err(&name);
        assert_eq!((error.kind(), error.http_status()), (ErrorKind::NotFound, Some(404)), "{error}");
        assert_eq!(error.registry_code(), Some("MANIFEST_UNKNOWN"), "{error}");
        let expected = format!("Image not found: {}/{name}.", registry.address());
        assert!(error.to_string().starts_with(&expected), "{error}");
        fixture.expect_older_file();
    }

    fs::remove_file(registry.blob_file(&image.layer_digest)).expect("the layer's file");
    let error = fixture.pull(fixture.options(), &registry.address(), "a/debian").await.expect_err("no layer");
    assert_eq!((error.kind(), error.registry_code()), (ErrorKind::BlobNotFound, Some("BLOB_UNKNOWN")), "{error}");
    fixture.expect_older_file();
}

#[tokio::test]
async fn all_tags_are_listed() {
    if program::is_missing(&[PROGRAM]) {
        return;
    }
    const TAGS: usize = 30;
    let fixture = Fixture::new();
    let registry = DockerRegistry::open(&fixture).await;
    let image = PushedImage::new(&registry, "a/debian:v00", 1).await;
    let tags = registry.repository_folder("a/debian").join("_manifests/tags");
    for number in 1..TAGS {
        let current = tags.join(format!("v{number:02}")).join("current");
        fs::create_dir_all(&current).expect("a folder");
        fs::write(current.join("link"), &image.index_digest).expect("a file");
    }
    let client = Client::new(fixture.options()).expect("a client");
    let host: Registry = registry.address().parse().expect("a registry");
    let repository = |path| Repository::new(host.clone(), path).expect("a repository");
    let mut listed = client.tags(&repository("a/debian"), &Job::default()).await.expect("tags");
    listed.sort();
    let expected: Vec<String> = (0..TAGS).map(|number| format!("v{number:02}")).collect();
    assert_eq!(listed, expected);

    let error = client.tags(&repository("a/absent"), &Job::default()).await.expect_err("no repository");
    assert_eq!((error.kind(), error.registry_code()), (ErrorKind::NotFound, Some("NAME_UNKNOWN")), "{error}");
    assert!(error.to_string().contains("a/absent"), "{error}");
}

#[tokio::test]
async fn what_an_earlier_run_has_left_is_not_fetched_again() {
    if program::is_missing(&[PROGRAM]) {
        return;
    }
    let fixture = Fixture::new();
    let registry = DockerRegistry::open(&fixture).await;
    let image = PushedImage::new(&registry, "a/debian:latest", 5 * MEGABYTE + 12_345).await;
    let size = image.layer.len() as u64;
    let kept = 3 * MEGABYTE + 7;
    let damaged: Vec<u8> = image.layer[..kept].iter().map(|byte| byte ^ 1).collect();
    let other = image.manifest_digest.as_str();
    let mut expected = Vec::new();
    for (name, left, digest, answers) in [
        ("some of it", &image.layer[..kept], image.layer_digest.as_str(), vec![(206, size - kept as u64)]),
        ("all of it", &image.layer, &image.layer_digest, vec![]),
        ("of another blob", &image.layer[..kept], other, vec![(200, size)]),
        ("damaged", &damaged, &image.layer_digest, vec![(206, size - kept as u64), (200, size)]),
    ] {
        let _ = fs::remove_file(fixture.destination());
        fixture.put_partial_file(left, digest);
        let file = fixture.pull(fixture.options(), &registry.address(), "a/debian").await;
        fixture.expect_layer(&image, &file.unwrap_or_else(|error| panic!("{name}: {error}")));
        expected.extend(answers);
        let answers = registry.answers(&image.layer_path(), expected.len()).await;
        assert_eq!(answers, expected, "{name}");
    }
}

#[tokio::test]
async fn a_blob_that_the_registry_holds_damaged_never_becomes_the_file() {
    if program::is_missing(&[PROGRAM]) {
        return;
    }
    let fixture = Fixture::new();
    fixture.put_older_file();
    let registry = DockerRegistry::open(&fixture).await;
    let image = PushedImage::new(&registry, "a/debian:latest", 2 * MEGABYTE).await;
    let mut damaged = image.layer.clone();
    damaged[MEGABYTE] ^= 1;
    fs::write(registry.blob_file(&image.layer_digest), damaged).expect("the layer's file");
    let error = fixture.pull(fixture.options(), &registry.address(), "a/debian").await.expect_err("another digest");
    assert_eq!(error.kind(), ErrorKind::DigestMismatch, "{error}");
    fixture.expect_older_file();
    assert_eq!(registry.answers(&image.layer_path(), 2).await.len(), 2, "it is asked once more, and then no more");
}
