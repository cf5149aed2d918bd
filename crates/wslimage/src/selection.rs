//! Which image of an index is the one for a platform.
//!
//! As containerd chooses (core/images, `Manifest`): of the entries for the platform the nearest, and of equals the first;
//! where no entry is for it, those that name no platform are looked into, and their configs decide. An entry may lead to
//! another index, in which the choice goes on.

use std::collections::{HashSet, VecDeque};

use bytes::Bytes;
use oci_spec::image::Digest;

use crate::artifact;
use crate::digest;
use crate::error::{Error, ErrorKind, Result, printable};
use crate::manifest::{self, ConfigDescriptor, Document, ImageManifest, IndexEntry, Layer};
use crate::metadata::Metadata;
use crate::platform::Platform;
use crate::progress::{Job, Stage};
use crate::registry::Fetched;

/// Indexes in indexes: tools make two of them.
const DEEPEST: usize = 8;
/// Whoever has more than so many entries without a platform names the image by its digest.
const MOST_DOCUMENTS: usize = 50;

/// Where documents come from, each verified by its digest.
pub(crate) trait Documents {
    /// The index or manifest that `entry` leads to, of which an image for `wanted` is hoped for.
    fn document(&self, entry: &IndexEntry, wanted: &Platform) -> impl Future<Output = Result<Fetched>> + Send;

    /// The config of an image.
    fn config(&self, config: &ConfigDescriptor) -> impl Future<Output = Result<Bytes>> + Send;
}

/// An image's manifest and config, read.
pub(crate) struct Chosen {
    pub(crate) platform: Platform,
    pub(crate) manifest: Fetched,
    pub(crate) layers: Vec<Layer>,
    pub(crate) config: Bytes,
    pub(crate) metadata: Metadata,
    /// The digests of the layers' plain bytes, one for each; none where they are not known.
    pub(crate) diff_ids: Vec<Digest>,
}

/// Fails for a platform whose images WSL does not run.
pub(crate) fn expect_linux(wanted: &Platform) -> Result<()> {
    if wanted.is_linux() {
        return Ok(());
    }
    let sort = if wanted.is_windows() { "a Windows image" } else { "no Linux image" };
    Err(Error::new(
        ErrorKind::UnsupportedImage,
        format!("An image for {wanted} is {sort}; WSL runs Linux distributions"),
    )
    .at(Stage::Resolving)
    .target(wanted)
    .advice("Ask for a Linux platform, such as linux/amd64."))
}

/// The image for `wanted` that `found`, a manifest or an index, leads to.
pub(crate) async fn choose(documents: &impl Documents, found: Fetched, wanted: &Platform, job: &Job) -> Result<Chosen> {
    match manifest::parse_document(&found.bytes, found.media_type.as_deref())? {
        Document::Manifest(document) => {
            let (chosen, offered) = read(documents, found, document, job).await?;
            accept(chosen, offered, wanted).map(|(_, chosen)| chosen).map_err(|offered| no_platform(wanted, &[offered]))
        }
        Document::Index(entries) => choose_of(documents, entries, wanted, job).await,
    }
}

/// The image for `wanted` among `entries` and what they lead to.
pub(crate) async fn choose_of(
    documents: &impl Documents,
    entries: Vec<IndexEntry>,
    wanted: &Platform,
    job: &Job,
) -> Result<Chosen> {
    let mut search = Search::default();
    search.enter(entries, wanted, 0);
    while let Some(step) = search.next()? {
        match search.take(documents, &step, wanted, job).await {
            Ok(true) => break,
            Ok(false) => {}
            // Of an entry that promises nothing, nothing is expected.
            Err(error) if step.is_guess && is_no_image(&error) => {
                search.refused.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    search.end(wanted)
}

fn is_no_image(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::UnsupportedImage | ErrorKind::NotFound | ErrorKind::BlobNotFound)
}

/// An entry that is to be looked into.
struct Step {
    entry: IndexEntry,
    depth: usize,
    /// Whether it names no platform.
    is_guess: bool,
}

#[derive(Default)]
struct Search {
    /// In the order of the index, what is in an index before what comes after it.
    steps: VecDeque<Step>,
    seen: HashSet<Digest>,
    best: Option<(u32, Chosen)>,
    /// The platforms that were named on the way.
    offered: Vec<Platform>,
    /// Why the first of those that promised nothing is no image.
    refused: Option<Error>,
}

impl Search {
    /// Goes on with the entries of an index: the nearest of those for the platform, or else all that name none.
    fn enter(&mut self, entries: Vec<IndexEntry>, wanted: &Platform, depth: usize) {
        let distance = |entry: &IndexEntry| entry.platform.as_ref().and_then(|offered| wanted.distance(offered));
        // The first of equals: that is the order in which whoever made the index prefers them.
        let nearest =
            (0..entries.len()).filter_map(|index| Some((distance(&entries[index])?, index))).min_by_key(|it| it.0);
        self.offered.extend(entries.iter().filter_map(|entry| entry.platform.clone()));
        let is_wanted = |index: usize, entry: &IndexEntry| match nearest {
            Some((_, nearest)) => index == nearest,
            None => entry.platform.is_none() && !entry.is_beside_images(),
        };
        let steps: Vec<Step> = entries
            .into_iter()
            .enumerate()
            .filter(|(index, entry)| is_wanted(*index, entry))
            .map(|(_, entry)| Step { entry, depth, is_guess: nearest.is_none() })
            .collect();
        steps.into_iter().rev().for_each(|step| self.steps.push_front(step));
    }

    fn next(&mut self) -> Result<Option<Step>> {
        while let Some(step) = self.steps.pop_front() {
            if !self.seen.insert(step.entry.digest.clone()) {
                if step.is_guess {
                    continue;
                }
                let message = format!("The index leads back to itself, at {}", step.entry.digest);
                return Err(Error::new(ErrorKind::UnsupportedImage, message));
            }
            if self.seen.len() > MOST_DOCUMENTS {
                // What was found among so many is as good as what may come.
                return if self.best.is_some() { Ok(None) } else { Err(too_many()) };
            }
            return Ok(Some(step));
        }
        Ok(None)
    }

    /// Looks into an entry, and tells whether nothing can be nearer than what it found.
    async fn take(&mut self, documents: &impl Documents, step: &Step, wanted: &Platform, job: &Job) -> Result<bool> {
        let entry = &step.entry;
        digest::expect_known(&entry.digest)?;
        let found = documents.document(entry, wanted).await?;
        if found.bytes.len() as u64 != entry.size {
            let message =
                format!("the index says {} bytes for {}, which has {}", entry.size, entry.digest, found.bytes.len());
            return Err(Error::new(ErrorKind::InvalidResponse, message));
        }
        let document = match manifest::parse_document(&found.bytes, found.media_type.as_deref())? {
            Document::Manifest(document) => document,
            Document::Index(entries) if step.depth < DEEPEST => {
                self.enter(entries, wanted, step.depth + 1);
                return Ok(false);
            }
            Document::Index(_) => return Err(too_deep()),
        };
        let (chosen, config_platform) = read(documents, found, document, job).await?;
        let (distance, chosen) = match &entry.platform {
            // It was chosen for it.
            Some(platform) => (0, Chosen { platform: platform.clone(), ..chosen }),
            None => match accept(chosen, config_platform, wanted) {
                Ok(accepted) => accepted,
                Err(offered) => {
                    self.offered.push(offered);
                    return Ok(false);
                }
            },
        };
        if self.best.as_ref().is_none_or(|(best, _)| distance < *best) {
            self.best = Some((distance, chosen));
        }
        Ok(distance == 0)
    }

    fn end(self, wanted: &Platform) -> Result<Chosen> {
        match (self.best, self.refused) {
            (Some((_, chosen)), _) => Ok(chosen),
            (None, Some(refused)) if !self.offered.iter().any(Platform::is_known) => Err(refused),
            (None, _) => Err(no_platform(wanted, &self.offered)),
        }
    }
}

fn too_many() -> Error {
    Error::new(
        ErrorKind::UnsupportedImage,
        format!(
            "None of the first {MOST_DOCUMENTS} manifests of the index is for the platform, and no entry names one"
        ),
    )
    .advice("Name the image by the digest of its manifest.")
}

fn too_deep() -> Error {
    Error::new(ErrorKind::UnsupportedImage, format!("The index leads to indexes more than {DEEPEST} deep"))
        .advice("Name the image by the digest of its manifest.")
}

/// What a manifest leads to, and the platform that its config names.
async fn read(
    documents: &impl Documents,
    manifest: Fetched,
    document: ImageManifest,
    job: &Job,
) -> Result<(Chosen, Platform)> {
    artifact::expect_image(&document, job)?;
    digest::expect_known(&document.config.digest)?;
    let config = documents.config(&document.config).await?;
    let metadata = Metadata::from_config(&config)?;
    let platform = manifest::config_platform(&config)?;
    let layers = document.layers;
    let diff_ids = diff_ids(&config, layers.len())?;
    Ok((Chosen { platform: platform.clone(), manifest, layers, config, metadata, diff_ids }, platform))
}

/// The digests of the plain bytes of `layers` layers. Docker refuses an image whose config names another number of them;
/// that is of no matter to a single layer, which may well be whole.
fn diff_ids(config: &[u8], layers: usize) -> Result<Vec<Digest>> {
    let named = manifest::config_diff_ids(config);
    match named.len() {
        0 => Ok(named),
        count if count == layers => Ok(named),
        _ if layers == 1 => Ok(Vec::new()),
        count => Err(Error::new(
            ErrorKind::UnsupportedImage,
            format!("The image's config names {count} layers (rootfs.diff_ids), but its manifest {layers}"),
        )
        .advice("The image is damaged: build or push it again.")),
    }
}

/// The image with the distance of its platform, as the config names it, from `wanted`; else that platform. A config that
/// names none is taken as what was asked for, after all that name theirs.
fn accept(chosen: Chosen, offered: Platform, wanted: &Platform) -> Result<(u32, Chosen), Platform> {
    if !offered.is_known() {
        return Ok((u32::MAX, Chosen { platform: wanted.clone(), ..chosen }));
    }
    match wanted.distance(&offered) {
        Some(distance) => Ok((distance, Chosen { platform: offered, ..chosen })),
        None => Err(offered),
    }
}

fn no_platform(wanted: &Platform, offered: &[Platform]) -> Error {
    let known: Vec<&Platform> = offered.iter().filter(|offered| offered.is_known()).collect();
    let mut names: Vec<String> = known.iter().map(ToString::to_string).collect();
    names.sort();
    names.dedup();
    let told = match names.as_slice() {
        [] => "The image names no platform".to_owned(),
        names => format!("The image is for {}", printable(&names.join(", "))),
    };
    let error = Error::new(
        ErrorKind::NoPlatform,
        format!("No {} manifest found in the image manifest. {told}, not for {wanted}", wanted.architecture()),
    )
    .target(wanted);
    match known.is_empty() || !known.iter().all(|offered| offered.is_windows()) {
        true => error,
        false => {
            error.advice("It is a Windows image; WSL runs Linux distributions. Take an image that is made for Linux.")
        }
    }
}
