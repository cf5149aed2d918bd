//! Headers as bsdtar, GNU tar, busybox and Python take them, whatever locale they run in.
//!
//! Names are raw bytes in a ustar header, or in GNU's extensions when they are longer. Records are there for extended
//! attributes and fractions of a second only, in front of GNU's extensions.

use std::borrow::Cow;

use super::block::{
    self, BLOCK, Block, CHECKSUM, GID, GNAME, LINK, MAGIC, MAJOR, MINOR, MODE, MTIME, NAME, PREFIX, SIZE, TYPE_FLAG,
    UID, UNAME,
};
use super::description::{self, Description};
use super::headers::{Headers, Step};
use super::number;
use super::pax::write_record;
use crate::error::{Error, ErrorKind, Result};
use crate::rootfs::entry::Kind;
use crate::rootfs::plan::HeaderChange;

/// The end of an archive.
pub(crate) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

const GNU_MAGIC: &[u8; 8] = b"ustar  \0";
const USTAR_MAGIC: &[u8; 8] = b"ustar\x0000";

/// A header made anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Whole blocks, extension headers and a sparse map included; the original's data follow, if it is a file.
    pub(crate) bytes: Vec<u8>,
    /// What the original has and this one has not, as a user may know it: "security.selinux", "ACL", "file flags".
    pub(crate) dropped: Vec<String>,
}

/// The header with `change` of the entry whose headers are `original`, from [`Entry::start`](crate::rootfs::entry::Entry)
/// to its data.
///
/// A hard link can be made of any kind; otherwise the kind is the original's.
pub(crate) fn header(original: &[u8], change: &HeaderChange) -> Result<Header> {
    let description = described(original)?;
    if change.kind == Kind::HardLink {
        return Ok(Header { bytes: write(&description, change, false), dropped: Vec::new() });
    }
    if change.kind != description.kind {
        let text = format!("a header of a {:?} was to become one of a {:?}", description.kind, change.kind);
        return Err(Error::new(ErrorKind::Internal, text));
    }
    let bytes = write(&description, change, true);
    Ok(Header { bytes, dropped: description.dropped })
}

/// The header of a folder that belongs to root, at the epoch.
pub(crate) fn folder(name: &[u8]) -> Vec<u8> {
    let name = relative(name);
    let fields = Fields { mode: 0o755, ..Fields::new(b'5', &name) };
    fields.written(None)
}

fn described(original: &[u8]) -> Result<Description> {
    let internal = || Error::new(ErrorKind::Internal, "a header is not where it was found before");
    let mut headers = Headers::at(0);
    let (blocks, rest) = original.as_chunks::<BLOCK>();
    let (last, before) = blocks.split_last().filter(|_| rest.is_empty()).ok_or_else(internal)?;
    for block in before {
        if !matches!(headers.take(block)?, Step::More) {
            return Err(internal());
        }
    }
    match headers.take(last)? {
        Step::Entry(description) => Ok(*description),
        _ => Err(internal()),
    }
}

fn write(original: &Description, change: &HeaderChange, has_all: bool) -> Vec<u8> {
    let type_flag = match change.kind {
        Kind::File if original.sparse.is_some() => b'S',
        Kind::File => b'0',
        Kind::HardLink => b'1',
        Kind::Symlink => b'2',
        Kind::CharacterDevice => b'3',
        Kind::BlockDevice => b'4',
        Kind::Folder => b'5',
        Kind::Fifo => b'6',
    };
    let is_device = matches!(change.kind, Kind::CharacterDevice | Kind::BlockDevice);
    let name = relative(&change.name);
    let link = match change.kind {
        Kind::HardLink => relative(&change.link),
        Kind::Symlink => Cow::Borrowed(change.link.as_slice()),
        _ => Cow::Borrowed(b"".as_slice()),
    };
    let fields = Fields {
        link: &link,
        mode: original.mode,
        uid: original.uid,
        gid: original.gid,
        // Read from a header, so no more than fits into one.
        size: if change.kind == Kind::File { i64::try_from(original.size).unwrap_or(i64::MAX) } else { 0 },
        time: original.time.seconds,
        device: is_device.then_some((original.major, original.minor)),
        uname: &original.uname,
        gname: &original.gname,
        ..Fields::new(type_flag, &name)
    };
    let mut records = Vec::new();
    if let Some(time) = &original.time.verbatim {
        write_record(b"mtime", time, &mut records);
    }
    for xattr in original.xattrs.iter().filter(|_| has_all) {
        let key = [b"SCHILY.xattr.", xattr.name.as_slice()].concat();
        write_record(&key, xattr.value.as_deref().unwrap_or_default(), &mut records);
    }
    let mut bytes = Vec::new();
    if !records.is_empty() {
        write_extension(b'x', b"././@PaxHeader", &records, &mut bytes);
    }
    bytes.extend(fields.written(original.sparse.as_ref().filter(|_| type_flag == b'S')));
    bytes
}

/// A name of which nobody cuts off the beginning.
fn relative(name: &[u8]) -> Cow<'_, [u8]> {
    if description::has_root(name) { [b"./", name].concat().into() } else { name.into() }
}

/// What a header is written from.
struct Fields<'a> {
    type_flag: u8,
    name: &'a [u8],
    link: &'a [u8],
    mode: u32,
    uid: u32,
    gid: u32,
    size: i64,
    time: i64,
    device: Option<(u32, u32)>,
    uname: &'a [u8],
    gname: &'a [u8],
}

impl<'a> Fields<'a> {
    fn new(type_flag: u8, name: &'a [u8]) -> Self {
        let (link, uname, gname) = (b"".as_slice(), b"".as_slice(), b"".as_slice());
        Self { type_flag, name, link, mode: 0, uid: 0, gid: 0, size: 0, time: 0, device: None, uname, gname }
    }

    fn is_ustar(&self) -> bool {
        let ids = [self.mode, self.uid, self.gid].map(i64::from);
        let devices = self.device.map(|(major, minor)| [major, minor].map(i64::from));
        self.type_flag != b'S'
            && ids.into_iter().chain(devices.into_iter().flatten()).all(|id| number::fits_octal(id, UID.len()))
            && [self.size, self.time].iter().all(|number| number::fits_octal(*number, SIZE.len()))
            && self.link.len() <= LINK.len()
    }

    /// The header with GNU's extensions before it and the rest of a sparse map behind it.
    fn written(&self, sparse: Option<&super::sparse::Sparse>) -> Vec<u8> {
        let split = if self.is_ustar() { split(self.name) } else { None };
        let mut bytes = Vec::new();
        let mut block: Block = [0; BLOCK];
        match split {
            Some((prefix, name)) => {
                put(&mut block[PREFIX], prefix);
                put(&mut block[NAME], name);
                block[MAGIC].copy_from_slice(USTAR_MAGIC);
            }
            None => {
                put_long(self.name, &mut block[NAME], b'L', &mut bytes);
                block[MAGIC].copy_from_slice(GNU_MAGIC);
            }
        }
        put_long(self.link, &mut block[LINK], b'K', &mut bytes);
        block[TYPE_FLAG] = self.type_flag;
        for (field, number) in [(MODE, self.mode), (UID, self.uid), (GID, self.gid)] {
            number::write(i64::from(number), &mut block[field]);
        }
        number::write(self.size, &mut block[SIZE]);
        number::write(self.time, &mut block[MTIME]);
        let (major, minor) = self.device.unwrap_or_default();
        number::write(i64::from(major), &mut block[MAJOR]);
        number::write(i64::from(minor), &mut block[MINOR]);
        put(&mut block[UNAME], owner(self.uname, UNAME.len()));
        put(&mut block[GNAME], owner(self.gname, GNAME.len()));
        let rest = sparse.map(|sparse| sparse.write(&mut block)).unwrap_or_default();
        sign(&mut block);
        bytes.extend_from_slice(&block);
        bytes.extend(rest);
        bytes
    }
}

/// `name` as prefix and name of a ustar header, or `None` if it is too long.
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if name.len() <= NAME.len() {
        return Some((b"", name));
    }
    // The slash between them is in neither; one at the end of a folder's name does not begin an empty one.
    let first = name.len() - NAME.len() - 1;
    let last = PREFIX.len().min(name.len().checked_sub(2)?);
    let slash = first + name.get(first..=last)?.iter().position(|byte| *byte == b'/')?;
    (slash > 0).then(|| (&name[..slash], &name[slash + 1..]))
}

/// The name of an owner, if every tool can read it: they count less than the numbers.
fn owner(name: &[u8], room: usize) -> &[u8] {
    if name.len() < room && name.iter().all(u8::is_ascii_graphic) { name } else { b"" }
}

fn put(field: &mut [u8], text: &[u8]) {
    field[..text.len()].copy_from_slice(text);
}

/// Puts `text` into `field`, its beginning only if it is longer, with all of it in an extension header before.
fn put_long(text: &[u8], field: &mut [u8], type_flag: u8, before: &mut Vec<u8>) {
    if text.len() > field.len() {
        let data = [text, b"\0"].concat();
        write_extension(type_flag, b"././@LongLink", &data, before);
    }
    put(field, &text[..text.len().min(field.len())]);
}

fn write_extension(type_flag: u8, name: &[u8], data: &[u8], into: &mut Vec<u8>) {
    let mut block: Block = [0; BLOCK];
    put(&mut block[NAME], name);
    for (field, number) in [(MODE, 0o644), (UID, 0), (GID, 0), (MTIME, 0), (MAJOR, 0), (MINOR, 0)] {
        number::write(number, &mut block[field]);
    }
    // It is in memory.
    number::write(i64::try_from(data.len()).unwrap_or(i64::MAX), &mut block[SIZE]);
    block[TYPE_FLAG] = type_flag;
    block[MAGIC].copy_from_slice(if type_flag == b'x' { USTAR_MAGIC } else { GNU_MAGIC });
    sign(&mut block);
    into.extend_from_slice(&block);
    into.extend_from_slice(data);
    into.resize(into.len().next_multiple_of(BLOCK), 0);
}

/// Puts the checksum in.
fn sign(block: &mut Block) {
    let sum = format!("{:06o}\0 ", block::checksum(block));
    block[CHECKSUM].copy_from_slice(sum.as_bytes());
}
