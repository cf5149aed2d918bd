//! Which image is meant.

use std::ffi::c_char;

use library::{Error, ErrorKind, ImageRequest, Platform, Reference, Registry, Repository, SecretString, Version};

use crate::error::Failure;
use crate::sized::{self, Sized};
use crate::text;

/// Which image. All strings are read during the call.
#[repr(C)]
pub struct wslimage_image {
    /// sizeof(wslimage_image).
    pub size: usize,
    /// "ghcr.io", "docker.io", "host:5000". NULL: name is a whole reference as docker writes it, and has the registry
    /// in it; else it is docker.io.
    pub registry: *const c_char,
    /// "owner/name". With registry NULL also "ghcr.io/owner/name:tag" and the like. For wslimage_token_start it may be
    /// "" or NULL: a token of the registry itself.
    pub name: *const c_char,
    /// A tag, or "sha256:..." for a digest. NULL: taken from name, else "latest". Not read by wslimage_token_start.
    pub tag: *const c_char,
    /// "linux/arm64/v8"; NULL: "linux/amd64", whatever this machine is. Not read by wslimage_token_start.
    pub platform: *const c_char,
    /// A Bearer token that the caller has: it is used as it is, and when it is refused no other is got in its place.
    /// NULL:
    /// as the registry asks for it. Not read by wslimage_token_start.
    pub auth_token: *const c_char,
}

// SAFETY: `size` is the first field; null pointers are zeros.
unsafe impl Sized for wslimage_image {
    const NAME: &'static str = "wslimage_image";
}

/// The caller's struct as it was given, with its strings in place of pointers.
struct Given<'a> {
    registry: Option<&'a str>,
    name: Option<&'a str>,
    tag: Option<&'a str>,
    platform: Option<&'a str>,
    auth_token: Option<&'a str>,
}

impl<'a> Given<'a> {
    /// # Safety
    /// `image` is NULL or a struct as its documentation says, whose strings live for `'a`.
    unsafe fn read(image: *const wslimage_image) -> Result<Self, Failure> {
        // SAFETY: the caller of this function promises it; any bytes are pointers.
        let image = unsafe { sized::read(image, "image")?.assume_init() };
        // SAFETY: the caller of this function promises strings that live for `'a`.
        unsafe {
            Ok(Self {
                registry: text::optional(image.registry, "image->registry")?,
                name: text::optional(image.name, "image->name")?,
                tag: text::optional(image.tag, "image->tag")?,
                platform: text::optional(image.platform, "image->platform")?,
                auth_token: text::optional(image.auth_token, "image->auth_token")?,
            })
        }
    }

    fn reference(&self) -> Result<Reference, Failure> {
        let name = self.name.ok_or_else(|| Failure::null("image->name"))?;
        match self.registry {
            Some(registry) => {
                let repository = Repository::new(registry.parse()?, name)?;
                Ok(Reference::new(repository, self.tag.unwrap_or("latest").parse()?))
            }
            None => Ok(whole_reference(name, self.tag)?),
        }
    }
}

/// The reference `name`, whose tag or digest may be given beside it.
fn whole_reference(name: &str, tag: Option<&str>) -> library::Result<Reference> {
    let reference: Reference = name.parse()?;
    let Some(tag) = tag else { return Ok(reference) };
    let version: Version = tag.parse()?;
    // Before the last slash a colon belongs to the registry's port.
    let names_version = name.rsplit('/').next().is_some_and(|last| last.contains([':', '@']));
    if !names_version {
        return Ok(Reference::new(reference.repository().clone(), version));
    }
    let is_same = match &version {
        Version::Tag(tag) => reference.tag() == Some(tag),
        Version::Digest(digest) => reference.digest() == Some(digest),
    };
    if is_same {
        return Ok(reference);
    }
    Err(Error::new(
        ErrorKind::InvalidReference,
        format!("Invalid image reference \"{reference}\": another tag is asked for beside it, {version}"),
    ))
}

/// Reads which image is to be found, and how.
///
/// # Safety
/// `image` is NULL or a struct as its documentation says.
pub(crate) unsafe fn request(image: *const wslimage_image) -> Result<ImageRequest, Failure> {
    // SAFETY: the caller of this function promises it; nothing borrowed leaves this function.
    let given = unsafe { Given::read(image) }?;
    let mut request = ImageRequest::new(given.reference()?);
    if let Some(platform) = given.platform {
        // Here a platform is an option of the call, not a part of the image's name.
        request.platform =
            platform.parse::<Platform>().map_err(|error| Failure::from(error).of_kind(ErrorKind::InvalidArgument))?;
    }
    request.token = given.auth_token.map(SecretString::from);
    Ok(request)
}

/// Reads for what a token is to be got: a registry and the name of a repository, which may be empty.
///
/// # Safety
/// `image` is NULL or a struct as its documentation says.
pub(crate) unsafe fn scope(image: *const wslimage_image) -> Result<(String, String), Failure> {
    // SAFETY: the caller of this function promises it; nothing borrowed leaves this function.
    let given = unsafe { Given::read(image) }?;
    let (registry, repository) = match (given.registry, given.name.unwrap_or_default()) {
        (Some(registry), name) => (registry.to_owned(), name.to_owned()),
        (None, "") => (Registry::docker_hub().to_string(), String::new()),
        (None, name) => {
            let reference: Reference = name.parse()?;
            (reference.registry().to_string(), reference.repository().path().to_owned())
        }
    };
    Ok((registry, repository))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_stands_in_the_name_or_beside_it_but_not_two_of_them() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let with_digest = format!("ghcr.io/a/b@{digest}");
        let with_both = format!("ghcr.io/a/b:c@{digest}");
        for (name, tag, expected) in [
            ("alpine", None, "docker.io/library/alpine:latest"),
            ("alpine", Some("3.20"), "docker.io/library/alpine:3.20"),
            ("localhost:5000/a", Some("b"), "localhost:5000/a:b"),
            ("[::1]:5000/a", Some("b"), "[::1]:5000/a:b"),
            ("ghcr.io/a/b:c", Some("c"), "ghcr.io/a/b:c"),
            ("ghcr.io/a/b", Some(digest.as_str()), with_digest.as_str()),
            (with_digest.as_str(), Some(digest.as_str()), with_digest.as_str()),
            (with_both.as_str(), Some("c"), with_both.as_str()),
        ] {
            let reference = whole_reference(name, tag).expect(name);
            assert_eq!(reference.to_string(), expected);
        }
        for (name, tag) in [("ghcr.io/a/b:c", "d"), ("a:latest", "b"), (with_digest.as_str(), "c"), ("a", "")] {
            let error = whole_reference(name, Some(tag)).expect_err(name);
            assert_eq!(error.kind(), ErrorKind::InvalidReference);
        }
    }
}
