//! A server as it is across a network: the project's test registry with a wait before each answer and a speed of each
//! connection.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::image::{self, Image};
use super::report::megabytes;
use crate::registry::Registry;

/// Before each answer.
const LATENCY: Duration = Duration::from_millis(60);
/// Of each connection.
const BYTES_PER_SECOND: u64 = 20_000_000;

/// A running far server. Dropped, it ends.
pub(super) struct FarServer {
    registry: Registry,
    layer_path: String,
}

impl FarServer {
    /// Serves the image over TLS, open to everybody.
    pub(super) fn start(program: &Path, image: &Image) -> Result<Self> {
        let registry = Registry::start(program)?;
        registry.add_image(&json!({
            "repository": image::NAME,
            "tags": [image::TAG],
            "platforms": [{
                "platform": {"os": "linux", "architecture": "amd64"},
                "layers": [{"file": image.layer_file()}],
            }],
        }))?;
        registry.set_latency(LATENCY)?;
        let layer_path = format!("/v2/{}/blobs/sha256:{}", image::NAME, image.layer_hex());
        let server = Self { registry, layer_path };
        server.cut_connections_after(None)?;
        Ok(server)
    }

    /// Closes each connection when it has had so many bytes of the layer, or none.
    pub(super) fn cut_connections_after(&self, bytes: Option<u64>) -> Result<()> {
        let mut step = json!({"pass": true, "bytesPerSecond": BYTES_PER_SECOND});
        if let Some(bytes) = bytes {
            step["connectionCutAfter"] = bytes.into();
        }
        self.registry.add_route(&json!({"path": self.layer_path, "steps": [step]}))
    }

    /// `HOST:PORT`.
    pub(super) fn address(&self) -> String {
        self.registry.https().to_owned()
    }

    /// The certificate authority that signed the server's certificate, PEM.
    pub(super) fn ca(&self) -> PathBuf {
        self.registry.ca().to_owned()
    }

    /// Its process.
    pub(super) fn id(&self) -> u32 {
        self.registry.id()
    }

    /// What has been asked since the last call of [`FarServer::forget`].
    pub(super) fn traffic(&self) -> Result<Traffic> {
        Ok(Traffic::of(&self.registry.log()?, &self.layer_path))
    }

    /// Counts anew.
    pub(super) fn forget(&self) -> Result<()> {
        self.registry.forget_log()
    }
}

/// How the server behaves, for the document.
pub(super) fn behaviour() -> String {
    format!(
        "over TLS from the project's test registry (`tests/registry`), which waits {} ms before each answer and sends \
         {:.0} MB/s on each connection",
        LATENCY.as_millis(),
        megabytes(BYTES_PER_SECOND as f64)
    )
}

/// What a server was asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Traffic {
    /// Requests of all kinds.
    pub(super) requests: usize,
    /// Connections on which the layer or a part of it was asked for.
    pub(super) layer_connections: usize,
    /// Bytes of the layer that were sent.
    pub(super) layer_bytes: u64,
}

impl Traffic {
    fn of(log: &[Value], layer_path: &str) -> Self {
        let of_layer = || log.iter().filter(|entry| entry["path"] == layer_path);
        let connections: BTreeSet<Option<u64>> = of_layer().map(|entry| entry["connection"].as_u64()).collect();
        Self {
            requests: log.len(),
            layer_connections: connections.len(),
            layer_bytes: of_layer().filter_map(|entry| entry["bodyBytes"].as_u64()).sum(),
        }
    }

    /// How many times a layer of `size` bytes was sent.
    pub(super) fn times_sent(&self, size: u64) -> f64 {
        self.layer_bytes as f64 / size as f64
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Traffic;

    #[test]
    fn all_requests_count_and_the_bytes_and_connections_of_the_layer() {
        let entry = |path: &str, connection: u64, bytes: Option<u64>| json!({"path": path, "connection": connection, "bodyBytes": bytes});
        let log = [
            entry("/v2/a/manifests/latest", 1, Some(500)),
            entry("/layer", 1, Some(60)),
            entry("/layer", 2, Some(50)),
            entry("/layer", 2, None),
        ];
        let traffic = Traffic::of(&log, "/layer");
        assert_eq!(traffic, Traffic { requests: 4, layer_connections: 2, layer_bytes: 110 });
        assert_eq!(traffic.times_sent(100), 1.1);
    }
}
