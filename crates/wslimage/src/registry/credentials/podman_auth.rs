//! Podman's logins: `auth.json`, which skopeo and buildah share.
//!
//! Source: containers/image, `pkg/docker/config/config.go`; containers-auth.json(5).

use std::path::PathBuf;

use super::auth_file::{AuthFile, Entry};
use super::helper::{self, Answer};
use super::{Login, NamedBy, Search, shown};
use crate::environment::Environment;
use crate::error::Result;
use crate::reference::Registry;

const FILE_VARIABLE: &str = "REGISTRY_AUTH_FILE";

/// The login that podman would use.
pub(super) async fn find(search: &Search<'_>) -> Result<Option<Login>> {
    let registry = search.registry.name();
    if let Some(path) = search.environment.path(FILE_VARIABLE)
        && let Ok(false) = search.job.or_cancelled(tokio::fs::try_exists(&path)).await?
    {
        search.job.warning(format!("{FILE_VARIABLE} names {}, which does not exist", shown(&path)));
    }
    for path in paths(search.environment, cfg!(target_os = "linux")) {
        let Some(file) = search.read(&path).await? else { continue };
        // Helpers keep no logins for single repositories.
        if let Some(name) = file.helper(registry) {
            if let Answer::Login(credential) = search.ask(name, registry, NamedBy::File(&path)).await? {
                return Ok(Some(Login { credential, source: helper::program_name(name) }));
            }
            continue;
        }
        if let Some(login) = entry(search, &file).and_then(|entry| search.login(entry, &shown(&path))) {
            return Ok(Some(login));
        }
    }
    Ok(None)
}

/// The files that are looked through, in this order. A file that the user names is the only one.
fn paths(environment: &Environment, is_linux: bool) -> Vec<PathBuf> {
    if let Some(file) = environment.path(FILE_VARIABLE) {
        return vec![file];
    }
    let home = environment.home().map(|home| home.join(".config"));
    let first = if is_linux { environment.path("XDG_RUNTIME_DIR") } else { home.clone() };
    let second = environment.path("XDG_CONFIG_HOME").or(home);
    let mut paths: Vec<PathBuf> =
        [first, second].into_iter().flatten().map(|folder| folder.join("containers").join("auth.json")).collect();
    paths.dedup();
    paths
}

/// The entry for the repository, else for the path above it, and so on up to the registry; else one whose key is the
/// registry written as an address.
fn entry<'f>(search: &Search<'_>, file: &'f AuthFile) -> Option<&'f Entry> {
    let name = search.repository.map_or_else(|| search.registry.to_string(), ToString::to_string);
    let mut keys = std::iter::successors(Some(name.as_str()), |key| Some(key.rsplit_once('/')?.0));
    keys.find_map(|key| file.entry(key)).or_else(|| {
        let mut entries = file.entries();
        entries.find(|(key, _)| is_registry(key, search.registry)).map(|(_, entry)| entry)
    })
}

/// Whether `key` names `registry`. A path behind it counts for nothing after a scheme; without one it is part of the
/// name of a repository.
fn is_registry(key: &str, registry: &Registry) -> bool {
    let address = key.strip_prefix("http://").or_else(|| key.strip_prefix("https://"));
    let host = match address {
        Some(address) => address.split('/').next().unwrap_or(address),
        None => key,
    };
    host.parse().is_ok_and(|host: Registry| host == *registry)
}
