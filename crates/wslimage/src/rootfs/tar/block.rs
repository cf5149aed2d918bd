//! Blocks, and where the fields of a header stand in one (POSIX pax, "ustar Interchange Format"; GNU tar's tar.h).

use std::ops::Range;

pub(super) const BLOCK: usize = 512;
pub(super) type Block = [u8; BLOCK];

pub(super) const NAME: Range<usize> = 0..100;
pub(super) const MODE: Range<usize> = 100..108;
pub(super) const UID: Range<usize> = 108..116;
pub(super) const GID: Range<usize> = 116..124;
pub(super) const SIZE: Range<usize> = 124..136;
pub(super) const MTIME: Range<usize> = 136..148;
pub(super) const CHECKSUM: Range<usize> = 148..156;
pub(super) const TYPE_FLAG: usize = 156;
pub(super) const LINK: Range<usize> = 157..257;
pub(super) const MAGIC: Range<usize> = 257..265;
pub(super) const UNAME: Range<usize> = 265..297;
pub(super) const GNAME: Range<usize> = 297..329;
pub(super) const MAJOR: Range<usize> = 329..337;
pub(super) const MINOR: Range<usize> = 337..345;
pub(super) const PREFIX: Range<usize> = 345..500;

pub(super) const STAR_PREFIX: Range<usize> = 345..476;
pub(super) const STAR_TRAILER: Range<usize> = 508..512;

pub(super) const GNU_ATIME: Range<usize> = 345..357;
pub(super) const GNU_CTIME: Range<usize> = 357..369;
pub(super) const GNU_SPARSE: Range<usize> = 386..482;
pub(super) const GNU_IS_EXTENDED: usize = 482;
pub(super) const GNU_REAL_SIZE: Range<usize> = 483..495;

/// What the magic of a header begins with in every dialect since POSIX.
const USTAR: &[u8] = b"ustar";
/// So many bytes tell whether they are the beginning of an archive.
pub(crate) const TELLING: usize = MAGIC.start + USTAR.len();

/// Whether bytes that begin so are meant to be an archive, damaged or not. Those from before POSIX cannot be told from
/// anything else, except by a checksum that is right.
pub(crate) fn is_meant(beginning: &[u8]) -> bool {
    beginning.get(MAGIC.start..TELLING) == Some(USTAR)
}

/// `length` and what fills its last block.
pub(super) fn padded(length: u64) -> Option<u64> {
    length.checked_next_multiple_of(BLOCK as u64)
}

/// The text of a field: what stands before its first NUL.
pub(super) fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

pub(super) fn is_zeros(block: &Block) -> bool {
    block.iter().all(|byte| *byte == 0)
}

/// How the checksum of a header was added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sum {
    Unsigned,
    /// Of signed characters, as some old systems did: another number as soon as a byte is not ASCII.
    Signed,
}

/// The sum of a header's bytes, its checksum counted as spaces.
pub(super) fn checksum(block: &Block) -> u32 {
    without_checksum(block).map(u32::from).sum()
}

/// How the checksum was added up, if it is the header's.
pub(super) fn verified(block: &Block) -> Option<Sum> {
    let field = &block[CHECKSUM];
    // As libarchive; elsewhere a number may be base-256.
    if !field.iter().all(|byte| matches!(byte, b' ' | 0 | b'0'..=b'7')) {
        return None;
    }
    let expected = super::number::field(field)?;
    if expected == i64::from(checksum(block)) {
        return Some(Sum::Unsigned);
    }
    let signed: i64 = without_checksum(block).map(|byte| i64::from(byte.cast_signed())).sum();
    (expected == signed).then_some(Sum::Signed)
}

fn without_checksum(block: &Block) -> impl Iterator<Item = u8> {
    block.iter().enumerate().map(|(at, byte)| if CHECKSUM.contains(&at) { b' ' } else { *byte })
}
