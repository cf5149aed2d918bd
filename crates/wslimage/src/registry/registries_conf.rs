//! registries.conf: which mirrors a registry has on this machine, where it really is, and whether it may be asked.
//!
//! Source: containers-registries.conf(5), version 2, as containers/image reads it (`pkg/sysregistriesv2`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::endpoint::{Endpoint, Scope};
use super::options::MirrorLocation;
use crate::environment::Environment;
use crate::error::{Error, ErrorKind, Result, printable};
use crate::reference::{Reference, Repository};

/// Longer than any configuration.
const LONGEST_FILE: u64 = 1024 * 1024;

/// What the files say, the last one first: it overrides those before.
#[derive(Clone, Debug, Default)]
pub(super) struct RegistriesConf {
    registries: Vec<RegistryEntry>,
}

/// One `[[registry]]`.
#[derive(Clone, Debug)]
struct RegistryEntry {
    file: PathBuf,
    prefix: String,
    location: Option<MirrorLocation>,
    is_insecure: bool,
    is_blocked: bool,
    mirrors: Vec<MirrorEntry>,
}

/// One `[[registry.mirror]]`.
#[derive(Clone, Debug)]
struct MirrorEntry {
    location: MirrorLocation,
    is_insecure: bool,
    scope: Scope,
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    registry: Vec<RegistryTable>,
    /// The table of version 1.
    registries: Option<toml::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RegistryTable {
    prefix: Option<String>,
    location: Option<String>,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    blocked: bool,
    #[serde(default)]
    mirror_by_digest_only: bool,
    #[serde(default)]
    mirror: Vec<MirrorTable>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct MirrorTable {
    location: String,
    #[serde(default)]
    insecure: bool,
    pull_from_mirror: Option<String>,
}

impl RegistriesConf {
    /// Reads the files that `environment` leads to: the one of `CONTAINERS_REGISTRIES_CONF` alone, else the user's,
    /// else the system's, and the files in `registries.conf.d` beside them. An empty environment leads to none.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a file that is no such configuration.
    pub(super) fn load(environment: &Environment) -> Result<Self> {
        let mut conf = Self::default();
        for file in files(environment) {
            if let Some(text) = read(&file)? {
                conf.add(&file, &text)?;
            }
        }
        Ok(conf)
    }

    fn add(&mut self, file: &Path, text: &str) -> Result<()> {
        let text = text.trim_start_matches('\u{feff}');
        let document: Document = toml::from_str(text).map_err(|error| unusable(file, error.message()))?;
        if document.registries.is_some() {
            return Err(unusable(file, "it is of version 1").advice("Write it as [[registry]] tables (version 2)."));
        }
        for table in document.registry {
            let entry = RegistryEntry::new(file, table)?;
            self.registries.retain(|known| known.prefix != entry.prefix);
            self.registries.push(entry);
        }
        Ok(())
    }

    /// Where `reference` is asked for: the mirrors that may be, then the registry itself.
    ///
    /// # Errors
    /// [`ErrorKind::Blocked`] for a registry that may not be asked.
    pub(super) fn endpoints(&self, reference: &Reference, plain_http: bool) -> Result<Vec<Endpoint>> {
        let repository = reference.repository();
        let name = repository.to_string();
        let nearest = self
            .registries
            .iter()
            .filter_map(|entry| Some((entry, rest(&name, &entry.prefix)?)))
            .max_by_key(|(entry, _)| entry.prefix.len());
        let Some((entry, rest)) = nearest else { return Ok(vec![Endpoint::origin(repository, plain_http)]) };
        if entry.is_blocked {
            return Err(Error::new(
                ErrorKind::Blocked,
                format!("The registry of {name} is blocked by {}", entry.file.display()),
            )
            .target(&name));
        }
        let mut endpoints = Vec::new();
        for mirror in entry.mirrors.iter().filter(|mirror| mirror.scope.covers(reference)) {
            let mirrored = mirror.location.below(rest)?;
            let plain_http = mirror.location.plain_http;
            endpoints.push(Endpoint {
                is_mirror: true,
                is_named: false,
                is_insecure: mirror.is_insecure,
                ..Endpoint::origin(&mirrored, plain_http)
            });
        }
        let origin = match &entry.location {
            Some(location) => location.below(rest)?,
            None => repository.clone(),
        };
        endpoints.push(Endpoint {
            is_named: origin.registry() == repository.registry(),
            is_insecure: entry.is_insecure,
            ..Endpoint::origin(&origin, plain_http)
        });
        Ok(endpoints)
    }
}

impl RegistryEntry {
    fn new(file: &Path, table: RegistryTable) -> Result<Self> {
        let location = |text: &str| -> Result<MirrorLocation> {
            text.parse().map_err(|error: Error| unusable(file, &error.to_string()))
        };
        let prefix = match (&table.prefix, &table.location) {
            (Some(prefix), _) => prefix.trim_end_matches('/').to_owned(),
            (None, Some(location)) => location.trim_end_matches('/').to_owned(),
            (None, None) => return Err(unusable(file, "a [[registry]] has neither prefix nor location")),
        };
        if prefix.is_empty() || prefix.contains("://") {
            return Err(unusable(file, &format!("\"{}\" is no prefix of image names", printable(&prefix))));
        }
        let scope = |mirror: &MirrorTable| match mirror.pull_from_mirror.as_deref() {
            _ if table.mirror_by_digest_only => Ok(Scope::DigestOnly),
            None | Some("" | "all") => Ok(Scope::All),
            Some("digest-only") => Ok(Scope::DigestOnly),
            Some("tag-only") => Ok(Scope::TagOnly),
            Some(other) => {
                let reason = format!("pull-from-mirror is all, digest-only or tag-only, not \"{}\"", printable(other));
                Err(unusable(file, &reason))
            }
        };
        let mirrors = table.mirror.iter().map(|mirror| {
            Ok(MirrorEntry {
                location: location(&mirror.location)?,
                is_insecure: mirror.insecure,
                scope: scope(mirror)?,
            })
        });
        Ok(Self {
            file: file.to_owned(),
            location: table.location.as_deref().filter(|text| !text.is_empty()).map(location).transpose()?,
            is_insecure: table.insecure,
            is_blocked: table.blocked,
            mirrors: mirrors.collect::<Result<_>>()?,
            prefix,
        })
    }
}

/// What follows `prefix` in the repository `name` (with its registry), without the slash. `None` where it does not begin
/// with it. A prefix such as `*.example.com` is for all hosts below that one.
fn rest<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    if let Some(domain) = prefix.strip_prefix('*') {
        let (host, path) = name.split_once('/')?;
        return (host.len() > domain.len() && host.ends_with(domain)).then_some(path);
    }
    match name.strip_prefix(prefix)? {
        "" => Some(""),
        rest => rest.strip_prefix('/'),
    }
}

fn files(environment: &Environment) -> Vec<PathBuf> {
    if let Some(file) = environment.path("CONTAINERS_REGISTRIES_CONF") {
        return vec![file];
    }
    let Some(home) = environment.home() else { return Vec::new() };
    let user = environment.path("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")).join("containers");
    let system = match cfg!(windows) {
        true => environment.path("ProgramData").map(|folder| folder.join("containers")),
        false => Some(PathBuf::from("/etc/containers")),
    };
    let has_own = user.join("registries.conf").exists();
    let mut found = Vec::new();
    if let Some(system) = system.filter(|_| !has_own) {
        found.push(system.join("registries.conf"));
        found.extend(drop_ins(&system));
    }
    found.push(user.join("registries.conf"));
    found.extend(drop_ins(&user));
    found
}

/// The files of `registries.conf.d`, in the order of their names.
fn drop_ins(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder.join("registries.conf.d")) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "conf"));
    files.sort();
    files
}

fn read(file: &Path) -> Result<Option<String>> {
    let text = || {
        if fs::metadata(file)?.len() > LONGEST_FILE {
            return Err(io::Error::other("it is longer than 1 MiB"));
        }
        fs::read_to_string(file)
    };
    match text() {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(file, &error.to_string()).caused_by(error)),
    }
}

fn unusable(file: &Path, reason: &str) -> Error {
    Error::new(
        ErrorKind::InvalidArgument,
        format!("The configuration of registries in {} cannot be used: {}", file.display(), printable(reason)),
    )
    .target(file.display())
}

impl MirrorLocation {
    /// The repository `rest` below this location.
    fn below(&self, rest: &str) -> Result<Repository> {
        let separator = if self.path.is_empty() || rest.is_empty() { "" } else { "/" };
        Repository::new(self.registry.clone(), &format!("{}{separator}{rest}", self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(text: &str, image: &str) -> Result<Vec<String>> {
        let mut conf = RegistriesConf::default();
        conf.add(Path::new("registries.conf"), text)?;
        let endpoints = conf.endpoints(&image.parse().expect("a reference"), false)?;
        Ok(endpoints
            .iter()
            .map(|endpoint| {
                let insecure = if endpoint.is_insecure { " insecure" } else { "" };
                let mirror = if endpoint.is_mirror { " mirror" } else { "" };
                let elsewhere = if endpoint.is_named || endpoint.is_mirror { "" } else { " elsewhere" };
                format!("{}{mirror}{insecure}{elsewhere}", endpoint.name())
            })
            .collect())
    }

    const DIGEST: &str = "a/b@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    #[test]
    fn images_are_asked_for_where_the_configuration_says() {
        let mirrors = r#"
            unqualified-search-registries = ["docker.io"]
            [[registry]]
            prefix = "docker.io"
            location = "docker.io"
            [[registry.mirror]]
            location = "one.example:5000"
            insecure = true
            [[registry.mirror]]
            location = "two.example/hub"
            pull-from-mirror = "digest-only"
            [[registry.mirror]]
            location = "three.example"
            pull-from-mirror = "tag-only"
            [[registry]]
            location = "docker.io/library/special"
            [[registry]]
            prefix = "*.internal.example"
            location = "gate.example/internal"
            [[registry]]
            prefix = "quay.io/old"
            location = "quay.io/new"
            insecure = true
            [[registry]]
            location = "digests.example"
            mirror-by-digest-only = true
            [[registry.mirror]]
            location = "one.example"
        "#;
        let digest = |host: &str| format!("{host}/{DIGEST}");
        for (image, expected) in [
            (
                "alpine".to_owned(),
                vec![
                    "one.example:5000/library/alpine mirror insecure",
                    "three.example/library/alpine mirror",
                    "docker.io/library/alpine",
                ],
            ),
            (
                digest("docker.io"),
                vec!["one.example:5000/a/b mirror insecure", "two.example/hub/a/b mirror", "docker.io/a/b"],
            ),
            ("docker.io/library/special".to_owned(), vec!["docker.io/library/special"]),
            (
                "docker.io/library/specials".to_owned(),
                vec![
                    "one.example:5000/library/specials mirror insecure",
                    "three.example/library/specials mirror",
                    "docker.io/library/specials",
                ],
            ),
            ("a.internal.example/x/y".to_owned(), vec!["gate.example/internal/x/y elsewhere"]),
            ("b.a.internal.example/x".to_owned(), vec!["gate.example/internal/x elsewhere"]),
            ("internal.example/x".to_owned(), vec!["internal.example/x"]),
            ("quay.io/old/x".to_owned(), vec!["quay.io/new/x insecure"]),
            ("quay.io/older/x".to_owned(), vec!["quay.io/older/x"]),
            ("digests.example/a/b".to_owned(), vec!["digests.example/a/b"]),
            (digest("digests.example"), vec!["one.example/a/b mirror", "digests.example/a/b"]),
            ("ghcr.io/a/b".to_owned(), vec!["ghcr.io/a/b"]),
        ] {
            assert_eq!(endpoints(mirrors, &image).expect("endpoints"), expected, "{image}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_told_with_its_file() {
        for (text, reason) in [
            ("[[registry]", "registries.conf"),
            ("[registries.search]\nregistries = []", "version 1"),
            ("[[registry]]\ninsecure = true", "neither prefix nor location"),
            ("[[registry]]\nlocation = \"a.example\"\ninsecure = \"yes\"", "registries.conf"),
            ("[[registry]]\nprefix = \"https://a.example\"", "no prefix"),
            ("[[registry]]\nlocation = \"a b\"", "registries.conf"),
            (
                "[[registry]]\nlocation = \"a.example\"\n[[registry.mirror]]\nlocation = \"b.example\"\npull-from-mirror = \"never\"",
                "not \"never\"",
            ),
        ] {
            let error = endpoints(text, "alpine").expect_err(text);
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            let message = error.to_string();
            assert!(message.contains("registries.conf") && message.contains(reason), "{message}");
        }
        let blocked = "[[registry]]\nprefix = \"evil.example/bad\"\nblocked = true";
        assert_eq!(endpoints(blocked, "evil.example/bad/x").expect_err("blocked").kind(), ErrorKind::Blocked);
        assert!(endpoints(blocked, "evil.example/good").is_ok());
    }

    #[test]
    fn later_files_override_earlier_ones_and_the_users_the_systems() {
        let home = tempfile::TempDir::new().expect("a folder");
        let folder = home.path().join(".config/containers/registries.conf.d");
        fs::create_dir_all(&folder).expect("a folder");
        let write = |path: &Path, location: &str| {
            let text = format!("\u{feff}[[registry]]\nprefix = \"a.example\"\nlocation = \"{location}\"\n");
            fs::write(path, text).expect("a file");
        };
        let home_variable = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        let environment: Environment = [(home_variable, home.path())].into_iter().collect();
        let found = |environment: &Environment| {
            let conf = RegistriesConf::load(environment).expect("a configuration");
            conf.endpoints(&"a.example/x".parse().expect("a reference"), false).expect("endpoints")[0].name()
        };
        write(&home.path().join(".config/containers/registries.conf"), "one.example");
        assert_eq!(found(&environment), "one.example/x");
        write(&folder.join("20.conf"), "three.example");
        write(&folder.join("10.conf"), "two.example");
        write(&folder.join("30.conf.bak"), "four.example");
        assert_eq!(found(&environment), "three.example/x");
        let file = home.path().join("mine.conf");
        write(&file, "mine.example");
        let environment: Environment = [("CONTAINERS_REGISTRIES_CONF", file)].into_iter().collect();
        assert_eq!(found(&environment), "mine.example/x");
        assert_eq!(found(&Environment::default()), "a.example/x");
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_read(text in "\\PC*", image in "[a-z.]{1,10}/[a-z]{1,5}") {
            let _ = RegistriesConf::default().add(Path::new("registries.conf"), &text);
            let table = format!("[[registry]]\nprefix = {text:?}\n[[registry.mirror]]\nlocation = {image:?}");
            let mut conf = RegistriesConf::default();
            let _ = conf.add(Path::new("registries.conf"), &table);
            if let Ok(reference) = image.parse() {
                let _ = conf.endpoints(&reference, false);
            }
        }
    }
}
