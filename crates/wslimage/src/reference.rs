//! Names of images as Docker writes them.
//!
//! The grammar is that of `distribution/reference` (reference.go and normalize.go), which docker, podman and containerd
//! share; the OCI distribution-spec ("Pulling manifests") uses the same rules for repository names and tags.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use oci_spec::image::Digest;

use crate::error::{Error, ErrorKind, Result, printable};

const DOCKER_HUB: &str = "docker.io";
/// Where Docker Hub answers the distribution API.
const DOCKER_HUB_API: &str = "registry-1.docker.io";
const DOCKER_HUB_ALIASES: [&str; 3] = [DOCKER_HUB, "index.docker.io", DOCKER_HUB_API];
/// The longest repository name, registry not counted (`NameTotalLengthMax`).
const LONGEST_REPOSITORY: usize = 255;
const LONGEST_TAG: usize = 128;
const NOT_IN_LOWER_CASE: &str = "a repository name must be in lower case";

/// A registry: a host with an optional port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Registry(String);

impl Registry {
    /// Docker Hub.
    pub fn docker_hub() -> Self {
        Self(DOCKER_HUB.to_owned())
    }

    /// The name as users write it; `docker.io` for all names of Docker Hub.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Host and port at which its API answers.
    pub fn api_address(&self) -> &str {
        if self.is_docker_hub() { DOCKER_HUB_API } else { &self.0 }
    }

    fn is_docker_hub(&self) -> bool {
        self.0 == DOCKER_HUB
    }

    /// Whether it is on this machine: `localhost`, 127.0.0.0/8 or ::1.
    pub fn is_loopback(&self) -> bool {
        let host = host_of(&self.0);
        host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl FromStr for Registry {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.contains("://") || text.contains('/') {
            return Err(invalid(text, "a registry is a host with an optional port, such as ghcr.io or localhost:5000"));
        }
        if !is_host_with_port(text) {
            return Err(invalid(text, "it is not a host with an optional port"));
        }
        let lower = text.to_ascii_lowercase();
        if DOCKER_HUB_ALIASES.contains(&lower.as_str()) {
            return Ok(Self::docker_hub());
        }
        // Only its capitals tell such a host from a user at Docker Hub, also when it is shown and read again.
        let is_told_by_case = !lower.contains(['.', ':']) && lower != "localhost";
        Ok(Self(if is_told_by_case { text.to_owned() } else { lower }))
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn host_of(address: &str) -> &str {
    match address.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => address.split(':').next().unwrap_or(address),
    }
}

fn is_host_with_port(text: &str) -> bool {
    let (host_is_valid, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, port)) => (host.parse::<Ipv6Addr>().is_ok(), port),
            None => return false,
        },
        None => {
            let end = text.find(':').unwrap_or(text.len());
            let (host, port) = text.split_at(end);
            (is_host_name(host), port)
        }
    };
    let port_is_valid = match port.strip_prefix(':') {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<u16>().is_ok_and(|port| port > 0),
        None => port.is_empty(),
    };
    host_is_valid && port_is_valid
}

fn is_host_name(host: &str) -> bool {
    host.split('.').all(|label| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    })
}

/// A repository: the name of images at one registry, such as `library/alpine`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Repository {
    registry: Registry,
    path: String,
}

impl Repository {
    /// The repository `path` at `registry`; at Docker Hub a name of one word is in `library/`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidReference`] when the name is not well formed.
    pub fn new(registry: Registry, path: &str) -> Result<Self> {
        if path.is_empty() {
            return Err(invalid(path, "the name of the image is missing"));
        }
        if path.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(invalid(path, NOT_IN_LOWER_CASE));
        }
        if !path.split('/').all(is_path_component) {
            return Err(invalid(
                path,
                "a repository name is words of lower-case letters and digits, separated by /, and inside them by one . or _, by __ or by -",
            ));
        }
        let path =
            if registry.is_docker_hub() && !path.contains('/') { format!("library/{path}") } else { path.to_owned() };
        if path.len() > LONGEST_REPOSITORY {
            return Err(invalid(&path, "a repository name has at most 255 characters"));
        }
        Ok(Self { registry, path })
    }

    /// The registry it is at.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Its name there, such as `library/alpine`.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.registry, self.path)
    }
}

/// `path-component` of the grammar: alphanumeric runs joined by `.`, `_`, `__` or any number of `-`.
fn is_path_component(component: &str) -> bool {
    let is_alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = component.as_bytes();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else { return false };
    if !is_alphanumeric(first) || !is_alphanumeric(last) {
        return false;
    }
    component
        .split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        .all(|separator| matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|b| b == b'-'))
}

fn is_tag(text: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= LONGEST_TAG
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|b| is_word(b) || b == b'.' || b == b'-')
}

/// A tag or a digest: which image of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// A name that the registry may move, such as `latest`.
    Tag(String),
    /// The digest of a manifest, which names one content for ever.
    Digest(Digest),
}

impl FromStr for Version {
    type Err = Error;

    /// Reads a tag, or a digest such as `sha256:…`.
    fn from_str(text: &str) -> Result<Self> {
        if text.contains(':') {
            let digest = Digest::from_str(text)
                .map_err(|error| invalid(text, &format!("it is not a digest ({})", printable(&error.to_string()))))?;
            if digest.algorithm().digest_hexlen().is_none() {
                return Err(invalid(text, "only sha256, sha384 and sha512 digests can be verified"));
            }
            return Ok(Self::Digest(digest));
        }
        if text.is_empty() {
            return Err(invalid(text, "the tag is missing"));
        }
        if !is_tag(text) {
            return Err(invalid(
                text,
                "a tag has at most 128 letters, digits, _, . and -, and does not begin with . or -",
            ));
        }
        Ok(Self::Tag(text.to_owned()))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => formatter.write_str(tag),
            Self::Digest(digest) => digest.fmt(formatter),
        }
    }
}

/// An image: a repository and which image of it.
///
/// ```
/// use wslimage::Reference;
///
/// let reference: Reference = "alpine".parse()?;
/// assert_eq!(reference.to_string(), "docker.io/library/alpine:latest");
/// # Ok::<(), wslimage::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    repository: Repository,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// The image `version` of `repository`.
    pub fn new(repository: Repository, version: Version) -> Self {
        match version {
            Version::Tag(tag) => Self { repository, tag: Some(tag), digest: None },
            Version::Digest(digest) => Self { repository, tag: None, digest: Some(digest) },
        }
    }

    /// The image that a user named in parts: a registry (`default_registry` stands in for it), a name, and a tag or
    /// digest.
    ///
    /// The name may be a whole reference as Docker writes it (`ghcr.io/owner/name:tag`, `name@sha256:…`). A registry in
    /// it goes before the default; `latest` is taken where neither it nor `version` says which image.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidReference`] when a part is not well formed, or when the name has another registry, tag or
    /// digest than the one beside it.
    pub fn from_parts(
        registry: Option<&str>,
        default_registry: &str,
        name: &str,
        version: Option<&str>,
    ) -> Result<Self> {
        let written = Written::split(name);
        let asked = registry.map(str::parse::<Registry>).transpose()?;
        let registry = match (asked, written.registry) {
            // Beside a registry, a word in capitals is a mistake in a name and not a host.
            (Some(_), Some(word)) if !is_address(word) => return Err(invalid(name, NOT_IN_LOWER_CASE)),
            (Some(asked), Some(named)) if named.parse::<Registry>()? != asked => {
                return Err(contradiction(name, &format!("another registry is asked for beside it, {asked}")));
            }
            (Some(asked), _) => asked,
            (None, Some(named)) => named.parse()?,
            (None, None) => default_registry.parse()?,
        };
        let tag = written.tag.map(|tag| tag_in(name, tag)).transpose()?;
        let digest = written.digest.map(|digest| digest_in(name, digest)).transpose()?;
        if written.registry.is_none() && is_image_id(written.path) {
            return Err(invalid(name, "64 hexadecimal digits alone are an image ID, which no registry knows"));
        }
        let repository = Repository::new(registry, written.path)?;
        let Some(version) = version else {
            let tag = tag.or_else(|| digest.is_none().then(|| "latest".to_owned()));
            return Ok(Self { repository, tag, digest });
        };
        let version: Version = version.parse()?;
        if tag.is_none() && digest.is_none() {
            return Ok(Self::new(repository, version));
        }
        let is_same = match &version {
            Version::Tag(version) => tag.as_ref() == Some(version),
            Version::Digest(version) => digest.as_ref() == Some(version),
        };
        if is_same {
            return Ok(Self { repository, tag, digest });
        }
        Err(contradiction(name, &format!("another tag is asked for beside it, {version}")))
    }

    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The registry of its repository.
    pub fn registry(&self) -> &Registry {
        &self.repository.registry
    }

    /// The tag, if one was named. With a digest beside it, the digest decides.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if one was named.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What `/manifests/` is asked for: the digest if there is one, else the tag, else `latest`.
    pub fn version(&self) -> &str {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.as_ref(),
            (None, Some(tag)) => tag,
            (None, None) => "latest",
        }
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::from_parts(None, DOCKER_HUB, text, None)
    }
}

/// The parts of a reference as they are written, before defaults stand in for what is missing.
struct Written<'a> {
    registry: Option<&'a str>,
    path: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

impl<'a> Written<'a> {
    fn split(text: &'a str) -> Self {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        // Before the first slash stands a registry only if it cannot be a word of a name (normalize.go,
        // splitDockerDomain).
        let (registry, rest) = match rest.split_once('/') {
            Some((first, path)) if is_address(first) || has_capitals(first) => (Some(first), path),
            _ => (None, rest),
        };
        let (path, tag) = match rest.rsplit_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (rest, None),
        };
        Self { registry, path, tag, digest }
    }
}

fn is_address(word: &str) -> bool {
    word.contains(['.', ':', '[']) || word == "localhost"
}

fn has_capitals(word: &str) -> bool {
    word != word.to_ascii_lowercase()
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.repository.fmt(formatter)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(formatter, "@{digest}")?;
        }
        Ok(())
    }
}

fn tag_in(name: &str, tag: &str) -> Result<String> {
    match tag.parse()? {
        Version::Tag(tag) => Ok(tag),
        Version::Digest(_) => Err(invalid(name, "a digest follows @")),
    }
}

fn digest_in(name: &str, digest: &str) -> Result<Digest> {
    match digest.parse()? {
        Version::Digest(digest) => Ok(digest),
        Version::Tag(_) => Err(invalid(name, "what follows @ is not a digest")),
    }
}

fn is_image_id(path: &str) -> bool {
    path.len() == 64 && path.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn contradiction(name: &str, reason: &str) -> Error {
    invalid(name, reason).advice("Name it once, in the image's name or beside it.")
}

fn invalid(text: &str, reason: &str) -> Error {
    let shown = printable(text);
    Error::new(ErrorKind::InvalidReference, format!("Invalid image reference \"{shown}\": {reason}")).target(shown)
}

#[cfg(test)]
mod tests;
