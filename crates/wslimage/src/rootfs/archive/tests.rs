//! The archive of made layers, by every way it can be written.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::progress::Job;
use crate::rootfs::gzip::Windows;
use crate::rootfs::layer::{PlainBudget, read};
use crate::rootfs::merge::Merge;
use crate::rootfs::plan::Plan;

/// What a layer does with a name.
#[derive(Clone, Debug)]
enum Action {
    File { length: usize, seed: u8 },
    Folder,
    Whiteout,
    Link { to: u8 },
}

type Layer = Vec<(u8, Action)>;

fn name(number: u8) -> String {
    // Folders of some names are other names.
    ["a", "b", "d/e", "d/f", "d/g/h", "d", "ä", "d/g"][usize::from(number % 8)].to_owned()
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => (0usize..90_000, any::<u8>()).prop_map(|(length, seed)| Action::File { length, seed }),
        1 => Just(Action::Folder),
        1 => Just(Action::Whiteout),
        1 => any::<u8>().prop_map(|to| Action::Link { to }),
    ]
}

fn layers() -> impl Strategy<Value = Vec<(Layer, u8)>> {
    vec((vec((any::<u8>(), action()), 0..12), any::<u8>()), 1..4)
}

/// Compresses a little, so that there are blocks of several kinds.
fn content(length: usize, seed: u8) -> Vec<u8> {
    let mut state = u32::from(seed) + 1;
    (0..length)
        .map(|at| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if at / 20_000 % 2 == 0 { (state >> 24) as u8 } else { b'a' + (state >> 29) as u8 }
        })
        .collect()
}

fn plain(layer: &Layer) -> Vec<u8> {
    let mut builder = ::tar::Builder::new(Vec::new());
    for (number, action) in layer {
        let mut header = ::tar::Header::new_gnu();
        header.set_mode(0o755);
        let name = name(*number);
        let (folder, base) = name.rsplit_once('/').map_or(("", name.as_str()), |(folder, base)| (folder, base));
        let added = match action {
            Action::File { length, seed } => {
                header.set_size(*length as u64);
                builder.append_data(&mut header, &name, &content(*length, *seed)[..])
            }
            Action::Folder => {
                header.set_entry_type(::tar::EntryType::Directory);
                header.set_size(0);
                builder.append_data(&mut header, format!("{name}/"), std::io::empty())
            }
            Action::Whiteout => {
                header.set_size(0);
                builder.append_data(&mut header, Path::new(folder).join(format!(".wh.{base}")), std::io::empty())
            }
            Action::Link { to } => {
                header.set_entry_type(::tar::EntryType::Link);
                header.set_size(0);
                builder.append_link(&mut header, &name, self::name(*to))
            }
        };
        added.expect("an entry");
    }
    builder.into_inner().expect("an archive")
}

fn compressed(plain: &[u8], way: u8) -> Vec<u8> {
    match way % 4 {
        0 => ::zstd::encode_all(plain, 1).expect("compressed"),
        1 => plain.to_vec(),
        level => {
            let level = flate2::Compression::new(if level == 2 { 6 } else { 1 });
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(plain).expect("compressed");
            encoder.finish().expect("compressed")
        }
    }
}

/// What the layers become; `None` when they cannot be applied.
fn archives(layers: &[(Layer, u8)], formats: &[Format]) -> Option<Vec<Vec<u8>>> {
    let folder = tempfile::TempDir::new().expect("a folder");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let blobs: Vec<Blob> = layers
        .iter()
        .enumerate()
        .map(|(index, (layer, way))| {
            let path = folder.path().join(index.to_string());
            let bytes = compressed(&plain(layer), *way);
            std::fs::write(&path, &bytes).expect("a blob");
            Blob { path, offset: 0, length: bytes.len() as u64 }
        })
        .collect();
    let windows = Arc::new(Windows::new_in(folder.path()));
    let work = move |format: Format| {
        let mut merge = Merge::new(&Job::default());
        let mut sources = Vec::new();
        for blob in &blobs {
            let open = blob.open().expect("the blob");
            let mut position = 0;
            let mut next = |buffer: &mut [u8]| {
                let count = open.read_at(buffer, position).expect("bytes");
                position += count as u64;
                Ok(count)
            };
            let layer = read(&mut next, Some(&windows), &PlainBudget::new(u64::MAX), &Job::default()).expect("a layer");
            merge.add_layer(layer.archive.expect("an archive").entries).ok()?;
            sources.push(Source { blob: blob.clone(), content: layer.content });
        }
        let plan: Plan = merge.finish().ok()?;
        let digest = crate::digest::sha256(b"");
        let mut bytes = Vec::new();
        let mut sink = |piece: Vec<u8>| {
            bytes.extend_from_slice(&piece);
            Ok(piece)
        };
        let written = write(Archive { sources: Arc::new(sources), plan, format, digest }, &mut sink, &Job::default());
        let written = written.expect("an archive");
        Some((bytes, written.plain_size))
    };
    let work = Arc::new(work);
    let mut made = Vec::new();
    for format in formats {
        let (work, format) = (work.clone(), *format);
        let (bytes, plain_size) =
            runtime.block_on(async { tokio::task::spawn_blocking(move || work(format)).await.expect("no panic") })?;
        if format == Format::Tar {
            assert_eq!(plain_size, bytes.len() as u64);
        }
        made.push(bytes);
    }
    Some(made)
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(bytes);
    decoder.read_to_end(&mut plain).expect("one valid stream");
    plain
}

fn unxz(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    lzma_rust2::XzReader::new(bytes, false).read_to_end(&mut plain).expect("a valid stream");
    plain
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn copied_blocks_give_what_compressing_all_anew_gives(layers in layers()) {
        let formats = [Format::Tar, Format::TarGz, Format::TarGz];
        if let Some(made) = archives(&layers, &formats) {
            prop_assert!(gunzip(&made[1]) == made[0], "blocks that are copied hold other bytes");
            prop_assert!(made[1] == made[2], "the same layers give other bytes");
        }
    }
}

#[test]
fn every_format_holds_the_same_archive() {
    let file = |number: u8, length: usize| (number, Action::File { length, seed: number });
    let layers = [
        (vec![file(0, 700_000), file(1, 1_200_000), file(2, 10)], 2),
        (vec![(1, Action::Whiteout), file(3, 2_000_000)], 0),
        (vec![file(0, 5), (6, Action::Link { to: 3 })], 1),
    ];
    let made = archives(&layers, &[Format::Tar, Format::TarGz, Format::TarXz]).expect("archives");
    assert!(gunzip(&made[1]) == made[0]);
    assert!(unxz(&made[2]) == made[0]);
    let mut names = Vec::new();
    for entry in ::tar::Archive::new(&made[0][..]).entries().expect("entries") {
        names.push(entry.expect("an entry").path().expect("a name").display().to_string());
    }
    assert_eq!(names, ["d/", "d/e", "d/f", "a", "ä"]);
}
