//! The whole job, in the order in which it happens: reference, manifest and config, layer, file.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use oci_spec::image::Digest;
use reqwest::Method;
use secrecy::SecretString;

use crate::blob::{self, Destination};
use crate::cache::Cache;
use crate::digest;
use crate::error::{Error, ErrorKind, Result};
use crate::kept::Kept;
use crate::manifest::{self, ConfigDescriptor, Document, ImageManifest, IndexEntry, Layer};
use crate::metadata::Metadata;
use crate::platform::Platform;
use crate::progress::{Job, Stage};
use crate::reference::Reference;
use crate::registry::{Attempt, Client, Fetched, Session, nobody_to_ask};

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

/// An image as the registry describes it: all that is known before its layers are fetched.
#[derive(Clone, Debug)]
pub struct Image {
    request: ImageRequest,
    platform: Platform,
    manifest: Fetched,
    config: Bytes,
    metadata: Metadata,
    layers: Vec<Layer>,
}

impl Image {
    /// The reference by which it was found.
    pub fn reference(&self) -> &Reference {
        &self.request.reference
    }

    /// The platform it is for.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// The digest of its manifest (not of an index that leads to it).
    pub fn digest(&self) -> &Digest {
        &self.manifest.digest
    }

    /// The media type of its manifest.
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

    /// Its layers, the lowest first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }
}

/// A file that is complete and verified.
#[derive(Clone, Debug)]
pub struct PulledFile {
    path: PathBuf,
    digest: Digest,
    size: u64,
}

impl PulledFile {
    /// Where it is, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The digest of its bytes.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Its length in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// Looks an image up: index, the manifest for the platform, config. All are verified by their digests.
///
/// # Errors
/// [`ErrorKind::NotFound`], [`ErrorKind::Unauthorized`] and the other kinds of a registry's answer;
/// [`ErrorKind::NoPlatform`] when there is no manifest for the platform; [`ErrorKind::UnsupportedImage`] for an image of
/// several layers.
pub async fn resolve(client: &Client, request: ImageRequest, job: &Job) -> Result<Image> {
    let mut sessions = client.sessions(&request.reference, request.token.as_ref())?.into_iter();
    loop {
        let session = sessions.next().ok_or_else(nobody_to_ask)?;
        match find(&session, client.cache(), &request, job).await {
            Err(error) if session.is_left_after(&error) => client.leave_mirror(&session, &error, job),
            found => {
                let Found { platform, manifest, layers, config, metadata } = found?;
                return Ok(Image { request, platform, manifest, config, metadata, layers });
            }
        }
    }
}

/// What one place says of an image.
struct Found {
    platform: Platform,
    manifest: Fetched,
    layers: Vec<Layer>,
    config: Bytes,
    metadata: Metadata,
}

async fn find(session: &Session, cache: Option<&Cache>, request: &ImageRequest, job: &Job) -> Result<Found> {
    let reference = &request.reference;
    let kept = Kept::new(cache, job);
    let accept = manifest::accepted_media_types();
    let known = match reference.digest() {
        Some(digest) => kept.manifest(digest).await?,
        None => None,
    };
    let path = format!("manifests/{}", reference.version());
    let answer = if known.is_some() || session.is_signed_in(job).await? {
        None
    } else {
        session.announce_sign_in(job);
        session.sign_in(Method::GET, &path, &accept, job).await?
    };
    job.observer().stage(Stage::Resolving);
    let found = async {
        let found = match known {
            Some(known) => known,
            None => {
                job.verbose(format!("Getting docker image manifest {}...", session.url(&path)?));
                let found = session.manifest(reference.version(), &accept, answer, reference.digest(), job).await?;
                kept.keep(&found.digest, &found.bytes).await?;
                found
            }
        };
        let (manifest, document, listed_platform) =
            match manifest::parse_document(&found.bytes, found.media_type.as_deref())? {
                Document::Manifest(document) => (found, document, None),
                Document::Index(entries) => {
                    let entry = choose(&entries, &request.platform)?;
                    let (manifest, document) = manifest_of(session, &kept, entry, &request.platform, job).await?;
                    (manifest, document, entry.platform.clone())
                }
            };
        expect_one_layer(&document.layers, reference)?;
        digest::expect_known(&document.config.digest)?;
        let config = config_of(session, &kept, &document.config, job).await?;
        let metadata = Metadata::from_config(&config)?;
        let platform = match listed_platform {
            Some(platform) => platform,
            None => expect_platform(&config, &request.platform)?,
        };
        Ok(Found { platform, manifest, layers: document.layers, config, metadata })
    };
    found.await.map_err(|error| Attempt::Manifest.failed(error, &reference.to_string()))
}

async fn config_of(session: &Session, kept: &Kept<'_>, config: &ConfigDescriptor, job: &Job) -> Result<Bytes> {
    let fetch = async {
        job.verbose(format!("Getting docker image config {}...", session.url(&format!("blobs/{}", config.digest))?));
        session.config(&config.digest, config.accepted(), job).await
    };
    kept.config_or(&config.digest, fetch).await
}

/// Fetches an image into the file `destination`, which appears, or is replaced, only when all of it is there and verified.
///
/// An image of one layer becomes that layer's blob, byte for byte.
///
/// # Errors
/// [`ErrorKind::DigestMismatch`]; [`ErrorKind::File`] for
/// the destination; the kinds of a registry's answer. What was at `destination` before is then still there.
pub async fn pull(client: &Client, image: &Image, destination: &Path, job: &Job) -> Result<PulledFile> {
    expect_one_layer(image.layers(), image.reference())?;
    let layer = &image.layers()[0];
    let destination = Destination::new(destination)?;
    job.observer().expects(1, layer.size());
    job.observer().stage(Stage::Downloading);
    let sessions = client.sessions(image.reference(), image.request.token.as_ref())?;
    blob::download(client, sessions, layer, &destination, job).await?;
    job.observer().stage(Stage::Done);
    Ok(PulledFile { path: destination.path().to_owned(), digest: layer.digest().clone(), size: layer.size() })
}

/// Until several layers can become one archive, an image of one is all that can be pulled.
fn expect_one_layer(layers: &[Layer], reference: &Reference) -> Result<()> {
    match layers.len() {
        1 => Ok(()),
        count => Err(Error::new(
            ErrorKind::UnsupportedImage,
            format!("The image should have exactly one layer. {reference} has {count}"),
        )
        .target(reference)),
    }
}

fn choose<'a>(entries: &'a [IndexEntry], wanted: &Platform) -> Result<&'a IndexEntry> {
    let distance = |entry: &IndexEntry| entry.platform.as_ref().and_then(|offered| wanted.distance(offered));
    entries
        .iter()
        .filter_map(|entry| distance(entry).map(|distance| (distance, entry)))
        // The first of equals: that is the order in which whoever made the index prefers them.
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, entry)| entry)
        .ok_or_else(|| no_platform(wanted, entries.iter().filter_map(|entry| entry.platform.as_ref())))
}

fn no_platform<'a>(wanted: &Platform, offered: impl Iterator<Item = &'a Platform>) -> Error {
    let mut offered: Vec<String> = offered.filter(|offered| offered.is_known()).map(Platform::to_string).collect();
    offered.sort();
    offered.dedup();
    let offered = match offered.as_slice() {
        [] => "The image names no platform".to_owned(),
        names => format!("The image is for {}", crate::error::printable(&names.join(", "))),
    };
    Error::new(
        ErrorKind::NoPlatform,
        format!("No {} manifest found in the image manifest. {offered}, not for {wanted}", wanted.architecture()),
    )
    .target(wanted)
}

async fn manifest_of(
    session: &Session,
    kept: &Kept<'_>,
    entry: &IndexEntry,
    platform: &Platform,
    job: &Job,
) -> Result<(Fetched, ImageManifest)> {
    digest::expect_known(&entry.digest)?;
    let fetch = async {
        let url = session.url(&format!("manifests/{}", entry.digest))?;
        job.verbose(format!("Getting docker image {} manifest {url}...", platform.architecture()));
        let accept = entry.accepted();
        session.manifest(entry.digest.as_ref(), &accept, None, Some(&entry.digest), job).await
    };
    let manifest = kept.manifest_or(&entry.digest, fetch).await?;
    if manifest.bytes.len() as u64 != entry.size {
        return Err(Error::new(
            ErrorKind::InvalidResponse,
            format!("the index says {} bytes for {}, which has {}", entry.size, entry.digest, manifest.bytes.len()),
        ));
    }
    match manifest::parse_document(&manifest.bytes, manifest.media_type.as_deref())? {
        Document::Manifest(document) => Ok((manifest, document)),
        Document::Index(_) => Err(Error::new(
            ErrorKind::UnsupportedImage,
            format!("The index leads to another index, {}, for {platform}", entry.digest),
        )),
    }
}

/// The platform that a config names: it decides where no index does. One that names none is taken as what was asked for.
fn expect_platform(config: &[u8], wanted: &Platform) -> Result<Platform> {
    let offered = manifest::config_platform(config)?;
    if !offered.is_known() {
        return Ok(wanted.clone());
    }
    match wanted.distance(&offered) {
        Some(_) => Ok(offered),
        None => Err(no_platform(wanted, std::iter::once(&offered))),
    }
}
