//! Where a repository is asked for: the registry itself, or a mirror of it.

use crate::error::Result;
use crate::reference::{Reference, Registry, Repository};

use super::options::MirrorLocation;

/// A repository at one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(super) registry: Registry,
    /// `None`: the registry as such.
    pub(super) repository: Option<Repository>,
    pub(super) is_mirror: bool,
    /// It is at the registry that the user named.
    pub(super) is_named: bool,
    /// Asked by plain http, because the user or the configuration says so for this host.
    pub(super) plain_http: bool,
    /// Any certificate is taken, and plain http where the host speaks no TLS, because the configuration says so.
    pub(super) is_insecure: bool,
}

impl Endpoint {
    pub(super) fn registry(registry: Registry, plain_http: bool) -> Self {
        Self { registry, repository: None, is_mirror: false, is_named: true, plain_http, is_insecure: false }
    }

    pub(super) fn origin(repository: &Repository, plain_http: bool) -> Self {
        Self { repository: Some(repository.clone()), ..Self::registry(repository.registry().clone(), plain_http) }
    }

    pub(super) fn mirror(location: &MirrorLocation, repository: &Repository) -> Result<Self> {
        let mirrored = location.repository(repository)?;
        Ok(Self { is_mirror: true, is_named: false, ..Self::origin(&mirrored, location.plain_http) })
    }

    /// The name of the repository there, or of the registry.
    pub(super) fn name(&self) -> String {
        match &self.repository {
            Some(repository) => repository.to_string(),
            None => self.registry.to_string(),
        }
    }
}

/// Which images a mirror may be asked for (containers-registries.conf(5), `pull-from-mirror`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    All,
    DigestOnly,
    TagOnly,
}

impl Scope {
    pub(super) fn covers(self, reference: &Reference) -> bool {
        match self {
            Self::All => true,
            Self::DigestOnly => reference.digest().is_some(),
            Self::TagOnly => reference.digest().is_none(),
        }
    }
}
