//! A layer large enough to be cut, resumed and fetched in parts.

use std::path::PathBuf;

use wslimage_test_registry::{Blob, Image, LogEntry, Platform as Served, Step};

use crate::fixture::Fixture;

pub(crate) const MEGABYTE: u64 = 1024 * 1024;
/// Larger than what is worth keeping, and no multiple of any buffer.
pub(crate) const SIZE: u64 = 5 * MEGABYTE + 12_345;

/// Bytes that repeat nowhere, so that a piece in a wrong place shows.
pub(crate) fn content(size: u64) -> Vec<u8> {
    (0..size / 8 + 1).flat_map(|number| (number ^ 0x5bd1_e995).to_le_bytes()).take(size as usize).collect()
}

pub(crate) struct Large {
    pub(crate) fixture: Fixture,
    /// The path at the registry.
    pub(crate) blob: String,
    pub(crate) content: Vec<u8>,
}

impl Large {
    pub(crate) async fn new() -> Self {
        Self::of(SIZE).await
    }

    pub(crate) async fn of(size: u64) -> Self {
        let fixture = Fixture::new().await;
        let content = content(size);
        let file = fixture.extra().join("layer");
        std::fs::write(&file, &content).expect("a file");
        let served = fixture
            .serve(Image { platforms: vec![Served::linux_amd64(vec![Blob::file(&file)])], ..Fixture::image("a/b") });
        let blob = format!("/v2/a/b/blobs/{}", served.layers[0][0].digest);
        Self { fixture, blob, content }
    }

    /// All of the blob, whatever part was asked for.
    pub(crate) fn whole(&self) -> Step {
        Step { body_file: Some(self.fixture.extra().join("layer")), ..Step::default() }
    }

    pub(crate) fn digest(&self) -> &str {
        self.blob.rsplit('/').next().expect("a digest")
    }

    pub(crate) fn partial(&self) -> PathBuf {
        self.fixture.folder.path().join("rootfs.tar.gz.partial")
    }

    /// What an earlier run has left.
    pub(crate) fn leave(&self, bytes: &[u8], digest: &str) {
        std::fs::write(self.partial(), bytes).expect("a file");
        std::fs::write(self.fixture.folder.path().join("rootfs.tar.gz.partial.digest"), digest).expect("a file");
    }

    /// The questions for the blob, in their order.
    pub(crate) fn asked(&self) -> Vec<LogEntry> {
        self.fixture.registry.log("a/b").into_iter().filter(|request| request.path == self.blob).collect()
    }

    pub(crate) fn ranges(&self) -> Vec<Option<String>> {
        self.asked().iter().map(|request| request.headers.get("range").cloned()).collect()
    }

    pub(crate) fn sent(&self) -> u64 {
        self.asked().iter().filter_map(|request| request.body_bytes).sum()
    }

    pub(crate) async fn pull(&self) -> wslimage::Result<wslimage::PulledFile> {
        self.fixture.pull(&self.fixture.client(), "a/b").await
    }

    pub(crate) fn expect_file(&self, name: &str) {
        let file = std::fs::read(self.fixture.destination()).expect("the file");
        assert!(file == self.content, "{name}: another content");
        assert_eq!(self.fixture.files(), ["rootfs.tar.gz"], "{name}");
    }
}
