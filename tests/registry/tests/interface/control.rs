//! The program and its control calls, as a test in another process uses them.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::client::{Outcome, ask, client, header, json, read_rest, wires};
use reqwest::Method;
use serde_json::{Value, json};
use wslimage_test_registry::{Addresses, TestRegistry};

/// Sends a control call and returns status and body.
async fn call(registry: &TestRegistry, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let url = format!("{}{path}", registry.control_url());
    let mut request = client(registry).request(method, url);
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

#[tokio::test]
async fn everything_is_set_up_by_json() -> Outcome {
    let registry = TestRegistry::start().await?;
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), "from a file")?;
    let (status, answer) = call(
        &registry,
        Method::POST,
        "/images",
        Some(json!({
            "repository": "a/b", "tags": ["latest"], "auth": null, "index": true, "docker": false,
            "platforms": [
                {
                    "platform": {"os": "linux", "architecture": "arm", "variant": "v7"},
                    "config": {"os": "linux", "architecture": "arm", "variant": "v7"},
                    "layers": [{"text": "one"}, {"base64": "dHdv"}, {"file": file.path(), "mediaType": "m", "size": 1}],
                    "manifest": {"annotations": {"a": "b"}},
                },
                {"platform": {"os": "linux", "architecture": "amd64", "variant": null}, "layers": null},
            ],
            "indexOverrides": {"annotations": {"c": "d"}},
        })),
    )
    .await;
    assert_eq!(status, 200, "{answer}");
    let digests = &answer["digests"];
    assert_eq!(digests["layers"][0][2]["mediaType"], "m");
    assert_eq!(digests["layers"][0][2]["size"], 1);
    assert_eq!(digests["layers"][1], json!([]));
    let get = async |path: String| {
        let url = format!("https://{}/v2/a/b/{path}", registry.https_address());
        client(&registry).get(url).send().await.expect("an answer")
    };
    for (layer, text) in ["one", "two", "from a file"].into_iter().enumerate() {
        let digest = digests["layers"][0][layer]["digest"].as_str().expect("a digest");
        assert_eq!(get(format!("blobs/{digest}")).await.text().await?, text);
    }
    let index = json(get("manifests/latest".into()).await).await;
    assert_eq!(index["manifests"][0]["platform"]["variant"], "v7");
    assert!(index["manifests"][1]["platform"].get("variant").is_none(), "{index}");
    assert_eq!(index["annotations"]["c"], "d");
    assert_eq!(index["manifests"][0]["digest"], digests["manifests"][0]);

    let (status, blob) =
        call(&registry, Method::POST, "/blobs", Some(json!({"repository": "a/b", "blob": {"text": "single"}}))).await;
    assert_eq!((status, &blob["size"]), (200, &json!(6)));
    let digest = blob["digest"].as_str().expect("a digest");
    assert_eq!(get(format!("blobs/{digest}")).await.text().await?, "single");

    let manifest = json!({"repository": "a/b", "reference": "odd", "mediaType": "text/odd", "json": {"a": 1}});
    let (status, manifest) = call(&registry, Method::POST, "/manifests", Some(manifest)).await;
    assert_eq!(status, 200, "{manifest}");
    assert_eq!(json(get("manifests/odd".into()).await).await, json!({"a": 1}));

    for auth in [
        json!({"scheme": "basic", "username": "u", "password": "p"}),
        json!({"scheme": "bearer", "anonymous": false, "username": "u", "password": "p", "tokenField": "access_token"}),
        json!({"scheme": "bearer", "deny": true, "denyStatus": 403}),
        json!({"scheme": "bearer", "identityToken": "i", "postStatus": 404, "expiresIn": 1, "issuedAt": "x",
            "maximumUses": 1}),
        json!({"scheme": "none"}),
    ] {
        let open = auth["scheme"] == "none";
        let body = json!({"repository": "a/b", "auth": auth});
        let (status, answer) = call(&registry, Method::PUT, "/auth", Some(body)).await;
        assert_eq!(status, 204, "{answer}");
        assert_eq!(get("manifests/odd".into()).await.status(), if open { 200 } else { 401 });
    }

    let body = Some(json!({"repository": "a/b"}));
    assert_eq!(call(&registry, Method::POST, "/expire", body).await.0, 204);

    let steps = json!([{
        "pass": true, "expireTokens": true, "connectionCutAfter": 1_000_000, "ignoreRange": true, "rangeShift": -1,
        "contentRange": "", "rangeStatus": 416, "etag": "\"x\"", "acceptRanges": false,
    }]);
    let route = json!({"path": "/v2/a/b/blobs/*", "steps": steps});
    assert_eq!(call(&registry, Method::POST, "/routes", Some(route)).await.0, 204);
    let answer = get(format!("blobs/{digest}")).await;
    assert_eq!((header(&answer, "etag"), header(&answer, "accept-ranges")), ("\"x\"", ""));
    assert_eq!(call(&registry, Method::DELETE, "/routes?path=/v2/a/b/blobs/*", None).await.0, 204);
    for latency in [json!({"latencyMs": 1, "listener": "http"}), json!({"latencyMs": 0})] {
        assert_eq!(call(&registry, Method::PUT, "/latency", Some(latency)).await.0, 204);
    }

    let raw = [json!("YQ=="), json!([{"text": "a", "repeat": 3}, {"base64": "YQ=="}])];
    for (raw, text) in raw.into_iter().zip(["a", "aaaa"]) {
        let route = json!({"path": "/v2/a/b/raw", "steps": [{"raw": raw, "bytesPerSecond": 1_000_000}]});
        assert_eq!(call(&registry, Method::POST, "/routes", Some(route)).await.0, 204);
        let (_, mut wire) = wires(&registry).await.remove(0);
        ask(&mut *wire, "GET", "/v2/a/b/raw").await?;
        assert_eq!(read_rest(&mut *wire).await.0, text.as_bytes());
    }

    let redirect = json!({"to": "cdnHttp", "status": 308, "relative": true, "expiresAfterUses": 3});
    let options = json!({"redirectBlobs": redirect, "tagsPageSize": 1, "tagsLinkAbsolute": true});
    let options = json!({"repository": "a/b", "options": options});
    assert_eq!(call(&registry, Method::PUT, "/options", Some(options)).await.0, 204);
    let last = registry.log("a/b").len();
    assert_eq!(get(format!("blobs/{digest}")).await.text().await?, "single");
    let statuses: Vec<_> = registry.log("a/b").iter().skip(last).map(|it| it.status).collect();
    assert_eq!(statuses, [Some(308), Some(200)]);

    let listener = json!({"name": "l", "certificate": "otherName", "clientCertificate": true, "handshakeCuts": 1});
    let proxy = json!({
        "name": "p", "username": "u", "password": "p", "challenge": ["Basic"], "status": 503, "body": "b",
        "cutAfter": 1, "hosts": {"a:1": "b:2"},
    });
    for (path, described) in [("/listeners", listener), ("/proxies", proxy.clone())] {
        let (status, answer) = call(&registry, Method::POST, path, Some(described)).await;
        assert_eq!(status, 200, "{answer}");
        assert!(answer["address"].as_str().is_some_and(|address| address.contains(':')), "{answer}");
    }
    assert_eq!(call(&registry, Method::PUT, "/proxy", Some(proxy)).await.0, 204);
    let proxied = client(&registry).get(format!("http://{}/", registry.proxy_address())).send().await?;
    assert_eq!(proxied.status(), 503);
    let (status, log) = call(&registry, Method::GET, "/log?listener=p", None).await;
    assert_eq!((status, &log[0]["version"], &log[0]["status"]), (200, &json!("HTTP/1.1"), &json!(503)));

    let steps = json!([{"status": 503, "headers": {"a": "b", "c": ["d", "e"]}, "bodyBase64": "YnVzeQ=="}]);
    let route = json!({"method": "GET", "path": "/v2/a/b/*", "steps": steps});
    assert_eq!(call(&registry, Method::POST, "/routes", Some(route)).await.0, 204);
    let busy = get("manifests/odd".into()).await;
    assert_eq!((busy.status().as_u16(), busy.headers().get_all("c").iter().count()), (503, 2));
    assert_eq!(busy.text().await?, "busy");
    assert_eq!(call(&registry, Method::DELETE, "/routes?path=/v2/a/b/*", None).await.0, 204);
    assert_eq!(get("manifests/odd".into()).await.status(), 200);
    Ok(())
}

#[tokio::test]
async fn the_log_tells_what_was_asked() -> Outcome {
    let registry = TestRegistry::start().await?;
    registry.add_blob("a/b", wslimage_test_registry::Blob::text("hello"))?;
    let client = client(&registry);
    let ask = async |listener: &str, path: &str| {
        let address = if listener == "http" { registry.http_address() } else { registry.https_address() };
        let request = client.get(format!("{listener}://{address}{path}"));
        request.header("X-Odd", "one").header("x-odd", "two").send().await?.bytes().await
    };
    ask("https", "/v2/a/b/manifests/x%20y?q=1&r").await?;
    ask("http", "/v2/a/b/tags/list").await?;
    ask("http", "/v2/a/b/c/tags/list").await?;
    ask("http", "/v2/a/tags/list").await?;

    let (status, log) = call(&registry, Method::GET, "/log?repository=a/b", None).await;
    assert_eq!((status, log.as_array().map(Vec::len)), (200, Some(2)), "{log}");
    let first = &log[0];
    assert_eq!(first["listener"], "https");
    assert_eq!(first["method"], "GET");
    assert_eq!((&first["path"], &first["query"]), (&json!("/v2/a/b/manifests/x%20y"), &json!("q=1&r")));
    assert_eq!(first["headers"]["x-odd"], "one, two");
    assert_eq!(first["headers"]["host"], registry.https_address());
    assert_eq!(first["status"], 404);
    assert!(first["bodyBytes"].as_u64() > Some(10), "{first}");
    assert_eq!((&log[1]["listener"], &log[1]["query"]), (&json!("http"), &json!("")));

    let count = async |query: &str| call(&registry, Method::GET, &format!("/log{query}"), None).await.1;
    assert_eq!(count("?path=/v2/a/").await.as_array().map(Vec::len), Some(4));
    assert_eq!(call(&registry, Method::DELETE, "/log", None).await.0, 400);
    assert_eq!(call(&registry, Method::DELETE, "/log?repository=a/b", None).await.0, 204);
    assert_eq!(count("?repository=a/b").await, json!([]));
    assert_eq!(count("?path=/v2/a/").await.as_array().map(Vec::len), Some(2));
    Ok(())
}

#[tokio::test]
async fn a_test_waits_for_requests() -> Outcome {
    let registry = TestRegistry::start().await?;
    let (status, answer) = call(&registry, Method::GET, "/wait?path=/v2/a/tags/list&timeoutMs=1", None).await;
    assert_eq!(status, 408);
    assert!(answer["error"].as_str().is_some_and(|error| error.contains("/v2/a/tags/list")), "{answer}");

    let client = client(&registry);
    let url = format!("http://{}/v2/a/tags/list", registry.http_address());
    client.get(&url).send().await?;
    let wait = call(&registry, Method::GET, "/wait?path=/v2/a/*&count=2&timeoutMs=60000", None);
    let (waited, asked) = tokio::join!(wait, client.get(&url).send());
    assert_eq!((waited, asked?.status().as_u16()), ((200, json!({"count": 2})), 404));
    Ok(())
}

#[tokio::test]
async fn a_mistake_is_refused_with_a_reason() -> Outcome {
    let registry = TestRegistry::start().await?;
    for (method, path, body, reason) in [
        (Method::POST, "/routes", json!({"path": "/a", "steps": [{"cutafter": 1}]}), "cutafter"),
        (Method::POST, "/routes", json!({"path": "/a", "steps": []}), "step"),
        (Method::POST, "/images", json!({"repository": "a", "platforms": []}), "platforms"),
        (Method::POST, "/images", json!({"repository": "a", "platforms": [{"layers": [{}]}]}), "file"),
        (Method::POST, "/blobs", json!({"repository": "a", "blob": {"file": "/no/such/file"}}), "/no/such/file"),
        (Method::POST, "/manifests", json!({"repository": "a", "reference": "b"}), "text"),
        (Method::PUT, "/options", json!({"repository": "a", "options": {"tagsPageSize": 0}}), "tag"),
        (Method::PUT, "/proxy", json!({"status": 1}), "status"),
        (Method::POST, "/listeners", json!({"certificate": "good"}), "good"),
        (Method::PUT, "/auth", json!({"repository": "a", "auth": {"scheme": "digest"}}), "digest"),
        (Method::PUT, "/auth", json!({"repository": "a", "auth": {"scheme": "bearer", "denied": true}}), "denied"),
    ] {
        let (status, answer) = call(&registry, method, path, Some(body.clone())).await;
        assert!((400..500).contains(&status), "{status} for {body}");
        assert!(answer.to_string().contains(reason), "{answer}");
    }
    Ok(())
}

/// The program, which ends with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn the_program_serves_until_its_input_closes() -> Outcome {
    let folder = tempfile::tempdir()?;
    let ready_file = folder.path().join("ready.json");
    let mut program = Program(
        Command::new(env!("CARGO_BIN_EXE_wslimage-test-registry"))
            .arg("--until-stdin-closes")
            .arg("--ready-file")
            .arg(&ready_file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?,
    );
    let mut output = BufReader::new(program.0.stdout.take().expect("a pipe"));
    let mut line = String::new();
    output.read_line(&mut line)?;
    let addresses: Addresses = serde_json::from_str(&line)?;
    assert_eq!(std::fs::read_to_string(&ready_file)?, line);
    assert!(addresses.ca.is_file() && addresses.client_certificate.is_file() && addresses.client_key.is_file());
    let ready: Value = serde_json::from_str(&line)?;
    for name in ["control", "http", "https", "cdn", "cdnHttp", "proxy", "ca", "clientCertificate", "clientKey"] {
        assert!(ready[name].is_string(), "{name}: {line}");
    }
    for name in ["expired", "notYetValid", "otherName", "unknownAuthority", "clientCertificate", "gibberish"] {
        assert!(ready["tlsFaults"][name].is_string(), "{name}: {line}");
    }
    let log = reqwest::get(format!("{}/log", addresses.control));
    assert_eq!(tokio::time::timeout(Duration::from_secs(60), log).await??.text().await?, "[]");

    drop(program.0.stdin.take());
    assert!(program.0.wait()?.success());
    assert!(!addresses.ca.exists());
    Ok(())
}
