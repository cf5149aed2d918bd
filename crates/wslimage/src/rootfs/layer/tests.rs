use std::io::Write as _;
use std::ops::Range;

use super::*;
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Job;
use crate::rootfs::blob::Blob;
use crate::rootfs::gzip::Windows;

/// An archive of one file.
fn archive(content: &[u8]) -> Vec<u8> {
    let mut builder = ::tar::Builder::new(Vec::new());
    let mut header = ::tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, "file", content).expect("an entry");
    builder.into_inner().expect("an archive")
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).expect("compressed");
    encoder.finish().expect("compressed")
}

fn zstd(plain: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(plain, 3).expect("compressed")
}

fn read_bytes(bytes: &[u8], step: usize, limit: u64) -> Result<Layer> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let folder = tempfile::TempDir::new().expect("a folder");
    let windows = Arc::new(Windows::new_in(folder.path()));
    let bytes = bytes.to_vec();
    let pass = move || {
        let mut rest = &bytes[..];
        let mut next = |buffer: &mut [u8]| {
            let count = rest.len().min(step).min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            Ok(count)
        };
        read(&mut next, Some(&windows), &PlainBudget::new(limit), &Job::default())
    };
    runtime.block_on(async { tokio::task::spawn_blocking(pass).await.expect("a pass") })
}

#[test]
fn the_content_says_what_a_layer_is_compressed_with() {
    let plain = archive(&b"some content, ".repeat(20_000));
    let diff_id = crate::digest::sha256(&plain);
    let (first, second) = plain.split_at(plain.len() / 3);
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &zstd(&plain)].concat();
    for (name, bytes, compression) in [
        ("gzip", gzip(&plain), Compression::Gzip),
        ("gzip of two members", [gzip(first), gzip(second)].concat(), Compression::Gzip),
        ("zstd", zstd(&plain), Compression::Zstd),
        ("zstd of two frames", [zstd(first), zstd(second)].concat(), Compression::Zstd),
        ("zstd behind a skippable frame", skippable, Compression::Zstd),
        ("nothing", plain.clone(), Compression::None),
    ] {
        for step in [3, 1000, usize::MAX] {
            let layer = read_bytes(&bytes, step, u64::MAX).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(layer.content.compression(), compression, "{name}");
            assert_eq!(layer.diff_id, diff_id.digest(), "{name}");
            assert_eq!(layer.plain_size, plain.len() as u64, "{name}");
            assert_eq!(layer.archive.expect(name).entries.len(), 1, "{name}");
        }
    }
}

#[test]
fn what_is_no_layer_is_refused() {
    let plain = archive(&b"some content, ".repeat(20_000));
    let cut = |bytes: Vec<u8>, less: usize| bytes[..bytes.len() - less].to_vec();
    let flipped = |mut bytes: Vec<u8>, at: usize| {
        bytes[at] ^= 0x55;
        bytes
    };
    let middle = zstd(&plain).len() / 2;
    for (name, bytes, part) in [
        ("gzip, cut", cut(gzip(&plain), 1), "it ends too early"),
        ("gzip, cut in its header", gzip(&plain)[..7].to_vec(), "it ends too early"),
        ("gzip, damaged", flipped(gzip(&plain), 10), "damaged"),
        ("gzip, wrong checksum", flipped(gzip(&plain), gzip(&plain).len() - 6), "checksum"),
        ("zstd, cut", cut(zstd(&plain), 1), "it ends too early"),
        ("zstd, damaged", flipped(zstd(&plain), middle), "damaged"),
        ("xz", b"\xfd7zXZ\0some".to_vec(), "compressed with xz"),
        ("bzip2", b"BZh91AY".to_vec(), "compressed with bzip2"),
        ("gzip of text", gzip(b"hello, this is no archive"), "tar archive"),
        ("a cut archive", cut(plain.clone(), 15_000), "tar archive"),
        ("an archive whose first header is damaged", flipped(plain.clone(), 0), "tar archive"),
        ("an archive whose first header is cut", plain[..300].to_vec(), "tar archive"),
        ("gzip of a cut archive", gzip(&cut(plain.clone(), 15_000)), "tar archive"),
    ] {
        let error = read_bytes(&bytes, 1000, u64::MAX).err().unwrap_or_else(|| panic!("{name}: no error"));
        assert_eq!(error.kind(), ErrorKind::UnsupportedImage, "{name}: {error}");
        assert!(error.to_string().contains(part), "{name}: {error}");
    }
}

#[test]
fn what_is_neither_compressed_nor_an_archive_is_told_from_a_layer() {
    let layer = read_bytes(b"just some text", usize::MAX, u64::MAX).expect("a layer of something else");
    assert!(layer.archive.is_none());
    assert_eq!(layer.diff_id, crate::digest::sha256(b"just some text").digest());
    let empty = read_bytes(b"", usize::MAX, u64::MAX).expect("a layer of nothing");
    assert_eq!(empty.archive.expect("an archive").entries.len(), 0);
}

#[test]
fn a_limit_on_the_plain_bytes_is_kept() {
    let plain = archive(&vec![0; 5_000_000]);
    for bytes in [gzip(&plain), zstd(&plain), plain.clone()] {
        assert!(read_bytes(&bytes, 100_000, plain.len() as u64).is_ok());
        let error = read_bytes(&bytes, 100_000, plain.len() as u64 - 1).err().expect("an error");
        let told = format!("more than {} bytes when they are decompressed", plain.len() - 1);
        assert!(error.to_string().contains(&told), "{error}");
    }
}

#[test]
fn a_failure_of_whoever_brings_the_bytes_is_the_failure() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let pass = || {
        let mut next = |_: &mut [u8]| Err(Error::new(ErrorKind::File, "it is gone"));
        let windows = Arc::new(Windows::new_in(&std::env::temp_dir()));
        read(&mut next, Some(&windows), &PlainBudget::new(1), &Job::default())
    };
    let result = runtime.block_on(async { tokio::task::spawn_blocking(pass).await.expect("a pass") });
    assert_eq!(result.err().map(|error| error.to_string()).as_deref(), Some("it is gone"));
}

#[test]
fn a_zstd_layer_is_read_from_any_place() {
    let plain = archive(&(0..200_000u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
    let file = tempfile::NamedTempFile::new().expect("a file");
    let (first, second) = plain.split_at(300_000);
    let bytes = [zstd(first), zstd(second)].concat();
    std::fs::write(file.path(), &bytes).expect("written");
    let blob = Blob { path: file.path().to_owned(), offset: 0, length: bytes.len() as u64 };
    let mut cursor = ZstdCursor::new(blob.open().expect("the blob")).expect("a cursor");
    let end = plain.len() as u64;
    let ranges: [Range<u64>; 7] = [0..10, 5..20, 299_990..300_010, 100..100, 700_000..end, 0..end, end - 1..end];
    for range in ranges {
        let mut found = Vec::new();
        cursor.read(range.clone(), &mut found).expect("plain bytes");
        assert!(found == plain[range.start as usize..range.end as usize], "{range:?}");
    }
    assert!(cursor.read(end..end + 1, &mut Vec::new()).is_err());
}

/// Whatever happens to a gzip layer on the way: its bytes, and blocks that make a stream of theirs, or an error.
#[test]
fn fuzz_gzip() {
    let folder = tempfile::TempDir::new().expect("a folder");
    crate::fuzz::check("gzip", |bytes| {
        use crate::rootfs::gzip::{Failure, Indexer, Splice, cut, header};
        let mut indexer = Indexer::new(Some(Arc::new(Windows::new_in(folder.path()))));
        let mut plain = Vec::new();
        let mut sink = |piece: Vec<u8>| {
            plain.extend_from_slice(&piece);
            Ok(piece)
        };
        let pushed = indexer.push(bytes, &mut sink);
        let index = match pushed.and_then(|()| indexer.finish(&mut sink)) {
            Ok(index) => index,
            Err(Failure::Damaged(_)) => return,
            Err(other) => panic!("{other:?}"),
        };
        let mut expected = Vec::new();
        let members = std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(bytes), &mut expected);
        // What follows the last member is another reader's error; all before it is the same.
        assert!(members.is_err() || expected == plain);
        assert!(plain.starts_with(&expected));
        let path = folder.path().join("blob");
        std::fs::write(&path, bytes).expect("written");
        let blob = Blob { path, offset: 0, length: bytes.len() as u64 }.open().expect("the blob");
        let end = plain.len() as u64;
        for range in [0..end, end / 3..end] {
            let Some(cut) = cut(&index, &range) else { continue };
            let mut stream = Vec::new();
            let mut splice = Splice::new(&header(&crate::digest::sha256(b"")), |piece: Vec<u8>| {
                stream.extend_from_slice(&piece);
                Ok(piece)
            });
            splice.copy(&index, &blob, &cut).unwrap_or_else(|_| panic!("the blocks are not copied"));
            splice.finish().expect("an end");
            let mut copied = Vec::new();
            std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&stream[..]), &mut copied).expect("a stream");
            assert!(copied == plain[cut.plain.start as usize..cut.plain.end as usize], "{range:?}");
        }
    });
}
