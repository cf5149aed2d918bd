//! Layers as text, one entry a word group: `d usr/`, `f usr/a`, `l lib -> usr/lib`, `h b => a`, `c`, `b` and `p` for
//! devices and FIFOs, `z dev` for a device 0:0, `w a` for a whiteout, `o usr` for an opaque one, `g` for a header for all
//! entries. `+x` after it gives it attributes, then `+r` a header that WSL refuses. Entries end at `;`, layers at `|`.

use crate::progress::Job;
use crate::rootfs::entry::{Entry, Kind, Needs};
use crate::rootfs::layer_entries::LayerEntries;
use crate::rootfs::merge::Merge;
use crate::rootfs::plan::Plan;

pub(super) type Layers = Vec<Vec<Entry>>;

pub(super) fn layers(text: &str) -> Layers {
    text.split('|').map(layer).collect()
}

fn layer(text: &str) -> Vec<Entry> {
    let mut at = 0;
    let mut entries = Vec::new();
    for words in text.split(';').map(str::trim).filter(|words| !words.is_empty()) {
        if words == "g" {
            at += 1024;
            continue;
        }
        entries.push(placed(entry(words), &mut at));
    }
    entries
}

/// Gives an entry its place behind those before: a header, and a block of data if it is a file.
pub(super) fn placed(mut entry: Entry, at: &mut u64) -> Entry {
    entry.start = *at;
    entry.data = *at + 512;
    entry.end = entry.data + if entry.kind == Kind::File { 512 } else { 0 };
    *at = entry.end;
    entry
}

fn entry(text: &str) -> Entry {
    let (text, rewriting) = without(text, " +r");
    let (text, has_xattrs) = without(text, " +x");
    let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
    let (name, link) = rest.split_once(" -> ").or_else(|| rest.split_once(" => ")).unwrap_or((rest, ""));
    let mut made = named(kind, name.as_bytes(), link.as_bytes());
    made.needs.rewriting = rewriting;
    made.has_xattrs = has_xattrs;
    made
}

fn without<'a>(text: &'a str, mark: &str) -> (&'a str, bool) {
    match text.strip_suffix(mark) {
        Some(text) => (text, true),
        None => (text, false),
    }
}

pub(super) fn named(letter: &str, name: &[u8], link: &[u8]) -> Entry {
    let kind = match letter {
        "d" => Kind::Folder,
        "f" | "w" | "o" => Kind::File,
        "l" => Kind::Symlink,
        "h" => Kind::HardLink,
        "c" | "z" => Kind::CharacterDevice,
        "b" => Kind::BlockDevice,
        "p" => Kind::Fifo,
        other => panic!("no kind of entry: {other}"),
    };
    let base = name.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
    let name = match letter {
        "w" => [&name[..base], b".wh.", &name[base..]].concat(),
        "o" if name.is_empty() => b".wh..wh..opq".to_vec(),
        "o" => [name, b"/.wh..wh..opq"].concat(),
        _ => name.to_vec(),
    };
    let needs = Needs { rewriting: false, leaving_out: letter == "z" };
    Entry { kind, name, link: link.to_vec(), start: 0, data: 0, end: 0, needs, has_xattrs: false }
}

pub(super) fn merge(layers: &Layers) -> crate::error::Result<Plan> {
    let mut merge = Merge::new(&Job::default());
    for layer in layers {
        let mut entries = LayerEntries::default();
        layer.iter().for_each(|entry| entries.push(entry));
        merge.add_layer(entries)?;
    }
    merge.finish()
}
