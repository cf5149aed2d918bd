//! What a test puts up: images with their indexes, manifests and configs, single blobs and single manifests.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use crate::auth::Auth;
use crate::content::Content;
use crate::error::{Error, Result};
use crate::options::RepositoryOptions;
use crate::store::Store;

/// Bytes to serve as a blob; exactly one of `text`, `base64` and `file` is set.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Blob {
    /// The blob's text, served as UTF-8.
    pub text: Option<String>,
    /// The blob's bytes, in standard base64.
    pub base64: Option<String>,
    /// A file on the registry's machine, read whenever the blob is asked for.
    pub file: Option<PathBuf>,
    /// The media type in the manifest. Default: a gzip layer of the image's family (OCI or Docker).
    pub media_type: Option<String>,
    /// A digest to claim instead of the true one; the blob is served under it.
    pub digest: Option<String>,
    /// A size in bytes to claim in the manifest instead of the true one.
    pub size: Option<u64>,
}

impl Blob {
    /// A blob of this text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }

    /// A blob of these bytes.
    pub fn bytes(bytes: impl AsRef<[u8]>) -> Self {
        Self { base64: Some(STANDARD.encode(bytes)), ..Self::default() }
    }

    /// A blob that is this file, which must stay as it is.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { file: Some(path.into()), ..Self::default() }
    }

    /// Puts the blob into the repository and tells how a manifest refers to it.
    pub(crate) fn store(&self, store: &Store, repository: &str, media_type: &str) -> Result<StoredBlob> {
        let (content, true_digest) = match (&self.text, &self.base64, &self.file) {
            (Some(text), None, None) => memory(text.clone().into())?,
            (None, Some(base64), None) => {
                let bytes = STANDARD.decode(base64).map_err(|error| Error::Invalid(format!("base64: {error}")))?;
                memory(bytes.into())?
            }
            (None, None, Some(path)) => store.file(path)?,
            _ => return Err(Error::Invalid("a blob has one of text, base64 and file".to_owned())),
        };
        let digest = self.digest.clone().unwrap_or(true_digest);
        let size = self.size.unwrap_or(content.length());
        let media_type = self.media_type.clone().unwrap_or(media_type.to_owned());
        let diff_id = content.plain_digest()?.unwrap_or_else(|| digest.clone());
        store.put_blob(repository, &digest, content);
        Ok(StoredBlob { descriptor: Descriptor { media_type, digest, size }, diff_id })
    }
}

/// A blob in a repository.
pub(crate) struct StoredBlob {
    pub(crate) descriptor: Descriptor,
    diff_id: String,
}

fn memory(bytes: Bytes) -> Result<(Content, String)> {
    let content = Content::Memory(bytes);
    let digest = content.digest()?;
    Ok((content, digest))
}

/// The layers of a manifest.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(untagged)]
pub enum Layers {
    /// The manifest has no member `layers`.
    #[default]
    #[serde(skip)]
    Absent,
    /// The member is null.
    Null,
    /// The member is a list, which may be empty.
    List(Vec<Blob>),
}

impl Layers {
    fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    fn list(&self) -> &[Blob] {
        match self {
            Self::List(layers) => layers,
            Self::Absent | Self::Null => &[],
        }
    }
}

impl<'de> Deserialize<'de> for Layers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::List))
    }
}

impl From<Vec<Blob>> for Layers {
    fn from(layers: Vec<Blob>) -> Self {
        Self::List(layers)
    }
}

/// The image for one platform.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Platform {
    /// The entry's `platform` in the index; members that are null are left out. `None`: the entry has none.
    pub platform: Option<Map<String, Value>>,
    /// The config. Default: one with `created`, `os`, `architecture`, `config.Labels`, `history` and `rootfs`, whose
    /// `diff_ids` are the digests of what is in gzip layers, and of other layers as they are served.
    pub config: Option<Value>,
    /// The config as exact text, JSON or not. Wins over `config`.
    pub config_text: Option<String>,
    /// The layers, lowest first.
    #[serde(skip_serializing_if = "Layers::is_absent")]
    pub layers: Layers,
    /// Members that are merged into the manifest: objects at any depth, everything else replaces what was there.
    pub manifest: Map<String, Value>,
    /// Members that are merged in the same way into the entry of the index.
    pub descriptor: Map<String, Value>,
}

impl Platform {
    /// An image for this platform.
    pub fn new(os: &str, architecture: &str, layers: Vec<Blob>) -> Self {
        let mut platform = Map::new();
        platform.insert("os".to_owned(), os.into());
        platform.insert("architecture".to_owned(), architecture.into());
        Self { platform: Some(platform), layers: layers.into(), ..Self::default() }
    }

    /// An image for linux/amd64.
    pub fn linux_amd64(layers: Vec<Blob>) -> Self {
        Self::new("linux", "amd64", layers)
    }

    fn config_bytes(&self, platform: Option<&Map<String, Value>>, layers: &[StoredBlob]) -> Bytes {
        if let Some(text) = &self.config_text {
            return text.clone().into();
        }
        let config = self.config.clone().unwrap_or_else(|| {
            let member = |name, default: &str| platform.and_then(|it| it.get(name)).cloned().unwrap_or(default.into());
            let mut config = json!({
                "created": "2024-03-01T10:20:30Z",
                "os": member("os", "linux"),
                "architecture": member("architecture", "amd64"),
                "config": {"Labels": {"org.opencontainers.image.title": "an image for tests"}},
                "rootfs": {"type": "layers", "diff_ids": layers.iter().map(|it| &it.diff_id).collect::<Vec<_>>()},
                "history": layers.iter().map(|_| json!({"created_by": "ADD rootfs /"})).collect::<Vec<_>>(),
            });
            if let Some(variant) = platform.and_then(|it| it.get("variant")) {
                config["variant"] = variant.clone();
            }
            config
        });
        config.to_string().into()
    }
}

/// An image under its tags.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Image {
    /// The repository, which no other test uses.
    pub repository: String,
    /// The tags. Default: `latest`.
    pub tags: Vec<String>,
    /// Who may read the repository; `None` leaves it as it is, and a new one is open to everybody.
    pub auth: Option<Auth>,
    /// What the repository does otherwise than others; `None` leaves it as it is.
    pub options: Option<RepositoryOptions>,
    /// The image for each platform, in the order of the index.
    pub platforms: Vec<Platform>,
    /// Whether the tags name an index (default) or the manifest of the first platform.
    pub index: bool,
    /// Docker's media types (schema 2) instead of OCI's.
    pub docker: bool,
    /// Members that are merged into the index as [`Platform::manifest`] into a manifest.
    pub index_overrides: Map<String, Value>,
}

impl Default for Image {
    fn default() -> Self {
        Self {
            repository: String::new(),
            tags: vec!["latest".to_owned()],
            auth: None,
            options: None,
            platforms: Vec::new(),
            index: true,
            docker: false,
            index_overrides: Map::new(),
        }
    }
}

impl Image {
    pub(crate) fn store(&self, store: &Store) -> Result<ImageDigests> {
        if self.repository.is_empty() || self.platforms.is_empty() {
            return Err(Error::Invalid("an image has a repository and at least one of platforms".to_owned()));
        }
        let types = if self.docker { &DOCKER } else { &OCI };
        let mut digests = ImageDigests::default();
        let mut entries = Vec::new();
        for platform in &self.platforms {
            entries.push(self.store_platform(platform, types, store, &mut digests)?);
        }
        let tagged = if self.index {
            let mut index = json!({"schemaVersion": 2, "mediaType": types.index, "manifests": entries});
            merge(&mut index, &self.index_overrides);
            let stored = store_json(store, &self.repository, &index, types.index)?;
            digests.index.insert(stored.digest).clone()
        } else {
            digests.manifests[0].clone()
        };
        for tag in &self.tags {
            store.tag(&self.repository, tag, &tagged);
        }
        Ok(digests)
    }

    /// Stores one platform's blobs and manifest and makes its entry in the index.
    fn store_platform(
        &self,
        platform: &Platform,
        types: &MediaTypes,
        store: &Store,
        digests: &mut ImageDigests,
    ) -> Result<Value> {
        let stored: Vec<StoredBlob> = platform
            .layers
            .list()
            .iter()
            .map(|layer| layer.store(store, &self.repository, types.layer))
            .collect::<Result<_>>()?;
        let named = platform.platform.as_ref().map(|platform| {
            let members = platform.iter().filter(|(_, value)| !value.is_null());
            members.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>()
        });
        let (content, digest) = memory(platform.config_bytes(named.as_ref(), &stored))?;
        let layers: Vec<Descriptor> = stored.into_iter().map(|blob| blob.descriptor).collect();
        let config = Descriptor { media_type: types.config.to_owned(), digest, size: content.length() };
        store.put_blob(&self.repository, &config.digest, content);

        let mut manifest = json!({"schemaVersion": 2, "mediaType": types.manifest, "config": config});
        match &platform.layers {
            Layers::Absent => {}
            Layers::Null => manifest["layers"] = Value::Null,
            Layers::List(_) => manifest["layers"] = json!(layers),
        }
        merge(&mut manifest, &platform.manifest);
        let stored = store_json(store, &self.repository, &manifest, types.manifest)?;
        let mut entry = json!(stored);
        if let Some(named) = named {
            entry["platform"] = named.into();
        }
        merge(&mut entry, &platform.descriptor);

        digests.manifests.push(stored.digest);
        digests.configs.push(config.digest);
        digests.layers.push(layers);
        Ok(entry)
    }
}

/// Stores an index or a manifest under its digest. Its own `mediaType`, if it is a text, is what it is served as.
fn store_json(store: &Store, repository: &str, json: &Value, media_type: &str) -> Result<Descriptor> {
    let media_type = json["mediaType"].as_str().unwrap_or(media_type);
    let text = Bytes::from(json.to_string());
    let size = text.len() as u64;
    let digest = store.put_manifest(repository, None, media_type, text)?;
    Ok(Descriptor { media_type: media_type.to_owned(), digest, size })
}

fn merge(into: &mut Value, members: &Map<String, Value>) {
    for (name, value) in members {
        match value {
            Value::Object(inner) if into[name].is_object() => merge(&mut into[name], inner),
            _ => into[name] = value.clone(),
        }
    }
}

struct MediaTypes {
    index: &'static str,
    manifest: &'static str,
    config: &'static str,
    layer: &'static str,
}

/// [Media types of the OCI image specification](https://github.com/opencontainers/image-spec/blob/main/media-types.md).
const OCI: MediaTypes = MediaTypes {
    index: "application/vnd.oci.image.index.v1+json",
    manifest: "application/vnd.oci.image.manifest.v1+json",
    config: "application/vnd.oci.image.config.v1+json",
    layer: "application/vnd.oci.image.layer.v1.tar+gzip",
};

/// [Docker's image manifest version 2, schema 2](https://distribution.github.io/distribution/spec/manifest-v2-2/).
const DOCKER: MediaTypes = MediaTypes {
    index: "application/vnd.docker.distribution.manifest.list.v2+json",
    manifest: "application/vnd.docker.distribution.manifest.v2+json",
    config: "application/vnd.docker.container.image.v1+json",
    layer: "application/vnd.docker.image.rootfs.diff.tar.gzip",
};

/// How a manifest refers to a blob, with the lies that the test asked for.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The media type.
    pub media_type: String,
    /// The digest, under which the registry serves the blob.
    pub digest: String,
    /// The size in bytes.
    pub size: u64,
}

/// Where the parts of an image are.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct ImageDigests {
    /// The digest of the index, where there is one.
    pub index: Option<String>,
    /// The digest of each platform's manifest.
    pub manifests: Vec<String>,
    /// The digest of each platform's config.
    pub configs: Vec<String>,
    /// Each platform's layers.
    pub layers: Vec<Vec<Descriptor>>,
}

/// One blob of a repository.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RepositoryBlob {
    /// The repository.
    pub repository: String,
    /// The blob.
    pub blob: Blob,
}

/// One manifest (or index) of a repository; exactly one of `text` and `json` is set.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Manifest {
    /// The repository.
    pub repository: String,
    /// A tag, or a digest, which need not be the true one. The manifest is always there under its true digest too.
    pub reference: String,
    /// The Content-Type to serve it with.
    pub media_type: String,
    /// The manifest as exact text, JSON or not.
    pub text: Option<String>,
    /// The manifest.
    pub json: Option<Value>,
}

impl Manifest {
    pub(crate) fn store(&self, store: &Store) -> Result<String> {
        if self.repository.is_empty() || self.reference.is_empty() {
            return Err(Error::Invalid("a manifest has a repository and a reference".to_owned()));
        }
        let text = match (&self.text, &self.json) {
            (Some(text), None) => text.clone(),
            (None, Some(json)) => json.to_string(),
            _ => return Err(Error::Invalid("a manifest has one of text and json".to_owned())),
        };
        store.put_manifest(&self.repository, Some(&self.reference), &self.media_type, text.into())
    }
}
