//! The documents of an OCI image layout (OCI image-spec, image-layout.md).

use std::sync::Arc;

use bytes::Bytes;
use oci_spec::image::Digest;

use super::container::{Container, missing_blob};
use crate::digest;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::{self, ConfigDescriptor, Document, IndexEntry};
use crate::platform::Platform;
use crate::progress::Job;
use crate::registry::{Fetched, LARGEST_CONFIG, LARGEST_MANIFEST};
use crate::selection::Documents;
use crate::task::in_thread;

pub(super) const INDEX: &str = "index.json";

/// The images that the file `index.json` names.
pub(super) fn parse_index(json: &[u8]) -> Result<Vec<IndexEntry>> {
    match manifest::parse_document(json, None)? {
        Document::Index(entries) => Ok(entries),
        Document::Manifest(_) => {
            Err(Error::new(ErrorKind::InvalidResponse, "its index.json is an image's manifest and no index"))
        }
    }
}

/// The names of an image: the whole one first (containerd, docker and buildx), then the one of the OCI image-spec, which
/// many tools give as a tag only.
pub(super) fn names(entry: &IndexEntry) -> Vec<String> {
    ["io.containerd.image.name", "org.opencontainers.image.ref.name"]
        .iter()
        .filter_map(|name| entry.annotation(name))
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The name of a blob's file.
pub(super) fn file_of(digest: &Digest) -> Result<String> {
    // Of a known algorithm a digest is hexadecimal, and no path.
    digest::expect_known(digest)?;
    Ok(format!("blobs/{}/{}", digest.algorithm(), digest.digest()))
}

/// The documents among the blobs.
pub(super) struct Layout {
    pub(super) container: Arc<Container>,
    pub(super) job: Job,
}

impl Layout {
    async fn verified(&self, digest: &Digest, longest: usize) -> Result<Bytes> {
        let (name, digest) = (file_of(digest)?, digest.clone());
        let (container, job) = (self.container.clone(), self.job.clone());
        in_thread(move || {
            let bytes = container.read(&name, longest, &job)?.ok_or_else(|| missing_blob(&digest))?;
            digest::verify(&bytes, &digest)?;
            Ok(bytes)
        })
        .await
    }
}

impl Documents for Layout {
    async fn document(&self, entry: &IndexEntry, _wanted: &Platform) -> Result<Fetched> {
        let bytes = self.verified(&entry.digest, LARGEST_MANIFEST).await?;
        let media_type = manifest::own_media_type(&bytes).or_else(|| entry.media_type().map(str::to_owned));
        Ok(Fetched { digest: entry.digest.clone(), media_type, bytes })
    }

    async fn config(&self, config: &ConfigDescriptor) -> Result<Bytes> {
        self.verified(&config.digest, LARGEST_CONFIG).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::choice::{self, Candidate};

    #[test]
    fn fuzz_oci_layout() {
        crate::fuzz::check("oci_layout", |document| match parse_index(document) {
            Ok(entries) => {
                let candidates: Vec<Candidate> = entries
                    .iter()
                    .map(|entry| Candidate {
                        names: names(entry),
                        digest: Some(entry.digest.clone()),
                        platform: entry.platform.clone(),
                    })
                    .collect();
                choice::expect_sound(&candidates);
                for entry in &entries {
                    match file_of(&entry.digest) {
                        Ok(name) => {
                            let hexadecimal = name.rsplit('/').next().expect("a part");
                            assert!(name.starts_with("blobs/sha") && name.matches('/').count() == 2, "{name}");
                            assert!(hexadecimal.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
                        }
                        Err(error) => crate::fuzz::expect_printable(&error),
                    }
                }
            }
            Err(error) => crate::fuzz::expect_printable(&error),
        });
    }
}
