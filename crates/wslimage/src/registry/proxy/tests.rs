//! Requests through a real proxy on loopback, and what it answers.

use std::sync::{Arc, Mutex};

use reqwest::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use wslimage_test_registry::{Route, Step, TestRegistry};

use super::*;
use crate::registry::certs_d::HostCertificates;
use crate::registry::options::ProxyServer;
use crate::registry::tls;

/// A proxy that takes CONNECT and absolute-form requests, and SOCKS 5 where it is told to.
struct LoopbackProxy {
    address: String,
    /// The heads of the requests it got.
    heads: Arc<Mutex<Vec<String>>>,
    server: tokio::task::JoinHandle<()>,
}

#[derive(Clone)]
enum Behaviour {
    /// Lets everybody through.
    Open,
    /// Lets through whom `Proxy-Authorization` has so; 407 for everybody else.
    Wants(&'static str),
    /// Answers so, whatever is asked.
    Answers(&'static str),
    /// Lets everybody through, to this address whatever is asked.
    Leads(String),
    /// SOCKS 5: takes this user and password, and answers to CONNECT with this status.
    Socks(&'static str, &'static str, u8),
}

impl Drop for LoopbackProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl LoopbackProxy {
    async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let address = listener.local_addr().expect("an address").to_string();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let log = heads.clone();
        let server = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.expect("a connection");
                // A client that goes away ends its connection, not the proxy.
                tokio::spawn(serve(client, behaviour.clone(), log.clone()));
            }
        });
        Self { address, heads, server }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("a log").clone()
    }
}

async fn serve(mut client: TcpStream, behaviour: Behaviour, log: Arc<Mutex<Vec<String>>>) -> Option<()> {
    if let Behaviour::Socks(username, password, status) = behaviour {
        return serve_socks(client, username, password, status).await;
    }
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    log.lock().expect("a log").push(head.clone());
    let mut words = head.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let refusal = match behaviour {
        Behaviour::Wants(login) if !head.lines().any(|line| line.eq_ignore_ascii_case(login)) => {
            Some("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n")
        }
        Behaviour::Answers(answer) => Some(answer),
        _ => None,
    };
    if let Some(refusal) = refusal {
        let end = if refusal.is_empty() { "" } else { "Content-Length: 0\r\nConnection: close\r\n\r\n" };
        client.write_all(format!("{refusal}{end}").as_bytes()).await.ok()?;
        return Some(());
    }
    let (host, origin_form) = match target.strip_prefix("http://") {
        Some(rest) => rest.split_once('/').map(|(host, path)| (host.to_owned(), format!("/{path}")))?,
        None => (target.to_owned(), String::new()),
    };
    let mut server = TcpStream::connect(if let Behaviour::Leads(to) = behaviour { to } else { host }).await.ok()?;
    if method == "CONNECT" {
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.ok()?;
    } else {
        server.write_all(head.replacen(target, &origin_form, 1).as_bytes()).await.ok()?;
    }
    copy_bidirectional(&mut client, &mut server).await.ok()?;
    Some(())
}

/// RFC 1928 and RFC 1929, as much as the tests need.
async fn serve_socks(mut client: TcpStream, username: &str, password: &str, status: u8) -> Option<()> {
    let mut greeting = vec![0; 2];
    client.read_exact(&mut greeting).await.ok()?;
    let mut methods = vec![0; usize::from(greeting[1])];
    client.read_exact(&mut methods).await.ok()?;
    if !methods.contains(&2) {
        client.write_all(&[5, 0xff]).await.ok()?;
        return None;
    }
    client.write_all(&[5, 2]).await.ok()?;
    client.read_u8().await.ok()?;
    let mut login = Vec::new();
    for _ in 0..2 {
        let mut part = vec![0; usize::from(client.read_u8().await.ok()?)];
        client.read_exact(&mut part).await.ok()?;
        login.push(String::from_utf8(part).ok()?);
    }
    let is_right = login == [username, password];
    client.write_all(&[1, u8::from(!is_right)]).await.ok()?;
    let mut request = [0; 4];
    client.read_exact(&mut request).await.ok()?;
    let host = match request[3] {
        1 => {
            let mut address = [0; 4];
            client.read_exact(&mut address).await.ok()?;
            std::net::Ipv4Addr::from(address).to_string()
        }
        3 => {
            let mut name = vec![0; usize::from(client.read_u8().await.ok()?)];
            client.read_exact(&mut name).await.ok()?;
            String::from_utf8(name).ok()?
        }
        _ => return None,
    };
    let port = client.read_u16().await.ok()?;
    client.write_all(&[5, status, 0, 1, 0, 0, 0, 0, 0, 0]).await.ok()?;
    let mut server = TcpStream::connect((host.as_str(), port)).await.ok()?;
    copy_bidirectional(&mut client, &mut server).await.ok()?;
    Some(())
}

fn through(url: &str) -> Arc<ProxyChooser> {
    let server = ProxyServer { url: url.parse().expect(url), credential: None, use_default_credentials: false };
    Arc::new(ProxyChooser::new(&Proxy::Server(server), &Environment::default()).expect("a chooser"))
}

fn client(chooser: &Arc<ProxyChooser>, registry: &TestRegistry) -> reqwest::Client {
    reqwest::Client::builder()
        .tls_backend_preconfigured(
            tls::client_config(Some(registry.ca_certificate_path()), false, HostCertificates::default()).expect("TLS"),
        )
        .redirect(reqwest::redirect::Policy::none())
        .proxy(chooser.clone().reqwest_proxy())
        .build()
        .expect("a client")
}

/// The answer to a request for `url`, or what the proxy has to do with there being none.
async fn ask(chooser: &Arc<ProxyChooser>, registry: &TestRegistry, url: &str) -> Result<Response, Option<Error>> {
    let url: Url = url.parse().expect(url);
    let chosen = chooser.prepare(&url).await.expect("a proxy");
    match client(chooser, registry).get(url.clone()).send().await {
        Ok(response) => match answer_of_proxy(&response, &chosen, &url) {
            Some(error) => Err(Some(error)),
            None => Ok(response),
        },
        Err(error) => Err(proxy_failure(&error, &chosen, &url).await),
    }
}

/// The error of a request for `url` through `chooser`.
async fn refusal(chooser: &Arc<ProxyChooser>, registry: &TestRegistry, url: &str) -> Error {
    let error = ask(chooser, registry, url).await.expect_err(url).expect("it is the proxy's doing");
    assert_eq!(error.kind(), ErrorKind::Proxy, "{error}");
    error
}

#[tokio::test]
async fn both_schemes_go_through_a_proxy_that_wants_a_login() {
    let registry = TestRegistry::start().await.expect("a registry");
    // user:p@ss/w%rd:é
    let proxy = LoopbackProxy::start(Behaviour::Wants("Proxy-Authorization: Basic dXNlcjpwQHNzL3clcmQ6w6k=")).await;
    let chooser = through(&format!("http://user:p%40ss%2Fw%25rd%3A%C3%A9@{}", proxy.address));
    for url in [format!("http://{}/v2/", registry.http_address()), format!("https://{}/v2/", registry.https_address())]
    {
        let response = ask(&chooser, &registry, &url).await.expect(&url);
        assert_eq!(response.status(), 200, "{url}");
    }
    let heads = proxy.heads();
    assert!(heads[0].starts_with(&format!("GET http://{}/v2/ HTTP/1.1\r\n", registry.http_address())), "{heads:?}");
    assert!(heads[1].starts_with(&format!("CONNECT {} HTTP/1.1\r\n", registry.https_address())), "{heads:?}");
}

#[tokio::test]
async fn a_proxy_that_wants_a_login_is_named_for_both_schemes() {
    let registry = TestRegistry::start().await.expect("a registry");
    let proxy = LoopbackProxy::start(Behaviour::Wants("Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=")).await;
    let address = &proxy.address;
    for url in [format!("http://{}/v2/", registry.http_address()), format!("https://{}/v2/", registry.https_address())]
    {
        let error = refusal(&through(&format!("http://{address}")), &registry, &url).await;
        assert_eq!(error.http_status(), Some(407));
        assert!(error.to_string().starts_with(&format!("the proxy {address} wants a login (407). ")), "{error}");
        assert!(error.to_string().contains("-ProxyCredential"), "{error}");

        let error = refusal(&through(&format!("http://user:wrong@{address}")), &registry, &url).await;
        let expected = format!("the proxy {address} does not accept the login given for it (407). ");
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert!(!format!("{error:?} {error}").contains("wrong"), "{error:?}");
    }
}

#[tokio::test]
async fn what_a_proxy_refuses_is_told_in_its_words() {
    let registry = TestRegistry::start().await.expect("a registry");
    let (http, https) = (registry.http_address(), registry.https_address());
    for (answer, scheme, expected) in [
        (
            "HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n",
            "both",
            "the proxy PROXY wants a login by Negotiate or NTLM (407), which is not supported. ",
        ),
        ("HTTP/1.1 502 Bad Gateway\r\n", "https", "the proxy PROXY could not reach TARGET (502 Bad Gateway)"),
        (
            "HTTP/1.1 502 Bad Gateway\r\nX-Squid-Error: ERR_CONNECT_FAIL 111\r\n",
            "both",
            "the proxy PROXY could not reach TARGET (502 Bad Gateway)",
        ),
        (
            "HTTP/1.1 504 Gateway Timeout\r\nProxy-Status: p; error=connection_timeout\r\n",
            "both",
            "the proxy PROXY could not reach TARGET (504 Gateway Timeout)",
        ),
        ("HTTP/1.1 403 Forbidden\r\n", "https", "the proxy PROXY does not allow TARGET (403 Forbidden). "),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://x/\r\n",
            "https",
            "the proxy PROXY opened no connection to TARGET (302 Found)",
        ),
        ("", "https", "the proxy PROXY ended the connection when asked for TARGET"),
        ("SSH-2.0-OpenSSH\r\n", "https", "the proxy PROXY opened no connection to TARGET"),
    ] {
        let proxy = LoopbackProxy::start(Behaviour::Answers(answer)).await;
        let chooser = through(&format!("http://{}", proxy.address));
        for (name, target) in [("https", https), ("http", http)] {
            if scheme != name && scheme != "both" {
                continue;
            }
            let error = refusal(&chooser, &registry, &format!("{name}://{target}/v2/")).await;
            let expected = expected.replace("PROXY", &proxy.address).replace("TARGET", target);
            assert!(error.to_string().starts_with(&expected), "{name}: {error}");
        }
    }
}

#[tokio::test]
async fn a_proxy_that_nobody_runs_is_named() {
    let registry = TestRegistry::start().await.expect("a registry");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    for scheme in ["http", "https", "socks5h"] {
        for url in
            [format!("http://{}/v2/", registry.http_address()), format!("https://{}/v2/", registry.https_address())]
        {
            let error = refusal(&through(&format!("{scheme}://{address}")), &registry, &url).await;
            assert!(error.to_string().starts_with(&format!("no connection to the proxy {address}: ")), "{error}");
        }
    }
}

#[tokio::test]
async fn what_the_registry_answers_through_a_proxy_is_not_the_proxys_doing() {
    let registry = TestRegistry::start().await.expect("a registry");
    registry.add_route(Route::new("/v2/a/b/tags/list", [Step::status(502), Step::status(407)])).expect("a route");
    let proxy = LoopbackProxy::start(Behaviour::Open).await;
    let chooser = through(&format!("http://{}", proxy.address));
    for status in [502, 407] {
        let url = format!("https://{}/v2/a/b/tags/list", registry.https_address());
        assert_eq!(ask(&chooser, &registry, &url).await.expect("an answer").status(), status);
    }
    // The certificate is for localhost and 127.0.0.1.
    let elsewhere = LoopbackProxy::start(Behaviour::Leads(registry.https_address().to_owned())).await;
    let chooser = through(&format!("http://{}", elsewhere.address));
    let error = ask(&chooser, &registry, "https://registry.example/v2/").await.expect_err("a wrong certificate");
    assert!(error.is_none(), "{error:?}");
}

#[tokio::test]
async fn both_schemes_go_through_socks_with_a_login() {
    let registry = TestRegistry::start().await.expect("a registry");
    let proxy = LoopbackProxy::start(Behaviour::Socks("user", "p@ss", 0)).await;
    for scheme in ["socks5", "socks5h"] {
        let chooser = through(&format!("{scheme}://user:p%40ss@{}", proxy.address));
        let port_of_https = registry.https_address().rsplit(':').next().expect("a port");
        for url in [format!("http://{}/v2/", registry.http_address()), format!("https://127.0.0.1:{port_of_https}/v2/")]
        {
            assert_eq!(ask(&chooser, &registry, &url).await.expect(&url).status(), 200, "{scheme} {url}");
        }
    }
    let url = format!("http://{}/v2/", registry.http_address());
    for (user, expected) in [("", "wants a login. "), ("user:wrong@", "does not accept the login given for it. ")] {
        let error = refusal(&through(&format!("socks5h://{user}{}", proxy.address)), &registry, &url).await;
        assert!(error.to_string().starts_with(&format!("the proxy {} {expected}", proxy.address)), "{error}");
    }
    let proxy = LoopbackProxy::start(Behaviour::Socks("user", "p@ss", 5)).await;
    let error = refusal(&through(&format!("socks5h://user:p%40ss@{}", proxy.address)), &registry, &url).await;
    let expected =
        format!("the proxy {} could not reach {} (connection refused)", proxy.address, registry.http_address());
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn the_environment_leads_through_its_proxy() {
    let registry = TestRegistry::start().await.expect("a registry");
    let proxy = LoopbackProxy::start(Behaviour::Leads(registry.http_address().to_owned())).await;
    let environment = Environment::from_iter([("http_proxy", proxy.address.as_str()), ("NO_PROXY", "direct.example")]);
    let chooser = Arc::new(ProxyChooser::new(&Proxy::System, &environment).expect("a chooser"));
    let response = ask(&chooser, &registry, "http://registry.example/v2/").await.expect("an answer");
    assert_eq!(response.status(), 200);
    assert!(proxy.heads()[0].starts_with("GET http://registry.example/v2/ HTTP/1.1\r\n"), "{:?}", proxy.heads());
}

#[test]
fn the_environment_says_which_proxy_is_for_an_address() {
    // Addresses for http and https, and the variables that name their proxies.
    for (variables, for_http, for_https) in [
        (vec![], None, None),
        (vec![("HTTPS_PROXY", "a:1")], None, Some("a:1 (HTTPS_PROXY)")),
        (vec![("https_proxy", "b:1"), ("HTTPS_PROXY", "a:1")], None, Some("b:1 (https_proxy)")),
        (vec![("https_proxy", ""), ("HTTPS_PROXY", "a:1")], None, Some("a:1 (HTTPS_PROXY)")),
        (vec![("HTTP_PROXY", "a:1")], Some("a:1 (HTTP_PROXY)"), None),
        (vec![("HTTP_PROXY", "a:1"), ("REQUEST_METHOD", "GET")], None, None),
        (vec![("http_proxy", "a:1"), ("REQUEST_METHOD", "GET")], Some("a:1 (http_proxy)"), None),
        (vec![("ALL_PROXY", "socks5h://a:1")], Some("a:1 (ALL_PROXY)"), Some("a:1 (ALL_PROXY)")),
        (vec![("all_proxy", "a:1"), ("HTTPS_PROXY", "b:1")], Some("a:1 (all_proxy)"), Some("b:1 (HTTPS_PROXY)")),
        (vec![("ALL_PROXY", "a:1"), ("NO_PROXY", "*")], None, None),
        (vec![("ALL_PROXY", "a:1"), ("no_proxy", "example.com")], None, None),
        (
            vec![("ALL_PROXY", "a:1"), ("no_proxy", "x.example"), ("NO_PROXY", "*")],
            Some("a:1 (ALL_PROXY)"),
            Some("a:1 (ALL_PROXY)"),
        ),
        // Both are named, so that nobody reads the third.
        (
            vec![("HTTP_PROXY", "a:1"), ("HTTPS_PROXY", "a:1"), ("ALL_PROXY", "ftp://x")],
            Some("a:1 (HTTP_PROXY)"),
            Some("a:1 (HTTPS_PROXY)"),
        ),
    ] {
        if cfg!(windows) && variables.iter().any(|(name, _)| *name != name.to_ascii_uppercase()) {
            // Names differ by more than case there.
            continue;
        }
        let chooser = ProxyChooser::new(&Proxy::System, &Environment::from_iter(variables.clone())).expect("a chooser");
        let chosen = |url: &str| chooser.choose(&url.parse().expect(url)).map(|chosen| chosen.to_string());
        assert_eq!(chosen("http://registry.example.com/").as_deref(), for_http, "{variables:?}");
        assert_eq!(chosen("https://registry.example.com/").as_deref(), for_https, "{variables:?}");
        for url in ["http://localhost:5000/", "https://127.0.0.1/", "https://127.9.9.9/", "https://[::1]:5000/"] {
            assert_eq!(chosen(url), None, "{url} is this machine");
        }
    }
}

#[test]
fn a_proxy_that_is_given_serves_every_address() {
    let chooser = through("http://user:secret@proxy:3128");
    for url in ["http://registry.example/", "https://localhost:5000/"] {
        let chosen = chooser.choose(&url.parse().expect(url)).expect("a proxy");
        assert_eq!(chosen.url().as_str(), "http://proxy:3128/");
        assert_eq!(chosen.credential().expect("a credential").username, "user");
    }
    assert!(!format!("{chooser:?}").contains("secret"));
    let environment = Environment::from_iter([("ALL_PROXY", "proxy:3128")]);
    let never = ProxyChooser::new(&Proxy::Never, &environment).expect("a chooser");
    assert!(never.choose(&"https://registry.example/".parse().expect("a URL")).is_none());
}

#[test]
fn a_bad_address_names_its_variable_and_no_password() {
    for value in ["ftp://proxy", "http://user:sec#ret@proxy:3128", "http://user:secret@proxy:99999", "http://"] {
        let environment = Environment::from_iter([("HTTPS_PROXY", value)]);
        let error = ProxyChooser::new(&Proxy::System, &environment).expect_err(value);
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        let expected = "The proxy of the environment variable HTTPS_PROXY cannot be used: ";
        assert!(error.to_string().starts_with(expected), "{error}");
        assert!(!format!("{error:?}").contains("sec"), "{error:?}");
    }
}
