//! Searches for logins on a machine that a test sets up.

mod docker;
#[cfg(unix)]
mod helpers;
mod podman;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use secrecy::ExposeSecret as _;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::Search;
use crate::environment::Environment;
use crate::error::Result;
use crate::progress::{Job, Notice, Observer};
use crate::reference::Reference;

/// Longer than any helper of a test takes that is to answer.
const PATIENCE: Duration = Duration::from_secs(600);

/// A machine: a home folder, programs, and the variables that lead to them.
struct Machine {
    folder: TempDir,
    variables: Vec<(OsString, OsString)>,
}

/// What a search found and told.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    /// User and password.
    login: Option<(String, String)>,
    warnings: Vec<String>,
}

impl Found {
    fn user(&self) -> Option<&str> {
        self.login.as_ref().map(|(user, _)| user.as_str())
    }
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut machine = Self { folder, variables: Vec::new() };
        machine.set(if cfg!(windows) { "USERPROFILE" } else { "HOME" }, machine.path("home"));
        machine.set("PATH", machine.path("bin"));
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        // As Windows writes it.
        name.split('/').fold(self.folder.path().to_owned(), |path, part| path.join(part))
    }

    fn set(&mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) {
        self.variables.push((name.into(), value.as_ref().to_owned()));
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(&path, content).expect("a file");
        path
    }

    fn docker_config(&self, json: &str) -> PathBuf {
        self.write("home/.docker/config.json", json)
    }

    fn podman_auth(&self, json: &str) -> PathBuf {
        self.write("home/.config/containers/auth.json", json)
    }

    /// A credential helper in shell.
    #[cfg(unix)]
    fn helper(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let source = self.write(&format!("{name}.sh"), format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(&source, std::fs::Permissions::from_mode(0o755)).expect("permissions");
        let program = self.path(&format!("bin/docker-credential-{name}"));
        std::fs::create_dir_all(self.path("bin")).expect("a folder");
        // Copied by another process: a program that this one has open for writing, or a child of another test has
        // inherited so, cannot be started ("text file busy").
        let copied = std::process::Command::new("cp").arg("-p").arg(source).arg(program).status().expect("cp");
        assert!(copied.success());
    }

    fn environment(&self) -> Environment {
        self.variables.iter().cloned().collect()
    }

    async fn find(&self, image: &str) -> Found {
        self.find_within(image, PATIENCE).await
    }

    async fn find_within(&self, image: &str, helper_timeout: Duration) -> Found {
        let (login, notices) = search(&self.environment(), image, helper_timeout, CancellationToken::new()).await;
        let login =
            login.expect("nobody cancels").map(|login| (login.username, login.password.expose_secret().to_owned()));
        let warnings = notices.into_iter().filter_map(|notice| match notice {
            Notice::Warning(line) => Some(line),
            Notice::Verbose(_) => None,
        });
        Found { login, warnings: warnings.collect() }
    }
}

#[derive(Default)]
struct Notices(Mutex<Vec<Notice>>);

impl Observer for Notices {
    fn notice(&self, notice: Notice) {
        self.0.lock().expect("no test has failed here").push(notice);
    }
}

async fn search(
    environment: &Environment,
    image: &str,
    helper_timeout: Duration,
    cancellation: CancellationToken,
) -> (Result<Option<crate::Credential>>, Vec<Notice>) {
    let image: Reference = image.parse().expect(image);
    let notices = Arc::new(Notices::default());
    let job = Job::new(Arc::clone(&notices) as _, cancellation);
    let (registry, repository) = (image.registry(), Some(image.repository()));
    let login = Search { environment, registry, repository, job: &job, helper_timeout }.run().await;
    let notices = notices.0.lock().expect("no test has failed here").clone();
    (login, notices)
}

/// An entry of `auths` in which `user` signs in with the password `secret`.
fn entry(key: &str, user: &str) -> String {
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("{user}:secret"));
    format!(r#""{key}": {{"auth": "{auth}"}}"#)
}

/// A file of `entries`.
fn auths(entries: &[(&str, &str)]) -> String {
    let entries: Vec<String> = entries.iter().map(|(key, user)| entry(key, user)).collect();
    format!(r#"{{"auths": {{{}}}}}"#, entries.join(", "))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[tokio::test]
async fn an_empty_environment_leads_to_no_login() {
    let (login, notices) = search(&Environment::default(), "ghcr.io/a/b", PATIENCE, CancellationToken::new()).await;
    assert!(login.expect("nobody cancels").is_none());
    assert_eq!(notices, []);
}

#[tokio::test]
async fn the_place_of_the_login_is_told_and_the_login_is_not() {
    let machine = Machine::new();
    let file = machine.docker_config(&auths(&[("ghcr.io", "user")]));
    let (login, notices) = search(&machine.environment(), "ghcr.io/a/b", PATIENCE, CancellationToken::new()).await;
    assert!(login.expect("nobody cancels").is_some());
    let line = format!("The login for ghcr.io comes from {}", shown(&file));
    assert_eq!(notices, [Notice::Verbose(line)]);
}

#[tokio::test]
async fn dockers_login_is_used_before_podmans() {
    let machine = Machine::new();
    machine.docker_config(&auths(&[("ghcr.io", "docker")]));
    machine.podman_auth(&auths(&[("ghcr.io/a", "podman"), ("quay.io", "podman")]));
    assert_eq!(machine.find("ghcr.io/a/b").await.user(), Some("docker"));
    assert_eq!(machine.find("quay.io/a/b").await.user(), Some("podman"));
    assert_eq!(machine.find("mcr.microsoft.com/a/b").await.user(), None);
}
