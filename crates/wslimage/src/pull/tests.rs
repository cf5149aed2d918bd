//! Images of folders and files: what becomes of them, and what is done for it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::json;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{PullOptions, PulledFile, pull};
use crate::digest::sha256;
use crate::error::{ErrorKind, Result};
use crate::progress::{Job, Observer};
use crate::source::resolve_local;

/// An OCI image layout in the making.
struct Layout {
    folder: TempDir,
    layers: Vec<serde_json::Value>,
}

impl Layout {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        fs::create_dir_all(folder.path().join("layout/blobs/sha256")).expect("a folder");
        Self { folder, layers: Vec::new() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("layout")
    }

    fn destination(&self) -> PathBuf {
        self.folder.path().join("rootfs.tar.gz")
    }

    fn blob(&self, bytes: &[u8], media_type: &str) -> serde_json::Value {
        let digest = sha256(bytes);
        fs::write(self.path().join("blobs/sha256").join(digest.digest()), bytes).expect("a blob");
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    fn layer(&mut self, bytes: &[u8]) {
        self.layers.push(self.blob(bytes, "application/vnd.oci.image.layer.v1.tar"));
    }

    /// A layer of so many zeros, which have another digest than the one that they are said to have.
    fn zeros(&mut self, length: u64) {
        let digest = sha256(&length.to_le_bytes());
        let file = File::create(self.path().join("blobs/sha256").join(digest.digest())).expect("a blob");
        file.set_len(length).expect("a hole");
        self.layers
            .push(json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": length}));
    }

    fn finish(&self) {
        let config = json!({"os": "linux", "architecture": "amd64", "config": {}}).to_string();
        let config = self.blob(config.as_bytes(), "application/vnd.oci.image.config.v1+json");
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": self.layers}).to_string();
        let manifest = self.blob(manifest.as_bytes(), "application/vnd.oci.image.manifest.v1+json");
        let index = json!({"schemaVersion": 2, "manifests": [manifest]}).to_string();
        fs::write(self.path().join("index.json"), index).expect("the index");
    }

    /// The layout as an archive that is compressed as a whole.
    fn packed(&self) -> PathBuf {
        let path = self.folder.path().join("layout.tar.gz");
        let file = File::create(&path).expect("a file");
        let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(file, flate2::Compression::fast()));
        archive.append_dir_all(".", self.path()).expect("an archive");
        archive.into_inner().and_then(flate2::write::GzEncoder::finish).expect("gzip");
        path
    }

    async fn pull_from(&self, path: &Path, options: PullOptions, job: &Job) -> Result<PulledFile> {
        let image = resolve_local(path, None, &Default::default(), job).await?;
        pull(None, &image, &self.destination(), options, job).await
    }

    async fn pull(&self, job: &Job) -> Result<PulledFile> {
        self.finish();
        self.pull_from(&self.path(), PullOptions::default(), job).await
    }

    /// What lies beside the layout.
    fn left(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.folder.path())
            .expect("the folder")
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| !name.starts_with("layout"))
            .collect();
        names.sort();
        names
    }
}

fn archive(entries: &[(tar::EntryType, &str, &str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (kind, name, link, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o755);
        header.set_mtime(0);
        header.set_size(content.len() as u64);
        if !link.is_empty() {
            header.set_link_name(link).expect("a target");
        }
        archive.append_data(&mut header, name, *content).expect("an entry");
    }
    archive.into_inner().expect("an archive")
}

/// How many bytes of each layer were read.
#[derive(Default)]
struct Counter(Mutex<Vec<u64>>);

impl Observer for Counter {
    fn advanced(&self, layer: usize, bytes: u64) {
        let mut counts = self.0.lock().expect("the counts");
        if counts.len() <= layer {
            counts.resize(layer + 1, 0);
        }
        counts[layer] += bytes;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_layer_ends_the_reading_of_the_others() {
    const LARGE: u64 = 16 << 30;
    let mut layout = Layout::new();
    layout.layer(b"BZh9 and so on");
    layout.zeros(LARGE);
    let counter = Arc::new(Counter::default());
    let job = Job::new(counter.clone(), CancellationToken::new());
    let error = layout.pull(&job).await.expect_err("a damaged layer");
    assert_eq!(error.kind(), ErrorKind::UnsupportedImage, "{error}");
    assert!(error.to_string().contains("Failed to read layer 1 of "), "{error}");
    let read = counter.0.lock().expect("the counts").get(1).copied().unwrap_or(0);
    assert!(read < LARGE, "the other layer was read to its end");
    assert!(!job.is_cancelled(), "the job itself goes on");
    assert_eq!(layout.left(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unpacked_from_an_archive_counts_for_the_limit() {
    let mut layout = Layout::new();
    layout.layer(&archive(&[(tar::EntryType::Regular, "zeros", "", &[0; 1 << 20])]));
    layout.layer(&archive(&[(tar::EntryType::Regular, "more", "", &[0; 1 << 20])]));
    layout.finish();
    let path = layout.packed();
    let size: u64 = layout.layers.iter().map(|layer| layer["size"].as_u64().expect("a size")).sum();
    let options = |maximum_plain_size| PullOptions { maximum_plain_size, ..PullOptions::default() };
    let counter = Arc::new(Counter::default());
    let job = Job::new(counter.clone(), CancellationToken::new());
    let error = layout.pull_from(&path, options(size - 1), &job).await.expect_err("too much");
    assert_eq!(error.kind(), ErrorKind::UnsupportedImage);
    assert!(error.to_string().contains(&format!("more than {} bytes", size - 1)), "{error}");
    assert!(error.to_string().contains("layout.tar.gz"), "{error}");
    assert!(counter.0.lock().expect("the counts").is_empty(), "layers were unpacked and read");
    layout.pull_from(&path, options(size), &Job::default()).await.expect("just enough");
    assert_eq!(layout.left(), ["rootfs.tar.gz"]);
}

/// Links to symbolic links become symbolic links, whose headers stand far before.
#[tokio::test(flavor = "multi_thread")]
async fn a_zstd_layer_with_many_steps_back_is_the_same_archive() {
    use tar::EntryType::{Link, Regular, Symlink};
    const MANY: usize = 500;
    let large: Vec<u8> = (0..300_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let links: Vec<(String, String)> = (0..MANY).map(|number| (format!("a{number}"), format!("b{number}"))).collect();
    let mut entries: Vec<(tar::EntryType, &str, &str, &[u8])> = Vec::new();
    entries.extend(links.iter().map(|(first, _)| (Symlink, &first[..], "target", &b""[..])));
    entries.push((Regular, "large", "", &large));
    for (number, (first, second)) in links.iter().enumerate() {
        entries.push((Link, second, first, b""));
        if number % 100 == 0 {
            entries.push((Regular, ["f0", "f1", "f2", "f3", "f4"][number / 100], "", &large[..200_000]));
        }
    }
    let plain = archive(&entries);
    let mut archives = Vec::new();
    for is_zstd in [false, true] {
        let mut layout = Layout::new();
        let packed = if is_zstd { zstd::encode_all(&plain[..], 1).expect("zstd") } else { plain.clone() };
        layout.layer(&packed);
        layout.layer(&archive(&[(Regular, "upper", "", b"")]));
        layout.pull(&Job::default()).await.expect("an archive");
        let mut bytes = Vec::new();
        let file = File::open(layout.destination()).expect("the archive");
        std::io::copy(&mut flate2::read::GzDecoder::new(file), &mut bytes).expect("gzip");
        archives.push(bytes);
        assert_eq!(layout.left(), ["rootfs.tar.gz"], "nothing is left beside it");
    }
    assert!(archives[0] == archives[1], "another archive");
    let found = tar::Archive::new(&archives[1][..]).entries().expect("entries").count();
    assert_eq!(found, entries.len() + 1);
}
