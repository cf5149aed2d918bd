//! squid as the proxy between the library and docker-registry. Only squid knows where the names of the registries lead.

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use wslimage::{ClientOptions, Credential, Environment, ErrorKind, Proxy, ProxyServer};

use crate::certificate::NAME;
use crate::docker_registry::{self, DockerRegistry, htpasswd};
use crate::fixture::{Fixture, credential};
use crate::nginx::{self, Nginx};
use crate::program::{self, Program};
use crate::pushed_image::{MEGABYTE, PushedImage};

const PROGRAM: &str = "squid";
const AUTHENTICATOR: &str = "basic_ncsa_auth";
const PROGRAMS: &[&str] =
    &[PROGRAM, AUTHENTICATOR, docker_registry::PROGRAM, docker_registry::HTPASSWD, nginx::PROGRAM];
/// A host to which it lets nobody.
const DENIED: &str = "denied.test";
/// With characters that a URL or a header holds only when they are encoded.
const LOGIN: (&str, &str) = ("joanna", "p@ss/wörd");
const LOGIN_IN_URL: &str = "joanna:p%40ss%2Fw%C3%B6rd";

/// squid on loopback. Dropped, it ends.
struct Squid {
    folder: PathBuf,
    port: u16,
    _program: Program,
}

impl Squid {
    /// One that lets through whoever asks, or, with `login`, only who signs in so.
    async fn start(fixture: &Fixture, login: Option<(&str, &str)>) -> Self {
        let folder = fixture.servers.path().join(PROGRAM);
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join("hosts"), format!("127.0.0.1 {NAME} {DENIED}\n")).expect("a file");
        if let Some((user, password)) = login {
            fs::write(folder.join("htpasswd"), htpasswd(user, password)).expect("a file");
        }
        // It does not run as root, and makes its files itself.
        let is_root = fs::metadata(&folder).expect("the folder").uid() == 0;
        let user = is_root.then_some("proxy");
        for (path, mode) in [(fixture.servers.path(), 0o711), (&folder, 0o777)] {
            fs::set_permissions(path, Permissions::from_mode(mode)).expect("permissions");
        }
        program::on_free_ports(async |[port]: [u16; 1]| {
            let configuration = folder.join("squid.conf");
            fs::write(&configuration, self::configuration(&folder, port, login.is_some())).expect("a file");
            let log = folder.join("cache.log");
            let _ = fs::remove_file(&log);
            let arguments = [Path::new("-N"), Path::new("-f"), &configuration];
            let sign = (log.as_path(), "Accepting HTTP Socket connections");
            let program = Program::start(PROGRAM, user, &arguments, &folder, sign).await?;
            Ok(Self { folder: folder.clone(), port, _program: program })
        })
        .await
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A client of it, who signs in there as `login` says.
    fn options(&self, fixture: &Fixture, login: Option<Credential>) -> ClientOptions {
        let url = format!("http://{}", self.address()).parse().expect("an address");
        let server = ProxyServer { url, credential: login, use_default_credentials: false };
        ClientOptions { proxy: Proxy::Server(server), ..fixture.options() }
    }

    /// `METHOD ADDRESS STATUS USER` of what it was asked, once one of them begins with `expected`.
    async fn asked_once(&self, expected: &str) -> Vec<String> {
        let is_there = |lines: &[String]| lines.iter().any(|line| line.starts_with(expected));
        program::lines_once(&self.folder.join("asked"), is_there).await
    }
}

fn configuration(folder: &Path, port: u16, wants_login: bool) -> String {
    let folder = folder.display();
    let access = if wants_login {
        let authenticator = program::find(AUTHENTICATOR).expect("it is installed");
        format!(
            "auth_param basic program {} {folder}/htpasswd\nauth_param basic children 1\nauth_param basic realm tests\n\
             acl users proxy_auth REQUIRED\nhttp_access allow users\n",
            authenticator.display()
        )
    } else {
        "http_access allow all\n".to_owned()
    };
    format!(
        "http_port 127.0.0.1:{port}\nhosts_file {folder}/hosts\nvisible_hostname squid.test\n\
         pid_filename none\ncoredump_dir {folder}\ncache_log {folder}/cache.log\n\
         logformat asked %rm %ru %>Hs %un\naccess_log stdio:{folder}/asked logformat=asked\n\
         cache deny all\ncache_mem 1 MB\nmax_filedescriptors 1024\nnetdb_filename none\npinger_enable off\n\
         acl denied dstdomain {DENIED}\nhttp_access deny denied\n{access}"
    )
}

/// How the log begins a question for `path` of a registry: what goes on over TLS it does not see.
fn in_log(registry: &str, is_tls: bool, path: &str) -> String {
    if is_tls { format!("CONNECT {registry} ") } else { format!("GET http://{registry}{path} ") }
}

#[tokio::test]
async fn a_pull_goes_through_the_proxy() {
    if program::is_missing(PROGRAMS) {
        return;
    }
    for is_tls in [true, false] {
        let fixture = Fixture::new();
        let registry = DockerRegistry::start(&fixture, is_tls.then_some(&fixture.certificate), None).await;
        let image = PushedImage::new(&registry, "a/debian:latest", 3 * MEGABYTE).await;
        let squid = Squid::start(&fixture, None).await;
        let options = ClientOptions { plain_http: !is_tls, ..squid.options(&fixture, None) };
        let address = registry.address_as(NAME);
        // What an earlier run has left, so that a part is asked for.
        let kept = 2 * MEGABYTE;
        fixture.put_partial_file(&image.layer[..kept], &image.layer_digest);
        let file = fixture.pull(options, &address, "a/debian").await;
        fixture.expect_layer(&image, &file.unwrap_or_else(|error| panic!("TLS {is_tls}: {error}")));
        squid.asked_once(&in_log(&address, is_tls, &image.layer_path())).await;
        let rest = (206, (image.layer.len() - kept) as u64);
        assert_eq!(registry.answers(&image.layer_path(), 1).await, [rest], "TLS {is_tls}");
    }
}

#[tokio::test]
async fn a_proxy_with_a_password_opens_to_the_right_one_only() {
    if program::is_missing(PROGRAMS) {
        return;
    }
    for is_tls in [true, false] {
        let fixture = Fixture::new();
        // The registry has another password: each is told its own.
        let certificate = is_tls.then_some(&fixture.certificate);
        let registry = DockerRegistry::start(&fixture, certificate, Some(docker_registry::LOGIN)).await;
        let image = PushedImage::new(&registry, "a/debian:latest", MEGABYTE).await;
        let squid = Squid::start(&fixture, Some(LOGIN)).await;
        let address = registry.address_as(NAME);
        let signed_in = |options: ClientOptions| {
            let (user, password) = docker_registry::LOGIN;
            ClientOptions { credential: Some(credential(user, password)), plain_http: !is_tls, ..options }
        };
        let by_option = squid.options(&fixture, Some(credential(LOGIN.0, LOGIN.1)));
        let variable = if is_tls { "HTTPS_PROXY" } else { "http_proxy" };
        let url = format!("http://{LOGIN_IN_URL}@{}", squid.address());
        let by_variable = ClientOptions { environment: Environment::from_iter([(variable, url)]), ..fixture.options() };
        for (name, options) in [("by option", by_option), (variable, by_variable)] {
            let file = fixture.pull(signed_in(options), &address, "a/debian").await;
            fixture.expect_layer(&image, &file.unwrap_or_else(|error| panic!("{name}, TLS {is_tls}: {error}")));
            fs::remove_file(fixture.destination()).expect("the file");
        }
        let expected = in_log(&address, is_tls, &image.layer_path());
        let asked = squid.asked_once(&expected).await;
        let by_user = |line: &String| line.starts_with(&expected) && line.ends_with(&format!(" {}", LOGIN.0));
        assert!(asked.iter().any(by_user), "{asked:?}");

        fixture.put_older_file();
        for (name, login) in [
            ("no password", None),
            ("a wrong password", Some(credential(LOGIN.0, "wrong-one"))),
            ("a wrong user", Some(credential("nobody", LOGIN.1))),
        ] {
            let options = signed_in(squid.options(&fixture, login));
            let error = fixture.pull(options, &address, "a/debian").await.expect_err(name);
            let text = error.to_string();
            assert_eq!(
                (error.kind(), error.http_status()),
                (ErrorKind::Proxy, Some(407)),
                "{name}, TLS {is_tls}: {text}"
            );
            assert!(text.contains(&format!("the proxy {}", squid.address())), "{name}, TLS {is_tls}: {text}");
            assert!(!text.contains(LOGIN.1) && !text.contains("wrong-one"), "{name}, TLS {is_tls}: {text}");
            fixture.expect_older_file();
        }
    }
}

#[tokio::test]
async fn what_the_proxy_denies_is_told_apart_from_what_the_registry_denies() {
    if program::is_missing(PROGRAMS) {
        return;
    }
    for is_tls in [true, false] {
        let fixture = Fixture::new();
        let nginx = Nginx::start(&fixture, |[address]| {
            let denial = "location / {\nreturn 403;\n}\n";
            match is_tls {
                true => nginx::tls_server(address, &fixture.certificate, denial),
                false => nginx::server(address, denial),
            }
        })
        .await;
        let squid = Squid::start(&fixture, None).await;
        let address = nginx.address();
        let (_, port) = address.split_once(':').expect("a port");
        for (host, kind, by) in [
            (DENIED, ErrorKind::Proxy, format!("the proxy {} does not allow {DENIED}:{port}", squid.address())),
            (NAME, ErrorKind::Denied, format!("{NAME}:{port} answered 403")),
        ] {
            let options = ClientOptions { plain_http: !is_tls, ..squid.options(&fixture, None) };
            let error = fixture.pull(options, &format!("{host}:{port}"), "a/debian").await.expect_err(host);
            assert_eq!((error.kind(), error.http_status()), (kind, Some(403)), "{host}, TLS {is_tls}: {error}");
            assert!(error.to_string().contains(&by), "{host}, TLS {is_tls}: {error}");
        }
    }
}

#[tokio::test]
async fn a_proxy_that_reaches_no_registry_and_one_that_is_not_there_are_told() {
    if program::is_missing(PROGRAMS) {
        return;
    }
    for is_tls in [true, false] {
        let fixture = Fixture::new();
        let squid = Squid::start(&fixture, None).await;
        let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let registry = format!("{NAME}:{}", nobody.local_addr().expect("an address").port());
        drop(nobody);
        let mut options = ClientOptions { plain_http: !is_tls, ..squid.options(&fixture, None) };
        options.retry.maximum_retries = 0;
        let proxy = squid.address();
        let error = fixture.pull(options.clone(), &registry, "a/debian").await.expect_err("no registry");
        assert_eq!((error.kind(), error.http_status()), (ErrorKind::Proxy, Some(503)), "TLS {is_tls}: {error}");
        let expected = format!("the proxy {proxy} could not reach {registry}");
        assert!(error.to_string().contains(&expected), "TLS {is_tls}: {error}");

        drop(squid);
        let error = fixture.pull(options, &registry, "a/debian").await.expect_err("no proxy");
        assert_eq!(error.kind(), ErrorKind::Proxy, "TLS {is_tls}: {error}");
        assert!(error.to_string().contains(&format!("no connection to the proxy {proxy}")), "TLS {is_tls}: {error}");
    }
}
