//! Mirrors, other names and bans of registries, as containers-registries.conf(5) has them for podman, buildah and
//! skopeo.
//!
//! `file` reads one file; here is which files count, and what they say of a repository.

mod file;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use self::file::{Entry, Prefix};
use crate::environment::Environment;
use crate::error::{Error, ErrorKind, Result};
use crate::reference::{Registry, Repository};

/// What this machine is set up with. The default is nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct RegistriesConf {
    entries: Vec<Entry>,
}

/// A place where a repository is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Its name there.
    pub(super) repository: Repository,
    /// Whether plain http and any certificate are taken there.
    pub(super) insecure: bool,
    /// For what it may be asked.
    pub(super) only: Only,
    /// Whether another place is the registry itself.
    pub(super) is_mirror: bool,
}

/// What a mirror may be asked for (`pull-from-mirror`, `mirror-by-digest-only`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Only {
    /// Everything.
    #[default]
    All,
    /// Images that are named by their digest.
    Digest,
    /// Images that are named by a tag.
    Tag,
}

impl Only {
    /// Whether an image that is named by its digest, or by a tag alone, may be asked for.
    pub(super) fn includes(self, by_digest: bool) -> bool {
        match self {
            Self::All => true,
            Self::Digest => by_digest,
            Self::Tag => !by_digest,
        }
    }
}

impl RegistriesConf {
    /// Reads the file that `CONTAINERS_REGISTRIES_CONF` names, else the user's, else (not on Windows) the system's, and
    /// after it `registries.conf.d/*.conf`: the user's, and the system's unless the file is the user's. What a later
    /// file says of a prefix counts. An empty environment leads to nothing.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] that names file and line, for a file that cannot be read or is not of the second
    /// version of the format.
    pub(super) fn load(environment: &Environment) -> Result<Self> {
        let mut conf = Self::default();
        let places = Places::of(environment);
        if let Some((main, must_exist)) = places.main {
            match std::fs::read_to_string(&main) {
                Ok(text) => conf.entries = file::parse(&main, &text)?,
                Err(error) if is_absent(&error) && !must_exist => {}
                Err(error) => return Err(unreadable(&main, error)),
            }
        }
        for folder in places.folders {
            for path in drop_ins(&folder)? {
                let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
                conf.update(file::parse(&path, &text)?);
            }
        }
        Ok(conf)
    }

    /// What `entries` say takes the place of what was said of the same prefixes.
    fn update(&mut self, entries: Vec<Entry>) {
        self.entries.retain(|known| !entries.iter().any(|entry| entry.prefix == known.prefix));
        self.entries.extend(entries);
    }

    /// Where `repository` is looked for, in this order: its mirrors, then the registry itself.
    ///
    /// # Errors
    /// [`ErrorKind::Blocked`] where it is not to be asked for, [`ErrorKind::InvalidArgument`] where what is set up
    /// makes no name.
    pub(super) fn endpoints(&self, repository: &Repository) -> Result<Vec<Endpoint>> {
        let name = repository.to_string();
        let Some((entry, length)) = self.entry_for(&name) else {
            return Ok(vec![Endpoint {
                repository: repository.clone(),
                insecure: false,
                only: Only::All,
                is_mirror: false,
            }]);
        };
        if entry.blocked {
            return Err(Error::new(
                ErrorKind::Blocked,
                format!(
                    "{name} is blocked by {} (prefix \"{}\", line {})",
                    entry.file.display(),
                    entry.prefix,
                    entry.line
                ),
            )
            .advice("Take \"blocked\" out there to allow it, or ask who runs this machine.")
            .target(name));
        }
        let rest = &name[length..];
        let there = |location: &str| {
            repository_at(location, rest).map_err(|error| {
                let reason = format!("{name} has no name at \"{location}\" ({error})");
                file::unusable(&entry.file, Some(entry.line), &reason).caused_by(error)
            })
        };
        let mut endpoints = Vec::with_capacity(entry.mirrors.len() + 1);
        for mirror in &entry.mirrors {
            endpoints.push(Endpoint {
                repository: there(&mirror.location)?,
                insecure: mirror.insecure,
                only: mirror.only,
                is_mirror: true,
            });
        }
        let itself = match &entry.location {
            Some(location) => there(location)?,
            None => repository.clone(),
        };
        endpoints.push(Endpoint { repository: itself, insecure: entry.insecure, only: Only::All, is_mirror: false });
        Ok(endpoints)
    }

    /// The entry with the longest prefix of `name`, and how much of `name` that is. Of two as long the one without `*`
    /// counts, then the first.
    fn entry_for(&self, name: &str) -> Option<(&Entry, usize)> {
        let rank = |entry: &Entry, length: usize| (length, matches!(entry.prefix, Prefix::Name(_)));
        let mut best: Option<(&Entry, usize)> = None;
        for entry in &self.entries {
            let Some(length) = entry.prefix.length_in(name) else { continue };
            if best.is_none_or(|(known, known_length)| rank(entry, length) > rank(known, known_length)) {
                best = Some((entry, length));
            }
        }
        best
    }
}

/// Which files count.
struct Places {
    /// And whether it must be there.
    main: Option<(PathBuf, bool)>,
    folders: Vec<PathBuf>,
}

impl Places {
    fn of(environment: &Environment) -> Self {
        let named = environment.path("CONTAINERS_REGISTRIES_CONF").map(|file| (file, true));
        let Some(home) = environment.home() else { return Self { main: named, folders: Vec::new() } };
        let user = environment.path("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")).join("containers");
        let of_system = |name: &str| (!cfg!(windows)).then(|| Path::new("/etc/containers").join(name));

        let user_file = user.join("registries.conf");
        let user_folder = user.join("registries.conf.d");
        if named.is_none() && user_file.exists() {
            return Self { main: Some((user_file, true)), folders: vec![user_folder] };
        }
        Self {
            main: named.or_else(|| Some((of_system("registries.conf")?, false))),
            folders: of_system("registries.conf.d").into_iter().chain([user_folder]).collect(),
        }
    }
}

/// The `.conf` files of `folder` in alphabetical order.
fn drop_ins(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = || -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "conf") && !path.is_dir() {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    };
    match list() {
        Err(error) if is_absent(&error) => Ok(Vec::new()),
        files => files.map_err(|error| unreadable(folder, error)),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    file::unusable(path, None, &error.to_string()).caused_by(error)
}

/// The repository whose name is `location` with `rest` behind it.
fn repository_at(location: &str, rest: &str) -> Result<Repository> {
    let name = format!("{location}{rest}");
    let (registry, path) = name.split_once('/').unwrap_or((&name, ""));
    Repository::new(registry.parse::<Registry>()?, path)
}
