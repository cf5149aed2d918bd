//! An OCI registry for tests: it serves what a test gives it and misbehaves on request.
//!
//! It listens on loopback, over http and over TLS, and is set up through typed methods ([`TestRegistry`]) or, from
//! another process, through the same structures as JSON over HTTP (the control listener; README.md lists the calls).
//! What it serves follows the [OCI distribution specification](https://github.com/opencontainers/distribution-spec),
//! what it does wrong is real on the wire: a reset is a TCP RST, a cut body ends the connection.
//!
//! ```
//! use wslimage_test_registry::{Auth, Blob, Image, Platform, Route, Step, TestRegistry};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), wslimage_test_registry::Error> {
//! let registry = TestRegistry::start().await?;
//! let image = registry.add_image(Image {
//!     repository: "a/b".into(),
//!     auth: Some(Auth::anonymous_bearer()),
//!     platforms: vec![Platform::linux_amd64(vec![Blob::text("the layer")])],
//!     ..Image::default()
//! })?;
//! // The first request for the layer loses its connection after four bytes, each later one gets it whole.
//! let layer = format!("/v2/a/b/blobs/{}", image.layers[0][0].digest);
//! registry.add_route(Route::new(&layer, [Step { reset_after: Some(4), ..Step::pass() }, Step::pass()]))?;
//! // … a client downloads https://{registry.https_address()}/v2/a/b/… and trusts registry.ca_certificate_path() …
//! assert!(registry.log("a/b").is_empty());
//! # Ok(())
//! # }
//! ```

mod auth;
mod blob;
mod body;
mod cdn;
mod connection;
mod content;
mod control;
mod distribution;
mod error;
mod exchange;
mod image;
mod latency;
mod listener;
mod log;
mod options;
mod proxy;
mod raw;
mod registry;
mod route;
mod step;
mod store;
mod tls;
mod token;

pub use auth::{Auth, Basic, Bearer, TokenField};
pub use error::{Error, Result};
pub use image::{Blob, Descriptor, Image, ImageDigests, Layers, Manifest, Platform, RepositoryBlob};
pub use latency::Latency;
pub use listener::TlsListener;
pub use log::{LogEntry, LogFilter, WaitFor};
pub use options::{RedirectBlobs, RedirectTarget, RepositoryOptions};
pub use proxy::Proxy;
pub use raw::{Raw, RawPart};
pub use registry::{Addresses, TestRegistry, TlsFaults};
pub use route::Route;
pub use step::{HeaderValues, Step};
pub use tls::Certificate;
