//! The header block of an entry itself, in any dialect.

use super::block::{
    self, Block, GID, GNAME, GNU_ATIME, GNU_CTIME, GNU_REAL_SIZE, GNU_SPARSE, LINK, MAGIC, MAJOR, MINOR, MODE, MTIME,
    NAME, PREFIX, SIZE, STAR_PREFIX, STAR_TRAILER, TYPE_FLAG, UID, UNAME,
};
use super::number;
use crate::rootfs::entry::Kind;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    V7,
    Ustar,
    Gnu,
    Star,
}

/// What one header block says.
#[derive(Debug)]
pub(super) struct MainHeader {
    pub(super) type_flag: u8,
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) mode: i64,
    pub(super) uid: i64,
    pub(super) gid: i64,
    pub(super) size: u64,
    pub(super) mtime: i64,
    pub(super) major: i64,
    pub(super) minor: i64,
    pub(super) uname: Vec<u8>,
    pub(super) gname: Vec<u8>,
    pub(super) is_gnu: bool,
    /// Whether bsdtar makes something else of it.
    pub(super) is_odd: bool,
}

impl MainHeader {
    /// What `block` says, or what is wrong with it.
    pub(super) fn read(block: &Block) -> Result<Self, String> {
        let sum = block::verified(block).ok_or("the checksum of a header is wrong")?;
        let (dialect, is_odd_magic) = dialect(block);
        let prefix = prefix(block, dialect);
        let mut name = Vec::new();
        if let Some(prefix) = prefix {
            name.extend_from_slice(prefix);
            name.push(b'/');
        }
        name.extend_from_slice(block::text(&block[NAME]));
        let read = |field, what: &str| number::field(field).ok_or_else(|| format!("its {what} is not a number"));
        let size = read(&block[SIZE], "size")?;
        let type_flag = block[TYPE_FLAG];
        let has_device = matches!(type_flag, b'3' | b'4') && dialect != Dialect::V7;
        let device = |field, what| if has_device { read(field, what) } else { Ok(0) };
        let is_odd = sum == block::Sum::Signed
            || is_odd_magic
            || dialect == Dialect::Star
            || (dialect == Dialect::Gnu && (prefix.is_some() || (type_flag != b'S' && is_sparse_to_libarchive(block))))
            || ![MODE, UID, GID, SIZE, MTIME, MAJOR, MINOR].into_iter().all(|field| number::is_plain(&block[field]));
        Ok(Self {
            type_flag,
            name,
            link: block::text(&block[LINK]).to_vec(),
            mode: read(&block[MODE], "mode")?,
            uid: read(&block[UID], "owner")?,
            gid: read(&block[GID], "group")?,
            size: u64::try_from(size).map_err(|_| "its size is negative")?,
            mtime: read(&block[MTIME], "time")?,
            major: device(&block[MAJOR], "device number")?,
            minor: device(&block[MINOR], "device number")?,
            uname: if dialect == Dialect::V7 { Vec::new() } else { block::text(&block[UNAME]).to_vec() },
            gname: if dialect == Dialect::V7 { Vec::new() } else { block::text(&block[GNAME]).to_vec() },
            is_gnu: dialect == Dialect::Gnu,
            is_odd,
        })
    }

    /// What the entry named `name` is; `None` for a type flag that is not known.
    pub(super) fn kind(&self, name: &[u8]) -> Option<Kind> {
        Some(match self.type_flag {
            // Before ustar there was no flag for folders.
            0 if name.ends_with(b"/") => Kind::Folder,
            0 | b'0' | b'7' | b'S' => Kind::File,
            b'1' => Kind::HardLink,
            b'2' => Kind::Symlink,
            b'3' => Kind::CharacterDevice,
            b'4' => Kind::BlockDevice,
            b'5' => Kind::Folder,
            b'6' => Kind::Fifo,
            _ => return None,
        })
    }
}

/// The dialect of `block`, and whether libarchive takes it for another.
fn dialect(block: &Block) -> (Dialect, bool) {
    let magic = &block[MAGIC];
    if magic == b"ustar  \0" {
        (Dialect::Gnu, false)
    } else if magic.starts_with(b"ustar\0") {
        let is_star = &block[STAR_TRAILER] == b"tar\0";
        (if is_star { Dialect::Star } else { Dialect::Ustar }, false)
    } else {
        // Five letters are enough for libarchive to see a prefix.
        (Dialect::V7, magic.starts_with(b"ustar"))
    }
}

fn prefix(block: &Block, dialect: Dialect) -> Option<&[u8]> {
    let field = match dialect {
        Dialect::V7 => return None,
        Dialect::Ustar => PREFIX,
        Dialect::Star => STAR_PREFIX,
        // Go before 1.8, so Docker of that time, wrote a prefix into GNU headers, over the times.
        Dialect::Gnu if [GNU_ATIME, GNU_CTIME].into_iter().all(|time| number::field(&block[time]).is_some()) => {
            return None;
        }
        Dialect::Gnu => PREFIX,
    };
    let prefix = block::text(&block[field]);
    let is_doubtful = dialect == Dialect::Gnu && !prefix.is_ascii();
    (!prefix.is_empty() && !is_doubtful).then_some(prefix)
}

/// libarchive looks for a sparse map in every GNU header.
fn is_sparse_to_libarchive(block: &Block) -> bool {
    block[GNU_SPARSE.start] != 0 || block[GNU_REAL_SIZE.start] != 0
}
