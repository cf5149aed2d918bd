//! Proxies: which requests go through one, who is told what, and whose failure it is.

use wslimage::{Client, ClientOptions, Credential, Environment, ErrorKind, Proxy, ProxyServer};
use wslimage_test_registry::{
    self as registry, Auth, Blob, Image, LogEntry, LogFilter, Platform as Served, RedirectBlobs, RedirectTarget,
    RepositoryOptions, Step,
};

use crate::fixture::{Fixture, Recorder, credential, everything_said, request_at};

const USER: &str = "proxy-user";
/// With characters that mean something in an address.
const PASSWORD: &str = "pr0xy p@ss:w/rd";
const ENCODED_PASSWORD: &str = "pr0xy%20p%40ss%3Aw%2Frd";
const REGISTRY_PASSWORD: &str = "registry-s3cret";
/// No name of this machine, so that variables count for it; the proxy alone knows where it is.
const REGISTRY: &str = "registry.test";

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn server(address: &str, credential: Option<Credential>) -> Proxy {
    let url = format!("http://{address}").parse().expect("a URL");
    Proxy::Server(ProxyServer { url, credential, use_default_credentials: false })
}

/// A proxy that finds [`REGISTRY`], with TLS and without.
fn finding(fixture: &Fixture) -> registry::Proxy {
    let hosts = [(443, fixture.registry.https_address()), (80, fixture.registry.http_address())]
        .map(|(port, address)| (format!("{REGISTRY}:{port}"), address.to_owned()));
    registry::Proxy { hosts: hosts.into(), ..registry::Proxy::default() }
}

fn with_login(proxy: registry::Proxy) -> registry::Proxy {
    registry::Proxy { username: Some(USER.to_owned()), password: Some(PASSWORD.to_owned()), ..proxy }
}

fn at(fixture: &Fixture, listener: &str) -> Vec<LogEntry> {
    fixture.registry.log_of(&LogFilter { listener: Some(listener.to_owned()), ..LogFilter::default() })
}

/// Pulls `a/b` of the registry at `host`; the verbose lines come along. No text may show a password.
async fn pull(fixture: &Fixture, host: &str, options: ClientOptions) -> (wslimage::Result<()>, Vec<String>) {
    let (recorder, _, job) = Recorder::job();
    let shown_options = format!("{options:?} {options:#?}");
    let result = async {
        let client = Client::new(options)?;
        let image = wslimage::resolve(&client, request_at(host, "a/b"), &job).await?;
        wslimage::pull(&client, &image, &fixture.destination(), wslimage::PullOptions::default(), &job).await
    };
    let (result, lines) = (result.await.map(drop), recorder.verbose_lines());
    let said = result.as_ref().err().map(everything_said).unwrap_or_default();
    let said = format!("{said} {lines:?} {shown_options}");
    for secret in [PASSWORD, ENCODED_PASSWORD, REGISTRY_PASSWORD, &base64(&format!("{USER}:{PASSWORD}"))] {
        assert!(!said.contains(secret), "{secret}: {said}");
    }
    (result, lines)
}

#[tokio::test]
async fn everything_goes_through_the_proxy_that_is_given_and_each_login_to_its_own() {
    for (name, login) in [("open", false), ("with a login", true)] {
        for is_tls in [true, false] {
            for (auth_name, auth) in [
                ("Basic", Auth::basic("user", REGISTRY_PASSWORD)),
                ("Bearer", Auth::password_bearer("user", REGISTRY_PASSWORD)),
            ] {
                let case = format!("{name}, TLS {is_tls}, {auth_name}");
                let fixture = Fixture::new().await;
                let to = if is_tls { RedirectTarget::Cdn } else { RedirectTarget::CdnHttp };
                let redirect = RedirectBlobs { to, ..RedirectBlobs::default() };
                let options = RepositoryOptions { redirect_blobs: Some(redirect), ..RepositoryOptions::default() };
                fixture.serve(Image { auth: Some(auth), options: Some(options), ..Fixture::image("a/b") });
                let proxy = if login { with_login(finding(&fixture)) } else { finding(&fixture) };
                fixture.registry.set_proxy(proxy).expect("a proxy");
                let options = ClientOptions {
                    proxy: server(fixture.registry.proxy_address(), login.then(|| credential(USER, PASSWORD))),
                    credential: Some(credential("user", REGISTRY_PASSWORD)),
                    plain_http: !is_tls,
                    ..fixture.options()
                };
                let (result, _) = pull(&fixture, REGISTRY, options).await;
                result.unwrap_or_else(|error| panic!("{case}: {error}"));
                fixture.expect_layer_in_file();

                let at_proxy = at(&fixture, "proxy");
                let method = if is_tls { "CONNECT" } else { "GET" };
                assert!(at_proxy.iter().all(|request| request.method == method), "{case}: {at_proxy:?}");
                let cdn = match is_tls {
                    true => fixture.registry.cdn_https_address(),
                    false => fixture.registry.cdn_http_address(),
                };
                for host in [REGISTRY, cdn] {
                    assert!(at_proxy.iter().any(|request| request.path.contains(host)), "{case}: {host}");
                }
                let expected = login.then(|| format!("Basic {}", base64(&format!("{USER}:{PASSWORD}"))));
                for request in &at_proxy {
                    let shown = request.headers.get("proxy-authorization");
                    assert_eq!(shown, expected.as_ref(), "{case}: {request:?}");
                    // By plain http it passes through the proxy on its way to the registry.
                    let may_pass = !is_tls && request.path.contains(REGISTRY);
                    assert!(may_pass || !request.headers.contains_key("authorization"), "{case}: {request:?}");
                }
                let behind: Vec<_> =
                    ["http", "https", "cdn", "cdnHttp"].iter().flat_map(|it| at(&fixture, it)).collect();
                assert!(behind.iter().any(|request| request.headers.contains_key("authorization")), "{case}");
                assert!(!behind.iter().any(|request| request.headers.contains_key("proxy-authorization")), "{case}");
            }
        }
    }
}

/// Variables of an environment.
type Variables = (&'static str, &'static [(&'static str, &'static str)]);

fn environment(fixture: &Fixture, variables: &[(&str, &str)]) -> Environment {
    let address = fixture.registry.proxy_address();
    let with_login = format!("http://{USER}:{ENCODED_PASSWORD}@{address}");
    variables
        .iter()
        .map(|(name, value)| (*name, value.replace("LOGIN", &with_login).replace("PROXY", address)))
        .collect()
}

#[tokio::test]
async fn the_environment_names_the_proxy() {
    let by_https: [Variables; 13] = [
        ("HTTPS_PROXY", &[("HTTPS_PROXY", "http://PROXY")]),
        ("without a scheme", &[("HTTPS_PROXY", "PROXY")]),
        ("in small letters", &[("https_proxy", "http://PROXY/")]),
        ("ALL_PROXY", &[("ALL_PROXY", "http://PROXY")]),
        ("all_proxy", &[("all_proxy", "PROXY")]),
        ("the nearer of two", &[("HTTPS_PROXY", "http://PROXY"), ("ALL_PROXY", "http://127.0.0.1:1")]),
        ("an empty one does not count", &[("HTTPS_PROXY", ""), ("ALL_PROXY", "http://PROXY")]),
        ("NO_PROXY of others", &[("HTTPS_PROXY", "PROXY"), ("NO_PROXY", "other.test,.example, 10.0.0.0/8")]),
        ("NO_PROXY of what is below", &[("HTTPS_PROXY", "PROXY"), ("NO_PROXY", ".registry.test")]),
        ("NO_PROXY of another port", &[("HTTPS_PROXY", "PROXY"), ("NO_PROXY", "registry.test:5000")]),
        ("NO_PROXY of an end of its name", &[("HTTPS_PROXY", "PROXY"), ("NO_PROXY", "egistry.test")]),
        ("a user in the address", &[("HTTPS_PROXY", "LOGIN")]),
        ("a user in ALL_PROXY", &[("ALL_PROXY", "LOGIN")]),
    ];
    for (name, variables) in by_https {
        let fixture = Fixture::new().await;
        fixture.serve(Fixture::image("a/b"));
        let wants_login = variables.iter().any(|(_, value)| *value == "LOGIN");
        let proxy = if wants_login { with_login(finding(&fixture)) } else { finding(&fixture) };
        fixture.registry.set_proxy(proxy).expect("a proxy");
        let options = ClientOptions { environment: environment(&fixture, variables), ..fixture.options() };
        pull(&fixture, REGISTRY, options).await.0.unwrap_or_else(|error| panic!("{name}: {error}"));
        fixture.expect_layer_in_file();
        assert!(at(&fixture, "proxy").iter().all(|it| it.path == "registry.test:443"), "{name}");
    }
    for (name, variables) in [
        ("HTTP_PROXY", &[("HTTP_PROXY", "PROXY")][..]),
        ("http_proxy", &[("http_proxy", "PROXY")]),
        ("the one of its scheme", &[("HTTP_PROXY", "PROXY"), ("HTTPS_PROXY", "http://127.0.0.1:1")]),
    ] {
        let fixture = Fixture::new().await;
        fixture.serve(Fixture::image("a/b"));
        fixture.registry.set_proxy(finding(&fixture)).expect("a proxy");
        let environment = environment(&fixture, variables);
        let options = ClientOptions { environment, plain_http: true, ..fixture.options() };
        pull(&fixture, REGISTRY, options).await.0.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!at(&fixture, "proxy").is_empty(), "{name}");
    }
}

#[tokio::test]
async fn this_machine_is_reached_without_the_proxy_of_the_environment() {
    let fixture = Fixture::new().await;
    fixture.serve(Fixture::image("a/b"));
    let variables = [("HTTPS_PROXY", "http://PROXY"), ("HTTP_PROXY", "http://PROXY"), ("ALL_PROXY", "http://PROXY")];
    for host in [
        fixture.registry.https_address().to_owned(),
        fixture.registry.https_address().replace("localhost", "127.0.0.1"),
    ] {
        let _ = std::fs::remove_file(fixture.destination());
        let options = ClientOptions { environment: environment(&fixture, &variables), ..fixture.options() };
        pull(&fixture, &host, options).await.0.unwrap_or_else(|error| panic!("{host}: {error}"));
    }
    // Nor where the user wants none.
    let options =
        ClientOptions { environment: environment(&fixture, &variables), proxy: Proxy::Never, ..fixture.options() };
    let _ = std::fs::remove_file(fixture.destination());
    pull(&fixture, fixture.registry.https_address(), options).await.0.expect("a file");
    assert!(at(&fixture, "proxy").is_empty());
}

/// 0.0.0.0 is no address of loopback, but leads there, except on Windows.
#[cfg(unix)]
#[tokio::test]
async fn what_no_proxy_names_is_reached_without_one() {
    for (no_proxy, is_direct) in [
        ("0.0.0.0", true),
        ("0.0.0.0:PORT", true),
        ("0.0.0.0/8", true),
        ("other.test, 0.0.0.0", true),
        ("*", true),
        ("0.0.0.0:1", false),
        ("10.0.0.0/8", false),
        ("", false),
    ] {
        let fixture = Fixture::new().await;
        fixture.serve(Fixture::image("a/b"));
        let (_, port) = fixture.registry.http_address().rsplit_once(':').expect("a port");
        let no_proxy = no_proxy.replace("PORT", port);
        let variables = [("HTTP_PROXY", "PROXY"), ("NO_PROXY", no_proxy.as_str())];
        let environment = environment(&fixture, &variables);
        let options = ClientOptions { environment, plain_http: true, ..fixture.options() };
        let (result, _) = pull(&fixture, &format!("0.0.0.0:{port}"), options).await;
        result.unwrap_or_else(|error| panic!("{no_proxy}: {error}"));
        assert_eq!(at(&fixture, "proxy").is_empty(), is_direct, "{no_proxy}");
    }
}

#[tokio::test]
async fn an_address_of_a_proxy_that_cannot_be_used_is_told_by_its_variable() {
    let fixture = Fixture::new().await;
    for (variable, value) in [
        ("HTTPS_PROXY", "ftp://proxy-user:pr0xy%20p%40ss%3Aw%2Frd@proxy.test"),
        ("ALL_PROXY", "http://proxy-user:pr0xy p@ss:w/rd@proxy.test"),
        ("https_proxy", "http://"),
        ("HTTP_PROXY", "http://proxy.test:99999"),
    ] {
        let options = ClientOptions { environment: [(variable, value)].into_iter().collect(), ..fixture.options() };
        let error = pull(&fixture, REGISTRY, options).await.0.expect_err(variable);
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{variable}: {error}");
        let told = format!("The proxy of the environment variable {variable} cannot be used: ");
        assert!(error.to_string().starts_with(&told), "{variable}: {error}");
    }
}

/// What a proxy does, who signs in there, and what is told of it.
struct Refusal {
    name: &'static str,
    proxy: fn(registry::Proxy) -> registry::Proxy,
    credential: Option<(&'static str, &'static str)>,
    status: Option<u16>,
    words: &'static [&'static str],
    retries: bool,
}

fn refusals() -> Vec<Refusal> {
    fn answering(proxy: registry::Proxy, status: u16) -> registry::Proxy {
        let body = Some(format!("<html>{PASSWORD}</html>"));
        registry::Proxy { status: Some(status), body, ..proxy }
    }
    fn challenging(proxy: registry::Proxy, schemes: &[&str]) -> registry::Proxy {
        registry::Proxy { challenge: schemes.iter().map(|&scheme| scheme.to_owned()).collect(), ..proxy }
    }
    let base = Refusal {
        name: "",
        proxy: with_login,
        credential: None,
        status: Some(407),
        words: &["the proxy PROXY wants a login (407)"],
        retries: false,
    };
    vec![
        Refusal { name: "a login, and none is given", ..base },
        Refusal {
            name: "a login, and another is given",
            credential: Some((USER, "an0ther")),
            words: &["the proxy PROXY does not accept the login given for it (407)", "Check the user and the password"],
            ..base
        },
        Refusal {
            name: "Negotiate only",
            proxy: |proxy| challenging(proxy, &["Negotiate", "NTLM"]),
            words: &["the proxy PROXY wants a login by Negotiate or NTLM (407), which is not supported", "takes Basic"],
            ..base
        },
        Refusal {
            name: "Negotiate only, and a login is given",
            proxy: |proxy| challenging(proxy, &["Negotiate"]),
            credential: Some((USER, PASSWORD)),
            words: &["the proxy PROXY wants a login by Negotiate (407), which is not supported", "takes Basic"],
            ..base
        },
        Refusal {
            name: "Negotiate or Basic",
            proxy: |proxy| with_login(challenging(proxy, &["Negotiate", "Basic realm=\"a, b\""])),
            ..base
        },
        Refusal {
            name: "a ban",
            proxy: |proxy| answering(proxy, 403),
            status: Some(403),
            words: &["the proxy PROXY does not allow registry.test:443 (403 Forbidden)", "Ask who runs the proxy"],
            ..base
        },
        Refusal {
            name: "502",
            proxy: |proxy| answering(proxy, 502),
            status: Some(502),
            words: &["the proxy PROXY could not reach registry.test:443 (502 Bad Gateway)"],
            retries: true,
            ..base
        },
        Refusal {
            name: "503",
            proxy: |proxy| answering(proxy, 503),
            status: Some(503),
            words: &["the proxy PROXY could not reach registry.test:443 (503 Service Unavailable)"],
            retries: true,
            ..base
        },
        Refusal {
            name: "504, with a login",
            proxy: |proxy| answering(proxy, 504),
            credential: Some((USER, PASSWORD)),
            status: Some(504),
            words: &["the proxy PROXY could not reach registry.test:443 (504 Gateway Timeout)"],
            retries: true,
        },
    ]
}

#[tokio::test]
async fn what_a_proxy_refuses_is_told_as_its_own_doing() {
    for refusal in refusals() {
        let name = refusal.name;
        let fixture = Fixture::new().await;
        fixture.put_older_file();
        fixture.serve(Fixture::image("a/b"));
        fixture.registry.set_proxy((refusal.proxy)(finding(&fixture))).expect("a proxy");
        let address = fixture.registry.proxy_address();
        let login = refusal.credential.map(|(user, password)| credential(user, password));
        let (result, lines) =
            pull(&fixture, REGISTRY, ClientOptions { proxy: server(address, login), ..fixture.options() }).await;
        let error = result.expect_err(name);
        assert_eq!((error.kind(), error.http_status()), (ErrorKind::Proxy, refusal.status), "{name}: {error}");
        for words in refusal.words {
            assert!(error.to_string().contains(&words.replace("PROXY", address)), "{name}: {error}");
        }
        assert!(!everything_said(&error).contains("an0ther"), "{name}: {error:?}");
        let has_tried_again = lines.iter().any(|line| line.contains(". Trying again in "));
        assert_eq!(has_tried_again, refusal.retries, "{name}: {lines:?}");
        assert!(fixture.registry.log("a/b").is_empty(), "{name}");
        fixture.expect_older_file();
    }
}

#[tokio::test]
async fn a_login_that_plain_http_wants_is_told_too() {
    for (name, login, words) in [
        ("none", None, "wants a login (407)"),
        ("another", Some(credential(USER, "an0ther")), "does not accept the login given for it (407)"),
    ] {
        let fixture = Fixture::new().await;
        fixture.registry.set_proxy(with_login(finding(&fixture))).expect("a proxy");
        let proxy = server(fixture.registry.proxy_address(), login);
        let options = ClientOptions { proxy, plain_http: true, ..fixture.options() };
        let error = pull(&fixture, REGISTRY, options).await.0.expect_err(name);
        assert_eq!((error.kind(), error.http_status()), (ErrorKind::Proxy, Some(407)), "{name}: {error}");
        assert!(error.to_string().contains(words), "{name}: {error}");
    }
}

#[tokio::test]
async fn what_the_registry_refuses_is_the_registrys_doing_through_a_proxy_too() {
    for is_tls in [true, false] {
        for (status, kind) in [
            (401, ErrorKind::Unauthorized),
            (403, ErrorKind::Denied),
            (404, ErrorKind::NotFound),
            (500, ErrorKind::Server),
            (502, ErrorKind::Server),
            (503, ErrorKind::Server),
        ] {
            let case = format!("{status}, TLS {is_tls}");
            let fixture = Fixture::new().await;
            fixture.serve(Fixture::image("a/b"));
            fixture.registry.set_proxy(finding(&fixture)).expect("a proxy");
            fixture.route("/v2/a/b/manifests/latest", [Step::status(status)]);
            let proxy = server(fixture.registry.proxy_address(), None);
            let options = ClientOptions { proxy, plain_http: !is_tls, ..fixture.options() };
            let error = pull(&fixture, REGISTRY, options).await.0.expect_err(&case);
            assert_eq!((error.kind(), error.http_status()), (kind, Some(status)), "{case}: {error}");
            assert!(error.to_string().contains(&format!("registry.test answered {status} ")), "{case}: {error}");
        }
    }
}

#[tokio::test]
async fn a_registrys_bad_certificate_is_the_registrys_through_a_proxy_too() {
    let fixture = Fixture::new().await;
    let hosts = [("registry.test:443".to_owned(), fixture.registry.tls_faults().expired.clone())].into();
    fixture.registry.set_proxy(registry::Proxy { hosts, ..registry::Proxy::default() }).expect("a proxy");
    let proxy = server(fixture.registry.proxy_address(), None);
    let error = pull(&fixture, REGISTRY, ClientOptions { proxy, ..fixture.options() }).await.0.expect_err("expired");
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    assert!(error.to_string().contains("no secure connection to registry.test: "), "{error}");
}

const MEGABYTE: u64 = 1024 * 1024;

#[tokio::test]
async fn a_proxy_that_cuts_its_tunnels_only_makes_it_slower() {
    for (name, cut_after, to_cdn) in
        [("twice", 2 * MEGABYTE, false), ("often", 300 * 1024, false), ("at the CDN", 2 * MEGABYTE, true)]
    {
        let fixture = Fixture::new().await;
        let content: String = (0..5 * MEGABYTE / 8).map(|number| format!("{number:07} ")).collect();
        let redirect_blobs = to_cdn.then(RedirectBlobs::default);
        let served = fixture.serve(Image {
            auth: Some(Auth::anonymous_bearer()),
            options: Some(RepositoryOptions { redirect_blobs, ..RepositoryOptions::default() }),
            platforms: vec![Served::linux_amd64(vec![Blob::text(content.clone())])],
            ..Fixture::image("a/b")
        });
        let digest = &served.layers[0][0].digest;
        let proxy = registry::Proxy { cut_after: Some(cut_after), ..with_login(finding(&fixture)) };
        fixture.registry.set_proxy(proxy).expect("a proxy");
        let proxy = server(fixture.registry.proxy_address(), Some(credential(USER, PASSWORD)));
        pull(&fixture, REGISTRY, ClientOptions { proxy, ..fixture.options() })
            .await
            .0
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(std::fs::read_to_string(fixture.destination()).expect("the file") == content, "{name}");
        let asked: Vec<_> = at(&fixture, if to_cdn { "cdn" } else { "https" });
        let asked: Vec<_> = asked.iter().filter(|request| request.path.ends_with(digest)).collect();
        let least = usize::try_from(content.len() as u64 / cut_after).expect("a count");
        assert!(asked.len() > least, "{name}: {}", asked.len());
        // All but the first go on where the one before was cut.
        assert!(asked[1..].iter().all(|request| request.headers.contains_key("range")), "{name}");
    }
}

#[tokio::test]
async fn a_proxy_that_lets_nothing_pass_is_an_error_in_the_end() {
    for (name, cut_after) in [("nothing", 0), ("half a handshake", 100), ("most of a handshake", 400)] {
        let fixture = Fixture::new().await;
        fixture.put_older_file();
        fixture.serve(Fixture::image("a/b"));
        let proxy = registry::Proxy { cut_after: Some(cut_after), ..finding(&fixture) };
        fixture.registry.set_proxy(proxy).expect("a proxy");
        let proxy = server(fixture.registry.proxy_address(), None);
        let error = pull(&fixture, REGISTRY, ClientOptions { proxy, ..fixture.options() }).await.0.expect_err(name);
        assert_eq!(error.kind(), ErrorKind::Connection, "{name}: {error}");
        fixture.expect_older_file();
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_told_and_by_whom_it_is_named() {
    for (name, is_tls, variable) in [
        ("given", true, None),
        ("given, plain http", false, None),
        ("HTTPS_PROXY", true, Some("HTTPS_PROXY")),
        ("HTTP_PROXY", false, Some("HTTP_PROXY")),
        ("ALL_PROXY", true, Some("ALL_PROXY")),
    ] {
        let fixture = Fixture::new().await;
        fixture.put_older_file();
        let options = ClientOptions { plain_http: !is_tls, ..fixture.options() };
        let dead = format!("http://{USER}:{ENCODED_PASSWORD}@127.0.0.1:1");
        let (options, words) = match variable {
            None => {
                let proxy = server("127.0.0.1:1", Some(credential(USER, PASSWORD)));
                (ClientOptions { proxy, ..options }, "no connection to the proxy 127.0.0.1:1: ".to_owned())
            }
            Some(variable) => {
                let environment = [(variable, dead)].into_iter().collect();
                let words = format!("no connection to the proxy 127.0.0.1:1 ({variable}): ");
                (ClientOptions { environment, ..options }, words)
            }
        };
        let (result, lines) = pull(&fixture, REGISTRY, options).await;
        let error = result.expect_err(name);
        assert_eq!(error.kind(), ErrorKind::Proxy, "{name}: {error}");
        assert!(error.to_string().contains(&words), "{name}: {error}");
        let advice = error.recommended_action().expect("advice");
        assert!(variable.is_none_or(|variable| advice.contains(variable)), "{name}: {advice}");
        assert!(!lines.iter().any(|line| line.contains("Trying again")), "{name}: {lines:?}");
        fixture.expect_older_file();
    }
}

#[tokio::test]
async fn what_is_no_proxy_is_told() {
    let fixture = Fixture::new().await;
    for (name, address) in [
        ("neither TLS nor HTTP", fixture.registry.tls_faults().gibberish.as_str()),
        ("a server with TLS", fixture.registry.https_address()),
        ("a registry", fixture.registry.http_address()),
    ] {
        let options = ClientOptions { proxy: server(address, None), ..fixture.options() };
        let error = pull(&fixture, REGISTRY, options).await.0.expect_err(name);
        assert_eq!(error.kind(), ErrorKind::Proxy, "{name}: {error}");
        assert!(error.to_string().contains(&format!("the proxy {address}")), "{name}: {error}");
    }
}
