//! Two clients: one that behaves as programs do (reqwest), one that sees what is on the wire.

use std::io;
use std::sync::Arc;

use reqwest::{Certificate, Client, Response};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wslimage_test_registry::TestRegistry;

/// What a test ends in; any error fails it.
pub(crate) type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A client that trusts the registry's authority and nobody else.
pub(crate) fn client(registry: &TestRegistry) -> Client {
    // An error says that another test has installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let pem = std::fs::read(registry.ca_certificate_path()).expect("the CA file is there");
    let ca = Certificate::from_pem(&pem).expect("the CA file is a certificate");
    Client::builder().tls_certs_only([ca]).build().expect("a client")
}

/// The body as JSON.
pub(crate) async fn json(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.expect("a body")).expect("JSON")
}

/// The value of a header, or nothing.
pub(crate) fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().expect("a text"))
}

/// A stream of either kind.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A connection without TLS and one with it, each with a name for messages.
pub(crate) async fn wires(registry: &TestRegistry) -> Vec<(&'static str, Box<dyn Wire>)> {
    let plain = TcpStream::connect(registry.http_address()).await.expect("a connection");
    let port = registry.https_address().rsplit(':').next().expect("a port");
    let tcp = TcpStream::connect(format!("127.0.0.1:{port}")).await.expect("a connection");

    let config = tls_config(registry, b"http/1.1");
    let name = ServerName::try_from("localhost").expect("a name");
    let secure = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.expect("a handshake");
    vec![("http", Box::new(plain)), ("https", Box::new(secure))]
}

fn tls_config(registry: &TestRegistry, protocol: &[u8]) -> ClientConfig {
    let ca = CertificateDer::from_pem_file(registry.ca_certificate_path()).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(ca).expect("a certificate authority");
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    config
}

/// A stream to the listener with TLS on which HTTP/2 was agreed.
pub(crate) async fn http2_wire(registry: &TestRegistry) -> TlsStream<TcpStream> {
    let port = registry.https_address().rsplit(':').next().expect("a port");
    let tcp = TcpStream::connect(format!("127.0.0.1:{port}")).await.expect("a connection");
    let name = ServerName::try_from("localhost").expect("a name");
    let connector = TlsConnector::from(Arc::new(tls_config(registry, b"h2")));
    let stream = connector.connect(name, tcp).await.expect("a handshake");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    stream
}

/// Sends a request without a body.
pub(crate) async fn ask(wire: &mut dyn Wire, method: &str, path: &str) -> io::Result<()> {
    wire.write_all(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await?;
    wire.flush().await
}

/// Reads to the end of the head, in lower case.
pub(crate) async fn read_head(wire: &mut dyn Wire) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(wire.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).to_lowercase())
}

/// All bytes that come, and how the connection ended.
pub(crate) async fn read_rest(wire: &mut dyn Wire) -> (Vec<u8>, io::Result<()>) {
    let mut rest = Vec::new();
    let end = wire.read_to_end(&mut rest).await.map(drop);
    (rest, end)
}
