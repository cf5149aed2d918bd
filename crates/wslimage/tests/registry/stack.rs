//! Images of real layers, and what becomes of them.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use wslimage::{Client, Job, PullOptions, PulledFile, Result};
use wslimage_test_registry::{Blob, Descriptor, Image, Layers, LogFilter, Platform as Served, Step};

use crate::fixture::{Fixture, OLDER};
use crate::large::{MEGABYTE, content};

/// A tar archive: folders have a `/` at the end of their names.
pub(crate) fn tar(entries: &[(&str, &str)]) -> Vec<u8> {
    let entries: Vec<_> = entries.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    tar_of(&entries)
}

fn tar_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in entries {
        let mut header = tar::Header::new_ustar();
        let is_folder = name.ends_with('/');
        header.set_entry_type(if is_folder { tar::EntryType::Directory } else { tar::EntryType::Regular });
        header.set_mode(if is_folder { 0o755 } else { 0o644 });
        header.set_size(content.len() as u64);
        header.set_mtime(1_700_000_000);
        // Byte by byte: the crate refuses names with dots.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        archive.append(&header, *content).expect("an entry");
    }
    archive.into_inner().expect("an archive")
}

pub(crate) fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).expect("bytes");
    encoder.finish().expect("gzip")
}

pub(crate) fn zstd(plain: &[u8]) -> Vec<u8> {
    zstd::encode_all(plain, 3).expect("zstd")
}

pub(crate) fn typed(bytes: impl AsRef<[u8]>, media_type: &str) -> Blob {
    Blob { media_type: Some(media_type.to_owned()), ..Blob::bytes(bytes) }
}

/// A layer as most are.
pub(crate) fn of_text(entries: &[(&str, &str)]) -> Blob {
    Blob::bytes(gzip(&tar(entries)))
}

/// What a root filesystem has at least.
pub(crate) fn base() -> Blob {
    of_text(&[("bin/", ""), ("bin/sh", "a shell"), ("etc/", ""), ("etc/name", "one"), ("etc/gone", "soon")])
}

/// A layer with one file of so many bytes that do not get fewer.
pub(crate) fn large(size: u64) -> Blob {
    let mut archive = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    archive.write_all(&tar_of(&[("large", &content(size))])).expect("bytes");
    Blob::bytes(archive.finish().expect("gzip"))
}

const LARGE: u64 = 5 * MEGABYTE;

/// An image in a registry.
pub(crate) struct Stack {
    pub(crate) fixture: Fixture,
    pub(crate) layers: Vec<Descriptor>,
}

impl Stack {
    pub(crate) async fn new(layers: Vec<Blob>) -> Self {
        Self::of(Self::image(layers)).await
    }

    /// The layer at index 1 is worth keeping, the others are small.
    pub(crate) async fn with_large() -> Self {
        Self::new(vec![base(), large(LARGE), of_text(&[("etc/name", "two"), ("etc/.wh.gone", "")])]).await
    }

    pub(crate) async fn of(image: Image) -> Self {
        let fixture = Fixture::new().await;
        let layers = fixture.serve(image).layers.remove(0);
        Self { fixture, layers }
    }

    pub(crate) fn image(layers: Vec<Blob>) -> Image {
        let mut image = Image { platforms: vec![Served::linux_amd64(layers)], ..Fixture::image("a/b") };
        let diff_ids = Self::diff_ids(&image);
        Self::set_diff_ids(&mut image, diff_ids);
        image
    }

    /// The digests of what is in its layers, whatever they are compressed with; of damaged ones the digest of something.
    pub(crate) fn diff_ids(image: &Image) -> Vec<String> {
        let Layers::List(layers) = &image.platforms[0].layers else { panic!("layers") };
        let plain = |blob: &Blob| {
            let text = blob.text.clone().map(String::into_bytes);
            let bytes = text.unwrap_or_else(|| STANDARD.decode(blob.base64.as_ref().expect("bytes")).expect("base64"));
            plain_bytes(&bytes).unwrap_or_default()
        };
        let hash = |plain: Vec<u8>| Sha256::digest(plain).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        layers.iter().map(|blob| format!("sha256:{}", hash(plain(blob)))).collect()
    }

    pub(crate) fn set_diff_ids(image: &mut Image, diff_ids: Vec<String>) {
        let config = json!({
            "os": "linux",
            "architecture": "amd64",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        image.platforms[0].config = Some(config);
    }

    /// The layer at `index` stops after so many bytes, and goes on with the next step that is put there.
    pub(crate) fn hold(&self, index: usize, after: u64) {
        self.at(index, [Step { stall_after: Some(after), ..Step::pass() }]);
    }

    /// Waits until all layers but the one at `index` are whole, and that one has so many bytes.
    pub(crate) async fn others_are_whole(&self, index: usize, bytes: u64) {
        let whole: Vec<_> = (0..self.layers.len()).filter(|other| *other != index).map(|other| (other, "")).collect();
        let whole = self.names(&whole);
        let partial = self.folder().join(&self.names(&[(index, ".partial")])[0]);
        let is_there = || {
            let length = std::fs::metadata(&partial).map_or(0, |metadata| metadata.len());
            length >= bytes && whole.iter().all(|name| self.folder().join(name).is_file())
        };
        while !is_there() {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn path(&self, index: usize) -> String {
        format!("/v2/a/b/blobs/{}", self.layers[index].digest)
    }

    pub(crate) fn at(&self, index: usize, steps: impl Into<Vec<Step>>) {
        self.fixture.route(&self.path(index), steps);
    }

    /// The layer at `index` comes as it is.
    pub(crate) fn release(&self, index: usize) {
        self.fixture.registry.delete_routes(&self.path(index));
    }

    /// The bytes of all layers.
    pub(crate) fn size(&self) -> u64 {
        self.layers.iter().map(|layer| layer.size).sum()
    }

    /// The layers that were asked for, each with the ranges, in the order of the layers.
    pub(crate) fn asked(&self) -> Vec<(usize, Option<String>)> {
        let log = self.fixture.registry.log("a/b");
        let of = |index: usize| {
            let path = self.path(index);
            let is_first = self.layers.iter().position(|it| it.digest == self.layers[index].digest) == Some(index);
            let requests = log.iter().filter(move |request| is_first && request.path == path);
            requests.map(move |request| (index, request.headers.get("range").cloned()))
        };
        (0..self.layers.len()).flat_map(of).collect()
    }

    pub(crate) fn forget(&self) {
        self.fixture.registry.delete_log(&LogFilter::default());
    }

    pub(crate) async fn pull(&self) -> Result<PulledFile> {
        self.pull_as(&self.fixture.client(), PullOptions::default(), &Job::default()).await
    }

    pub(crate) async fn pull_as(&self, client: &Client, options: PullOptions, job: &Job) -> Result<PulledFile> {
        let image = self.fixture.resolve(client, "a/b").await?;
        wslimage::pull(client, &image, &self.fixture.destination(), options, job).await
    }

    /// Where blobs lie until the archive is complete.
    pub(crate) fn folder(&self) -> PathBuf {
        self.fixture.folder.path().join("rootfs.tar.gz.layers")
    }

    /// The names of files there.
    pub(crate) fn kept(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder()).expect("the folder");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// What files of layers are called there, sorted.
    pub(crate) fn names(&self, files: &[(usize, &str)]) -> Vec<String> {
        let name =
            |(index, suffix): &(usize, &str)| format!("{}{suffix}", self.layers[*index].digest.replacen(':', "-", 1));
        let mut names: Vec<String> = files.iter().map(name).collect();
        names.sort();
        names
    }

    /// The archive has these files, its digest is told, and nothing lies beside it.
    pub(crate) fn expect(&self, file: &PulledFile, tree: &[(&str, &str)]) {
        let expected: BTreeMap<_, _> =
            tree.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
        assert_eq!(tree_of(file.path()), expected);
        self.expect_told(file);
    }

    /// The archive of [`Stack::with_large`].
    pub(crate) fn expect_large(&self, file: &PulledFile) {
        let mut tree = tree_of(file.path());
        assert!(tree.remove("large").expect("the large file") == content(LARGE), "another content");
        let names: Vec<_> = tree.keys().map(String::as_str).collect();
        assert_eq!(names, ["bin/", "bin/sh", "etc/", "etc/name"]);
        assert_eq!(tree["etc/name"], b"two");
        self.expect_told(file);
    }

    fn expect_told(&self, file: &PulledFile) {
        let bytes = std::fs::read(file.path()).expect("the file");
        let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(file.digest().as_ref(), format!("sha256:{hash}"));
        assert_eq!(file.size(), bytes.len() as u64);
        assert_eq!(self.fixture.files(), ["rootfs.tar.gz"]);
    }

    /// What was there before is still there; beside it lies nothing but what is kept of layers.
    pub(crate) fn expect_older_file(&self, name: &str) {
        assert_eq!(std::fs::read_to_string(self.fixture.destination()).expect("the file"), OLDER, "{name}");
        let ours = ["rootfs.tar.gz", "rootfs.tar.gz.layers"];
        assert!(self.fixture.files().iter().all(|file| ours.contains(&&**file)), "{name}: {:?}", self.fixture.files());
        if self.folder().exists() {
            let is_ours = |file: &String| file.starts_with("sha256-");
            assert!(self.kept().iter().all(is_ours), "{name}: {:?}", self.kept());
        }
    }
}

fn plain_bytes(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    match bytes {
        [0x1f, 0x8b, ..] => flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut plain).map(|_| plain),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => zstd::decode_all(bytes),
        _ => Ok(bytes.to_vec()),
    }
}

/// The plain bytes of an archive.
pub(crate) fn plain_of(archive: &Path) -> Vec<u8> {
    plain_bytes(&std::fs::read(archive).expect("the file")).expect("sound bytes")
}

/// The names in an archive, and what files hold.
pub(crate) fn tree_of(archive: &Path) -> BTreeMap<String, Vec<u8>> {
    let plain = plain_of(archive);
    let mut tree = BTreeMap::new();
    for entry in tar::Archive::new(&plain[..]).entries().expect("entries") {
        let mut entry = entry.expect("an entry");
        let name = String::from_utf8(entry.path_bytes().into_owned()).expect("a name");
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("content");
        // Folders may be there several times.
        assert!(tree.insert(name.clone(), content).is_none() || name.ends_with('/'), "{name} is there twice");
    }
    tree
}
