//! Where a login comes from when the caller gives none: what `docker login` and `podman login` have left.
//!
//! `auth_file` reads the JSON that both keep; `docker_config` and `podman_auth` know where it lies and which entry is
//! meant; `helper` asks the programs that keep the secrets elsewhere.

mod auth_file;
mod docker_config;
mod helper;
mod podman_auth;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use self::auth_file::{AuthFile, Entry};
use self::helper::Answer;
use super::options::Credential;
use crate::environment::Environment;
use crate::error::{Result, printable};
use crate::progress::Job;
use crate::reference::{Registry, Repository};

/// The longest time that a credential helper has for its answer.
const HELPER_TIMEOUT: Duration = Duration::from_secs(10);

/// Looks for the login for `repository` at `registry`, or for `registry` itself, as `environment` leads to it: first
/// as the docker command does, then as podman does. `None` when there is none; an empty environment leads to none.
///
/// What cannot be read or run is a warning of `job`, and no login.
///
/// # Errors
/// [`crate::ErrorKind::Cancelled`] when `job` is.
pub(super) async fn find(
    environment: &Environment,
    registry: &Registry,
    repository: Option<&Repository>,
    job: &Job,
) -> Result<Option<Credential>> {
    Search { environment, registry, repository, job, helper_timeout: HELPER_TIMEOUT }.run().await
}

/// One search for one login.
struct Search<'a> {
    environment: &'a Environment,
    registry: &'a Registry,
    repository: Option<&'a Repository>,
    job: &'a Job,
    helper_timeout: Duration,
}

/// A login and where it was found, in words.
struct Login {
    credential: Credential,
    source: String,
}

/// Where the name of a credential helper comes from.
#[derive(Clone, Copy)]
enum NamedBy<'a> {
    File(&'a Path),
    /// Nobody: it is the one of this system.
    Default,
}

impl Search<'_> {
    async fn run(&self) -> Result<Option<Credential>> {
        let login = match docker_config::find(self).await? {
            Some(login) => Some(login),
            None => podman_auth::find(self).await?,
        };
        if let Some(login) = &login {
            self.job.verbose(format!("The login for {} comes from {}", self.registry, login.source));
        }
        Ok(login.map(|login| login.credential))
    }

    /// The content of the file at `path`; `None` when there is no such file, or, with a warning, no use in it.
    async fn read(&self, path: &Path) -> Result<Option<AuthFile>> {
        Ok(self.job.or_cancelled(AuthFile::read(path)).await?.unwrap_or_else(|reason| {
            self.job.warning(format!("The logins in {} are left out: {reason}", shown(path)));
            None
        }))
    }

    /// The login in `entry`, which stands in `source`.
    fn login(&self, entry: &Entry, source: &str) -> Option<Login> {
        match entry.login() {
            Ok(Some(credential)) => return Some(Login { credential, source: source.to_owned() }),
            Ok(None) if entry.has_registry_token() => self.job.warning(format!(
                "The registrytoken for {} in {source} is left out: sign in with a user name and password or an identity token",
                self.registry
            )),
            Ok(None) => {}
            Err(reason) => {
                self.job.warning(format!("The login for {} in {source} is left out: {reason}", self.registry));
            }
        }
        None
    }

    /// Asks the credential helper `name` for the login for `server`. A failure is told here.
    async fn ask(&self, name: &str, server: &str, named_by: NamedBy<'_>) -> Result<Answer> {
        let answer = helper::ask(name, server, self.environment, self.helper_timeout, self.job).await?;
        match (&answer, named_by) {
            (Answer::Login(_), _) => {}
            (Answer::NoLogin, _) => {
                self.job.verbose(format!("{} has no login for {}", helper::program_name(name), self.registry));
            }
            (Answer::Failed(reason), NamedBy::File(path)) => self.job.warning(format!(
                "{} names a credential helper for {} that is left out: {reason}",
                shown(path),
                self.registry
            )),
            (Answer::Failed(reason), NamedBy::Default) => {
                self.job.verbose(format!("The credential helper of this system is left out: {reason}"));
            }
        }
        Ok(answer)
    }
}

fn shown(path: &Path) -> String {
    printable(&path.display().to_string())
}
