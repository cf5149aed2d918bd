//! A container image from any registry becomes one archive that `wsl --import` takes: verified, without Docker.
//!
//! ```no_run
//! use std::path::Path;
//! use wslimage::{Client, ClientOptions, ImageRequest, Job, PullOptions};
//!
//! # async fn example() -> wslimage::Result<()> {
//! let client = Client::new(ClientOptions::default())?;
//! let request = ImageRequest::new("ghcr.io/antoinemartin/powershell-wsl-manager/miniwsl-alpine:latest".parse()?);
//! let job = Job::default();
//! let image = wslimage::resolve(&client, request, &job).await?;
//! let file =
//!     wslimage::pull(&client, &image, Path::new("alpine.rootfs.tar.gz"), PullOptions::default(), &job).await?;
//! println!("{}", file.digest());
//! # Ok(())
//! # }
//! ```
//!
//! [`resolve_local`] finds an image in an OCI image layout, or in what `docker save` or `podman save` has written.
//!
//! The futures need a tokio runtime with time and I/O enabled. A [`Job`] tells an [`Observer`] what happens, and its
//! token cancels; a cancelled future still has to be awaited, because it then removes what it has begun.

mod artifact;
mod blob;
mod cache;
mod digest;
mod environment;
mod error;
mod file_identity;
#[cfg(test)]
mod fuzz;
mod image;
mod in_use;
mod kept;
mod manifest;
mod metadata;
mod pipe;
mod platform;
mod progress;
mod pull;
mod reference;
mod registry;
mod resolve;
mod rootfs;
mod selection;
mod source;
mod task;

pub use cache::{Cache, CacheEntry, CacheFilter, RemovedEntries};
pub use environment::Environment;
pub use error::{Error, ErrorKind, Result};
pub use image::{Image, ImageRequest};
pub use manifest::Layer;
pub use metadata::Metadata;
pub use oci_spec::image::Digest;
pub use platform::Platform;
pub use progress::{Job, Notice, Observer, Stage};
pub use pull::{PullOptions, PulledFile, pull};
pub use reference::{Reference, Registry, Repository, Version};
pub use registry::{Client, ClientOptions, Credential, MirrorLocation, Proxy, ProxyServer, RetryPolicy};
pub use resolve::resolve;
pub use rootfs::Format;
pub use secrecy::{ExposeSecret, SecretString};
pub use source::{LocalSource, resolve_local};
pub use tokio_util::sync::CancellationToken;
