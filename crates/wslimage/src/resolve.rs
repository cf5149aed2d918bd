//! An image at a registry: index, manifest and config, in the order in which they are asked for.

use bytes::Bytes;
use reqwest::Method;

use crate::cache::Cache;
use crate::error::Result;
use crate::image::{Image, ImageRequest, Origin};
use crate::kept::Kept;
use crate::manifest::{self, ConfigDescriptor, IndexEntry};
use crate::platform::Platform;
use crate::progress::{Job, Stage};
use crate::registry::{Attempt, Client, Fetched, Session, nobody_to_ask};
use crate::selection::{self, Chosen, Documents};

/// Looks an image up: index, the manifest for the platform, config. All are verified by their digests.
///
/// # Errors
/// [`ErrorKind::NotFound`], [`ErrorKind::Unauthorized`] and the other kinds of a registry's answer;
/// [`ErrorKind::NoPlatform`] when there is no manifest for the platform; [`ErrorKind::UnsupportedImage`] for what is no
/// image, has no layers, or is asked for a platform that is not Linux.
///
/// [`ErrorKind::NotFound`]: crate::ErrorKind::NotFound
/// [`ErrorKind::Unauthorized`]: crate::ErrorKind::Unauthorized
/// [`ErrorKind::NoPlatform`]: crate::ErrorKind::NoPlatform
/// [`ErrorKind::UnsupportedImage`]: crate::ErrorKind::UnsupportedImage
pub async fn resolve(client: &Client, request: ImageRequest, job: &Job) -> Result<Image> {
    selection::expect_linux(&request.platform)?;
    let mut sessions = client.sessions(&request.reference, request.token.as_ref())?.into_iter();
    loop {
        let session = sessions.next().ok_or_else(nobody_to_ask)?;
        match find(&session, client.cache(), &request, job).await {
            Err(error) if session.is_left_after(&error) => client.leave_mirror(&session, &error, job),
            found => return Ok(Image::new(Origin::Registry(Box::new(request)), found?)),
        }
    }
}

async fn find(session: &Session, cache: Option<&Cache>, request: &ImageRequest, job: &Job) -> Result<Chosen> {
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
        selection::choose(&Repository { session, kept: &kept, job }, found, &request.platform, job).await
    };
    found.await.map_err(|error| Attempt::Manifest.failed(error, &reference.to_string()))
}

/// The documents of a repository, kept or fetched.
struct Repository<'a> {
    session: &'a Session,
    kept: &'a Kept<'a>,
    job: &'a Job,
}

impl Documents for Repository<'_> {
    async fn document(&self, entry: &IndexEntry, wanted: &Platform) -> Result<Fetched> {
        let fetch = async {
            let url = self.session.url(&format!("manifests/{}", entry.digest))?;
            self.job.verbose(format!("Getting docker image {} manifest {url}...", wanted.architecture()));
            let accept = entry.accepted();
            self.session.manifest(entry.digest.as_ref(), &accept, None, Some(&entry.digest), self.job).await
        };
        self.kept.manifest_or(&entry.digest, fetch).await
    }

    async fn config(&self, config: &ConfigDescriptor) -> Result<Bytes> {
        let fetch = async {
            let url = self.session.url(&format!("blobs/{}", config.digest))?;
            self.job.verbose(format!("Getting docker image config {url}..."));
            self.session.config(&config.digest, config.accepted(), self.job).await
        };
        self.kept.config_or(&config.digest, fetch).await
    }
}
