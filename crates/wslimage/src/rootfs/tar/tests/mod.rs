//! Archives of every dialect, made block by block, since no tool writes all of them.

mod dialects;
mod properties;
mod rewriting;
#[cfg(target_os = "linux")]
mod tools;

use std::ops::Range;

use super::block::{self, BLOCK, Block, CHECKSUM, GNU_SPARSE, LINK, MAGIC, NAME, SIZE, TYPE_FLAG};
use super::pax::write_record;
use super::reader::TarEnd;
use super::{END, Reader, number};
use crate::error::Result;
use crate::rootfs::entry::Entry;

const V7: &[u8] = b"\0\0\0\0\0\0\0\0";
const USTAR: &[u8] = b"ustar\x0000";
const GNU: &[u8] = b"ustar  \0";

/// A header block in the making, ustar unless it is said.
#[derive(Clone)]
struct Raw {
    block: Block,
    is_signed: bool,
}

fn raw(type_flag: u8, name: &[u8]) -> Raw {
    let raw = Raw { block: [0; BLOCK], is_signed: false }.set(NAME, name).set(MAGIC, USTAR);
    let raw = raw.set(TYPE_FLAG..TYPE_FLAG + 1, &[type_flag]);
    let numbers = [(block::MODE, 0o644), (block::UID, 0), (block::GID, 0), (SIZE, 0), (block::MTIME, 0)];
    numbers.into_iter().fold(raw, |raw, (field, number)| raw.number(field, number))
}

impl Raw {
    fn set(mut self, field: Range<usize>, value: &[u8]) -> Self {
        self.block[field][..value.len()].copy_from_slice(value);
        self
    }

    fn number(mut self, field: Range<usize>, number: i64) -> Self {
        number::write(number, &mut self.block[field]);
        self
    }

    fn magic(self, magic: &[u8]) -> Self {
        self.set(MAGIC, magic)
    }

    fn link(self, link: &[u8]) -> Self {
        self.set(LINK, link)
    }

    fn size(self, size: i64) -> Self {
        self.number(SIZE, size)
    }

    fn summed_as_signed(mut self) -> Self {
        self.is_signed = true;
        self
    }

    fn bytes(mut self) -> Vec<u8> {
        let sum = block::checksum(&self.block);
        let above_ascii = self.block.iter().filter(|byte| !byte.is_ascii()).count() as u32;
        let sum = if self.is_signed { sum - 256 * above_ascii } else { sum };
        self.block[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.block.to_vec()
    }

    /// With `data` behind it, and their size in it.
    fn with(self, data: &[u8]) -> Vec<u8> {
        [self.size(data.len() as i64).bytes(), filled(data)].concat()
    }
}

/// `data` filled up to whole blocks.
fn filled(data: &[u8]) -> Vec<u8> {
    let mut filled = data.to_vec();
    filled.resize(data.len().next_multiple_of(BLOCK), 0);
    filled
}

fn records(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    records.iter().for_each(|(key, value)| write_record(key.as_bytes(), value, &mut bytes));
    bytes
}

fn pax(list: &[(&str, &[u8])]) -> Vec<u8> {
    raw(b'x', b"PaxHeaders/x").with(&records(list))
}

/// A GNU extension header: `L` or `K`.
fn long(type_flag: u8, name: &[u8]) -> Vec<u8> {
    raw(type_flag, b"././@LongLink").magic(GNU).with(&[name, b"\0"].concat())
}

fn file(name: &[u8], data: &[u8]) -> Vec<u8> {
    raw(b'0', name).with(data)
}

/// A sparse file of old GNU tar.
fn sparse(name: &[u8], parts: &[(i64, i64)], real_size: i64) -> Raw {
    let size = parts.iter().map(|(_, length)| length).sum();
    let raw = raw(b'S', name).magic(GNU).size(size).number(block::GNU_REAL_SIZE, real_size);
    parts.iter().enumerate().fold(raw, |raw, (at, (offset, length))| {
        let at = GNU_SPARSE.start + at * 24;
        raw.number(at..at + 12, *offset).number(at + 12..at + 24, *length)
    })
}

/// What is read from `bytes`, pushed in pieces of the lengths `cuts`, again and again.
fn read_cut(bytes: &[u8], cuts: &[usize]) -> Result<(Vec<Entry>, TarEnd)> {
    let mut entries = Vec::new();
    let mut reader = Reader::new();
    let mut rest = bytes;
    for cut in cuts.iter().cycle() {
        let (piece, behind) = rest.split_at(rest.len().min(*cut));
        reader.push(piece, &mut |entry| {
            entries.push(entry);
            Ok(())
        })?;
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    Ok((entries, reader.finish()?))
}

fn read(bytes: &[u8]) -> Result<(Vec<Entry>, TarEnd)> {
    read_cut(bytes, &[usize::MAX])
}

/// The entries of `pieces` with the end of an archive behind them.
fn entries(pieces: &[Vec<u8>]) -> Vec<Entry> {
    read(&[pieces.concat(), END.to_vec()].concat()).expect("an archive").0
}

/// The only entry of `archive`.
fn only_entry(archive: &[u8]) -> Entry {
    let entries = entries(&[archive.to_vec()]);
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.into_iter().next().expect("an entry")
}

/// What the archive has of the files below. GNU tar begins each part in a block of its own.
fn sparse_data() -> Vec<u8> {
    [filled(b"abc"), filled(b"def")].concat()
}

/// Sparse files of 100000 bytes with "abc" at 0 and "def" at 65536, in every form that GNU tar has had.
fn sparse_dialects(name: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let with_data = |raw: Raw| [raw.bytes(), sparse_data()].concat();
    let data_map = filled(b"2\n0\n512\n65536\n512\n");
    let fake = |data: &[u8]| raw(b'0', b"GNUSparseFile.0/x").with(data);
    vec![
        ("old GNU", with_data(sparse(name, &[(0, 512), (65536, 512), (100_000, 0)], 100_000))),
        (
            "pax 0.0",
            [
                pax(&[
                    ("GNU.sparse.size", b"100000"),
                    ("GNU.sparse.numblocks", b"2"),
                    ("GNU.sparse.offset", b"0"),
                    ("GNU.sparse.numbytes", b"512"),
                    ("GNU.sparse.offset", b"65536"),
                    ("GNU.sparse.numbytes", b"512"),
                ]),
                file(name, &sparse_data()),
            ]
            .concat(),
        ),
        (
            "pax 0.1",
            [
                pax(&[
                    ("GNU.sparse.size", b"100000"),
                    ("GNU.sparse.numblocks", b"2"),
                    ("GNU.sparse.name", name),
                    ("GNU.sparse.map", b"0,512,65536,512"),
                ]),
                fake(&sparse_data()),
            ]
            .concat(),
        ),
        (
            "pax 1.0",
            [
                pax(&[
                    ("GNU.sparse.major", b"1"),
                    ("GNU.sparse.minor", b"0"),
                    ("GNU.sparse.name", name),
                    ("GNU.sparse.realsize", b"100000"),
                ]),
                fake(&[data_map, sparse_data()].concat()),
            ]
            .concat(),
        ),
    ]
}
