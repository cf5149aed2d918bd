//! Docker's logins: `DOCKER_AUTH_CONFIG` and `config.json`, as the docker command reads them.
//!
//! Source: docker/cli, `cli/config/configfile/file.go`, `cli/config/credentials/` and `cli/command/registry.go`.

use std::path::{Path, PathBuf};

use super::auth_file::AuthFile;
use super::helper::{self, Answer};
use super::{Login, NamedBy, Search, shown};
use crate::environment::Environment;
use crate::error::Result;
use crate::reference::Registry;

/// The key of Docker Hub, from the time of its first protocol (`registry.IndexServer`).
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";
const AUTH_VARIABLE: &str = "DOCKER_AUTH_CONFIG";

/// The login that the docker command would use.
pub(super) async fn find(search: &Search<'_>) -> Result<Option<Login>> {
    let key = key(search.registry);
    if let Some(login) = in_variable(search, key) {
        return Ok(Some(login));
    }
    let Some(path) = path(search.environment) else { return Ok(None) };
    let file = search.read(&path).await?.unwrap_or_default();
    if let Some((name, named_by)) = helper_for(search, &file, key, &path).await? {
        match search.ask(&name, key, named_by).await? {
            Answer::Login(credential) => {
                return Ok(Some(Login { credential, source: helper::program_name(&name) }));
            }
            // A helper that has none hides what the file has.
            Answer::NoLogin => return Ok(None),
            Answer::Failed(_) => {}
        }
    }
    let entry = file.entry(key).or_else(|| {
        let mut entries = file.entries();
        entries
            .find(|(key, _)| host(key).parse().is_ok_and(|host: Registry| host == *search.registry))
            .map(|(_, entry)| entry)
    });
    Ok(entry.and_then(|entry| search.login(entry, &shown(&path))))
}

fn key(registry: &Registry) -> &str {
    if *registry == Registry::docker_hub() { DOCKER_HUB_KEY } else { registry.name() }
}

fn path(environment: &Environment) -> Option<PathBuf> {
    let folder = environment.path("DOCKER_CONFIG").or_else(|| Some(environment.home()?.join(".docker")))?;
    Some(folder.join("config.json"))
}

/// The login in `DOCKER_AUTH_CONFIG`. It counts as a whole: one entry without a login, and docker leaves all out.
fn in_variable(search: &Search<'_>, key: &str) -> Option<Login> {
    let value = search.environment.get(AUTH_VARIABLE)?;
    let left_out = |reason: String| {
        search.job.warning(format!("The logins in {AUTH_VARIABLE} are left out: {reason}"));
        None
    };
    let file = match AuthFile::parse(value.as_encoded_bytes()) {
        Ok(file) => file,
        Err(reason) => return left_out(reason.to_string()),
    };
    for (_, entry) in file.entries() {
        match entry.login() {
            Ok(Some(_)) => {}
            Ok(None) => return left_out("one of them has no auth".to_owned()),
            Err(reason) => return left_out(format!("of one of them {reason}")),
        }
    }
    search.login(file.entry(key)?, AUTH_VARIABLE)
}

/// The helper that is to be asked, and who names it.
async fn helper_for<'a>(
    search: &Search<'_>,
    file: &AuthFile,
    key: &str,
    path: &'a Path,
) -> Result<Option<(String, NamedBy<'a>)>> {
    let configured = file.helper(key).or(file.credentials_store());
    if let Some(name) = configured {
        return Ok((!name.is_empty()).then(|| (name.to_owned(), NamedBy::File(path))));
    }
    if !file.is_empty() {
        return Ok(None);
    }
    let default = default_helper(search).await?;
    Ok(default.map(|name| (name.to_owned(), NamedBy::Default)))
}

/// The helper of this system, if it is installed.
async fn default_helper(search: &Search<'_>) -> Result<Option<&'static str>> {
    let on_path = |program: String| helper::on_path(search.environment, program, search.job);
    let name = if cfg!(windows) {
        "wincred"
    } else if cfg!(target_os = "macos") {
        "osxkeychain"
    } else if on_path("pass".to_owned()).await?.is_some() {
        "pass"
    } else {
        "secretservice"
    };
    Ok(on_path(helper::program_name(name)).await?.map(|_| name))
}

/// The host of a key: keys may be addresses such as `https://host:5000/v1/` (`ConvertToHostname`).
fn host(key: &str) -> &str {
    let address = key.split_once("://").map_or(key, |(_, address)| address);
    address.split('/').next().unwrap_or(address)
}
