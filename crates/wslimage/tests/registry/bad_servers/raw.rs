//! Answers that no HTTP server would send.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use wslimage::{Client, ClientOptions, ErrorKind as Kind, Result};

use super::{HANG, HOSTILE, expect_clean, expect_readable};
use crate::fixture::{Fixture, Recorder, request_at};

/// Speaks to whoever connects, by plain http.
struct Speaker {
    address: String,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Speaker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
enum Speech {
    /// Says it to the first question and closes.
    Once(Vec<u8>),
    /// Says the first, then the second again and again.
    Endless(Vec<u8>, Vec<u8>),
    /// Says it to the first question and then lets the registry at the address speak.
    Before(Vec<u8>, String),
}

impl Speaker {
    async fn start(speech: Speech) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                // Whoever hangs up has heard enough.
                tokio::spawn(speak(stream, speech.clone()));
            }
        });
        Self { address, connections, task }
    }
}

async fn speak(mut stream: TcpStream, speech: Speech) -> std::io::Result<()> {
    let mut question = [0; 16 * 1024];
    let length = stream.read(&mut question).await?;
    match speech {
        Speech::Once(bytes) => {
            stream.write_all(&bytes).await?;
            stream.shutdown().await?;
            while stream.read(&mut question).await? > 0 {}
            Ok(())
        }
        Speech::Endless(first, again) => {
            stream.write_all(&first).await?;
            loop {
                stream.write_all(&again).await?;
                tokio::task::yield_now().await;
            }
        }
        Speech::Before(bytes, registry) => {
            let mut registry = TcpStream::connect(registry).await?;
            registry.write_all(&question[..length]).await?;
            stream.write_all(&bytes).await?;
            copy_bidirectional(&mut stream, &mut registry).await.map(drop)
        }
    }
}

fn client(fixture: &Fixture) -> Client {
    let options = ClientOptions { plain_http: true, stall_timeout: Duration::from_secs(1), ..fixture.options() };
    Client::new(options).expect("a client")
}

async fn pull_from(fixture: &Fixture, client: &Client, speaker: &Speaker, name: &str) -> Result<()> {
    let (recorder, _, job) = Recorder::job();
    let pull = async {
        let image = wslimage::resolve(client, request_at(&speaker.address, "a/b"), &job).await?;
        wslimage::pull(client, &image, &fixture.destination(), wslimage::PullOptions::default(), &job).await
    };
    let Ok(ended) = timeout(HANG, pull).await else { panic!("{name}: it hangs") };
    for line in recorder.verbose_lines() {
        expect_clean(&line, 3000).expect(name);
    }
    ended.map(drop)
}

#[tokio::test]
async fn what_is_no_http_ends_in_an_error() {
    let head = "HTTP/1.1 200 OK\r\n";
    let once = |text: &str| Speech::Once(text.as_bytes().to_vec());
    let headed = |text: &str| once(&format!("{head}{text}"));
    let endless = |first: &str, again: &str| Speech::Endless(first.into(), again.repeat(10_000).into());
    let (broken, cut, large) =
        ("the request to SERVER failed: ", "the connection to SERVER was cut: ", "SERVER sent more than 4096 KiB");
    let (bad, lost) = (Kind::InvalidResponse, Kind::Connection);
    let fixture = Fixture::new().await;
    let client = client(&fixture);
    for (name, speech, kind, message) in [
        ("nothing", once(""), lost, broken),
        ("another protocol", once("SSH-2.0-OpenSSH_9.9\r\n"), lost, broken),
        ("HTTP/0.9", once("{\"schemaVersion\":2}"), lost, broken),
        ("HTTP/9.9", once("HTTP/9.9 200 OK\r\n\r\n"), lost, broken),
        ("HTTP/2", once("\0\0\u{12}\u{4}\0\0\0\0\0\0\u{3}\0\0\0d"), lost, broken),
        ("TLS", Speech::Once(vec![0x15, 3, 3, 0, 2, 2, 70]), lost, broken),
        ("zero bytes", Speech::Once(vec![0; 100_000]), lost, broken),
        ("terminal sequences", once(HOSTILE), lost, broken),
        ("a status of two digits", once("HTTP/1.1 20 OK\r\n\r\n"), lost, broken),
        ("a status that is none", once("HTTP/1.1 abc OK\r\n\r\n"), lost, broken),
        ("half a head", headed("Content-Type: te"), lost, broken),
        ("a header without a colon", headed("Content-Type\r\n\r\n"), lost, broken),
        ("terminal sequences in a header", headed("Content-Type: \u{1b}[31m\r\n\r\n"), lost, broken),
        ("terminal sequences in a name", headed("\u{1b}[31m: x\r\n\r\n"), lost, broken),
        ("a length that is none", headed("Content-Length: many\r\n\r\n{}"), lost, broken),
        ("a length below zero", headed("Content-Length: -1\r\n\r\n{}"), lost, broken),
        ("two lengths", headed("Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}"), lost, broken),
        ("a length beyond all", headed("Content-Length: 18446744073709551616\r\n\r\n{}"), lost, broken),
        ("2^64 - 1 bytes", headed("Content-Length: 18446744073709551615\r\n\r\n{}"), lost, broken),
        ("2^63 bytes", headed("Content-Length: 9223372036854775808\r\n\r\n{}"), bad, large),
        (
            "two chunked encodings",
            headed("Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n"),
            bad,
            "the answer is not a manifest (",
        ),
        ("a chunk that is none", headed("Transfer-Encoding: chunked\r\n\r\nxyz\r\n"), lost, cut),
        ("a chunk beyond all", headed("Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"), lost, cut),
        ("a chunk of 2^64 - 1 bytes", headed("Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}"), lost, cut),
        ("chunks without an end", headed("Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"), lost, cut),
        (
            "a reason that drives terminals",
            once("HTTP/1.1 418 \u{1b}[31m\u{9b}2J\r\nContent-Length: 0\r\n\r\n"),
            lost,
            broken,
        ),
        (
            "a reason of its own",
            once("HTTP/1.1 418 Out Of Coffee\r\nContent-Length: 0\r\n\r\n"),
            Kind::Server,
            "SERVER answered 418 I'm a teapot",
        ),
        (
            "another protocol on request",
            once("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"),
            Kind::Server,
            "SERVER answered 101 Switching Protocols",
        ),
        ("status lines without end", endless("HTTP/1.1 200 ", "OK"), lost, broken),
        ("headers without end", endless(head, "X-Flood: 1\r\n"), lost, broken),
        ("a header without end", endless("HTTP/1.1 200 OK\r\nX-Flood: ", "xxxxxxxxxxxxxxxx"), lost, broken),
        ("a body without end", endless("HTTP/1.1 200 OK\r\n\r\n", " "), bad, large),
        (
            "chunks without end",
            endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &format!("40\r\n{}\r\n", " ".repeat(64))),
            bad,
            large,
        ),
        (
            "trailers without end",
            endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X-Flood: 1\r\n"),
            lost,
            cut,
        ),
        (
            "an extension of a chunk without end",
            endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", "xxxxxxxxxxxxxxxx"),
            lost,
            cut,
        ),
        (
            "promises without end",
            endless("HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n"),
            Kind::Timeout,
            "no byte from SERVER in time",
        ),
    ] {
        fixture.put_older_file();
        let speaker = Speaker::start(speech).await;
        let error = pull_from(&fixture, &client, &speaker, name).await.expect_err(name);
        let text = error.to_string();
        let said = message.replace("SERVER", &speaker.address);
        let attempt = ["Failed to get authentication token: ", "Failed to get manifest: "];
        assert!(attempt.iter().any(|attempt| text.starts_with(&format!("{attempt}{said}"))), "{name}:\n{text}\n{said}");
        assert_eq!(error.kind(), kind, "{name}: {error}");
        expect_readable(&error).expect(name);
        fixture.expect_older_file();
        let connections = speaker.connections.load(Ordering::Relaxed);
        assert!((1..=4).contains(&connections), "{name}: {connections} connections");
    }
}

#[tokio::test]
async fn what_http_allows_before_an_answer_is_passed_over() {
    let fixture = Fixture::new().await;
    fixture.serve(Fixture::image("a/b"));
    let client = client(&fixture);
    for (name, before) in [
        ("100", "HTTP/1.1 100 Continue\r\n\r\n".to_owned()),
        ("103", "HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n".to_owned()),
        ("a hundred of them", "HTTP/1.1 102 Processing\r\n\r\n".repeat(100)),
        ("an empty line", "\r\n".to_owned()),
    ] {
        let registry = fixture.registry.http_address().to_owned();
        let speaker = Speaker::start(Speech::Before(before.into_bytes(), registry)).await;
        if let Err(error) = pull_from(&fixture, &client, &speaker, name).await {
            panic!("{name}: {error}");
        }
        fixture.expect_layer_in_file();
        std::fs::remove_file(fixture.destination()).expect("the file");
    }
}
