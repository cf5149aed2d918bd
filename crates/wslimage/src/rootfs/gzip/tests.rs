use std::io::{Read as _, Write as _};
use std::ops::Range;
use std::process::{Command, Stdio};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::rootfs::blob::Blob;

/// A layer's file, and what is known of it.
struct Layer {
    _folder: tempfile::TempDir,
    blob: Blob,
    index: Arc<GzipIndex>,
    plain: Vec<u8>,
}

fn indexed(compressed: &[u8], step: usize) -> Result<(GzipIndex, Vec<u8>), index::Failure> {
    let folder = tempfile::TempDir::new().expect("a folder");
    let windows = Arc::new(Windows::new_in(folder.path()));
    let mut indexer = Indexer::new(Some(windows));
    let mut plain = Vec::new();
    let mut sink = |piece: Vec<u8>| {
        plain.extend_from_slice(&piece);
        Ok(piece)
    };
    for piece in compressed.chunks(step) {
        indexer.push(piece, &mut sink)?;
    }
    let index = indexer.finish(&mut sink)?;
    Ok((index, plain))
}

fn layer(compressed: &[u8], step: usize) -> Layer {
    let folder = tempfile::TempDir::new().expect("a folder");
    let path = folder.path().join("layer");
    std::fs::write(&path, compressed).expect("a file");
    let (index, plain) = indexed(compressed, step).expect("a gzip file");
    let blob = Blob { path, offset: 0, length: compressed.len() as u64 };
    Layer { _folder: folder, blob, index: Arc::new(index), plain }
}

/// What the system's gzip makes of it.
fn gunzip(compressed: &[u8]) -> Vec<u8> {
    let mut gzip = Command::new("gzip").arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("gzip");
    let mut stdin = gzip.stdin.take().expect("its input");
    let compressed = compressed.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&compressed));
    let mut plain = Vec::new();
    gzip.stdout.take().expect("its output").read_to_end(&mut plain).expect("plain bytes");
    writer.join().expect("a writer").expect("it reads all");
    assert!(gzip.wait().expect("an end").success(), "gzip takes it");
    plain
}

fn member(plain: &[u8], level: i32, flush_every: usize) -> Vec<u8> {
    let mut deflate = zlib_rs::Deflate::new(level, false, 15);
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut output = vec![0; plain.len() * 2 + 1024 + plain.len() / flush_every.max(1) * 64];
    let mut filled = 0;
    let mut pieces = plain.chunks(flush_every.max(1)).peekable();
    while let Some(piece) = pieces.next() {
        let flush =
            if pieces.peek().is_some() { zlib_rs::DeflateFlush::PartialFlush } else { zlib_rs::DeflateFlush::NoFlush };
        let before = deflate.total_out();
        deflate.compress(piece, &mut output[filled..], flush).expect("compressed");
        filled += (deflate.total_out() - before) as usize;
    }
    let before = deflate.total_out();
    deflate.compress(&[], &mut output[filled..], zlib_rs::DeflateFlush::Finish).expect("compressed");
    filled += (deflate.total_out() - before) as usize;
    bytes.extend_from_slice(&output[..filled]);
    bytes.extend_from_slice(&crc32fast::hash(plain).to_le_bytes());
    bytes.extend_from_slice(&(plain.len() as u32).to_le_bytes());
    bytes
}

/// Text that compresses, and in between bytes that do not.
fn content(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut bytes = Vec::with_capacity(length + 64);
    while bytes.len() < length {
        match random() % 4 {
            0 => (0..random() % 40_000).for_each(|_| bytes.push(random() as u8)),
            1 => bytes.resize(bytes.len() + (random() % 9000) as usize, 0),
            _ => {
                for _ in 0..random() % 2000 {
                    bytes.extend_from_slice(format!("word{} ", random() % 500).as_bytes());
                }
            }
        }
    }
    bytes.truncate(length);
    bytes
}

/// The archive that has these ranges of a layer behind one another.
fn spliced(layer: &Layer, ranges: &[Range<u64>]) -> (Vec<u8>, u64) {
    let mut bytes = Vec::new();
    let mut copied = 0;
    {
        let mut splice = Splice::new(&stamp::header(&crate::digest::sha256(b"")), |piece: Vec<u8>| {
            bytes.extend_from_slice(&piece);
            Ok(piece)
        });
        let blob = layer.blob.open().expect("the blob");
        let mut cursor = Cursor::new(layer.blob.open().expect("the blob"), layer.index.clone());
        let mut other = Cursor::new(layer.blob.open().expect("the blob"), layer.index.clone());
        let mut put = |splice: &mut Splice<_>, range: Range<u64>, around: Option<(&Cut, bool)>| {
            if range.is_empty() {
                return;
            }
            let (mut plain, mut end) = (Vec::new(), None);
            let copied = match around {
                Some((cut, true)) => {
                    end = other.read_end(range.start, cut.units.start, &mut plain).expect("plain bytes");
                    None
                }
                Some((cut, false)) => other.read_beginning(cut.units.end, range.end, &mut plain).expect("plain bytes"),
                None => other.read_inside(range.clone(), &mut plain).expect("plain bytes"),
            };
            assert_eq!(plain, layer.plain[range.start as usize..][..plain.len()], "what {range:?} holds");
            let mut again = Vec::new();
            cursor.read(range.clone(), &mut again).expect("plain bytes");
            assert_eq!(again, layer.plain[range.start as usize..range.end as usize], "what {range:?} holds");
            let mut parts = Vec::new();
            let anew = |parts: &mut Vec<Part>, range: Range<usize>| {
                if !range.is_empty() {
                    parts.push(Part::Blocks(compress(&plain[..range.start], &plain[range])));
                }
            };
            let copied = copied.unwrap_or(inside::Copied { bits: Vec::new(), plain: 0..0 });
            anew(&mut parts, 0..copied.plain.start);
            parts.extend(copied.bits.into_iter().map(Part::Bits));
            anew(&mut parts, copied.plain.end..plain.len());
            let (mut crc, mut length) = (crc32fast::hash(&plain), plain.len() as u64);
            if let Some(end) = end {
                parts.extend(end.bits.into_iter().map(Part::Bits));
                (crc, length) = (checksum::joined(crc, end.crc, end.length), length + end.length);
            }
            assert_eq!(length, range.end - range.start);
            splice.append(&Compressed { parts, crc, length }).expect("appended");
        };
        for range in ranges {
            match cut(&layer.index, range) {
                Some(cut) => {
                    assert!(range.start <= cut.plain.start && cut.plain.end <= range.end);
                    put(&mut splice, range.start..cut.plain.start, Some((&cut, true)));
                    splice.copy(&layer.index, &blob, &cut).expect("copied");
                    copied += cut.plain.end - cut.plain.start;
                    put(&mut splice, cut.plain.end..range.end, Some((&cut, false)));
                }
                None => put(&mut splice, range.clone(), None),
            }
        }
        splice.finish().expect("an end");
    }
    (bytes, copied)
}

#[test]
fn ranges_of_a_layer_become_a_stream_of_their_bytes() {
    let plain = content(3_000_000, 1);
    for (level, flush_every) in [(6, usize::MAX), (1, usize::MAX), (9, 100_000), (6, 5000), (0, usize::MAX), (6, 300)] {
        let whole = member(&plain, level, flush_every);
        let first = member(&plain[..1_000_000], level, flush_every);
        let second = member(&plain[1_000_000..], 6, usize::MAX);
        let empty = member(&[], 6, usize::MAX);
        let two = [&first[..], &second].concat();
        let with_empty = [&first[..], &empty, &empty, &second, &empty, &empty].concat();
        for (name, compressed) in [("one member", whole), ("two members", two), ("empty ones too", with_empty)] {
            let layer = layer(&compressed, 100_000);
            assert_eq!(layer.plain, plain);
            let all = 0..plain.len() as u64;
            for ranges in [
                vec![all.clone()],
                std::iter::once(1..plain.len() as u64 - 1).collect(),
                vec![0..500_000, 500_512..2_999_999],
                vec![10_000..20_000, 30_000..40_000, 999_999..1_000_001],
                vec![800_000..1_005_000, 1_200_000..3_000_000],
                vec![900_000..1_000_000, 2_900_000..3_000_000, 960_000..1_000_000, 2_960_000..3_000_000],
                (0..20).map(|part| part * 150_000 + 512..(part + 1) * 150_000).collect(),
            ] {
                let (stream, copied) = spliced(&layer, &ranges);
                let expected: Vec<u8> =
                    ranges.iter().flat_map(|range| &plain[range.start as usize..range.end as usize]).copied().collect();
                assert!(gunzip(&stream) == expected, "{name}, level {level}, flushed every {flush_every}: {ranges:?}");
                if ranges[0] == all {
                    assert_eq!(copied, plain.len() as u64, "all of it is copied");
                }
            }
        }
    }
}

#[test]
fn no_windows_are_kept_where_nobody_will_begin_to_read() {
    struct Sink {
        plain: Vec<u8>,
        uncut_until: u64,
    }
    impl PlainSink for Sink {
        fn put(&mut self, piece: Vec<u8>) -> crate::Result<Vec<u8>> {
            self.plain.extend_from_slice(&piece);
            Ok(piece)
        }
        fn uncut_until(&self) -> u64 {
            self.uncut_until
        }
    }
    let compressed = member(&content(4_000_000, 4), 6, usize::MAX);
    let windows_before = |uncut_until: u64| {
        let folder = tempfile::TempDir::new().expect("a folder");
        let windows = Arc::new(Windows::new_in(folder.path()));
        let (mut indexer, mut sink) = (Indexer::new(Some(windows)), Sink { plain: Vec::new(), uncut_until });
        for piece in compressed.chunks(100_000) {
            indexer.push(piece, &mut sink).expect("a gzip file");
        }
        let index = Arc::new(indexer.finish(&mut sink).expect("a gzip file"));
        let path = folder.path().join("layer");
        std::fs::write(&path, &compressed).expect("a file");
        let blob = Blob { path, offset: 0, length: compressed.len() as u64 };
        let mut cursor = Cursor::new(blob.open().expect("the blob"), index.clone());
        for start in [3_500_000, 100, 2_999_999, 1_000_000] {
            let mut found = Vec::new();
            cursor.read(start..start + 1000, &mut found).expect("plain bytes");
            assert!(found == sink.plain[start as usize..][..1000], "from {start} on");
        }
        let at = |checkpoint: &index::Checkpoint| index.units[checkpoint.unit].plain;
        let kept = index.checkpoints.iter().filter(|checkpoint| checkpoint.window.is_some());
        kept.filter(|checkpoint| (500_000..2_000_000).contains(&at(checkpoint))).count()
    };
    assert!(windows_before(0) > 2);
    assert_eq!(windows_before(3_000_000), 0);
}

#[test]
fn what_stands_around_members_is_no_part_of_them() {
    let plain = content(100_000, 2);
    let bare = member(&plain, 6, usize::MAX);
    let with_header = |flags: u8, more: &[u8]| {
        let mut bytes = bare.clone();
        bytes[3] = flags;
        bytes.splice(10..10, more.iter().copied());
        bytes
    };
    for (name, compressed, times) in [
        ("nothing", bare.clone(), 1),
        ("a name", with_header(8, b"layer.tar\0"), 1),
        ("a comment", with_header(16, b"made by hand\0"), 1),
        ("an extra field", with_header(4, &[3, 0, 1, 2, 3]), 1),
        ("an empty extra field", with_header(4, &[0, 0]), 1),
        ("a header checksum", with_header(2, &[1, 2]), 1),
        ("all of them", with_header(0x1f, b"\x01\x00xname\0comment\0cc"), 1),
        ("zeros", [bare.clone(), vec![0; 5000]].concat(), 1),
        ("zeros and another member", [bare.clone(), vec![0; 5000], bare.clone()].concat(), 2),
        ("another member", [bare.clone(), bare.clone()].concat(), 2),
        ("an empty member", [bare.clone(), member(&[], 6, 1), bare.clone()].concat(), 2),
        ("junk", [bare.clone(), b"junk".to_vec()].concat(), 1),
    ] {
        for step in [1, 7, 1000, usize::MAX] {
            let (index, found) = indexed(&compressed, step).unwrap_or_else(|error| panic!("{name}: {error:?}"));
            assert!(found == plain.repeat(times), "{name}");
            assert_eq!(index.crc, crc32fast::hash(&found), "{name}");
        }
    }
}

#[test]
fn what_is_damaged_is_an_error() {
    let plain = content(100_000, 3);
    let whole = member(&plain, 6, usize::MAX);
    for cut in [0, 1, 3, 9, 10, 11, 5000, whole.len() - 9, whole.len() - 8, whole.len() - 1] {
        assert!(matches!(indexed(&whole[..cut], 1000), Err(index::Failure::Damaged(_))), "cut at {cut}");
    }
    for at in [0, 1, 2, whole.len() - 1, whole.len() - 5, whole.len() / 2] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        assert!(matches!(indexed(&bytes, 1000), Err(index::Failure::Damaged(_))), "a flipped bit at {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_cuts_of_any_stream_give_a_valid_stream(
        seed: u64,
        members in proptest::collection::vec(
            (prop_oneof![1 => Just(0), 4 => 1usize..400_000], 0i32..=9, prop_oneof![Just(usize::MAX), 200usize..100_000]),
            1..4,
        ),
        step in 1usize..70_000,
        cuts in proptest::collection::vec(0.0f64..1.0, 0..16),
    ) {
        let length = members.iter().map(|(length, ..)| length).sum();
        let plain = content(length, seed);
        let (mut compressed, mut end) = (Vec::new(), 0);
        // No random cut would be at the end of a member.
        let mut ends = Vec::new();
        for (length, level, flush_every) in members {
            compressed.extend(member(&plain[end..end + length], level, flush_every));
            end += length;
            ends.push(end as u64);
        }
        let layer = layer(&compressed, step);
        let mut places: Vec<u64> = cuts.iter().map(|cut| (cut * length as f64) as u64).collect();
        places.extend(ends);
        places.push(0);
        places.sort_unstable();
        // Every second gap is left out.
        let ranges: Vec<Range<u64>> = places.windows(2).step_by(2).map(|pair| pair[0]..pair[1]).collect();
        let (stream, _) = spliced(&layer, &ranges);
        let expected: Vec<u8> =
            ranges.iter().flat_map(|range| &plain[range.start as usize..range.end as usize]).copied().collect();
        prop_assert!(gunzip(&stream) == expected);
    }
}
