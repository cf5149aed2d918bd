//! Indexes, manifests and configs: what a registry sends, read with the types of the OCI image-spec.
//!
//! Docker's schema 2 has the same members under other media types, so one reader serves both.

use oci_spec::image::{Digest, MediaType};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::{Error, ErrorKind, Result};
use crate::platform::Platform;

pub(crate) const DOCKER_MANIFEST_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1";

/// What is asked for in `Accept` when the sort of manifest is not known yet.
pub(crate) fn accepted_media_types() -> String {
    [MediaType::ImageIndex.as_ref(), MediaType::ImageManifest.as_ref(), DOCKER_MANIFEST_LIST, DOCKER_MANIFEST]
        .join(", ")
}

/// A manifest of an index, for one platform.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IndexEntry {
    #[serde(default = "image_manifest")]
    pub(crate) media_type: MediaType,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) platform: Option<Platform>,
}

fn image_manifest() -> MediaType {
    MediaType::ImageManifest
}

/// A blob of an image: its root filesystem or a change to it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Layer {
    media_type: MediaType,
    digest: Digest,
    size: u64,
    urls: Option<Vec<String>>,
}

impl Layer {
    /// The media type, such as `application/vnd.oci.image.layer.v1.tar+gzip`.
    pub fn media_type(&self) -> &str {
        self.media_type.as_ref()
    }

    /// The digest of the blob as the registry holds it.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The length of the blob in bytes, as the manifest says it.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Where the blob is too (OCI image-spec, descriptor.md, `urls`): registries need not hold a foreign layer.
    pub fn urls(&self) -> &[String] {
        self.urls.as_deref().unwrap_or_default()
    }
}

/// Where the config is.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConfigDescriptor {
    pub(crate) media_type: MediaType,
    pub(crate) digest: Digest,
}

/// What stands under a tag or digest.
pub(crate) enum Document {
    Index(Vec<IndexEntry>),
    Manifest(ImageManifest),
}

pub(crate) struct ImageManifest {
    pub(crate) config: ConfigDescriptor,
    pub(crate) layers: Vec<Layer>,
}

/// Reads an index or a manifest, told apart by their members: servers send wrong types.
pub(crate) fn parse_document(json: &[u8], content_type: Option<&str>) -> Result<Document> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Members<'a> {
        schema_version: Option<u64>,
        #[serde(borrow)]
        manifests: Option<&'a RawValue>,
        #[serde(borrow)]
        layers: Option<&'a RawValue>,
        #[serde(borrow)]
        config: Option<&'a RawValue>,
    }
    let members: Members<'_> = serde_json::from_slice(json).map_err(|error| not_json(json, content_type, error))?;
    if members.schema_version == Some(1) || content_type.is_some_and(|t| t.starts_with(DOCKER_SCHEMA_1)) {
        return Err(Error::new(
            ErrorKind::UnsupportedImage,
            "The image has a Docker schema 1 manifest, a form given up in 2017 that says neither sizes nor platform",
        )
        .advice("Push the image again with a current tool."));
    }
    if let Some(manifests) = members.manifests {
        let entries: Option<Vec<IndexEntry>> = parse_member(manifests, "manifests")?;
        return match entries {
            Some(entries) if !entries.is_empty() => Ok(Document::Index(entries)),
            _ => Err(no_manifests()),
        };
    }
    if members.config.is_none() && members.layers.is_none() {
        return Err(no_manifests());
    }
    let layers: Vec<Layer> = match members.layers {
        Some(layers) => parse_member::<Option<_>>(layers, "layers")?.unwrap_or_default(),
        None => Vec::new(),
    };
    if layers.is_empty() {
        return Err(Error::new(ErrorKind::UnsupportedImage, "The image layers are missing"));
    }
    let config =
        members.config.ok_or_else(|| Error::new(ErrorKind::InvalidResponse, "the image manifest names no config"))?;
    Ok(Document::Manifest(ImageManifest { config: parse_member(config, "config")?, layers }))
}

/// The media type that a manifest gives itself.
pub(crate) fn media_type(json: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Members {
        media_type: Option<String>,
    }
    serde_json::from_slice::<Members>(json).ok()?.media_type
}

fn no_manifests() -> Error {
    Error::new(ErrorKind::UnsupportedImage, "No manifests found in the image manifest")
}

fn parse_member<'a, T: Deserialize<'a>>(value: &'a RawValue, name: &str) -> Result<T> {
    serde_json::from_str(value.get()).map_err(|error| {
        let reason = crate::error::printable(&error.to_string());
        Error::new(ErrorKind::InvalidResponse, format!("\"{name}\" of the manifest cannot be read: {reason}"))
            .caused_by(error)
    })
}

fn not_json(body: &[u8], content_type: Option<&str>, error: serde_json::Error) -> Error {
    let is_page = content_type.is_some_and(|content_type| content_type.starts_with("text/html"));
    let content_type = content_type.map_or_else(|| "no content type".to_owned(), crate::error::printable);
    let beginning = String::from_utf8_lossy(&body[..body.len().min(40)]);
    let failure = Error::new(
        ErrorKind::InvalidResponse,
        format!(
            "the answer is not a manifest ({content_type}, beginning \"{}\"): {error}",
            crate::error::printable(&beginning)
        ),
    )
    .caused_by(error);
    if is_page {
        return failure.advice("A web page came instead: a proxy or the network's sign-in page may stand in between.");
    }
    failure
}

/// The platform that a config says its image is for.
pub(crate) fn config_platform(config: &[u8]) -> Result<Platform> {
    serde_json::from_slice(config).map_err(|error| {
        Error::new(ErrorKind::InvalidResponse, format!("the image config cannot be read: {error}")).caused_by(error)
    })
}
