//! One registry over HTTP, by the OCI distribution-spec.
//!
//! `transport` sends one request and follows redirects, by `direct` where no proxy is between; `challenge` and `token` turn a 401 into what must be sent next;
//! `credentials` finds the logins of this machine, and `sign_in` keeps what was got; `session` puts them together for the
//! manifests, blobs and tags of a repository at one `endpoint`, and `retry` says what is tried again; `client` is what
//! sessions share; `answer` turns what came back into errors.
//!
//! What this machine is set up with: `proxy` says what a request goes through, `registries_conf` where a repository is
//! looked for, `certs_d` which certificates are one registry's own. `rate_limit` reads how much may be asked.

use std::sync::{Mutex, MutexGuard, PoisonError};

mod answer;
mod certs_d;
mod challenge;
mod client;
mod credentials;
mod direct;
mod endpoint;
mod options;
mod proxy;
mod rate_limit;
mod registries_conf;
mod retry;
mod session;
mod sign_in;
mod tls;
mod token;
mod transport;

pub use client::Client;
pub(crate) use client::{Attempt, nobody_to_ask};
pub use options::{ClientOptions, Credential, MirrorLocation, Proxy, ProxyServer, RetryPolicy};
pub(crate) use retry::Retries;
pub(crate) use session::{BlobPart, Fetched, LARGEST_CONFIG, LARGEST_MANIFEST, Session};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
