//! What is made of an image.

use crate::rootfs::Format;

/// More than any root filesystem that people import.
const MAXIMUM_PLAIN_SIZE: u64 = 256 * 1024 * 1024 * 1024;

/// What is made of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullOptions {
    /// The archive's format. Default: tar, compressed with gzip.
    pub format: Format,
    /// How many bytes all layers may have together when they are decompressed. Default: 256 GiB.
    pub maximum_plain_size: u64,
}

impl Default for PullOptions {
    fn default() -> Self {
        Self { format: Format::default(), maximum_plain_size: MAXIMUM_PLAIN_SIZE }
    }
}
