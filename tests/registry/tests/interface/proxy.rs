//! The way through a forward proxy.

use crate::client::{Outcome, client, header};
use crate::faults::with_blob;
use reqwest::Client;
use wslimage_test_registry::{LogEntry, LogFilter, Proxy, TestRegistry};

/// A client that trusts the registry's authority and asks a proxy for everything.
fn behind(registry: &TestRegistry, proxy: &str) -> Client {
    // It installs the provider.
    let _ = client(registry);
    let pem = std::fs::read(registry.ca_certificate_path()).expect("the CA file is there");
    let ca = reqwest::Certificate::from_pem(&pem).expect("a certificate");
    let proxy = reqwest::Proxy::all(proxy).expect("a URL");
    Client::builder().tls_certs_only([ca]).proxy(proxy).build().expect("a client")
}

fn log_of(registry: &TestRegistry, listener: &str) -> Vec<LogEntry> {
    registry.log_of(&LogFilter { listener: Some(listener.into()), ..LogFilter::default() })
}

#[tokio::test]
async fn requests_go_through_the_proxy() -> Outcome {
    let (registry, path, bytes) = with_blob(1_000_000).await?;
    let client = behind(&registry, &format!("http://{}", registry.proxy_address()));
    let secure = client.get(format!("https://{}{path}", registry.https_address())).send().await?;
    assert_eq!(secure.bytes().await?, bytes);
    let plain = format!("http://{}{path}", registry.http_address());
    assert_eq!(client.get(format!("{plain}?a=b")).send().await?.bytes().await?, bytes);

    let log = log_of(&registry, "proxy");
    let seen: Vec<_> = log.iter().map(|it| (it.method.as_str(), it.path.as_str(), it.query.as_str())).collect();
    assert_eq!(seen, [("CONNECT", registry.https_address(), ""), ("GET", plain.as_str(), "a=b")]);
    assert!(log.iter().all(|it| it.status == Some(200)));
    let arrived: Vec<_> = registry.log("a/b").iter().map(|it| it.headers["host"].clone()).collect();
    assert_eq!(arrived, [registry.https_address(), registry.http_address()]);
    Ok(())
}

#[tokio::test]
async fn the_proxy_wants_a_login() -> Outcome {
    let (registry, path, bytes) = with_blob(10).await?;
    let login = Proxy { username: Some("user".into()), password: Some("secret".into()), ..Proxy::default() };
    registry.set_proxy(login.clone())?;
    let urls =
        [format!("https://{}{path}", registry.https_address()), format!("http://{}{path}", registry.http_address())];
    for (login, passes) in [("", false), ("user:wrong@", false), ("user:secret@", true)] {
        let client = behind(&registry, &format!("http://{login}{}", registry.proxy_address()));
        for url in &urls {
            match client.get(url).send().await {
                Ok(answer) if passes => assert_eq!(answer.bytes().await?, bytes),
                Ok(answer) => {
                    assert_eq!(
                        (answer.status().as_u16(), header(&answer, "proxy-authenticate")),
                        (407, "Basic realm=\"proxy\"")
                    )
                }
                Err(error) => assert!(!passes, "{error:?}"),
            }
        }
    }
    let statuses: Vec<_> = log_of(&registry, "proxy").iter().map(|it| it.status).collect();
    assert_eq!(statuses, [407, 407, 407, 407, 200, 200].map(Some));
    // Its login is for the proxy only.
    assert!(registry.log("a/b").iter().all(|it| !it.headers.contains_key("proxy-authorization")));

    let challenge = ["Negotiate", "NTLM"].map(str::to_owned).to_vec();
    registry.set_proxy(Proxy { challenge, ..Proxy::default() })?;
    let client = behind(&registry, &format!("http://user:secret@{}", registry.proxy_address()));
    let answer = client.get(&urls[1]).send().await?;
    let values: Vec<_> = answer.headers().get_all("proxy-authenticate").iter().collect();
    assert_eq!(answer.status(), 407);
    assert_eq!(values, ["Negotiate", "NTLM"]);
    Ok(())
}

#[tokio::test]
async fn the_proxy_refuses_cuts_and_finds_hosts() -> Outcome {
    let (registry, path, bytes) = with_blob(1_000_000).await?;
    let add = async |proxy| registry.add_proxy(proxy).await.map(|address| format!("http://{address}"));
    let url = format!("https://{}{path}", registry.https_address());
    let plain = format!("http://{}{path}", registry.http_address());

    let busy = Proxy { status: Some(503), body: Some("<html>".into()), name: Some("busy".into()), ..Proxy::default() };
    let busy = behind(&registry, &add(busy).await?);
    let answer = busy.get(&plain).send().await?;
    assert_eq!((answer.status().as_u16(), answer.text().await?.as_str()), (503, "<html>"));
    assert!(busy.get(&url).send().await.is_err());
    assert_eq!(log_of(&registry, "busy").len(), 2);
    assert!(registry.log("a/b").is_empty());

    let cut = behind(&registry, &add(Proxy { cut_after: Some(500_000), ..Proxy::default() }).await?);
    let mut answer = cut.get(&url).send().await?;
    let mut got = 0;
    let ended = loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => got += chunk.len(),
            other => break other,
        }
    };
    assert!(ended.is_err() && got > 400_000 && got < 500_000, "{got}");

    let hosts = [("registry.test:443".to_owned(), registry.https_address().to_owned())].into();
    let found = behind(&registry, &add(Proxy { hosts, ..Proxy::default() }).await?);
    assert_eq!(found.get(format!("https://registry.test{path}")).send().await?.bytes().await?, bytes);

    for wrong in
        [Proxy { status: Some(99), ..Proxy::default() }, Proxy { challenge: vec!["\n".into()], ..Proxy::default() }]
    {
        assert!(registry.set_proxy(wrong).is_err());
    }
    Ok(())
}

#[tokio::test]
async fn what_the_proxy_cannot_reach_is_a_502() -> Outcome {
    let registry = TestRegistry::start().await?;
    let socket = std::net::TcpListener::bind("127.0.0.1:0")?;
    let nobody = socket.local_addr()?;
    drop(socket);
    let client = behind(&registry, &format!("http://{}", registry.proxy_address()));
    assert_eq!(client.get(format!("http://{nobody}/v2/")).send().await?.status(), 502);
    // What asks it as if it were the registry itself is told so.
    let direct = crate::client::client(&registry).get(format!("http://{}/v2/", registry.proxy_address()));
    assert!(direct.send().await?.text().await?.contains("this is a proxy"));
    Ok(())
}
