//! What a repository does otherwise than others, rightly.

use std::collections::HashMap;

use http::StatusCode;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What a repository does otherwise than others.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RepositoryOptions {
    /// A GET of a blob is answered with a redirect.
    pub redirect_blobs: Option<RedirectBlobs>,
    /// The most tags on a page of the listing. Default: as many as are asked for.
    pub tags_page_size: Option<usize>,
    /// The link to the next page of tags has scheme and host. Default: it begins with a slash.
    pub tags_link_absolute: bool,
}

/// Where the blobs are: under signed URLs that nobody guesses, which need no token.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RedirectBlobs {
    /// The host.
    pub to: RedirectTarget,
    /// 301, 302, 303, 307 (default) or 308.
    pub status: u16,
    /// The Location begins with a slash, so that it is the registry itself; `to` means nothing then.
    pub relative: bool,
    /// After so many requests the URL is refused with 403; another redirect leads to another URL. Default: never.
    pub expires_after_uses: Option<u64>,
}

impl Default for RedirectBlobs {
    fn default() -> Self {
        Self { to: RedirectTarget::Cdn, status: 307, relative: false, expires_after_uses: None }
    }
}

/// The host that blobs are redirected to.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum RedirectTarget {
    /// [`crate::Addresses::cdn`], over TLS.
    #[default]
    Cdn,
    /// [`crate::Addresses::cdn_http`], without TLS.
    CdnHttp,
    /// The host and scheme that were asked, at the port of the CDN.
    SameHostOtherPort,
}

/// The options of each repository.
#[derive(Default)]
pub(crate) struct OptionTable {
    of_repository: Mutex<HashMap<String, RepositoryOptions>>,
}

impl OptionTable {
    pub(crate) fn set(&self, repository: &str, options: RepositoryOptions) -> Result<()> {
        let status = options.redirect_blobs.as_ref().map_or(307, |redirect| redirect.status);
        if !matches!(status, 301 | 302 | 303 | 307 | 308) {
            return Err(Error::Invalid(format!("{status} is no redirect with a Location")));
        }
        if options.tags_page_size == Some(0) {
            return Err(Error::Invalid("a page has at least one tag".to_owned()));
        }
        self.of_repository.lock().insert(repository.to_owned(), options);
        Ok(())
    }

    pub(crate) fn of(&self, repository: &str) -> RepositoryOptions {
        self.of_repository.lock().get(repository).cloned().unwrap_or_default()
    }
}

impl RedirectBlobs {
    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::TEMPORARY_REDIRECT)
    }
}
