//! What `docker save` and `podman save` write (Docker image specification 1.2, "Combined Image JSON + Filesystem
//! Changeset Format"): a list of images, each with the names of its config and of its layers' archives.
//!
//! Such an image has no manifest; one is made for it, so that it can be read as any other.

use std::collections::HashMap;
use std::str::FromStr as _;
use std::sync::Arc;

use bytes::Bytes;
use oci_spec::image::{Digest, MediaType};
use serde::Deserialize;
use serde_json::json;

use super::compression::Compression;
use super::container::{Container, missing, missing_blob};
use crate::digest::{self, Hasher};
use crate::error::{Error, ErrorKind, Result, printable};
use crate::manifest::{self, ConfigDescriptor, IndexEntry};
use crate::platform::Platform;
use crate::progress::Job;
use crate::registry::{Fetched, LARGEST_CONFIG};
use crate::selection::Documents;

pub(super) const MANIFEST: &str = "manifest.json";

/// An image as `manifest.json` names it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "an object")]
pub(super) struct ArchivedImage {
    /// The name of its config, in most archives after the digest.
    pub(super) config: String,
    repo_tags: Option<Vec<String>>,
    /// The names of its layers' archives, the lowest first.
    layers: Option<Vec<String>>,
}

impl ArchivedImage {
    pub(super) fn names(&self) -> &[String] {
        self.repo_tags.as_deref().unwrap_or_default()
    }

    /// The digest of its config, docker's image ID, as far as the name tells it.
    pub(super) fn id(&self) -> Option<Digest> {
        let name = self.config.rsplit('/').next().unwrap_or_default();
        let name = name.strip_suffix(".json").unwrap_or(name);
        let name = name.strip_prefix("sha256:").unwrap_or(name);
        Digest::from_str(&format!("sha256:{name}")).ok()
    }
}

/// The images that the file `manifest.json` names.
pub(super) fn parse_manifest(json: &[u8]) -> Result<Vec<ArchivedImage>> {
    let images: Vec<ArchivedImage> = serde_json::from_slice(json).map_err(|error| {
        let message = format!("its manifest.json cannot be read: {}", printable(&error.to_string()));
        Error::new(ErrorKind::InvalidResponse, message)
    })?;
    if images.is_empty() {
        return Err(Error::new(ErrorKind::UnsupportedImage, "its manifest.json names no image"));
    }
    Ok(images)
}

/// Images of an archive with the manifests that were made for them.
#[derive(Default)]
pub(super) struct Described {
    pub(super) entries: Vec<IndexEntry>,
    documents: HashMap<Digest, Bytes>,
    /// The names of the layers, by the manifest's digest.
    files: HashMap<Digest, Vec<String>>,
}

impl Described {
    /// Blocks.
    pub(super) fn new(container: &Arc<Container>, images: &[ArchivedImage], job: &Job) -> Result<Self> {
        let mut described = Self::default();
        images.iter().try_for_each(|image| described.add(container, image, job))?;
        Ok(described)
    }

    fn add(&mut self, container: &Container, image: &ArchivedImage, job: &Job) -> Result<()> {
        let config = container.read(&image.config, LARGEST_CONFIG, job)?.ok_or_else(|| missing(&image.config))?;
        let config_digest = match image.id() {
            Some(id) => digest::verify(&config, &id).map(|()| id)?,
            None => digest::sha256(&config),
        };
        let files = image.layers.clone().unwrap_or_default();
        let diff_ids = manifest::config_diff_ids(&config);
        let is_told = diff_ids.len() == files.len();
        let mut layers = Vec::with_capacity(files.len());
        for (index, file) in files.iter().enumerate() {
            let length = container.length(file).ok_or_else(|| missing(file))?;
            let compression = container.compression(file);
            let digest = match diff_ids.get(index).filter(|_| is_told && compression.is_none()) {
                Some(diff_id) => diff_id.clone(),
                None => hash(container, file, job)?,
            };
            layers.push(json!({"mediaType": media_type(compression).as_ref(), "digest": digest, "size": length}));
        }
        let made = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::ImageManifest.as_ref(),
            "config": {"mediaType": MediaType::ImageConfig.as_ref(), "digest": config_digest, "size": config.len()},
            "layers": layers,
        });
        let made = Bytes::from(made.to_string());
        let digest = digest::sha256(&made);
        self.entries.push(IndexEntry::of(digest.clone(), made.len() as u64));
        self.files.insert(digest.clone(), files);
        self.documents.insert(digest, made);
        self.documents.insert(config_digest, config);
        Ok(())
    }

    /// The names of the layers of an image.
    pub(super) fn files(&self, manifest: &Digest) -> Vec<String> {
        self.files.get(manifest).cloned().unwrap_or_default()
    }

    fn document_of(&self, digest: &Digest) -> Result<Bytes> {
        self.documents.get(digest).cloned().ok_or_else(|| missing_blob(digest))
    }
}

fn media_type(compression: Option<Compression>) -> MediaType {
    match compression {
        None => MediaType::ImageLayer,
        Some(Compression::Gzip) => MediaType::ImageLayerGzip,
        Some(Compression::Zstd) => MediaType::ImageLayerZstd,
    }
}

fn hash(container: &Container, file: &str, job: &Job) -> Result<Digest> {
    let hash = container.hash(file, Hasher::Sha256(Default::default()), job)?;
    Ok(Digest::from_str(&format!("sha256:{hash}")).expect("64 hexadecimal digits are a digest"))
}

impl Documents for Described {
    async fn document(&self, entry: &IndexEntry, _wanted: &Platform) -> Result<Fetched> {
        let bytes = self.document_of(&entry.digest)?;
        Ok(Fetched { digest: entry.digest.clone(), media_type: manifest::own_media_type(&bytes), bytes })
    }

    async fn config(&self, config: &ConfigDescriptor) -> Result<Bytes> {
        self.document_of(&config.digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::choice::{self, Candidate};

    #[test]
    fn fuzz_docker_archive() {
        crate::fuzz::check("docker_archive", |document| match parse_manifest(document) {
            Ok(images) => {
                assert!(!images.is_empty());
                let candidates: Vec<Candidate> = images
                    .iter()
                    .map(|image| Candidate { names: image.names().to_vec(), digest: image.id(), platform: None })
                    .collect();
                choice::expect_sound(&candidates);
            }
            Err(error) => crate::fuzz::expect_printable(&error),
        });
    }
}
