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

use super::container::{Container, missing, missing_blob};
use crate::digest;
use crate::error::{Error, ErrorKind, Result, printable};
use crate::manifest::{self, ConfigDescriptor, IndexEntry};
use crate::platform::Platform;
use crate::progress::Job;
use crate::registry::{Fetched, LARGEST_CONFIG};
use crate::rootfs::Compression;
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
        let configured =
            images.iter().map(|image| Configured::new(container, image, job)).collect::<Result<Vec<_>>>()?;
        // In one go: a compressed archive has to be gone through for that.
        let mut unknown: Vec<&str> = configured.iter().flat_map(|image| image.unknown(container)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        let hashes = container.hashes(&unknown, job)?;
        let digests: HashMap<&str, Digest> = unknown.into_iter().zip(hashes).collect();
        let mut described = Self::default();
        configured.iter().try_for_each(|image| described.add(container, image, &digests))?;
        Ok(described)
    }

    fn add(&mut self, container: &Container, image: &Configured, digests: &HashMap<&str, Digest>) -> Result<()> {
        let mut layers = Vec::with_capacity(image.files.len());
        for (index, file) in image.files.iter().enumerate() {
            let length = container.length(file).ok_or_else(|| missing(file))?;
            let digest =
                image.told(container, index).or_else(|| digests.get(file.as_str())).ok_or_else(|| missing(file))?;
            let media_type = media_type(container.compression(file));
            layers.push(json!({"mediaType": media_type.as_ref(), "digest": digest, "size": length}));
        }
        let config = json!({
            "mediaType": MediaType::ImageConfig.as_ref(),
            "digest": image.config_digest,
            "size": image.config.len(),
        });
        let made = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::ImageManifest.as_ref(),
            "config": config,
            "layers": layers,
        });
        let made = Bytes::from(made.to_string());
        let digest = digest::sha256(&made);
        self.entries.push(IndexEntry::of(digest.clone(), made.len() as u64));
        self.files.insert(digest.clone(), image.files.clone());
        self.documents.insert(digest, made);
        self.documents.insert(image.config_digest.clone(), image.config.clone());
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

/// An image with its config.
struct Configured {
    config: Bytes,
    config_digest: Digest,
    /// The names of the layers.
    files: Vec<String>,
    diff_ids: Vec<Digest>,
}

impl Configured {
    fn new(container: &Container, image: &ArchivedImage, job: &Job) -> Result<Self> {
        let config = container.read(&image.config, LARGEST_CONFIG, job)?.ok_or_else(|| missing(&image.config))?;
        let config_digest = match image.id() {
            Some(id) => digest::verify(&config, &id).map(|()| id)?,
            None => digest::sha256(&config),
        };
        let files = image.layers.clone().unwrap_or_default();
        let mut diff_ids = manifest::config_diff_ids(&config);
        if diff_ids.len() != files.len() {
            diff_ids.clear();
        }
        Ok(Self { config, config_digest, files, diff_ids })
    }

    /// The digest of the layer at `index`, where the config tells it: that of what is not compressed.
    fn told(&self, container: &Container, index: usize) -> Option<&Digest> {
        self.diff_ids.get(index).filter(|_| container.compression(&self.files[index]) == Compression::None)
    }

    /// The layers whose digests have to be found out.
    fn unknown<'a>(&'a self, container: &'a Container) -> impl Iterator<Item = &'a str> {
        let files = self.files.iter().enumerate();
        files.filter(|(index, _)| self.told(container, *index).is_none()).map(|(_, file)| file.as_str())
    }
}

fn media_type(compression: Compression) -> MediaType {
    match compression {
        Compression::None => MediaType::ImageLayer,
        Compression::Gzip => MediaType::ImageLayerGzip,
        Compression::Zstd => MediaType::ImageLayerZstd,
    }
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
