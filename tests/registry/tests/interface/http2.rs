//! HTTP/2, which whoever asks for it by ALPN gets.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncReadExt as _;
use wslimage_test_registry::{Raw, Route, Step, TestRegistry};

use crate::client::{Outcome, http2_wire};
use crate::faults::with_blob;

async fn connect(registry: &TestRegistry) -> SendRequest<Empty<Bytes>> {
    let stream = TokioIo::new(http2_wire(registry).await);
    let (sender, connection) = handshake(TokioExecutor::new(), stream).await.expect("a handshake");
    tokio::spawn(connection);
    sender
}

fn request(registry: &TestRegistry, path: &str) -> Request<Empty<Bytes>> {
    let url = format!("https://{}{path}", registry.https_address());
    Request::get(url).body(Empty::new()).expect("a request")
}

/// What came of a body, and whether that was all of it.
async fn read(mut body: hyper::body::Incoming) -> (Vec<u8>, bool) {
    let mut got = Vec::new();
    loop {
        match body.frame().await {
            None => return (got, true),
            Some(Err(_)) => return (got, false),
            Some(Ok(frame)) => got.extend(frame.into_data().unwrap_or_default()),
        }
    }
}

#[tokio::test]
async fn answers_on_one_connection_come_side_by_side() -> Outcome {
    let (registry, path, bytes) = with_blob(3_000_000).await?;
    let mut sender = connect(&registry).await;
    let (one, other) =
        (sender.send_request(request(&registry, &path)), sender.clone().send_request(request(&registry, &path)));
    let (one, other) = tokio::join!(one, other);
    let (one, other) = (one?, other?);
    assert_eq!(one.status(), 200);
    assert_eq!(one.headers()["content-length"], "3000000");
    let (one, other) = tokio::join!(read(one.into_body()), read(other.into_body()));
    assert!(one == (bytes.clone(), true) && other == (bytes, true));

    let log = registry.log("a/b");
    assert_eq!((log[0].version.as_str(), log[0].connection), ("HTTP/2.0", log[1].connection));
    assert_eq!(log[0].headers["host"], registry.https_address());
    assert_eq!((log[0].status, log[0].body_bytes), (Some(200), Some(3_000_000)));
    Ok(())
}

#[tokio::test]
async fn a_fault_takes_the_connection_after_what_was_sent() -> Outcome {
    // More than a window of HTTP/2, so that an end too early would take bytes away.
    let (registry, path, bytes) = with_blob(3_000_000).await?;
    for count in [0, 1, 2_345_678, 3_000_000] {
        for step in [
            Step { cut_after: Some(count), ..Step::pass() },
            Step { reset_after: Some(count), ..Step::pass() },
            Step { connection_cut_after: Some(count), ..Step::pass() },
        ] {
            let text = format!("{step:?}");
            registry.add_route(Route::new(&path, [step]))?;
            let mut sender = connect(&registry).await;
            let answer = sender.send_request(request(&registry, &path)).await?;
            let (got, complete) = read(answer.into_body()).await;
            assert!(!complete && got == bytes[..count as usize], "{} bytes, {complete}: {text}", got.len());
            assert!(sender.ready().await.is_err(), "{text}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn there_may_be_no_answer_or_one_that_is_not_http2() -> Outcome {
    let (registry, path, _) = with_blob(10).await?;
    for step in [
        Step { close_before_response: true, ..Step::default() },
        Step { raw: Some(Raw::bytes(b"HTTP/1.1 200 OK\r\n\r\n")), ..Step::default() },
    ] {
        let text = format!("{step:?}");
        registry.add_route(Route::new(&path, [step]))?;
        let mut sender = connect(&registry).await;
        assert!(sender.send_request(request(&registry, &path)).await.is_err(), "{text}");
    }
    // The connection ends, rather than being open without anybody.
    let mut stream = http2_wire(&registry).await;
    drop(registry);
    let _ = stream.read_to_end(&mut Vec::new()).await;
    Ok(())
}

#[tokio::test]
async fn a_stall_holds_its_own_answer_only() -> Outcome {
    let (registry, path, bytes) = with_blob(1000).await?;
    registry.add_route(Route::new(&path, [Step { stall_after: Some(10), ..Step::pass() }, Step::pass()]))?;
    let mut sender = connect(&registry).await;
    let mut stalled = sender.send_request(request(&registry, &path)).await?.into_body();
    let first = stalled.frame().await.ok_or("no frame")??.into_data().unwrap_or_default();
    assert_eq!(first, bytes[..10]);
    let other = sender.send_request(request(&registry, &path)).await?;
    assert_eq!(read(other.into_body()).await, (bytes, true));
    registry.delete_routes(&path);
    assert!(!read(stalled).await.1);
    Ok(())
}

#[tokio::test]
async fn a_length_that_is_a_lie_is_one_here_too() -> Outcome {
    let registry = TestRegistry::start().await?;
    for (promised, body) in [(9, "hello"), (3, "hello"), (0, "hello")] {
        let step = Step { content_length: Some(promised), ..Step::text(200, body) };
        registry.add_route(Route::new("/v2/a/b/blobs/x", [step]))?;
        let mut sender = connect(&registry).await;
        // The client may find it out with the head or with the body.
        if let Ok(answer) = sender.send_request(request(&registry, "/v2/a/b/blobs/x")).await {
            assert_eq!(answer.headers()["content-length"], promised.to_string());
            assert!(!read(answer.into_body()).await.1, "{promised}");
        }
    }
    Ok(())
}
