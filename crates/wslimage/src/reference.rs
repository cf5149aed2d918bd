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
            return Err(invalid(path, "a repository name must be in lower case"));
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
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => match digest.parse()? {
                Version::Digest(digest) => (rest, Some(digest)),
                Version::Tag(_) => return Err(invalid(text, "what follows @ is not a digest")),
            },
            None => (text, None),
        };
        // Before the first slash stands a registry only if it cannot be a word of a name (normalize.go, splitDockerDomain).
        let (registry, rest) = match rest.split_once('/') {
            Some((first, path))
                if first.contains(['.', ':', '[']) || first == "localhost" || first != first.to_ascii_lowercase() =>
            {
                (first.parse()?, path)
            }
            _ => (Registry::docker_hub(), rest),
        };
        let (path, tag) = match rest.rsplit_once(':') {
            Some((path, tag)) => match tag.parse()? {
                Version::Tag(tag) => (path, Some(tag)),
                Version::Digest(_) => return Err(invalid(text, "a digest follows @")),
            },
            None => (rest, None),
        };
        if path.len() == 64 && path.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(invalid(text, "64 hexadecimal digits alone are an image ID, which no registry knows"));
        }
        let repository = Repository::new(registry, path)?;
        let tag = tag.or_else(|| digest.is_none().then(|| "latest".to_owned()));
        Ok(Self { repository, tag, digest })
    }
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

fn invalid(text: &str, reason: &str) -> Error {
    let shown = printable(text);
    Error::new(ErrorKind::InvalidReference, format!("Invalid image reference \"{shown}\": {reason}")).target(shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DIGEST: &str = "sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b";

    #[test]
    fn references_are_read_as_docker_reads_them() {
        let with_digest = |name: &str| format!("{name}@{DIGEST}");
        for (text, shown) in [
            ("alpine", "docker.io/library/alpine:latest"),
            ("alpine:3.20", "docker.io/library/alpine:3.20"),
            ("docker.io/alpine", "docker.io/library/alpine:latest"),
            ("docker.io/library/alpine:3.20", "docker.io/library/alpine:3.20"),
            ("index.docker.io/library/alpine", "docker.io/library/alpine:latest"),
            ("registry-1.docker.io/alpine", "docker.io/library/alpine:latest"),
            ("Docker.IO/alpine", "docker.io/library/alpine:latest"),
            ("owner/name", "docker.io/owner/name:latest"),
            ("Host/owner/name", "Host/owner/name:latest"),
            ("GHCR.io/a/b", "ghcr.io/a/b:latest"),
            ("LOCALHOST/a", "localhost/a:latest"),
            ("ghcr.io/a/b", "ghcr.io/a/b:latest"),
            ("ghcr.io/a/b/c/d:v1.0_x-y", "ghcr.io/a/b/c/d:v1.0_x-y"),
            ("host:5000/x/y:z", "host:5000/x/y:z"),
            ("localhost/x", "localhost/x:latest"),
            ("localhost:5000/x", "localhost:5000/x:latest"),
            ("127.0.0.1:5000/x", "127.0.0.1:5000/x:latest"),
            ("[::1]:5000/x", "[::1]:5000/x:latest"),
            ("[::1]/x:y", "[::1]/x:y"),
            ("a--b/c__d/e.f_g", "docker.io/a--b/c__d/e.f_g:latest"),
            ("x:_Tag", "docker.io/library/x:_Tag"),
            (&with_digest("alpine"), &with_digest("docker.io/library/alpine")),
            (&with_digest("ghcr.io/a/b"), &with_digest("ghcr.io/a/b")),
            (&with_digest("ghcr.io/a/b:tag"), &with_digest("ghcr.io/a/b:tag")),
            (&with_digest("h:5000/b"), &with_digest("h:5000/b")),
        ] {
            let reference: Reference = text.parse().expect(text);
            assert_eq!(reference.to_string(), shown, "{text}");
            assert_eq!(reference.to_string().parse::<Reference>().expect(shown), reference);
        }
    }

    #[test]
    fn what_is_no_reference_is_refused_by_name() {
        let (long_name, long_tag) = (format!("a/{}", "b".repeat(254)), format!("a:{}", "t".repeat(129)));
        for text in [
            "",
            ":tag",
            "a:",
            "a/",
            "/a",
            "a//b",
            "A",
            "ghcr.io/Owner/name",
            "a b",
            "a:b c",
            "a:.hidden",
            "a:-x",
            "a___b",
            "a..b",
            "-a",
            "a-",
            "a_",
            ".a",
            "https://ghcr.io/a",
            "ghcr.io:port/a",
            "ghcr.io:0/a",
            "ghcr.io:70000/a",
            "-x.io/a",
            "[::1/a",
            "[zz]/a",
            "a@sha256:123",
            "a@md5:d41d8cd98f00b204e9800998ecf8427e",
            "a@latest",
            "a@",
            "a@@",
            "a@\0:",
            "a@\u{1b}[31m:",
            "ä",
            "a/b\u{202e}c",
            "a\0b",
            "6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b",
            &long_name,
            &long_tag,
        ] {
            let error = text.parse::<Reference>().expect_err(text);
            assert_eq!(error.kind(), ErrorKind::InvalidReference, "{text}");
            assert!(error.to_string().starts_with("Invalid image reference \""), "{error}");
            crate::fuzz::expect_printable(&error);
        }
    }

    #[test]
    fn the_parts_of_a_reference_say_where_to_ask() {
        let hub: Reference = "alpine:3.20".parse().expect("a reference");
        assert_eq!(hub.registry().api_address(), "registry-1.docker.io");
        assert_eq!(hub.repository().path(), "library/alpine");
        assert_eq!((hub.tag(), hub.version()), (Some("3.20"), "3.20"));
        let pinned: Reference = format!("ghcr.io/a/b:tag@{DIGEST}").parse().expect("a reference");
        assert_eq!(pinned.version(), DIGEST, "the digest decides");
    }

    #[test]
    fn loopback_is_this_machine_only() {
        for (name, is_loopback) in [
            ("localhost", true),
            ("localhost:5000", true),
            ("127.0.0.1", true),
            ("127.9.9.9:80", true),
            ("[::1]:5000", true),
            ("localhost.example.com", false),
            ("127.0.0.1.example.com", false),
            ("10.0.0.1", false),
            ("ghcr.io", false),
        ] {
            assert_eq!(name.parse::<Registry>().expect(name).is_loopback(), is_loopback, "{name}");
        }
    }

    #[test]
    fn fuzz_reference() {
        crate::fuzz::check("reference", |bytes| match String::from_utf8_lossy(bytes).parse::<Reference>() {
            Ok(reference) => {
                let shown = reference.to_string();
                assert_eq!(shown.parse::<Reference>().expect("what is shown is a reference"), reference);
                assert!(!shown.contains(|c: char| c.is_control() || c.is_whitespace()), "{shown:?}");
                reference.version().parse::<Version>().expect("a tag or a digest");
            }
            Err(error) => crate::fuzz::expect_printable(&error),
        });
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,80}") {
            let _ = text.parse::<Reference>();
        }

        #[test]
        fn what_is_read_is_shown_and_read_again_the_same(
            text in "([a-z0-9.-]{1,12}(:[0-9]{1,5})?/)?[a-z0-9._/-]{1,20}(:[a-zA-Z0-9._-]{1,9})?(@sha256:[0-9a-f]{64})?",
        ) {
            if let Ok(reference) = text.parse::<Reference>() {
                let shown = reference.to_string();
                prop_assert_eq!(shown.parse::<Reference>().expect("what is shown is a reference"), reference);
            }
        }
    }
}
