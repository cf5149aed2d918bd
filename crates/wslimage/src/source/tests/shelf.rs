//! Files that become a folder or an archive.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tar::{EntryType, Header};
use tempfile::TempDir;

use crate::digest::sha256;
use crate::error::Result;
use crate::image::{Image, Origin};
use crate::platform::Platform;
use crate::progress::Job;
use crate::source::resolve_local;

pub(super) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const NAME: &str = "org.opencontainers.image.ref.name";
pub(super) const WHOLE_NAME: &str = "io.containerd.image.name";

/// What a shelf becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Folder,
    Tar,
    Gzip,
    Zstd,
}

pub(super) const FORMS: [Form; 4] = [Form::Folder, Form::Tar, Form::Gzip, Form::Zstd];
pub(super) const ARCHIVES: [Form; 3] = [Form::Tar, Form::Gzip, Form::Zstd];

#[derive(Clone, Debug)]
pub(super) enum Item {
    File(Vec<u8>),
    Symlink(String),
    HardLink(String),
}

/// Files by name, in their order in the archive.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf(pub(super) Vec<(String, Item)>);

impl Shelf {
    pub(super) fn file(&mut self, name: &str, bytes: impl AsRef<[u8]>) {
        self.0.push((name.to_owned(), Item::File(bytes.as_ref().to_vec())));
    }

    pub(super) fn blob(&mut self, bytes: impl AsRef<[u8]>) -> Value {
        let digest = sha256(bytes.as_ref());
        self.file(&format!("blobs/sha256/{}", digest.digest()), &bytes);
        json!({"digest": digest, "size": bytes.as_ref().len()})
    }

    pub(super) fn document(&mut self, media_type: &str, document: &Value) -> Value {
        let mut entry = self.blob(document.to_string());
        entry["mediaType"] = media_type.into();
        entry
    }

    /// An image of an OCI layout, and its entry.
    pub(super) fn image(&mut self, layers: &[&str], config: &Value) -> Value {
        let mut config = self.blob(config.to_string());
        config["mediaType"] = "application/vnd.oci.image.config.v1+json".into();
        let layers: Vec<Value> = layers
            .iter()
            .map(|layer| {
                let mut layer = self.blob(layer);
                layer["mediaType"] = "application/vnd.oci.image.layer.v1.tar+gzip".into();
                layer
            })
            .collect();
        self.document(OCI_MANIFEST, &json!({"schemaVersion": 2, "config": config, "layers": layers}))
    }

    pub(super) fn index(&mut self, entries: &[Value]) {
        self.file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
        self.file("index.json", json!({"schemaVersion": 2, "manifests": entries}).to_string());
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|(other, _)| !other.starts_with(name));
    }

    pub(super) fn tar(&self) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, item) in &self.0 {
            let mut header = Header::new_gnu();
            header.set_mode(0o644);
            match item {
                Item::File(bytes) => {
                    header.set_size(bytes.len() as u64);
                    if name.contains("..") {
                        // The builder refuses such names.
                        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
                        header.set_cksum();
                        builder.append(&header, bytes.as_slice()).expect("an entry");
                        continue;
                    }
                    builder.append_data(&mut header, name, bytes.as_slice()).expect("an entry");
                }
                Item::Symlink(target) | Item::HardLink(target) => {
                    let is_symlink = matches!(item, Item::Symlink(_));
                    header.set_entry_type(if is_symlink { EntryType::Symlink } else { EntryType::Link });
                    header.set_size(0);
                    builder.append_link(&mut header, name, target).expect("an entry");
                }
            }
        }
        builder.into_inner().expect("an archive")
    }

    pub(super) fn put(&self, folder: &Path, form: Form) -> PathBuf {
        let path = folder.join("image");
        let write = |bytes: Vec<u8>| fs::write(&path, bytes).expect("a file");
        match form {
            Form::Tar => write(self.tar()),
            Form::Gzip => write(gzip(&self.tar())),
            Form::Zstd => write(zstd::encode_all(self.tar().as_slice(), 1).expect("an archive")),
            Form::Folder => {
                fs::create_dir_all(&path).expect("a folder");
                for (name, item) in &self.0 {
                    let Item::File(bytes) = item else { continue };
                    let file = path.join(name);
                    fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
                    fs::write(file, bytes).expect("a file");
                }
            }
        }
        path
    }
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("gzip")
}

pub(super) fn config() -> Value {
    json!({"os": "linux", "architecture": "amd64", "config": {}})
}

pub(super) fn with(mut entry: Value, member: &str, value: Value) -> Value {
    entry[member] = value;
    entry
}

pub(super) fn named(entry: Value, name: &str) -> Value {
    with(entry, "annotations", json!({NAME: name}))
}

/// An image in `shelf` and the bytes of its layers.
pub(super) async fn resolve(shelf: &Shelf, form: Form, selection: Option<&str>) -> Result<(Image, Vec<Vec<u8>>)> {
    let folder = TempDir::new().expect("a folder");
    let path = shelf.put(folder.path(), form);
    resolve_at(&path, selection, &Platform::default()).await
}

pub(super) async fn resolve_at(
    path: &Path,
    selection: Option<&str>,
    platform: &Platform,
) -> Result<(Image, Vec<Vec<u8>>)> {
    let image = resolve_local(path, selection, platform, &Job::default()).await?;
    let layers = layers(&image)?;
    Ok((image, layers))
}

fn layers(image: &Image) -> Result<Vec<Vec<u8>>> {
    let spool = TempDir::new().expect("a folder");
    let Origin::Local(local) = image.origin() else { panic!("{image:?} is of a registry") };
    let blobs = local.blobs(spool.path(), &Job::default())?;
    assert_eq!(blobs.len(), image.layers().len());
    Ok(blobs
        .iter()
        .map(|blob| {
            let bytes = fs::read(&blob.path).expect("the blob's file");
            let offset = usize::try_from(blob.offset).expect("an offset");
            bytes[offset..offset + usize::try_from(blob.length).expect("a length")].to_vec()
        })
        .collect())
}
