//! Images, and how they come into a registry (OCI distribution-spec, "Pushing").

use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::docker_registry::DockerRegistry;

pub(crate) const MEGABYTE: usize = 1024 * 1024;

/// An image of one layer for linux/amd64, behind an index.
pub(crate) struct PushedImage {
    pub(crate) repository: String,
    /// The tag of the index.
    pub(crate) tag: String,
    pub(crate) layer: Vec<u8>,
    pub(crate) layer_digest: String,
    pub(crate) manifest_digest: String,
    pub(crate) index_digest: String,
}

impl PushedImage {
    /// Pushes one whose layer has `size` bytes.
    pub(crate) async fn new(registry: &DockerRegistry, name: &str, size: usize) -> Self {
        let (repository, tag) = name.split_once(':').expect("a tag");
        let layer = content(size);
        let layer_digest = digest(&layer);
        let pusher = Pusher { registry, client: registry.http_client(), repository };
        let config = json!({
            "created": "2024-03-01T10:20:30Z",
            "os": "linux",
            "architecture": "amd64",
            "config": { "Labels": { "org.opencontainers.image.title": "Tests" } },
            "rootfs": { "type": "layers", "diff_ids": [layer_digest] },
        });
        let config = config.to_string().into_bytes();
        pusher.blob(&layer_digest, layer.clone()).await;
        pusher.blob(&digest(&config), config.clone()).await;

        let descriptor = |media_type: &str, size: usize, digest: &str| -> Value {
            json!({ "mediaType": format!("application/vnd.oci.image.{media_type}"), "size": size, "digest": digest })
        };
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor("config.v1+json", config.len(), &digest(&config)),
            "layers": [descriptor("layer.v1.tar+gzip", layer.len(), &layer_digest)],
        });
        let (manifest_digest, manifest_size) = (digest(manifest.to_string().as_bytes()), manifest.to_string().len());
        pusher.manifest(&manifest_digest, &manifest).await;

        let mut entry = descriptor("manifest.v1+json", manifest_size, &manifest_digest);
        entry["platform"] = json!({ "os": "linux", "architecture": "amd64" });
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [entry],
        });
        pusher.manifest(tag, &index).await;
        Self {
            repository: repository.to_owned(),
            tag: tag.to_owned(),
            layer,
            layer_digest,
            manifest_digest,
            index_digest: digest(index.to_string().as_bytes()),
        }
    }

    /// `repository:tag`.
    pub(crate) fn name(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }

    /// The path at which registries have the layer.
    pub(crate) fn layer_path(&self) -> String {
        format!("/v2/{}/blobs/{}", self.repository, self.layer_digest)
    }
}

struct Pusher<'a> {
    registry: &'a DockerRegistry,
    client: reqwest::Client,
    repository: &'a str,
}

impl Pusher<'_> {
    async fn blob(&self, digest: &str, content: Vec<u8>) {
        let uploads = self.url("blobs/uploads/");
        let upload = self.send(self.client.request(Method::POST, uploads.clone())).await;
        let location = upload.headers().get(LOCATION).expect("an upload has an address").to_str().expect("text");
        let mut target = uploads.join(location).expect("an address");
        target.query_pairs_mut().append_pair("digest", digest);
        self.send(self.client.put(target).body(content)).await;
    }

    async fn manifest(&self, version: &str, manifest: &Value) {
        let media_type = manifest["mediaType"].as_str().expect("a media type");
        let put = self.client.put(self.url(&format!("manifests/{version}")));
        self.send(put.header(CONTENT_TYPE, media_type).body(manifest.to_string())).await;
    }

    fn url(&self, path: &str) -> Url {
        let url = format!("{}/v2/{}/{path}", self.registry.url(), self.repository);
        Url::parse(&url).expect("an address")
    }

    async fn send(&self, request: RequestBuilder) -> Response {
        let request = match self.registry.login() {
            Some((user, password)) => request.basic_auth(user, Some(password)),
            None => request,
        };
        let response = request.send().await.expect("an answer");
        assert!(response.status().is_success(), "{} answered {}", response.url(), response.status());
        response
    }
}

/// Bytes that repeat nowhere, so that a piece in a wrong place shows.
fn content(size: usize) -> Vec<u8> {
    let mut content = Vec::with_capacity(size + size_of::<u64>());
    for number in 0..size.div_ceil(size_of::<u64>()) as u64 {
        content.extend_from_slice(&(number ^ 0x5bd1_e995).to_le_bytes());
    }
    content.truncate(size);
    content
}

fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    format!("sha256:{}", hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}
