//! Images of several layers as OCI layouts: real files, of which upper layers remove and replace some; and very many small
//! ones.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::rc::Rc;
use std::thread;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

use super::material::{self, Item, Kind};
use crate::bench::image::{CONFIG, INDEX, LAYER, MANIFEST, TAG, provide, sha256};
use crate::bench::measure::capture;
use crate::process;

/// Counts when what is made is another: it is part of the name under which an image is kept.
const RECIPE: u32 = 1;

/// How many plain bytes the files of a stack have.
const PLAIN: u64 = 3_500_000_000;
/// How many entries of lower layers upper ones remove or replace.
const CHANGES: usize = 2_400;
/// Each of so many is replaced, the others are removed.
const REPLACED: usize = 3;

/// Entries of the image with very many.
const MANY: usize = 1_000_000;
const IN_FOLDER: usize = 500;

/// What an image is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Eight layers of the same size.
    Even,
    /// Eight layers, of which the second has 90% of the bytes.
    Uneven,
    /// A million small or empty files in three layers.
    Many,
}

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Self::Even => "even",
            Self::Uneven => "uneven",
            Self::Many => "many",
        }
    }

    /// How many thousandths of the files each layer has.
    fn shares(self) -> &'static [u64] {
        match self {
            Self::Even => &[125; 8],
            Self::Uneven => &[20, 900, 20, 20, 10, 10, 10, 10],
            Self::Many => &[900, 90, 10],
        }
    }
}

/// An image in a folder.
pub(super) struct Layout {
    root: PathBuf,
    manifest_hex: String,
    pub(super) layers: Vec<Layer>,
}

/// A layer as it is, and what it is of.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) hex: String,
    /// Compressed bytes.
    pub(super) size: u64,
    /// Plain bytes.
    pub(super) plain: u64,
}

impl Layout {
    /// The image in the cache; made if it is not there.
    pub(super) fn provide(cache: &Path, shape: Shape) -> Result<Self> {
        let root = cache.join(format!("layers-{}-{RECIPE}", shape.name()));
        provide(&root, &format!("the image {}", shape.name()), |part| make(part, shape), Self::open)
    }

    fn open(root: PathBuf) -> Result<Self> {
        let hex = |value: &Value| -> Result<String> {
            let digest = value.as_str().and_then(|digest| digest.strip_prefix("sha256:"));
            Ok(digest.context("a digest is missing")?.to_owned())
        };
        let index: Value = serde_json::from_slice(&fs::read(root.join("index.json"))?)?;
        let manifest_hex = hex(&index["manifests"][0]["digest"])?;
        let manifest: Value = serde_json::from_slice(&fs::read(blobs(&root).join(&manifest_hex))?)?;
        let plain: Vec<u64> = serde_json::from_slice(&fs::read(root.join("plain.json"))?)?;
        let mut layers = Vec::new();
        for (layer, plain) in manifest["layers"].as_array().context("there are no layers")?.iter().zip(plain) {
            let layer =
                Layer { hex: hex(&layer["digest"])?, size: layer["size"].as_u64().context("there is no size")?, plain };
            if sha256(&blobs(&root).join(&layer.hex))? != layer.hex {
                bail!("a layer is not what its name says");
            }
            layers.push(layer);
        }
        Ok(Self { root, manifest_hex, layers })
    }

    /// The folder of the layout.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Bytes of all blobs of layers.
    pub(super) fn size(&self) -> u64 {
        self.layers.iter().map(|layer| layer.size).sum()
    }

    /// Plain bytes of all layers.
    pub(super) fn plain(&self) -> u64 {
        self.layers.iter().map(|layer| layer.plain).sum()
    }

    /// The entries of all layers: number of the layer, plain bytes of the entry, its name.
    pub(super) fn entries(&self) -> Result<String> {
        let file = self.root.join("entries");
        fs::read_to_string(&file).with_context(|| file.display().to_string())
    }

    /// Makes `root` a folder in which a registry's paths are the image's files.
    pub(super) fn serve_in(&self, root: &Path, name: &str) -> Result<()> {
        let folder = root.join("v2").join(name);
        fs::create_dir_all(folder.join("blobs"))?;
        fs::create_dir_all(folder.join("manifests"))?;
        for entry in fs::read_dir(blobs(&self.root))? {
            let entry = entry?;
            let name = format!("sha256:{}", entry.file_name().to_string_lossy());
            let kind = if entry.file_name() == *self.manifest_hex { "manifests" } else { "blobs" };
            fs::hard_link(entry.path(), folder.join(kind).join(name))?;
        }
        fs::hard_link(self.root.join("index.json"), folder.join("manifests").join(TAG))?;
        Ok(())
    }
}

fn blobs(root: &Path) -> PathBuf {
    root.join("blobs/sha256")
}

fn make(root: &Path, shape: Shape) -> Result<()> {
    fs::create_dir_all(blobs(root))?;
    let stack = match shape {
        Shape::Many => many(shape),
        _ => real(shape)?,
    };
    // Compressed side by side: gzip uses one processor.
    let made = thread::scope(|scope| {
        let threads: Vec<_> = stack
            .iter()
            .enumerate()
            .map(|(index, entries)| scope.spawn(move || write_layer(&root.join(format!("layer-{index}")), entries)))
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, Result<Made>>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect::<Result<Vec<_>>>()
    })?;
    let mut entries = String::new();
    let (mut layers, mut diff_ids, mut plain) = (Vec::new(), Vec::new(), Vec::new());
    for (index, made) in made.into_iter().enumerate() {
        let file = root.join(format!("layer-{index}"));
        let (hex, size) = (sha256(&file)?, fs::metadata(&file)?.len());
        diff_ids.push(format!("sha256:{}", diff_id(&file)?));
        layers.push(json!({"mediaType": LAYER, "digest": format!("sha256:{hex}"), "size": size}));
        fs::rename(&file, blobs(root).join(hex))?;
        for (bytes, name) in made.entries {
            let _ = writeln!(entries, "{index} {bytes} {name}");
        }
        plain.push(made.plain);
    }
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "created": "2025-01-01T00:00:00Z",
        "config": {"Env": ["PATH=/usr/sbin:/usr/bin"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [],
    });
    let (config, config_size) = put(root, &config)?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": config, "size": config_size},
        "layers": layers,
    });
    let (manifest, manifest_size) = put(root, &manifest)?;
    let index = json!({
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [{
            "mediaType": MANIFEST,
            "digest": manifest,
            "size": manifest_size,
            "platform": {"os": "linux", "architecture": "amd64"},
            "annotations": {"org.opencontainers.image.ref.name": TAG},
        }],
    });
    fs::write(root.join("index.json"), serde_json::to_vec(&index)?)?;
    fs::write(root.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    fs::write(root.join("plain.json"), serde_json::to_vec(&plain)?)?;
    fs::write(root.join("entries"), entries)?;
    Ok(())
}

/// Writes a document under its digest; returns digest and size.
fn put(root: &Path, document: &Value) -> Result<(String, usize)> {
    let text = serde_json::to_vec(document)?;
    let hex: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(blobs(root).join(&hex), &text)?;
    Ok((format!("sha256:{hex}"), text.len()))
}

fn diff_id(file: &Path) -> Result<String> {
    let mut command = process::command("sh");
    command.args(["-c", "gzip -dc \"$1\" | sha256sum", "sh"]).arg(file);
    let text = capture(command)?.text;
    Ok(text.split_whitespace().next().context("sha256sum wrote nothing")?.to_owned())
}

/// An entry to be made.
struct Entry {
    name: String,
    what: What,
}

enum What {
    Folder,
    Link(PathBuf),
    /// The content of a file of this machine.
    File(PathBuf),
    /// So many bytes.
    Small(usize),
}

/// Layers of real files.
fn real(shape: Shape) -> Result<Vec<Vec<Entry>>> {
    let items = material::collect(PLAIN)?;
    let mut own = split(&items, shape.shares());
    // So that WSL takes it.
    own[0].insert(0, Entry { name: "etc".to_owned(), what: What::Folder });
    own[0].insert(1, Entry { name: "etc/os-release".to_owned(), what: What::File("/etc/os-release".into()) });
    own[0].insert(2, Entry { name: "bin".to_owned(), what: What::Folder });
    own[0].insert(3, Entry { name: "bin/sh".to_owned(), what: What::File("/bin/sh".into()) });

    let top = own.len() - 1;
    let files = |layer: &Vec<Entry>| layer.iter().filter(|entry| matches!(entry.what, What::File(_))).count();
    let all: usize = own[..top].iter().map(files).sum();
    let (mut number, mut changed) = (0, 0);
    let mut above: Vec<Vec<(String, What)>> = own.iter().map(|_| Vec::new()).collect();
    for (layer, entries) in own[..top].iter().enumerate() {
        for entry in entries {
            let What::File(path) = &entry.what else { continue };
            number += 1;
            if number * CHANGES / all == changed {
                continue;
            }
            changed = number * CHANGES / all;
            let by = layer + 1 + changed % (top - layer);
            // A replaced one gets the content of another, so that its size is one that files have.
            let what = if changed % REPLACED == 0 { What::File(path.clone()) } else { What::Small(0) };
            above[by].push((entry.name.clone(), what));
        }
    }
    Ok(own.into_iter().zip(above).map(|(own, above)| changes(above).chain(own).collect()).collect())
}

/// The entries by which a layer removes and replaces, with those of the folders around, as docker writes them.
fn changes(above: Vec<(String, What)>) -> impl Iterator<Item = Entry> {
    let contents: Vec<PathBuf> = above
        .iter()
        .filter_map(|(_, what)| if let What::File(path) = what { Some(path.clone()) } else { None })
        .collect();
    let mut contents = contents.into_iter().cycle();
    // The first of them gets the second's content.
    contents.next();
    let mut known = BTreeSet::new();
    let mut entries = Vec::new();
    for (name, what) in above {
        for (end, _) in name.match_indices('/') {
            if known.insert(name[..end].to_owned()) {
                entries.push(Entry { name: name[..end].to_owned(), what: What::Folder });
            }
        }
        match what {
            What::File(_) => {
                let what = contents.next().map_or(What::Small(0), What::File);
                entries.push(Entry { name, what });
            }
            _ => {
                let (folder, base) = name.rsplit_once('/').unwrap_or(("", &name));
                entries.push(Entry { name: format!("{folder}/.wh.{base}"), what: What::Small(0) });
            }
        }
    }
    entries.into_iter()
}

/// What is found on the machine, cut into layers.
fn split(items: &[Item], shares: &[u64]) -> Vec<Vec<Entry>> {
    let total: u64 = items.iter().map(|item| item.size).sum();
    let mut layers = Vec::new();
    let (mut next, mut taken, mut wanted) = (0, 0, 0);
    for (layer, share) in shares.iter().enumerate() {
        wanted += total * share / 1000;
        let top = format!("opt/layer-{layer}");
        let mut folders = BTreeSet::new();
        let mut entries = Vec::new();
        let is_last = layer + 1 == shares.len();
        while let Some(item) = items.get(next).filter(|_| taken < wanted || is_last) {
            next += 1;
            taken += item.size;
            let name = format!("{top}{}", item.path.display());
            // Where the cut went through a folder, its entry is in the layer before.
            for (end, _) in name.match_indices('/') {
                if folders.insert(name[..end].to_owned()) {
                    entries.push(Entry { name: name[..end].to_owned(), what: What::Folder });
                }
            }
            match item.kind {
                Kind::Folder => {
                    if folders.insert(name.clone()) {
                        entries.push(Entry { name, what: What::Folder });
                    }
                }
                Kind::Link => {
                    let target = fs::read_link(&item.path).unwrap_or_else(|_| "nowhere".into());
                    entries.push(Entry { name, what: What::Link(target) });
                }
                Kind::File => entries.push(Entry { name, what: What::File(item.path.clone()) }),
            }
        }
        layers.push(entries);
    }
    layers
}

/// Layers of very many small files with names of 60 bytes, of which the upper layers remove a thousandth.
fn many(shape: Shape) -> Vec<Vec<Entry>> {
    let mut layers = Vec::new();
    let mut first = 0;
    for share in shape.shares() {
        let end = first + MANY * *share as usize / 1000;
        let mut entries = Vec::new();
        let mut known = BTreeSet::new();
        let mut put = |name: String, what: What| {
            for (end, _) in name.match_indices('/') {
                if known.insert(name[..end].to_owned()) {
                    entries.push(Entry { name: name[..end].to_owned(), what: What::Folder });
                }
            }
            entries.push(Entry { name, what });
        };
        for number in (0..first).step_by(1000) {
            let name = of_number(number);
            let (folder, base) = name.rsplit_once('/').unwrap_or(("", &name));
            put(format!("{folder}/.wh.{base}"), What::Small(0));
        }
        for number in first..end {
            put(of_number(number), What::Small(if number % 2 == 0 { 0 } else { 1 + number * 7919 % 200 }));
        }
        layers.push(entries);
        first = end;
    }
    layers
}

fn of_number(number: usize) -> String {
    format!("srv/data/folder-{:06}/a-file-among-a-million-others-{:08}.txt", number / IN_FOLDER, number * 31 % MANY)
}

/// What is known of a layer when it is written.
struct Made {
    plain: u64,
    /// Plain bytes and name of each entry.
    entries: Vec<(u64, String)>,
}

fn write_layer(file: &Path, entries: &[Entry]) -> Result<Made> {
    let mut gzip = Gzip::start(file)?;
    let plain = Rc::new(Cell::new(0));
    let output = Counted { output: gzip.input()?, count: plain.clone() };
    let mut archive = Builder::new(output);
    let mut list = Vec::new();
    for entry in entries {
        let before = plain.get();
        append(&mut archive, entry).with_context(|| entry.name.clone())?;
        list.push((plain.get() - before, entry.name.clone()));
    }
    // gzip ends when its input is closed.
    drop(archive.into_inner().and_then(|mut output| output.flush().map(|()| output))?);
    gzip.finish()?;
    Ok(Made { plain: plain.get(), entries: list })
}

fn append(archive: &mut Builder<impl Write>, entry: &Entry) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1_700_000_000);
    header.set_mode(0o755);
    header.set_size(0);
    match &entry.what {
        What::Folder => {
            header.set_entry_type(EntryType::Directory);
            archive.append_data(&mut header, format!("{}/", entry.name), io::empty())?;
        }
        What::Link(target) => {
            header.set_entry_type(EntryType::Symlink);
            archive.append_link(&mut header, &entry.name, target)?;
        }
        What::File(path) => {
            let file = File::open(path)?;
            let metadata = file.metadata()?;
            let time = metadata.modified()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            header.set_mtime(time.as_secs());
            header.set_size(metadata.len());
            archive.append_data(&mut header, &entry.name, file)?;
        }
        What::Small(size) => {
            let text = format!("{} ", entry.name).repeat(size / entry.name.len() + 1);
            header.set_mode(0o644);
            header.set_size(*size as u64);
            archive.append_data(&mut header, &entry.name, &text.as_bytes()[..*size])?;
        }
    }
    Ok(())
}

/// The program, as docker's own compression has one stream of blocks and no flushes in it.
struct Gzip(Child);

impl Gzip {
    fn start(file: &Path) -> Result<Self> {
        let mut command = process::command("gzip");
        command.args(["-6", "-n"]).stdin(Stdio::piped()).stdout(File::create(file)?);
        Ok(Self(command.spawn().context("cannot start gzip")?))
    }

    fn input(&mut self) -> Result<BufWriter<ChildStdin>> {
        Ok(BufWriter::with_capacity(1 << 16, self.0.stdin.take().context("gzip has no input")?))
    }

    fn finish(mut self) -> Result<()> {
        let status = self.0.wait()?;
        if !status.success() {
            bail!("gzip ended with {status}");
        }
        Ok(())
    }
}

struct Counted<W> {
    output: W,
    count: Rc<Cell<u64>>,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.output.write(bytes)?;
        self.count.set(self.count.get() + count as u64);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}
