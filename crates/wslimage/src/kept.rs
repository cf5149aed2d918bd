//! The cache as a pull uses it: what is kept is not asked for, and what was fetched is kept.

use bytes::Bytes;
use oci_spec::image::Digest;

use crate::cache::{Cache, CacheSlot};
use crate::error::{ErrorKind, Result};
use crate::manifest;
use crate::progress::{Job, Notice};
use crate::registry::{Fetched, LARGEST_CONFIG, LARGEST_MANIFEST};

/// What is kept between pulls, as one job uses it. A cache that cannot be used is a warning, and the job goes on
/// without it.
pub(crate) struct Kept<'a> {
    cache: Option<&'a Cache>,
    job: &'a Job,
}

impl<'a> Kept<'a> {
    pub(crate) fn new(cache: Option<&'a Cache>, job: &'a Job) -> Self {
        Self { cache, job }
    }

    /// The place of `digest`, where there is a cache. While it is held, other processes wait for it.
    pub(crate) async fn slot(&self, digest: &Digest) -> Result<Option<CacheSlot>> {
        let Some(cache) = self.cache else { return Ok(None) };
        match cache.lock(digest, self.job).await {
            Ok(slot) => Ok(Some(slot)),
            Err(error) if error.kind() == ErrorKind::File => {
                self.job.observer().notice(Notice::Warning(format!("The cache is not used: {error}")));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The manifest `digest`, if it is kept.
    pub(crate) async fn manifest(&self, digest: &Digest) -> Result<Option<Fetched>> {
        let bytes = match self.slot(digest).await? {
            Some(slot) => slot.read_verified(LARGEST_MANIFEST as u64),
            None => None,
        };
        Ok(bytes.map(|bytes| Fetched { digest: digest.clone(), media_type: manifest::own_media_type(&bytes), bytes }))
    }

    /// The manifest `digest`, kept or else as `fetch` gets it.
    pub(crate) async fn manifest_or(
        &self,
        digest: &Digest,
        fetch: impl Future<Output = Result<Fetched>>,
    ) -> Result<Fetched> {
        if let Some(kept) = self.manifest(digest).await? {
            return Ok(kept);
        }
        let fetched = fetch.await?;
        self.keep(&fetched.digest, &fetched.bytes).await?;
        Ok(fetched)
    }

    /// The config `digest`, kept or else as `fetch` gets it.
    pub(crate) async fn config_or(&self, digest: &Digest, fetch: impl Future<Output = Result<Bytes>>) -> Result<Bytes> {
        let slot = self.slot(digest).await?;
        if let Some(bytes) = slot.and_then(|slot| slot.read_verified(LARGEST_CONFIG as u64)) {
            return Ok(bytes);
        }
        let bytes = fetch.await?;
        self.keep(digest, &bytes).await?;
        Ok(bytes)
    }

    /// Keeps what was fetched and verified.
    pub(crate) async fn keep(&self, digest: &Digest, bytes: &[u8]) -> Result<()> {
        let Some(slot) = self.slot(digest).await? else { return Ok(()) };
        if slot.open(bytes.len() as u64).is_none() {
            self.told(slot.insert_bytes(bytes))?;
        }
        Ok(())
    }

    /// What went wrong with the cache is no failure of the job.
    pub(crate) fn told(&self, result: Result<()>) -> Result<()> {
        match result {
            Err(error) if error.kind() != ErrorKind::Cancelled => {
                self.job.observer().notice(Notice::Warning(format!("Nothing was kept in the cache: {error}")));
                Ok(())
            }
            result => result,
        }
    }
}
