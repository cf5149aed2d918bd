//! What a client sees when the registry misbehaves.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use crate::client::{Outcome, ask, client, header, read_head, read_rest, wires};
use tokio::io::AsyncReadExt as _;
use wslimage_test_registry::{
    Blob, Error, HeaderValues, Latency, LogEntry, LogFilter, Route, Step, TestRegistry, WaitFor,
};

/// A registry with one blob of this size, and the blob's path.
pub(crate) async fn with_blob(size: usize) -> Result<(TestRegistry, String, Vec<u8>), Error> {
    let registry = TestRegistry::start().await?;
    let bytes: Vec<u8> = (0..size).map(|it| (it % 251) as u8).collect();
    let digest = registry.add_blob("a/b", Blob::bytes(&bytes))?.digest;
    Ok((registry, format!("/v2/a/b/blobs/{digest}"), bytes))
}

/// The last request as the log has it.
fn last(registry: &TestRegistry) -> LogEntry {
    registry.log("a/b").pop().expect("a request")
}

#[tokio::test]
async fn each_request_takes_the_next_step_and_the_last_repeats() -> Outcome {
    let (registry, path, bytes) = with_blob(10).await?;
    registry.add_route(Route::new(
        &path,
        [Step::text(503, "busy").header("Retry-After", "1"), Step::status(404), Step::pass().header("x-odd", "yes")],
    ))?;
    let client = client(&registry);
    let url = format!("https://{}{path}", registry.https_address());
    let busy = client.get(&url).send().await?;
    assert_eq!((busy.status().as_u16(), header(&busy, "retry-after")), (503, "1"));
    assert_eq!(busy.text().await?, "busy");
    assert_eq!(client.get(&url).send().await?.status(), 404);
    for _ in 0..2 {
        let answer = client.get(&url).send().await?;
        assert_eq!(header(&answer, "x-odd"), "yes");
        assert_eq!(answer.bytes().await?, bytes);
    }
    registry.delete_routes(&path);
    assert_eq!(header(&client.get(&url).send().await?, "x-odd"), "");
    Ok(())
}

#[tokio::test]
async fn the_nearest_route_is_taken() -> Outcome {
    let registry = TestRegistry::start().await?;
    let route = |method: Option<&str>, path: &str, status| Route {
        method: method.map(str::to_owned),
        ..Route::new(path, [Step::status(status)])
    };
    registry.add_route(route(None, "/v2/a/manifests/latest", 501))?;
    registry.add_route(route(Some("HEAD"), "/v2/a/manifests/latest", 502))?;
    registry.add_route(route(None, "/v2/a/manifests/*", 503))?;
    registry.add_route(route(None, "/v2/a/*", 504))?;
    registry.add_route(route(None, "/v2/a/blobs/sha256:00", 500))?;
    registry.add_route(route(None, "/v2/a/blobs/sha256:00", 505))?;
    let client = client(&registry);
    let url = |path| format!("http://{}/v2/a/{path}", registry.http_address());
    assert_eq!(client.get(url("manifests/latest")).send().await?.status(), 501);
    assert_eq!(client.head(url("manifests/latest")).send().await?.status(), 502);
    assert_eq!(client.get(url("manifests/other")).send().await?.status(), 503);
    assert_eq!(client.get(url("tags/list?n=1")).send().await?.status(), 504);
    // The later one has replaced the one before, and an escaped path is the same path.
    assert_eq!(client.get(url("blobs/sha256%3A00")).send().await?.status(), 505);
    Ok(())
}

#[tokio::test]
async fn a_cut_body_ends_before_its_length_and_in_good_order() -> Outcome {
    let (registry, path, bytes) = with_blob(3_000_000).await?;
    for cut in [0, 1, 2_500_000] {
        registry.add_route(Route::new(&path, [Step { cut_after: Some(cut), ..Step::pass() }]))?;
        for (name, mut wire) in wires(&registry).await {
            ask(&mut *wire, "GET", &path).await?;
            let head = read_head(&mut *wire).await?;
            assert!(head.contains("content-length: 3000000\r\n"), "{head}");
            let (got, end) = read_rest(&mut *wire).await;
            assert!(end.is_ok(), "{name}: {end:?}");
            assert!(got == bytes[..cut as usize], "{name}: {} bytes of {cut}", got.len());
            assert_eq!((last(&registry).status, last(&registry).body_bytes), (Some(200), Some(cut)));
        }
    }
    let answer = client(&registry).get(format!("https://{}{path}", registry.https_address())).send().await?;
    assert!(answer.bytes().await.is_err());
    Ok(())
}

#[tokio::test]
async fn a_reset_comes_after_what_was_sent() -> Outcome {
    // More than the buffers of both ends hold, so that a reset too early would take bytes away.
    let (registry, path, bytes) = with_blob(20_000_000).await?;
    for reset in [0, 1, 12_345_678] {
        registry.add_route(Route::new(&path, [Step { reset_after: Some(reset), ..Step::pass() }]))?;
        for (name, mut wire) in wires(&registry).await {
            ask(&mut *wire, "GET", &path).await?;
            read_head(&mut *wire).await?;
            let (got, end) = read_rest(&mut *wire).await;
            let end = end.expect_err("a reset").kind();
            assert_eq!(end, ErrorKind::ConnectionReset, "{name}");
            assert!(got == bytes[..reset as usize], "{name}: {} bytes of {reset}", got.len());
            assert_eq!(last(&registry).body_bytes, Some(reset));
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_stall_lasts_until_its_route_is_deleted() -> Outcome {
    let (registry, path, bytes) = with_blob(100_000).await?;
    for (name, mut wire) in wires(&registry).await {
        registry.delete_log(&LogFilter::default());
        registry.add_route(Route::new(&path, [Step { stall_after: Some(70_000), ..Step::pass() }]))?;
        ask(&mut *wire, "GET", &path).await?;
        read_head(&mut *wire).await?;
        let mut got = vec![0; 70_000];
        wire.read_exact(&mut got).await?;
        assert!(got == bytes[..70_000], "{name}");
        // Neither a byte nor an end comes, and the answer is not over.
        let more = tokio::time::timeout(Duration::from_millis(50), wire.read_u8()).await;
        assert!(more.is_err(), "{name}: {more:?}");
        assert_eq!((last(&registry).status, last(&registry).body_bytes), (None, None));

        registry.delete_routes(&path);
        let (rest, _) = read_rest(&mut *wire).await;
        assert!(rest.is_empty(), "{name}");
        assert_eq!(last(&registry).body_bytes, Some(70_000));
    }
    Ok(())
}

#[tokio::test]
async fn a_stall_ends_when_the_client_goes() -> Outcome {
    let (registry, path, _) = with_blob(1000).await?;
    let silent = Step { close_before_response: true, stall_after: Some(0), ..Step::default() };
    registry.add_route(Route::new(&path, [Step { stall_after: Some(10), ..Step::pass() }, silent]))?;
    for count in [1, 2] {
        let (_, mut wire) = wires(&registry).await.remove(0);
        ask(&mut *wire, "GET", &path).await?;
        let arrived = WaitFor { path: path.clone(), count, ..WaitFor::default() };
        registry.wait(&arrived).await?;
        drop(wire);
        registry.wait(&WaitFor { ended: true, ..arrived }).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_speed_is_kept_per_connection() -> Outcome {
    let (registry, path, bytes) = with_blob(40_000).await?;
    registry.add_route(Route::new(&path, [Step { bytes_per_second: Some(100_000), ..Step::pass() }]))?;
    let client = client(&registry);
    let url = format!("https://{}{path}", registry.https_address());
    let started = Instant::now();
    let (one, other) = tokio::join!(client.get(&url).send(), client.get(&url).send());
    let (one, other) = tokio::join!(one?.bytes(), other?.bytes());
    let took = started.elapsed();
    assert!(one? == bytes && other? == bytes);
    // 0.4 s less what may come at once: a twentieth of a second's at the start and as much to catch up.
    assert!(took >= Duration::from_millis(300), "{took:?}");
    let connections: Vec<u64> = registry.log("a/b").iter().map(|it| it.connection).collect();
    assert_ne!(connections[0], connections[1]);
    Ok(())
}

#[tokio::test]
async fn a_connection_carries_only_so_many_bytes() -> Outcome {
    let (registry, path, bytes) = with_blob(1000).await?;
    let limited = Step { connection_cut_after: Some(2500), ..Step::pass() };
    registry.add_route(Route::new(&path, [Step::pass(), limited]))?;
    for (name, mut wire) in wires(&registry).await {
        let mut got = Vec::new();
        for _ in 0..2 {
            ask(&mut *wire, "GET", &path).await?;
            read_head(&mut *wire).await?;
            let mut body = vec![0; 1000];
            wire.read_exact(&mut body).await?;
            got.extend(body);
        }
        ask(&mut *wire, "GET", &path).await?;
        read_head(&mut *wire).await?;
        let (rest, end) = read_rest(&mut *wire).await;
        assert!(end.is_ok(), "{name}: {end:?}");
        got.extend(rest);
        assert!(got == [&bytes[..], &bytes, &bytes[..500]].concat(), "{name}: {} bytes", got.len());
    }
    Ok(())
}

#[tokio::test]
async fn a_listener_may_be_far_away() -> Outcome {
    let (registry, path, _) = with_blob(10).await?;
    let client = client(&registry);
    let took = async |scheme: &str, address: &str| {
        let started = Instant::now();
        client.get(format!("{scheme}://{address}{path}")).send().await.map(|_| started.elapsed())
    };
    let wait = Duration::from_millis(100);
    registry.set_latency(Latency { listener: None, latency_ms: 100 });
    assert!(took("http", registry.http_address()).await? >= wait);
    registry.set_latency(Latency { listener: None, latency_ms: 0 });
    registry.set_latency(Latency { listener: Some("https".into()), latency_ms: 100 });
    assert!(took("https", registry.https_address()).await? >= wait);
    Ok(())
}

#[tokio::test]
async fn an_answer_comes_late() -> Outcome {
    let (registry, path, bytes) = with_blob(10).await?;
    registry.add_route(Route::new(&path, [Step { delay_ms: Some(100), ..Step::pass() }]))?;
    let started = Instant::now();
    let answer = client(&registry).get(format!("http://{}{path}", registry.http_address())).send().await?;
    assert!(started.elapsed() >= Duration::from_millis(100));
    assert_eq!(answer.bytes().await?, bytes);
    Ok(())
}

#[tokio::test]
async fn a_connection_ends_before_any_answer() -> Outcome {
    let (registry, path, _) = with_blob(10).await?;
    let close = Step { close_before_response: true, ..Step::default() };
    let reset = Step { reset_after: Some(0), ..close.clone() };
    for (step, expected) in [(close, None), (reset, Some(ErrorKind::ConnectionReset))] {
        registry.add_route(Route::new(&path, [step]))?;
        for (name, mut wire) in wires(&registry).await {
            ask(&mut *wire, "GET", &path).await?;
            let (got, end) = read_rest(&mut *wire).await;
            assert!(got.is_empty(), "{name}");
            assert_eq!(end.err().map(|it| it.kind()), expected, "{name}");
            assert_eq!((last(&registry).status, last(&registry).body_bytes), (None, Some(0)));
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_length_may_be_a_lie() -> Outcome {
    let registry = TestRegistry::start().await?;
    for (promised, method, all) in [(8, "GET", "hello"), (3, "GET", "hello"), (0, "GET", "hello"), (9, "HEAD", "")] {
        let step = Step { content_length: Some(promised), ..Step::text(200, "hello") };
        registry.add_route(Route::new("/v2/a/b/blobs/x", [step]))?;
        for (name, mut wire) in wires(&registry).await {
            ask(&mut *wire, method, "/v2/a/b/blobs/x").await?;
            let head = read_head(&mut *wire).await?;
            assert!(head.contains(&format!("content-length: {promised}\r\n")), "{head}");
            if method == "HEAD" {
                continue;
            }
            let (got, end) = read_rest(&mut *wire).await;
            assert!(end.is_ok(), "{name}: {end:?}");
            assert_eq!(String::from_utf8_lossy(&got), all, "{name}, {promised}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_chunked_answer_has_no_length_and_may_be_cut() -> Outcome {
    let (registry, path, bytes) = with_blob(1000).await?;
    let chunked = Step { chunked: true, ..Step::pass() };
    registry.add_route(Route::new(&path, [chunked.clone(), Step { cut_after: Some(1000), ..chunked }]))?;
    let client = client(&registry);
    let url = format!("https://{}{path}", registry.https_address());
    let answer = client.get(&url).send().await?;
    assert_eq!((header(&answer, "transfer-encoding"), header(&answer, "content-length")), ("chunked", ""));
    assert_eq!(answer.bytes().await?, bytes);
    // All bytes, but not the end that says so.
    let mut answer = client.get(&url).send().await?;
    let mut got = Vec::new();
    let end = loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => got.extend(chunk),
            end => break end,
        }
    };
    assert!(end.is_err());
    assert_eq!(got, bytes);
    Ok(())
}

#[tokio::test]
async fn a_fault_counts_from_the_start_of_a_range() -> Outcome {
    let (registry, path, bytes) = with_blob(1000).await?;
    registry.add_route(Route::new(&path, [Step { cut_after: Some(10), ..Step::pass() }]))?;
    let request = client(&registry).get(format!("https://{}{path}", registry.https_address()));
    let mut answer = request.header("range", "bytes=500-").send().await?;
    assert_eq!((answer.status().as_u16(), header(&answer, "content-length")), (206, "500"));
    assert_eq!(answer.chunk().await?.as_deref(), Some(&bytes[500..510]));
    assert!(answer.chunk().await.is_err());
    Ok(())
}

#[tokio::test]
async fn a_fault_beyond_the_body_is_none_and_one_at_its_end_follows_it() -> Outcome {
    let (registry, path, bytes) = with_blob(1000).await?;
    for (step, connections) in [
        (Step { cut_after: Some(1001), ..Step::pass() }, 1),
        (Step { cut_after: Some(1000), ..Step::pass() }, 2),
        (Step { reset_after: Some(1000), ..Step::pass() }, 2),
    ] {
        registry.delete_log(&LogFilter::default());
        registry.add_route(Route::new(&path, [step]))?;
        let (_, mut wire) = wires(&registry).await.remove(0);
        ask(&mut *wire, "GET", &path).await?;
        read_head(&mut *wire).await?;
        let mut got = vec![0; 1000];
        wire.read_exact(&mut got).await?;
        assert_eq!(got, bytes);
        let again = async {
            ask(&mut *wire, "GET", &path).await?;
            read_head(&mut *wire).await
        };
        assert_eq!(again.await.is_ok(), connections == 1);
    }
    Ok(())
}

#[tokio::test]
async fn a_header_may_come_several_times() -> Outcome {
    let registry = TestRegistry::start().await?;
    let mut step = Step::status(401);
    let challenges = ["Unknown a=\"b\"", "Basic realm=\"x\""].map(str::to_owned).to_vec();
    step.headers.insert("WWW-Authenticate".into(), HeaderValues::Many(challenges));
    registry.add_route(Route::new("/v2/a/manifests/x", [step]))?;
    let answer = client(&registry).get(format!("http://{}/v2/a/manifests/x", registry.http_address())).send().await?;
    let values: Vec<_> = answer.headers().get_all("www-authenticate").iter().collect();
    assert_eq!(values, ["Unknown a=\"b\"", "Basic realm=\"x\""]);
    Ok(())
}

#[tokio::test]
async fn a_body_may_be_a_file() -> Outcome {
    let registry = TestRegistry::start().await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("body");
    std::fs::write(&file, "from a file")?;
    let step = Step { body_file: Some(file), ..Step::default() }.header("content-type", "text/html");
    registry.add_route(Route::new("/elsewhere", [step]))?;
    let answer = client(&registry).get(format!("https://{}/elsewhere", registry.https_address())).send().await?;
    assert_eq!((answer.status().as_u16(), header(&answer, "content-type")), (200, "text/html"));
    assert_eq!(answer.text().await?, "from a file");
    Ok(())
}

#[tokio::test]
async fn a_step_that_makes_no_sense_is_refused() -> Outcome {
    let registry = TestRegistry::start().await?;
    for step in [
        Step { cut_after: Some(1), reset_after: Some(1), ..Step::pass() },
        Step { body: Some("a".into()), ..Step::pass() },
        Step { body: Some("a".into()), body_base64: Some("YQ==".into()), ..Step::default() },
        Step { body_base64: Some("?".into()), ..Step::default() },
        Step { chunked: true, content_length: Some(1), ..Step::default() },
        Step { bytes_per_second: Some(0), ..Step::pass() },
        Step { body_file: Some("/no/such/file".into()), ..Step::default() },
        Step::status(100),
        Step::status(1000),
        Step::pass().header("a b", "c"),
        Step::pass().header("a", "b\nc"),
        Step::pass().header("content-length", "1"),
        Step { ignore_range: true, ..Step::status(200) },
        Step { etag: Some("a".into()), ..Step::status(200) },
        Step { etag: Some("a\nb".into()), ..Step::pass() },
        Step { content_range: Some("a\nb".into()), ..Step::pass() },
        Step { range_status: Some(206), ..Step::pass() },
    ] {
        let text = format!("{step:?}");
        assert!(registry.add_route(Route::new("/v2/a", [step])).is_err(), "{text}");
    }
    assert!(registry.add_route(Route::new("/v2/a", [])).is_err());
    assert!(registry.add_route(Route::new("v2/a", [Step::pass()])).is_err());
    Ok(())
}
