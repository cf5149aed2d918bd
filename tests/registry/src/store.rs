//! The repositories: their blobs, manifests and tags.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};

use crate::content::Content;
use crate::error::{Error, Result};

#[derive(Default)]
pub(crate) struct Store {
    repositories: RwLock<HashMap<String, Repository>>,
    /// Digests of files, so that a large one is hashed once however many images have it.
    files: Mutex<HashMap<PathBuf, HashedFile>>,
}

#[derive(Default)]
struct Repository {
    blobs: HashMap<String, Content>,
    manifests: HashMap<String, StoredManifest>,
    /// Tag to digest, sorted as a listing of tags is.
    tags: BTreeMap<String, String>,
}

#[derive(Clone)]
pub(crate) struct StoredManifest {
    pub(crate) media_type: String,
    pub(crate) text: Bytes,
}

struct HashedFile {
    length: u64,
    modified: Option<SystemTime>,
    digest: String,
}

impl Store {
    /// A file's content and digest. Blocks while a file is hashed that was not before.
    pub(crate) fn file(&self, path: &Path) -> Result<(Content, String)> {
        let content = Content::file(path)?;
        let metadata = fs::metadata(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
        let (length, modified) = (content.length(), metadata.modified().ok());
        let known = self.files.lock().get(path).and_then(|file| {
            (modified.is_some() && file.modified == modified && file.length == length).then(|| file.digest.clone())
        });
        let digest = match known {
            Some(digest) => digest,
            None => content.digest()?,
        };
        self.files.lock().insert(path.to_owned(), HashedFile { length, modified, digest: digest.clone() });
        Ok((content, digest))
    }

    pub(crate) fn put_blob(&self, repository: &str, digest: &str, content: Content) {
        self.change(repository, |it| it.blobs.insert(digest.to_owned(), content));
    }

    /// Stores a manifest under its digest, which is returned, and under `reference`.
    pub(crate) fn put_manifest(
        &self,
        repository: &str,
        reference: Option<&str>,
        media_type: &str,
        text: Bytes,
    ) -> Result<String> {
        let digest = Content::Memory(text.clone()).digest()?;
        let manifest = StoredManifest { media_type: media_type.to_owned(), text };
        self.change(repository, |it| {
            match reference {
                Some(claimed) if claimed.contains(':') => {
                    it.manifests.insert(claimed.to_owned(), manifest.clone());
                }
                Some(tag) => {
                    it.tags.insert(tag.to_owned(), digest.clone());
                }
                None => {}
            }
            it.manifests.insert(digest.clone(), manifest);
        });
        Ok(digest)
    }

    pub(crate) fn tag(&self, repository: &str, tag: &str, digest: &str) {
        self.change(repository, |it| it.tags.insert(tag.to_owned(), digest.to_owned()));
    }

    pub(crate) fn has(&self, repository: &str) -> bool {
        self.repositories.read().contains_key(repository)
    }

    pub(crate) fn blob(&self, repository: &str, digest: &str) -> Option<Content> {
        self.repositories.read().get(repository)?.blobs.get(digest).cloned()
    }

    /// The manifest and its digest, by tag or digest.
    pub(crate) fn manifest(&self, repository: &str, reference: &str) -> Option<(String, StoredManifest)> {
        let repositories = self.repositories.read();
        let repository = repositories.get(repository)?;
        let digest = repository.tags.get(reference).map_or(reference, String::as_str);
        Some((digest.to_owned(), repository.manifests.get(digest)?.clone()))
    }

    /// The tags in lexical order.
    pub(crate) fn tags(&self, repository: &str) -> Option<Vec<String>> {
        Some(self.repositories.read().get(repository)?.tags.keys().cloned().collect())
    }

    fn change<T>(&self, repository: &str, change: impl FnOnce(&mut Repository) -> T) {
        change(self.repositories.write().entry(repository.to_owned()).or_default());
    }
}
