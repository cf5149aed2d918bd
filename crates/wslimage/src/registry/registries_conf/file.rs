//! One file of the second version of containers-registries.conf(5).

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::{Only, repository_at};
use crate::error::{Error, ErrorKind, Result, printable};
use crate::reference::Registry;

/// What one `[[registry]]` says.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) prefix: Prefix,
    /// `None`: the registry is where its name says.
    pub(super) location: Option<String>,
    pub(super) insecure: bool,
    pub(super) blocked: bool,
    pub(super) mirrors: Vec<Mirror>,
    pub(super) file: PathBuf,
    /// In the file, from 1.
    pub(super) line: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Mirror {
    pub(super) location: String,
    pub(super) insecure: bool,
    pub(super) only: Only,
}

/// Which names an entry is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Prefix {
    /// `host[:port][/path]`.
    Name(String),
    /// `*.host[:port][/path]`, kept from the dot on.
    Subdomains(String),
}

impl Prefix {
    fn parse(text: &str) -> Self {
        let lower = text.to_ascii_lowercase();
        match lower.strip_prefix('*') {
            Some(rest) if rest.starts_with('.') => Self::Subdomains(rest.to_owned()),
            _ => Self::Name(lower),
        }
    }

    /// How much of `name` it covers. Like podman's, `host` covers `host:port` too.
    pub(super) fn length_in(&self, name: &str) -> Option<usize> {
        let length = match self {
            Self::Name(prefix) => name.starts_with(prefix).then_some(prefix.len())?,
            Self::Subdomains(suffix) => {
                let start = name.match_indices(suffix.as_str()).map(|(start, _)| start).find(|start| {
                    let (before, after) = (&name[..*start], &name[start + suffix.len()..]);
                    !before.contains('/') && ends_a_part(after)
                })?;
                start + suffix.len()
            }
        };
        ends_a_part(&name[length..]).then_some(length)
    }

    fn registry(&self) -> &str {
        let text = match self {
            Self::Name(text) => text.as_str(),
            Self::Subdomains(text) => text.trim_start_matches('.'),
        };
        text.split('/').next().unwrap_or(text)
    }
}

fn ends_a_part(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(['/', ':'])
}

impl fmt::Display for Prefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => formatter.write_str(name),
            Self::Subdomains(suffix) => write!(formatter, "*{suffix}"),
        }
    }
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    registry: Vec<Spanned<RegistryTable>>,
    registries: Option<Spanned<FirstVersion>>,
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
    pull_from_mirror: Option<String>,
    #[serde(default)]
    mirror: Vec<Spanned<MirrorTable>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct MirrorTable {
    location: Option<String>,
    #[serde(default)]
    insecure: bool,
    pull_from_mirror: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FirstVersion {
    search: FirstVersionList,
    insecure: FirstVersionList,
    block: FirstVersionList,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FirstVersionList {
    registries: Vec<String>,
}

impl FirstVersion {
    fn says_something(&self) -> bool {
        [&self.search, &self.insecure, &self.block].iter().any(|list| !list.registries.is_empty())
    }
}

/// Reads `text`, which is that of `file`. Of entries with the same prefix the first counts.
pub(super) fn parse(file: &Path, text: &str) -> Result<Vec<Entry>> {
    let line_at = |offset: usize| text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1;
    let document: Document = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| line_at(span.start));
        unusable(file, line, &printable(error.message()))
    })?;
    if let Some(first_version) = document.registries.filter(|it| it.get_ref().says_something()) {
        let reason = "it is of the first version of the format ([registries.search], [registries.insecure], \
                      [registries.block])";
        return Err(unusable(file, Some(line_at(first_version.span().start)), reason)
            .advice("Write it with [[registry]] tables, as containers-registries.conf(5) has them."));
    }
    let mut entries: Vec<Entry> = Vec::new();
    for table in document.registry {
        let line = line_at(table.span().start);
        let entry = entry(file, line, table.into_inner(), line_at)
            .map_err(|(line, reason)| unusable(file, Some(line), &reason))?;
        if !entries.iter().any(|known| known.prefix == entry.prefix) {
            entries.push(entry);
        }
    }
    Ok(entries)
}

/// The rules are those of containers/image (sysregistriesv2, `postProcessRegistries`). An error is a line and a reason.
fn entry(
    file: &Path,
    line: usize,
    table: RegistryTable,
    line_at: impl Fn(usize) -> usize,
) -> Result<Entry, (usize, String)> {
    let here = |reason: String| (line, reason);
    let location = table.location.filter(|it| !it.is_empty()).map(|it| location(&it)).transpose().map_err(here)?;
    let prefix = match (table.prefix.filter(|it| !it.is_empty()), &location) {
        (Some(prefix), _) => Prefix::parse(without_scheme(&prefix).map_err(here)?),
        (None, Some(location)) => Prefix::Name(location.clone()),
        (None, None) => return Err(here("a registry has neither prefix nor location".to_owned())),
    };
    if location.is_none() && matches!(prefix, Prefix::Name(_)) {
        return Err(here(format!("the registry with the prefix \"{prefix}\" has no location")));
    }
    if prefix.registry().parse::<Registry>().is_err() {
        return Err(here(format!("the prefix \"{}\" does not begin with a host", printable(&prefix.to_string()))));
    }
    if table.pull_from_mirror.is_some() {
        return Err(here("pull-from-mirror stands in a registry, but is for a mirror".to_owned()));
    }
    let mut mirrors = Vec::with_capacity(table.mirror.len());
    for mirror in table.mirror {
        let line = line_at(mirror.span().start);
        mirrors.push(self::mirror(mirror.into_inner(), table.mirror_by_digest_only).map_err(|reason| (line, reason))?);
    }
    Ok(Entry {
        prefix,
        location,
        insecure: table.insecure,
        blocked: table.blocked,
        mirrors,
        file: file.to_owned(),
        line,
    })
}

fn mirror(table: MirrorTable, by_digest_only: bool) -> Result<Mirror, String> {
    let text = table.location.filter(|it| !it.is_empty()).ok_or("a mirror has no location")?;
    let only = match (table.pull_from_mirror.as_deref(), by_digest_only) {
        (None | Some(""), true) => Only::Digest,
        (None | Some("" | "all"), false) => Only::All,
        (Some("digest-only"), false) => Only::Digest,
        (Some("tag-only"), false) => Only::Tag,
        (Some(_), true) => return Err("mirror-by-digest-only and pull-from-mirror exclude each other".to_owned()),
        (Some(other), false) => {
            return Err(format!("pull-from-mirror is \"{}\", not all, digest-only or tag-only", printable(other)));
        }
    };
    Ok(Mirror { location: location(&text)?, insecure: table.insecure, only })
}

/// `host[:port][/path]`.
fn location(text: &str) -> Result<String, String> {
    let trimmed = without_scheme(text)?;
    let registry = trimmed.split('/').next().unwrap_or(trimmed);
    let is_valid = registry.parse::<Registry>().is_ok() && repository_at(trimmed, "/name").is_ok();
    if is_valid {
        Ok(trimmed.to_owned())
    } else {
        Err(format!("the location \"{}\" is not a host with an optional port and path", printable(text)))
    }
}

fn without_scheme(text: &str) -> Result<&str, String> {
    match text.split_once("://") {
        Some((scheme, _)) => Err(format!(
            "\"{}\" must be written without {}://; a place for plain http has insecure = true",
            printable(text),
            printable(scheme)
        )),
        None => Ok(text.trim_end_matches('/')),
    }
}

pub(super) fn unusable(file: &Path, line: Option<usize>, reason: &str) -> Error {
    let line = line.map(|line| format!(", line {line}")).unwrap_or_default();
    Error::new(
        ErrorKind::InvalidArgument,
        format!("The registries configuration {}{line} cannot be used: {reason}", file.display()),
    )
    .advice("Correct the file, or name another one with the environment variable CONTAINERS_REGISTRIES_CONF.")
    .target(file.display())
}
