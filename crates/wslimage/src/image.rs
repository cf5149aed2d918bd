//! An image: what is asked for, and what is known of it.

use std::sync::Arc;

use bytes::Bytes;
use oci_spec::image::Digest;
use secrecy::SecretString;

use crate::manifest::Layer;
use crate::metadata::Metadata;
use crate::platform::Platform;
use crate::reference::Reference;
use crate::registry::Fetched;
use crate::selection::Chosen;
use crate::source::LocalImage;

/// Which image, for which platform, with which right.
#[derive(Clone, Debug)]
pub struct ImageRequest {
    /// The image.
    pub reference: Reference,
    /// The platform it is to run on.
    pub platform: Platform,
    /// A Bearer token that the caller has. It is used as it is; when it is refused, no other is got in its place.
    pub token: Option<SecretString>,
}

impl ImageRequest {
    /// The image `reference` for linux/amd64, with a token got where the registry asks for one.
    pub fn new(reference: Reference) -> Self {
        Self { reference, platform: Platform::default(), token: None }
    }
}

/// An image as a registry or a file describes it: all that is known before its layers are fetched.
#[derive(Clone, Debug)]
pub struct Image {
    origin: Origin,
    platform: Platform,
    manifest: Fetched,
    config: Bytes,
    metadata: Metadata,
    layers: Vec<Layer>,
    diff_ids: Vec<Digest>,
}

/// Where the layers of an image are.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    Registry(Box<ImageRequest>),
    Local(Arc<LocalImage>),
}

impl Image {
    pub(crate) fn new(origin: Origin, chosen: Chosen) -> Self {
        let Chosen { platform, manifest, layers, config, metadata, diff_ids } = chosen;
        Self { origin, platform, manifest, config, metadata, layers, diff_ids }
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The reference by which it was found at a registry; `None` for an image of a file or folder.
    pub fn reference(&self) -> Option<&Reference> {
        match &self.origin {
            Origin::Registry(request) => Some(&request.reference),
            Origin::Local(_) => None,
        }
    }

    /// What to call it: its reference, or its name in a file or folder with the path of that.
    pub fn name(&self) -> String {
        match &self.origin {
            Origin::Registry(request) => request.reference.to_string(),
            Origin::Local(image) => image.name().to_owned(),
        }
    }

    /// The platform it is for.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// The digest of its manifest (not of an index that leads to it).
    pub fn digest(&self) -> &Digest {
        &self.manifest.digest
    }

    /// The media type of its manifest; empty where nobody says it.
    pub fn media_type(&self) -> &str {
        self.manifest.media_type.as_deref().unwrap_or_default()
    }

    /// Its manifest, byte for byte.
    pub fn manifest_json(&self) -> &[u8] {
        &self.manifest.bytes
    }

    /// Its config, byte for byte.
    pub fn config_json(&self) -> &[u8] {
        &self.config
    }

    /// Its config in a form that every JSON reader takes.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Its layers, the lowest first; there is at least one.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The digests of the layers' plain (uncompressed) bytes in the order of the layers, as the config names them. Either
    /// one for each layer or none at all: then they are not known.
    pub fn diff_ids(&self) -> &[Digest] {
        &self.diff_ids
    }
}
