//! The certificates of one registry, where docker and podman look for them: `certs.d/HOST:PORT/` with authorities
//! (`*.crt`) and a client's certificate and key (`*.cert`, `*.key`).
//!
//! docs.docker.com/engine/security/certificates and containers-certs.d(5).

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::environment::Environment;
use crate::error::{Error, ErrorKind, Result};

/// What is set up for one registry; empty where nothing is.
#[derive(Debug, Default)]
pub(super) struct HostCertificates {
    /// To be trusted beside the operating system's, for this registry alone.
    pub(super) authorities: Vec<CertificateDer<'static>>,
    /// Whom this client is: a chain, its own certificate first, and its key.
    pub(super) client: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
}

/// What is set up for the registry `host_port`, such as `registry.example` or `registry.example:5000`. The first folder
/// that exists counts, the user's before the system's; an empty environment leads to none.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] that names the file, for one that cannot be read or used, and for a certificate
/// without its key.
pub(super) fn load(environment: &Environment, host_port: &str) -> Result<HostCertificates> {
    let Some(name) = folder_name(host_port, cfg!(windows)) else { return Ok(HostCertificates::default()) };
    for place in places(environment) {
        let folder = place.join(&name);
        match files(&folder) {
            Ok(files) => return read(&folder, &files),
            // A folder that another user keeps to himself is not for this one, as podman has it.
            Err(error) if is_absent(&error) || error.kind() == io::ErrorKind::PermissionDenied => {}
            Err(error) => return Err(unusable(&folder, error)),
        }
    }
    Ok(HostCertificates::default())
}

fn places(environment: &Environment) -> Vec<PathBuf> {
    let Some(home) = environment.home() else { return Vec::new() };
    if cfg!(windows) {
        let all_users = environment.path("PROGRAMDATA").map(|folder| folder.join("docker").join("certs.d"));
        [home.join(".docker").join("certs.d")].into_iter().chain(all_users).collect()
    } else {
        vec![
            home.join(".config/containers/certs.d"),
            PathBuf::from("/etc/containers/certs.d"),
            PathBuf::from("/etc/docker/certs.d"),
        ]
    }
}

/// The name of a registry's folder. Docker leaves the colons out on Windows, where names have none (moby,
/// registry/config_windows.go). `None` for what would lead out of `certs.d`.
fn folder_name(host_port: &str, is_windows: bool) -> Option<String> {
    let is_name = !host_port.is_empty() && !host_port.starts_with('.') && !host_port.contains(['/', '\\', '\0']);
    is_name.then(|| if is_windows { host_port.replace(':', "") } else { host_port.to_owned() })
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename)
}

/// The names of all files in `folder`, in alphabetical order.
fn files(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        names.extend(entry?.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}

fn read(folder: &Path, files: &[String]) -> Result<HostCertificates> {
    let mut found = HostCertificates::default();
    for name in files {
        if name.ends_with(".crt") {
            found.authorities.extend(certificates(&folder.join(name))?);
        } else if let Some(stem) = name.strip_suffix(".cert") {
            let key_name = format!("{stem}.key");
            if !files.contains(&key_name) {
                return Err(lone(folder, name, &format!("the key {key_name} is missing"))
                    .advice("The certificates of authorities end in .crt."));
            }
            // Of several, the first: a registry asks for one.
            if found.client.is_none() {
                found.client = Some((certificates(&folder.join(name))?, private_key(&folder.join(key_name))?));
            }
        } else if let Some(stem) = name.strip_suffix(".key") {
            let certificate_name = format!("{stem}.cert");
            if !files.contains(&certificate_name) {
                return Err(lone(folder, name, &format!("the certificate {certificate_name} is missing")));
            }
        }
    }
    Ok(found)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(file, error))?;
    if certificates.is_empty() {
        return Err(unusable(file, "it holds no certificate in PEM form"));
    }
    Ok(certificates)
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| match error {
        pem::Error::NoItemsFound => {
            unusable(file, "it holds no private key in PEM form; one with a password cannot be used")
        }
        error => unusable(file, error),
    })
}

fn lone(folder: &Path, name: &str, reason: &str) -> Error {
    unusable(&folder.join(name), reason)
}

fn unusable(file: &Path, reason: impl fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("{} cannot be used: {reason}", file.display()))
        .target(file.display())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use tempfile::TempDir;

    use super::*;

    const HOST: &str = "registry.example:5000";

    /// A user whose `certs.d` holds `files` for [`HOST`].
    fn user_with(files: &[(&str, &str)]) -> (TempDir, Environment) {
        let home = TempDir::new().expect("a folder");
        let place = if cfg!(windows) { ".docker/certs.d" } else { ".config/containers/certs.d" };
        let folder = home.path().join(place).join(folder_name(HOST, cfg!(windows)).expect("a name"));
        fs::create_dir_all(&folder).expect("a folder");
        for (name, text) in files {
            fs::write(folder.join(name), text).expect("a file");
        }
        let variable = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        let environment = Environment::from_iter([(variable, home.path().as_os_str())]);
        (home, environment)
    }

    fn certificate_and_key() -> (String, String) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["registry.example".to_owned()]).expect("a certificate");
        (cert.pem(), signing_key.serialize_pem())
    }

    #[test]
    fn authorities_and_the_first_client_are_found() {
        let (one, key) = certificate_and_key();
        let (two, other_key) = certificate_and_key();
        let both = format!("{one}{two}");
        let (_home, environment) = user_with(&[
            ("ca.crt", &one),
            ("more.crt", &both),
            ("a.cert", &both),
            ("a.key", &key),
            ("b.cert", &two),
            ("b.key", &other_key),
            ("README", "not read"),
        ]);
        let found = load(&environment, HOST).expect("certificates");
        assert_eq!(found.authorities.len(), 3);
        let (chain, key_found) = found.client.as_ref().expect("a client");
        let expected = CertificateDer::pem_slice_iter(both.as_bytes()).collect::<Result<Vec<_>, _>>().expect("PEM");
        assert_eq!(chain, &expected);
        assert_eq!(key_found.secret_der(), PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key").secret_der());
        let other = load(&environment, "registry.example").expect("certificates");
        assert!(other.authorities.is_empty() && other.client.is_none(), "another registry has none");
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let (certificate, key) = certificate_and_key();
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        for (files, name, reason) in [
            (
                &[("a.cert", certificate.as_str())][..],
                "a.cert",
                "the key a.key is missing. The certificates of authorities",
            ),
            (&[("a.key", &key)], "a.key", "the certificate a.cert is missing"),
            (&[("ca.crt", "DER")], "ca.crt", "it holds no certificate in PEM form"),
            (&[("a.cert", &certificate), ("a.key", encrypted)], "a.key", "it holds no private key in PEM form; "),
            (&[("a.cert", ""), ("a.key", &key)], "a.cert", "it holds no certificate in PEM form"),
        ] {
            let (_home, environment) = user_with(files);
            let error = load(&environment, HOST).expect_err(name);
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.to_string().contains(&format!("{name} cannot be used: {reason}")), "{error}");
            assert!(error.target_name().is_some_and(|target| target.ends_with(name)), "{error:?}");
        }
    }

    #[test]
    fn an_empty_environment_leads_to_no_certificates() {
        let found = load(&Environment::default(), HOST).expect("certificates");
        assert!(found.authorities.is_empty() && found.client.is_none());
    }

    #[test]
    fn a_registry_has_a_folder_that_the_system_can_name() {
        for (host, on_linux, on_windows) in [
            ("registry.example", Some("registry.example"), Some("registry.example")),
            ("registry.example:5000", Some("registry.example:5000"), Some("registry.example5000")),
            ("[::1]:5000", Some("[::1]:5000"), Some("[1]5000")),
            ("", None, None),
            ("..", None, None),
            ("../x", None, None),
            ("a/b", None, None),
            ("a\\b", None, None),
        ] {
            assert_eq!(folder_name(host, false).as_deref(), on_linux, "{host}");
            assert_eq!(folder_name(host, true).as_deref(), on_windows, "{host}");
        }
    }
}
