//! What the headers of an entry say when all of them are read.

use super::main_header::MainHeader;
use super::pax::{Pax, Time};
use super::sparse::Sparse;
use super::xattr::Xattr;
use crate::error::printable;
use crate::rootfs::entry::{Kind, Needs};

/// An entry as its headers describe it.
#[derive(Debug)]
pub(super) struct Description {
    pub(super) kind: Kind,
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) time: Time,
    pub(super) major: u32,
    pub(super) minor: u32,
    pub(super) uname: Vec<u8>,
    pub(super) gname: Vec<u8>,
    /// Of the data behind the headers, without padding.
    pub(super) size: u64,
    pub(super) sparse: Option<Sparse>,
    /// Those that are kept.
    pub(super) xattrs: Vec<Xattr>,
    /// What is not kept, as a user may know it.
    pub(super) dropped: Vec<String>,
    pub(super) needs: Needs,
}

/// The names that GNU's headers in front have.
#[derive(Debug, Default)]
pub(super) struct LongNames {
    pub(super) name: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
}

/// The name that an entry has by all its headers: GNU's long name goes before pax', as in Go and GNU tar.
pub(super) fn name<'a>(main: &'a MainHeader, long: &'a LongNames, pax: &'a Pax) -> &'a [u8] {
    let names = [&pax.sparse.name, &long.name, &pax.path];
    names.into_iter().flatten().find(|name| !name.is_empty()).unwrap_or(&main.name)
}

impl Description {
    /// Puts together what the headers say. `data` is the size without a sparse map in front; `is_odd` whether the order
    /// of the headers is one that bsdtar takes otherwise.
    pub(super) fn new(
        main: MainHeader,
        long: LongNames,
        pax: Pax,
        data: u64,
        sparse: Option<Sparse>,
        is_odd: bool,
    ) -> Result<Self, String> {
        let name = name(&main, &long, &pax).to_vec();
        let kind = main.kind(&name).ok_or_else(|| unknown(main.type_flag))?;
        let has_link = matches!(kind, Kind::HardLink | Kind::Symlink);
        let links = [&long.link, &pax.link_path];
        let has_extended_link = links.iter().any(|link| link.is_some());
        let link = links.into_iter().flatten().find(|link| !link.is_empty()).unwrap_or(&main.link);
        let link = if has_link { link.clone() } else { Vec::new() };
        if kind == Kind::Symlink && link.is_empty() {
            return Err("it is a symbolic link without a target".to_owned());
        }
        if let Some(sparse) = &sparse {
            sparse.check(data)?;
        }
        let device = |number: i64| u32::try_from(number).map_err(|_| "its device number is out of range");
        let (major, minor) = (device(main.major)?, device(main.minor)?);
        let (uid, gid) = (pax.uid.unwrap_or(main.uid), pax.gid.unwrap_or(main.gid));
        let is_device = matches!(kind, Kind::CharacterDevice | Kind::BlockDevice);
        let (xattrs, lost): (Vec<Xattr>, Vec<Xattr>) = pax.xattrs.into_iter().partition(|xattr| xattr.is_kept(kind));
        let mut dropped: Vec<String> =
            lost.iter().map(|xattr| printable(&String::from_utf8_lossy(&xattr.name))).collect();
        dropped.extend(pax.has_acl.then(|| "ACL".to_owned()));
        dropped.extend(pax.has_file_flags.then(|| "file flags".to_owned()));
        let rewriting = is_odd
            || main.is_odd
            || pax.is_odd
            || !dropped.is_empty()
            || name.is_empty()
            || has_parent(&name)
            || has_root(&name)
            || (kind == Kind::File && name.ends_with(b"/"))
            || (kind == Kind::HardLink && (has_parent(&link) || has_root(&link)))
            // Newer libarchive makes a hard link of the one; older of the other, because it sees no symbolic link in time.
            || (has_extended_link && (!has_link || main.link.is_empty()))
            || (kind != Kind::File && (main.size != 0 || pax.size.is_some_and(|size| size != 0)))
            || (is_device && pax.has_device)
            || (pax.sparse.is_there && (!pax.sparse.is_plain() || sparse.is_none() || main.type_flag != b'0'))
            || long.name.as_ref().is_some_and(|long| long.is_empty() || pax.path.is_some() || pax.sparse.name.is_some())
            || long.link.as_ref().is_some_and(|long| long.is_empty() || pax.link_path.is_some())
            || [uid, gid].iter().any(|id| u32::try_from(*id).is_err());
        let leaving_out = kind == Kind::CharacterDevice && (major, minor) == (0, 0);
        Ok(Self {
            kind,
            name,
            link,
            mode: (main.mode & 0o7777) as u32,
            // As chown(2) takes what is negative.
            uid: uid as u32,
            gid: gid as u32,
            time: pax.time.unwrap_or(Time { seconds: main.mtime, verbatim: None }),
            major,
            minor,
            uname: pax.uname.unwrap_or(main.uname),
            gname: pax.gname.unwrap_or(main.gname),
            size: data,
            sparse,
            xattrs,
            dropped,
            needs: Needs { rewriting, leaving_out },
        })
    }
}

/// What is wrong with an entry of an unknown type.
pub(super) fn unknown(type_flag: u8) -> String {
    format!("it is of the unknown type '{}'", type_flag.escape_ascii())
}

/// Whether bsdtar takes the beginning of a name for the root of a drive and cuts it off (libarchive, tar/util.c,
/// `strip_absolute_path`). A `/` it cuts off too, as everybody does.
pub(super) fn has_root(name: &[u8]) -> bool {
    matches!(name, [b'\\', ..] | [b'a'..=b'z' | b'A'..=b'Z', b':', ..])
}

fn has_parent(name: &[u8]) -> bool {
    name.split(|byte| *byte == b'/').any(|component| component == b"..")
}
