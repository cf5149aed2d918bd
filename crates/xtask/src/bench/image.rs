//! The image: one large layer, an index, a manifest and a config, as files that a web server can serve.

use std::fs::{self, File};
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

use super::measure::capture;
use crate::process;

/// The repository.
pub(super) const NAME: &str = "bench/image";
/// The tag, under which the index is served.
pub(super) const TAG: &str = "latest";

/// Media types (OCI image-spec, media-types.md).
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// As in a root filesystem: many small files, most bytes in large ones.
const FILE_SIZES: [u64; 8] = [3 * KIB, 17 * KIB, 17 * KIB, 80 * KIB, 300 * KIB, 2 * MIB, 9 * MIB, 30 * MIB];

/// An image in a folder.
pub(super) struct Image {
    root: PathBuf,
    layer_hex: String,
    layer_size: u64,
}

/// What `open` makes of the folder `root` in the cache, which `make` fills if it is not there. To open it reads it in
/// full: it is then in memory for the first one who takes it as for the others.
pub(super) fn provide<T>(
    root: &Path,
    what: &str,
    make: impl FnOnce(&Path) -> Result<()>,
    open: impl FnOnce(PathBuf) -> Result<T>,
) -> Result<T> {
    if !root.is_dir() {
        println!("Making {what} in {}", root.display());
        let part = root.with_extension("partial");
        if part.exists() {
            fs::remove_dir_all(&part)?;
        }
        make(&part).context("cannot make the image")?;
        fs::rename(&part, root)?;
    }
    open(root.to_owned()).with_context(|| format!("{} is damaged; remove it, and it is made again", root.display()))
}

impl Image {
    /// The image with a layer of `mib` MiB in the cache; made if it is not there.
    pub(super) fn provide(cache: &Path, mib: u64) -> Result<Self> {
        let root = cache.join(format!("image-{mib}m"));
        provide(&root, &format!("a layer of {mib} MiB"), |part| write(part, mib), Self::check)
    }

    fn check(root: PathBuf) -> Result<Self> {
        let index = read(&folder(&root, "manifests").join(TAG))?;
        let manifest = index["manifests"][0]["digest"].as_str().context("the index names no manifest")?;
        let layer = &read(&folder(&root, "manifests").join(manifest))?["layers"][0];
        let layer_hex = layer["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:"));
        let layer_hex = layer_hex.context("the manifest names no layer")?.to_owned();
        let layer_size = layer["size"].as_u64().context("the layer has no size")?;
        let image = Self { root, layer_hex, layer_size };
        if sha256(&image.layer_file())? != image.layer_hex {
            bail!("the layer is not what its name says");
        }
        Ok(image)
    }

    /// The folder in which a request's path is a file.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The layer's blob.
    pub(super) fn layer_file(&self) -> PathBuf {
        folder(&self.root, "blobs").join(format!("sha256:{}", self.layer_hex))
    }

    /// SHA-256 of the layer's blob.
    pub(super) fn layer_hex(&self) -> &str {
        &self.layer_hex
    }

    /// Bytes of the layer's blob.
    pub(super) fn layer_size(&self) -> u64 {
        self.layer_size
    }
}

/// SHA-256 of a file in hex, by a program: this one is built for debugging and would take minutes.
pub(super) fn sha256(file: &Path) -> Result<String> {
    let mut command = process::command("sha256sum");
    command.stdin(File::open(file).with_context(|| file.display().to_string())?);
    first_word(&capture(command)?.text)
}

fn first_word(text: &str) -> Result<String> {
    Ok(text.split_whitespace().next().context("sha256sum wrote nothing")?.to_owned())
}

fn folder(root: &Path, kind: &str) -> PathBuf {
    root.join("v2").join(NAME).join(kind)
}

fn read(file: &Path) -> Result<Value> {
    let text = fs::read(file).with_context(|| file.display().to_string())?;
    serde_json::from_slice(&text).with_context(|| file.display().to_string())
}

fn write(root: &Path, mib: u64) -> Result<()> {
    let (blobs, manifests) = (folder(root, "blobs"), folder(root, "manifests"));
    fs::create_dir_all(&blobs)?;
    fs::create_dir_all(&manifests)?;

    let layer = blobs.join("layer");
    write_layer(&layer, mib * MIB)?;
    let size = fs::metadata(&layer)?.len();
    let digest = format!("sha256:{}", sha256(&layer)?);
    let mut plain = process::command("sh");
    plain.args(["-c", "gzip -dc \"$1\" | sha256sum", "sh"]).arg(&layer);
    let diff_id = format!("sha256:{}", first_word(&capture(plain)?.text)?);
    fs::rename(&layer, blobs.join(&digest))?;

    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "created": "2025-01-01T00:00:00Z",
        "config": {"Env": ["PATH=/usr/sbin:/usr/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [],
    });
    let (config, config_size) = put(&blobs, &config)?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": config, "size": config_size},
        "layers": [{"mediaType": LAYER, "digest": digest, "size": size}],
    });
    let (manifest, manifest_size) = put(&manifests, &manifest)?;
    let index = json!({
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [{
            "mediaType": MANIFEST,
            "digest": manifest,
            "size": manifest_size,
            "platform": {"os": "linux", "architecture": "amd64"},
        }],
    });
    fs::write(manifests.join(TAG), serde_json::to_vec(&index)?)?;
    Ok(())
}

/// Writes a document under its digest; returns digest and size.
fn put(folder: &Path, document: &Value) -> Result<(String, usize)> {
    let text = serde_json::to_vec(document)?;
    let hash = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let digest = format!("sha256:{hash}");
    fs::write(folder.join(&digest), &text)?;
    Ok((digest, text.len()))
}

fn write_layer(file: &Path, size: u64) -> Result<()> {
    let mut command = process::command("gzip");
    command.args(["-1", "-n"]).stdin(Stdio::piped()).stdout(File::create(file)?);
    let mut gzip = command.spawn().context("cannot start gzip")?;
    // Without its input gzip ends, and its status tells more than a broken pipe does.
    let written = gzip.stdin.take().context("gzip has no input").and_then(|input| write_files(input, size));
    process::check(&command, gzip.wait()?)?;
    written
}

/// Files of random bytes, `size` bytes together.
fn write_files(output: impl Write, size: u64) -> Result<()> {
    let random = File::open("/dev/urandom")?;
    let mut archive = Builder::new(output);
    // A layer without them would have to be changed.
    let folders = (0..64).map(|number| format!("opt/{number:02}/"));
    for folder in ["opt/".to_owned()].into_iter().chain(folders) {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Directory);
        header.set_mode(0o755);
        header.set_size(0);
        archive.append_data(&mut header, folder, io::empty())?;
    }
    let mut left = size;
    for (number, &size) in FILE_SIZES.iter().cycle().enumerate() {
        let size = size.min(left);
        if size == 0 {
            break;
        }
        let mut header = Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(size);
        archive.append_data(&mut header, format!("opt/{:02}/{number}", number % 64), (&random).take(size))?;
        left -= size;
    }
    archive.into_inner()?;
    Ok(())
}
