//! Where a repository is asked for: the registry itself, or a mirror of it.

use crate::error::Result;
use crate::reference::{Registry, Repository};

use super::options::MirrorLocation;
use super::registries_conf;

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

    /// Where the configuration says that `asked` is.
    pub(super) fn configured(place: &registries_conf::Endpoint, asked: &Repository, plain_http: bool) -> Self {
        let registry = place.repository.registry();
        Self {
            is_mirror: place.is_mirror,
            is_named: !place.is_mirror && registry == asked.registry(),
            is_insecure: place.insecure,
            ..Self::origin(&place.repository, plain_http && !place.is_mirror)
        }
    }

    /// The name of the repository there, or of the registry.
    pub(super) fn name(&self) -> String {
        match &self.repository {
            Some(repository) => repository.to_string(),
            None => self.registry.to_string(),
        }
    }
}
