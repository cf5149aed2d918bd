//! A container image from any registry becomes one archive that `wsl --import` takes: verified, without Docker.
//!
//! ```no_run
//! use std::path::Path;
//! use wslimage::{Client, ClientOptions, ImageRequest, Job};
//!
//! # async fn example() -> wslimage::Result<()> {
//! let client = Client::new(ClientOptions::default())?;
//! let request = ImageRequest::new("ghcr.io/antoinemartin/powershell-wsl-manager/miniwsl-alpine:latest".parse()?);
//! let job = Job::default();
//! let image = wslimage::resolve(&client, request, &job).await?;
//! let file = wslimage::pull(&client, &image, Path::new("alpine.rootfs.tar.gz"), &job).await?;
//! println!("{}", file.digest());
//! # Ok(())
//! # }
//! ```
//!
//! The futures need a tokio runtime with time and I/O enabled. A [`Job`] tells an [`Observer`] what happens, and its
//! token cancels; a cancelled future still has to be awaited, because it then removes what it has begun.

mod blob;
mod cache;
mod digest;
mod environment;
mod error;
#[cfg(test)]
mod fuzz;
mod kept;
mod manifest;
mod metadata;
mod platform;
mod progress;
mod pull;
mod reference;
mod registry;

pub use cache::{Cache, CacheEntry, CacheFilter, RemovedEntries};
pub use environment::Environment;
pub use error::{Error, ErrorKind, Result};
pub use manifest::Layer;
pub use metadata::Metadata;
pub use oci_spec::image::Digest;
pub use platform::Platform;
pub use progress::{Job, Notice, Observer, Stage};
pub use pull::{Image, ImageRequest, PulledFile, pull, resolve};
pub use reference::{Reference, Registry, Repository, Version};
pub use registry::{Client, ClientOptions, Credential, MirrorLocation, Proxy, ProxyServer, RetryPolicy};
pub use secrecy::{ExposeSecret, SecretString};
pub use tokio_util::sync::CancellationToken;
