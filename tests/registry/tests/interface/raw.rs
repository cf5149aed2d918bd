//! Answers that are no HTTP.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use crate::client::{Outcome, ask, client, read_rest, wires};
use tokio::io::AsyncReadExt as _;
use wslimage_test_registry::{Raw, RawPart, Route, Step, TestRegistry, WaitFor};

const PATH: &str = "/v2/a/b/manifests/latest";

fn raw(raw: Raw) -> Step {
    Step { raw: Some(raw), ..Step::default() }
}

#[tokio::test]
async fn the_bytes_are_written_as_they_are() -> Outcome {
    let registry = TestRegistry::start().await?;
    let parts =
        vec![RawPart::text("HTTP/1.1 200 OK\r\n", 1), RawPart::text("a: b\r\n", 100_000), RawPart::text("x", 0)];
    let repeated = format!("HTTP/1.1 200 OK\r\n{}", "a: b\r\n".repeat(100_000)).into_bytes();
    for (answer, expected) in
        [(Raw::bytes(b"HTTP/9.9 \0\xff\n"), b"HTTP/9.9 \0\xff\n".to_vec()), (Raw::Parts(parts), repeated)]
    {
        for (then, end) in [
            (Step::default(), None),
            (Step { reset_after: Some(0), ..Step::default() }, Some(ErrorKind::ConnectionReset)),
        ] {
            registry.add_route(Route::new(PATH, [Step { raw: Some(answer.clone()), ..then }]))?;
            for (name, mut wire) in wires(&registry).await {
                ask(&mut *wire, "GET", PATH).await?;
                let (got, ended) = read_rest(&mut *wire).await;
                assert!(got == expected, "{name}: {} bytes", got.len());
                assert_eq!(ended.err().map(|it| it.kind()), end, "{name}");
                assert_eq!(registry.log("a/b").pop().and_then(|it| it.status), None);
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn headers_without_end_end_with_the_client() -> Outcome {
    let registry = TestRegistry::start().await?;
    let parts = vec![RawPart::text("HTTP/1.1 200 OK\r\n", 1), RawPart::text("a: b\r\n", u64::MAX)];
    registry.add_route(Route::new(PATH, [raw(Raw::Parts(parts)), Step::status(404)]))?;
    let client = client(&registry);
    let url = format!("https://{}{PATH}", registry.https_address());
    assert!(client.get(&url).send().await.is_err());
    assert_eq!(client.get(&url).send().await?.status(), 404);
    Ok(())
}

#[tokio::test]
async fn half_an_answer_may_be_followed_by_silence() -> Outcome {
    let registry = TestRegistry::start().await?;
    let half = Step { stall_after: Some(0), ..raw(Raw::bytes("HTTP/1.1 200")) };
    registry.add_route(Route::new(PATH, [half]))?;
    for (name, mut wire) in wires(&registry).await {
        ask(&mut *wire, "GET", PATH).await?;
        let mut got = [0; 12];
        wire.read_exact(&mut got).await?;
        assert_eq!(&got, b"HTTP/1.1 200");
        let more = tokio::time::timeout(Duration::from_millis(50), wire.read_u8()).await;
        assert!(more.is_err(), "{name}: {more:?}");
    }
    let (_, mut wire) = wires(&registry).await.remove(0);
    ask(&mut *wire, "GET", PATH).await?;
    registry.wait(&WaitFor { path: PATH.into(), count: 3, ..WaitFor::default() }).await?;
    registry.delete_routes(PATH);
    assert!(read_rest(&mut *wire).await.1.is_ok());
    Ok(())
}

#[tokio::test]
async fn the_bytes_may_drip() -> Outcome {
    let registry = TestRegistry::start().await?;
    let slow = Step { bytes_per_second: Some(100), ..raw(Raw::bytes("0123456789")) };
    registry.add_route(Route::new(PATH, [slow]))?;
    let (_, mut wire) = wires(&registry).await.remove(0);
    let started = Instant::now();
    ask(&mut *wire, "GET", PATH).await?;
    assert_eq!(read_rest(&mut *wire).await.0, b"0123456789");
    assert!(started.elapsed() >= Duration::from_millis(80));
    Ok(())
}

#[tokio::test]
async fn a_raw_answer_that_makes_no_sense_is_refused() -> Outcome {
    let registry = TestRegistry::start().await?;
    for step in [
        raw(Raw::Whole("?".into())),
        raw(Raw::Parts(vec![RawPart::default()])),
        Step { pass: true, ..raw(Raw::bytes("a")) },
        Step { status: Some(200), ..raw(Raw::bytes("a")) },
        Step { close_before_response: true, ..raw(Raw::bytes("a")) },
    ] {
        let text = format!("{step:?}");
        assert!(registry.add_route(Route::new(PATH, [step])).is_err(), "{text}");
    }
    Ok(())
}
