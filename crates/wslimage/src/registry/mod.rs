//! One registry over HTTP, by the OCI distribution-spec.
//!
//! `transport` sends one request and follows redirects; `challenge` and `token` turn a 401 into what must be sent next;
//! `client` puts them together for manifests and blobs; `answer` turns what came back into errors.

mod answer;
mod challenge;
mod client;
mod options;
mod proxy;
mod tls;
mod token;
mod transport;

pub use client::Client;
pub(crate) use client::{Attempt, Fetched, Session};
pub use options::{ClientOptions, Credential, MirrorLocation, Proxy, ProxyServer, RetryPolicy};
