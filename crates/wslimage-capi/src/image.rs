//! Which image is meant.

use std::ffi::c_char;

use library::{ErrorKind, ImageRequest, Platform, Reference, Repository, SecretString};

use crate::error::Failure;
use crate::sized::{self, Sized};
use crate::text;

const DOCKER_HUB: &str = "docker.io";

/// Which image. All strings are read during the call.
#[repr(C)]
pub struct wslimage_image {
    /// sizeof(wslimage_image).
    pub size: usize,
    /// "ghcr.io", "docker.io", "host:5000". NULL: taken from name, else default_registry.
    pub registry: *const c_char,
    /// "owner/name", or a whole reference as docker writes it, such as "ghcr.io/owner/name:tag"; what it names must not
    /// be named otherwise beside it. For wslimage_token_start, with registry given, it is a repository there, and ""
    /// or NULL asks for a token of the registry itself.
    pub name: *const c_char,
    /// A tag, or "sha256:..." for a digest. NULL: taken from name, else "latest". Read by wslimage_reference_new and
    /// wslimage_manifest_start only.
    pub tag: *const c_char,
    /// "linux/arm64/v8"; NULL: "linux/amd64", whatever this machine is. Read by wslimage_manifest_start only.
    pub platform: *const c_char,
    /// A Bearer token that the caller has: it is used as it is, and when it is refused no other is got in its place.
    /// NULL: as the registry asks for it. Read by wslimage_manifest_start only.
    pub auth_token: *const c_char,
    /// The registry where neither registry nor name says one; NULL: "docker.io".
    pub default_registry: *const c_char,
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
    default_registry: &'a str,
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
                default_registry: text::optional(image.default_registry, "image->default_registry")?
                    .unwrap_or(DOCKER_HUB),
            })
        }
    }

    fn reference(&self) -> Result<Reference, Failure> {
        let name = self.name.ok_or_else(|| Failure::null("image->name"))?;
        Ok(Reference::from_parts(self.registry, self.default_registry, name, self.tag)?)
    }
}

/// Reads which image is meant.
///
/// # Safety
/// `image` is NULL or a struct as its documentation says.
pub(crate) unsafe fn reference(image: *const wslimage_image) -> Result<Reference, Failure> {
    // SAFETY: the caller of this function promises it; nothing borrowed leaves this function.
    unsafe { Given::read(image) }?.reference()
}

/// Reads which repository is meant, whatever image of it.
///
/// # Safety
/// `image` is NULL or a struct as its documentation says.
pub(crate) unsafe fn repository(image: *const wslimage_image) -> Result<Repository, Failure> {
    // SAFETY: the caller of this function promises it; nothing borrowed leaves this function.
    let given = Given { tag: None, ..unsafe { Given::read(image) }? };
    Ok(given.reference()?.repository().clone())
}

/// Reads which image is to be found, and how.
///
/// # Safety
/// `image` is NULL or a struct as its documentation says.
pub(crate) unsafe fn request(image: *const wslimage_image) -> Result<ImageRequest, Failure> {
    // SAFETY: the caller of this function promises it; nothing borrowed leaves this function.
    let given = unsafe { Given::read(image) }?;
    let mut request = ImageRequest::new(given.reference()?);
    if let Some(given) = given.platform {
        request.platform = platform(given)?;
    }
    request.token = given.auth_token.map(SecretString::from);
    Ok(request)
}

/// A platform as the caller gave it: an option of the call, not a part of the image's name.
pub(crate) fn platform(given: &str) -> Result<Platform, Failure> {
    given.parse().map_err(|error: library::Error| Failure::from(error).of_kind(ErrorKind::InvalidArgument))
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
        (None, "") => (given.default_registry.to_owned(), String::new()),
        (None, name) => {
            let reference = Reference::from_parts(None, given.default_registry, name, None)?;
            (reference.registry().to_string(), reference.repository().path().to_owned())
        }
    };
    Ok((registry, repository))
}
