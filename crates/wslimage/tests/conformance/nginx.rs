//! nginx before docker-registry, as people put it there: for TLS, for a CDN's part, to slow down, and badly set up.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use wslimage::{ClientOptions, ErrorKind, RetryPolicy};

use crate::certificate::Certificate;
use crate::docker_registry::{self, DockerRegistry, LOGIN};
use crate::fixture::{Fixture, watched_job};
use crate::program::{self, Program};
use crate::pushed_image::{MEGABYTE, PushedImage};

pub(crate) const PROGRAM: &str = "nginx";
/// What both servers need.
const PROGRAMS: &[&str] = &[PROGRAM, docker_registry::PROGRAM];

/// nginx on loopback, with one address for each of its servers. Dropped, it ends.
pub(crate) struct Nginx {
    folder: PathBuf,
    ports: Vec<u16>,
    _program: Program,
}

/// One answered question.
#[derive(Debug)]
struct Asked {
    server: String,
    path: String,
    status: u16,
    range: Option<String>,
    sent: u64,
    protocol: String,
    /// The number of the connection that it came over.
    connection: u64,
    authorization: Option<String>,
}

impl Asked {
    fn read(line: &str) -> Self {
        let mut words = line.split('\t');
        let mut next = || words.next().expect("a word").to_owned();
        let some = |word: String| (word != "-").then_some(word);
        Self {
            server: next(),
            path: next(),
            status: next().parse().expect("a status"),
            range: some(next()),
            sent: next().parse().expect("a length"),
            protocol: next(),
            connection: next().parse().expect("a number"),
            authorization: some(next()),
        }
    }
}

impl Nginx {
    /// Starts it with the `server` blocks that `servers` makes of the addresses at which they listen.
    pub(crate) async fn start<const N: usize>(fixture: &Fixture, servers: impl Fn([&str; N]) -> String) -> Self {
        let folder = fixture.servers.path().join(PROGRAM);
        fs::create_dir(&folder).expect("a folder");
        program::on_free_ports(async |ports: [u16; N]| {
            let addresses = ports.map(|port| format!("127.0.0.1:{port}"));
            let servers = servers(addresses.each_ref().map(String::as_str));
            let configuration = folder.join("nginx.conf");
            fs::write(&configuration, self::configuration(&folder, &servers)).expect("a file");
            let mut arguments: Vec<&Path> = vec![Path::new("-p"), &folder, Path::new("-c"), &configuration];
            let errors = folder.join("errors");
            arguments.extend([Path::new("-e"), &errors]);
            // It writes its number when it listens.
            let program = Program::start(PROGRAM, None, &arguments, &folder, (&folder.join("pid"), "\n")).await;
            let told = || fs::read_to_string(&errors).unwrap_or_default();
            let program = program.map_err(|reason| format!("{reason}{}", told()))?;
            Ok(Self { folder: folder.clone(), ports: ports.to_vec(), _program: program })
        })
        .await
    }

    /// `HOST:PORT` of its first server.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports[0])
    }

    /// The answered questions for the layer of `image`, once they are `expected`.
    async fn asked_once(&self, image: &PushedImage, expected: impl Fn(&[Asked]) -> bool) -> Vec<Asked> {
        let path = image.layer_path();
        let of_layer = |lines: &[String]| -> Vec<Asked> {
            let asked = lines.iter().map(|line| Asked::read(line));
            asked.filter(|asked| asked.path.split('?').next() == Some(&path)).collect()
        };
        let lines = program::lines_once(&self.folder.join("asked"), |lines| expected(&of_layer(lines))).await;
        of_layer(&lines)
    }
}

fn configuration(folder: &Path, servers: &str) -> String {
    let folder = folder.display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("    {kind}_temp_path {folder}/{kind};\n"))
        .concat();
    format!(
        r#"daemon off;
master_process off;
pid {folder}/pid;
events {{}}
http {{
{temporary}    log_format asked '$server_name\t$request_uri\t$status\t$http_range\t$body_bytes_sent\t$server_protocol\t$connection\t$http_authorization';
    access_log {folder}/asked asked;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    # The name and the port by which it was asked, as docker-registry's documentation has it.
    proxy_set_header Host $http_host;
{servers}
}}
"#
    )
}

/// A `server` block that speaks plain http.
pub(crate) fn server(address: &str, body: &str) -> String {
    format!("server {{\nlisten {address};\nserver_name {address};\n{body}\n}}\n")
}

/// One that speaks https, and HTTP/2 too.
pub(crate) fn tls_server(address: &str, certificate: &Certificate, body: &str) -> String {
    let Certificate { certificate, key, .. } = certificate;
    let (certificate, key) = (certificate.display(), key.display());
    format!(
        "server {{\nlisten {address} ssl http2;\nserver_name {address};\nssl_protocols TLSv1.2 TLSv1.3;\n\
         ssl_certificate {certificate};\nssl_certificate_key {key};\n{body}\n}}\n"
    )
}

/// What a user sends who signs in (RFC 7617).
fn basic((user, password): (&str, &str)) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

/// Everything comes from `registry`.
fn pass(registry: &DockerRegistry, more: &str) -> String {
    format!("location / {{\nproxy_pass {};\n{more}\n}}\n", registry.url())
}

#[tokio::test]
async fn without_ranges_a_download_begins_anew_and_ends_in_the_right_file() {
    if program::is_missing(PROGRAMS) {
        return;
    }
    for (name, settings) in [
        // docker-registry's `Accept-Ranges: bytes` still passes.
        ("promised", "proxy_set_header Range \"\";\nmax_ranges 0;"),
        ("not promised", "proxy_set_header Range \"\";\nmax_ranges 0;\nproxy_hide_header Accept-Ranges;"),
    ] {
        let fixture = Fixture::new();
        let registry = DockerRegistry::open(&fixture).await;
        let image = PushedImage::new(&registry, "a/debian:latest", 4 * MEGABYTE + 5).await;
        let nginx = Nginx::start(&fixture, |[address]| server(address, &pass(&registry, settings))).await;
        fixture.put_partial_file(&image.layer[..3 * MEGABYTE], &image.layer_digest);
        let file = fixture.pull(fixture.options(), &nginx.address(), &image.name()).await;
        fixture.expect_layer(&image, &file.unwrap_or_else(|error| panic!("{name}: {error}")));
        let asked = nginx.asked_once(&image, |asked| !asked.is_empty()).await;
        assert!(asked.iter().all(|asked| asked.status == 200), "{name}: {asked:?}");
        assert_eq!(asked[0].range.as_deref(), Some("bytes=3145728-"), "{name}");
        assert_eq!(asked.len(), 1, "{name}: {asked:?}");
    }
}

/// docker-registry dies in the middle of the layer, nginx answers 502 in its place, and it comes back.
async fn pull_while_the_registry_dies(settings: &str) -> Vec<Asked> {
    let fixture = Fixture::new();
    let mut registry = DockerRegistry::open(&fixture).await;
    let image = PushedImage::new(&registry, "a/debian:latest", 20 * MEGABYTE).await;
    // Without buffers of nginx, so that docker-registry is in the middle of it too.
    let settings = format!("proxy_buffering off;\nlimit_rate 12m;\n{settings}");
    let nginx = Nginx::start(&fixture, |[address]| server(address, &pass(&registry, &settings))).await;
    let (job, mut told) = watched_job();
    let address = nginx.address();
    let pull = fixture.pull_as(fixture.options(), &address, "a/debian", &job);
    let fault = async {
        told.wait_for(|told| told.bytes > MEGABYTE as u64).await.expect("a pull");
        registry.stop();
        let answered = |line: &String| line.contains("answered 502");
        told.wait_for(|told| told.lines.iter().any(answered)).await.expect("a pull");
        registry.go_on().await;
    };
    let (file, ()) = tokio::join!(pull, fault);
    fixture.expect_layer(&image, &file.expect("a file"));
    nginx.asked_once(&image, |asked| asked.last().is_some_and(|asked| asked.status != 502)).await
}

#[tokio::test]
async fn a_registry_that_dies_in_the_middle_is_asked_for_the_rest_when_it_is_back() {
    if program::is_missing(PROGRAMS) {
        return;
    }
    let asked = pull_while_the_registry_dies("").await;
    let (first, last) = (&asked[0], asked.last().expect("the last"));
    assert_eq!((first.status, &first.range), (200, &None), "{asked:?}");
    assert_eq!(last.status, 206, "{asked:?}");
    let start: u64 = last.range.as_ref().and_then(|range| range[6..].strip_suffix('-')?.parse().ok()).expect("a range");
    assert!(start > MEGABYTE as u64, "what had arrived was asked for again: {asked:?}");
    assert_eq!(last.sent, 20 * MEGABYTE as u64 - start, "{asked:?}");
}

#[tokio::test]
async fn a_registry_that_dies_in_the_middle_and_takes_no_ranges_is_asked_for_all_of_it_when_it_is_back() {
    if program::is_missing(PROGRAMS) {
        return;
    }
    let asked = pull_while_the_registry_dies("proxy_set_header Range \"\";\nmax_ranges 0;").await;
    let last = asked.last().expect("the last");
    assert_eq!((last.status, last.sent), (200, 20 * MEGABYTE as u64), "{asked:?}");
}

#[tokio::test]
async fn a_limit_for_each_connection_is_met_with_several() {
    if program::is_missing(PROGRAMS) {
        return;
    }
    let fixture = Fixture::new();
    let registry = DockerRegistry::open(&fixture).await;
    let image = PushedImage::new(&registry, "a/debian:latest", 20 * MEGABYTE + 3).await;
    let nginx = Nginx::start(&fixture, |[address]| server(address, &pass(&registry, "limit_rate 2m;"))).await;
    let options = ClientOptions { maximum_connections: 4, ..fixture.options() };
    let file = fixture.pull(options, &nginx.address(), "a/debian").await.expect("a file");
    fixture.expect_layer(&image, &file);

    let connections = |asked: &[Asked]| {
        let mut numbers: Vec<u64> =
            asked.iter().filter(|asked| asked.status == 206).map(|asked| asked.connection).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.len()
    };
    let asked = nginx.asked_once(&image, |asked| connections(asked) > 2).await;
    assert!(connections(&asked) <= 4, "{asked:?}");
}

#[tokio::test]
async fn a_server_of_http_2_serves_too() {
    if program::is_missing(PROGRAMS) {
        return;
    }
    let fixture = Fixture::new();
    let registry = DockerRegistry::open(&fixture).await;
    let image = PushedImage::new(&registry, "a/debian:latest", 3 * MEGABYTE).await;
    let servers = |[address]: [&str; 1]| tls_server(address, &fixture.certificate, &pass(&registry, ""));
    let nginx = Nginx::start(&fixture, servers).await;
    let file = fixture.pull(fixture.options(), &nginx.address(), "a/debian").await.expect("a file");
    fixture.expect_layer(&image, &file);
    let asked = nginx.asked_once(&image, |asked| !asked.is_empty()).await;
    // All streams of HTTP/2 share one TCP connection, and its limits.
    assert!(asked.iter().all(|asked| asked.protocol == "HTTP/1.1"), "{asked:?}");
}

#[tokio::test]
async fn a_registry_sends_for_its_blobs_to_another_server_which_never_sees_the_password() {
    if program::is_missing(PROGRAMS) || program::is_missing(&[docker_registry::HTPASSWD]) {
        return;
    }
    let fixture = Fixture::new();
    let registry = DockerRegistry::start(&fixture, None, Some(LOGIN)).await;
    let image = PushedImage::new(&registry, "a/debian:latest", 5 * MEGABYTE).await;
    // As storage services do it: whoever has the address may read.
    let own = format!("proxy_set_header Authorization \"{}\";", basic(LOGIN));
    let nginx = Nginx::start(&fixture, |[front, storage]| {
        let away = format!(
            "location ~ ^/v2/.+/blobs/ {{\nif ($http_authorization = \"\") {{ return 401; }}\n\
             return 307 https://{storage}$request_uri?signature=secret;\n}}\n"
        );
        let signed = format!("if ($arg_signature != \"secret\") {{ return 403; }}\n{}", pass(&registry, &own));
        let front = tls_server(front, &fixture.certificate, &(away + &pass(&registry, "")));
        front + &tls_server(storage, &fixture.certificate, &signed)
    })
    .await;
    // What an earlier run has left, so that a part is asked for there.
    fixture.put_partial_file(&image.layer[..2 * MEGABYTE], &image.layer_digest);
    let options = fixture.options_of(LOGIN.0, LOGIN.1);
    let file = fixture.pull(options, &nginx.address(), "a/debian").await.expect("a file");
    fixture.expect_layer(&image, &file);

    let storage = format!("127.0.0.1:{}", nginx.ports[1]);
    let at_storage = |asked: &Asked| asked.server == storage;
    let asked = nginx.asked_once(&image, |asked| asked.iter().any(at_storage)).await;
    let (there, front): (Vec<&Asked>, Vec<&Asked>) = asked.iter().partition(|asked| at_storage(asked));
    assert!(front.iter().all(|asked| asked.authorization.is_some() && asked.status == 307), "{asked:?}");
    let [there] = there[..] else { panic!("{asked:?}") };
    assert_eq!(there.authorization, None, "{there:?}");
    assert_eq!((there.status, there.sent), (206, 3 * MEGABYTE as u64), "{there:?}");
}

#[tokio::test]
async fn a_bad_gateway_is_asked_again_until_it_is_good() {
    if program::is_missing(PROGRAMS) {
        return;
    }
    let fixture = Fixture::new();
    let mut registry = DockerRegistry::open(&fixture).await;
    let image = PushedImage::new(&registry, "a/debian:latest", MEGABYTE).await;
    let nginx = Nginx::start(&fixture, |[address]| server(address, &pass(&registry, ""))).await;
    registry.stop();

    fixture.put_older_file();
    let soon = RetryPolicy { maximum_retries: 2, first_wait: Duration::from_millis(1), ..RetryPolicy::default() };
    let options = ClientOptions { retry: soon, ..fixture.options() };
    let error = fixture.pull(options, &nginx.address(), "a/debian").await.expect_err("a bad gateway");
    assert_eq!((error.kind(), error.http_status()), (ErrorKind::Server, Some(502)), "{error}");
    assert!(error.to_string().contains(&nginx.address()), "{error}");
    fixture.expect_older_file();

    let (job, mut told) = watched_job();
    let address = nginx.address();
    let pull = fixture.pull_as(fixture.options(), &address, "a/debian", &job);
    let recovery = async {
        let answered = |line: &String| line.contains("answered 502");
        told.wait_for(|told| told.lines.iter().any(answered)).await.expect("a pull");
        registry.go_on().await;
    };
    let (file, ()) = tokio::join!(pull, recovery);
    fixture.expect_layer(&image, &file.expect("a file"));
}
