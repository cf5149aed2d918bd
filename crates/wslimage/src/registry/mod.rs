//! One registry over HTTP, by the OCI distribution-spec.
//!
//! `transport` sends one request and follows redirects; `challenge` and `token` turn a 401 into what must be sent next;
//! `client` puts them together for manifests and blobs; `answer` turns what came back into errors.
//!
//! What this machine is set up with: `proxy` says what a request goes through, `registries_conf` where a repository is
//! looked for, `certs_d` which certificates are one registry's own. `rate_limit` reads how much may be asked.

mod answer;
mod certs_d;
mod challenge;
mod client;
mod options;
mod proxy;
mod rate_limit;
mod registries_conf;
mod tls;
mod token;
mod transport;

pub use client::Client;
pub(crate) use client::{Attempt, Fetched, Session};
pub use options::{ClientOptions, Credential, MirrorLocation, Proxy, ProxyServer, RetryPolicy};
