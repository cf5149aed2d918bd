//! A file or folder that holds images.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use oci_spec::image::Digest;

use super::choice::{self, Candidate};
use super::container::{Container, missing_blob};
use super::docker_archive::{self, ArchivedImage, Described};
use super::local_image::LocalImage;
use super::oci_layout::{self, Layout};
use crate::error::{Error, ErrorKind, Result};
use crate::image::{Image, Origin};
use crate::manifest::{IndexEntry, Layer};
use crate::platform::Platform;
use crate::progress::{Job, Stage};
use crate::registry::LARGEST_MANIFEST;
use crate::selection::{self, Chosen};
use crate::task::in_thread;

/// A file or folder with images in it: an OCI image layout, or what `docker save` or `podman save` has written; archives
/// may be compressed with gzip or zstd.
pub struct LocalSource {
    path: PathBuf,
    container: Arc<Container>,
    images: Images,
}

enum Images {
    Layout(Vec<IndexEntry>),
    DockerArchive(Vec<ArchivedImage>),
}

/// Looks an image up in the file or folder `path`: [`LocalSource::open`] and [`LocalSource::resolve`] in one.
///
/// # Errors
/// Those of the two.
pub async fn resolve_local(path: &Path, selection: Option<&str>, platform: &Platform, job: &Job) -> Result<Image> {
    LocalSource::open(path, job).await?.resolve(selection, platform, job).await
}

impl LocalSource {
    /// Reads which images `path` holds. An archive is gone through once; one that is compressed, is decompressed for that.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when it is not there, [`ErrorKind::InvalidArgument`] when it cannot be opened; [`ErrorKind::UnsupportedImage`] when there is no image in
    /// it; [`ErrorKind::InvalidResponse`] when it is damaged.
    pub async fn open(path: &Path, job: &Job) -> Result<Self> {
        let given = path.display().to_string();
        let path = std::path::absolute(path).map_err(|error| {
            Error::new(ErrorKind::InvalidArgument, format!("Failed to open \"{given}\": {error}")).caused_by(error)
        })?;
        job.observer().stage(Stage::Resolving);
        job.verbose(format!("Reading which images {} holds...", path.display()));
        let name = path.display().to_string();
        let job = job.clone();
        let opened = in_thread(move || {
            let container = Container::open(&path, &job)?;
            let images = images_in(&container, &job)?;
            Ok(Self { path, container: Arc::new(container), images })
        });
        opened.await.map_err(|error| failed(error, &name))
    }

    /// Looks an image up by `selection`: its name, its tag or its digest. Where there is one image, none is needed.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such image, [`ErrorKind::InvalidReference`] when there are several;
    /// [`ErrorKind::NoPlatform`] when it is not for the platform; [`ErrorKind::UnsupportedImage`] for what is no image, or
    /// for a platform that is not Linux; [`ErrorKind::BlobNotFound`], [`ErrorKind::DigestMismatch`] and
    /// [`ErrorKind::InvalidResponse`] for what is missing or damaged.
    pub async fn resolve(&self, selection: Option<&str>, platform: &Platform, job: &Job) -> Result<Image> {
        selection::expect_linux(platform)?;
        job.observer().stage(Stage::Resolving);
        let found = async {
            let candidates = self.candidates();
            let (chosen, name, files) = match &self.images {
                Images::Layout(entries) => {
                    let entries = self.of_layout(entries, &candidates, selection)?;
                    let name = name_of(entries.iter().flat_map(oci_layout::names), selection);
                    let layout = Layout { container: self.container.clone(), job: job.clone() };
                    let chosen = selection::choose_of(&layout, entries, platform, job).await?;
                    let files = chosen.layers.iter().map(|layer| self.file_of(layer)).collect::<Result<_>>()?;
                    (chosen, name, files)
                }
                Images::DockerArchive(images) => {
                    let indexes = choice::choose(&candidates, selection)?;
                    let images: Vec<_> = indexes.iter().map(|index| images[*index].clone()).collect();
                    let name = name_of(images.iter().flat_map(|image| image.names().to_vec()), selection);
                    let (container, in_job) = (self.container.clone(), job.clone());
                    let described = in_thread(move || Described::new(&container, &images, &in_job)).await?;
                    let chosen = selection::choose_of(&described, described.entries.clone(), platform, job).await?;
                    let files = described.files(&chosen.manifest.digest);
                    (chosen, name, files)
                }
            };
            Ok(self.image(chosen, name, files))
        };
        found.await.map_err(|error| failed(error, &self.path.display().to_string()))
    }

    fn image(&self, chosen: Chosen, name: Option<String>, files: Vec<String>) -> Image {
        let path = self.path.display();
        let name = name.map_or_else(|| path.to_string(), |name| format!("{name} in {path}"));
        Image::new(Origin::Local(Arc::new(LocalImage { name, container: self.container.clone(), files })), chosen)
    }

    fn candidates(&self) -> Vec<Candidate> {
        match &self.images {
            Images::Layout(entries) => entries
                .iter()
                .map(|entry| Candidate {
                    names: oci_layout::names(entry),
                    digest: Some(entry.digest.clone()),
                    platform: entry.platform.clone(),
                })
                .collect(),
            Images::DockerArchive(images) => images
                .iter()
                .map(|image| Candidate { names: image.names().to_vec(), digest: image.id(), platform: None })
                .collect(),
        }
    }

    /// The entries that are meant, or one made for a digest of which a blob is there.
    fn of_layout(
        &self,
        entries: &[IndexEntry],
        candidates: &[Candidate],
        selection: Option<&str>,
    ) -> Result<Vec<IndexEntry>> {
        let digest = selection.and_then(choice::digest_in);
        if let Some(entry) = digest.and_then(|digest| self.unlisted(entries, digest)) {
            return Ok(vec![entry]);
        }
        let indexes = choice::choose(candidates, selection)?;
        Ok(indexes.iter().map(|index| entries[*index].clone()).collect())
    }

    fn unlisted(&self, entries: &[IndexEntry], digest: Digest) -> Option<IndexEntry> {
        if entries.iter().any(|entry| entry.digest == digest) {
            return None;
        }
        let length = self.container.length(&oci_layout::file_of(&digest).ok()?)?;
        Some(IndexEntry::of(digest, length))
    }

    /// The name of a layer's blob, which is there and as long as it should be.
    fn file_of(&self, layer: &Layer) -> Result<String> {
        let name = oci_layout::file_of(layer.digest())?;
        match self.container.length(&name) {
            None => Err(missing_blob(layer.digest())),
            Some(length) if length == layer.size() => Ok(name),
            Some(length) => Err(Error::new(
                ErrorKind::InvalidResponse,
                format!("the manifest says {} bytes for {}, which has {length}", layer.size(), layer.digest()),
            )),
        }
    }
}

/// What the chosen image is called: what was asked for, or its first name.
fn name_of(mut names: impl Iterator<Item = String>, selection: Option<&str>) -> Option<String> {
    let first = names.next();
    match selection {
        // A digest says more than a name that may be another's soon.
        Some(selection) if choice::digest_in(selection).is_some() => Some(selection.to_owned()),
        _ => first,
    }
}

fn images_in(container: &Container, job: &Job) -> Result<Images> {
    if matches!(container, Container::Archive(archive) if archive.is_empty()) {
        return Err(Error::new(ErrorKind::UnsupportedImage, "it is an archive without anything in it"));
    }
    let index = container.read(oci_layout::INDEX, LARGEST_MANIFEST, job)?;
    // A folder with it is what somebody has unpacked; its names may lead anywhere.
    let saved = match container {
        Container::Archive(_) => container.read(docker_archive::MANIFEST, LARGEST_MANIFEST, job)?,
        Container::Folder(_) => None,
    };
    match (index, saved) {
        // Docker writes both since its version 25; in the layout the layers are as a registry has them.
        (Some(index), Some(saved)) => match oci_layout::parse_index(&index) {
            Ok(entries) if entries.iter().all(|entry| has_blob(container, &entry.digest)) => {
                Ok(Images::Layout(entries))
            }
            _ => docker_archive::parse_manifest(&saved).map(Images::DockerArchive),
        },
        (Some(index), None) => oci_layout::parse_index(&index).map(Images::Layout),
        (None, Some(saved)) => docker_archive::parse_manifest(&saved).map(Images::DockerArchive),
        (None, None) => Err(no_image(container)),
    }
}

fn has_blob(container: &Container, digest: &Digest) -> bool {
    oci_layout::file_of(digest).is_ok_and(|name| container.length(&name).is_some())
}

fn no_image(container: &Container) -> Error {
    let unsupported = |message: &str| Error::new(ErrorKind::UnsupportedImage, message);
    match container {
        Container::Archive(_) if container.length("repositories").is_some() => {
            unsupported("it is of the form that docker save had before its version 1.10, without a manifest.json")
                .advice("Load it into Docker, and save it again.")
        }
        Container::Folder(_) if container.length(docker_archive::MANIFEST).is_some() => {
            unsupported("it is the folder of an unpacked docker save").advice("Give the archive itself.")
        }
        Container::Folder(_) if container.length("etc/os-release").is_some() => {
            unsupported("it is the folder of a root filesystem, and no image")
                .advice("Make an archive of it; `wsl --import` takes that.")
        }
        Container::Folder(_) => unsupported("it is no OCI image layout: it has no index.json"),
        Container::Archive(_) => {
            unsupported("there is no image in it: neither the index.json of an OCI image layout nor the manifest.json of docker save")
                .advice("If it is the archive of a root filesystem, `wsl --import` takes it as it is; otherwise it may be cut short.")
        }
    }
}

/// `error` as it is told for `path`, or for an image of it.
pub(super) fn failed(error: Error, path: &str) -> Error {
    let error = error.at(Stage::Resolving);
    match error.kind() {
        ErrorKind::Cancelled | ErrorKind::Internal | ErrorKind::File => error,
        // It says the path itself.
        ErrorKind::InvalidArgument | ErrorKind::NotFound if error.to_string().starts_with("Failed to open ") => {
            error.target(path)
        }
        _ => error.attempting(&format!("Failed to read an image from {path}: ")).target(path),
    }
}
