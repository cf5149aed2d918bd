//! Images of files and folders: OCI image layouts, and what `docker save` and `podman save` write.
//!
//! `local_source` is the whole of it. A `container` has files by name: a folder, or an `archive`, which may be compressed
//! as a whole (`outer`). Its documents are those of an OCI image layout (`oci_layout`) or of `docker save`
//! (`docker_archive`); `choice` finds the one that is meant among several images. A `local_image` tells where the bytes of
//! its layers are.

mod archive;
mod beginning;
mod choice;
mod container;
mod docker_archive;
mod local_image;
mod local_source;
mod oci_layout;
mod outer;
#[cfg(test)]
mod tests;

pub(crate) use local_image::LocalImage;
pub use local_source::{LocalSource, resolve_local};
