//! Headers made anew: what they say, and that they are the entry that they were.

use super::super::block::{GID, GNAME, MAJOR, MINOR, MODE, MTIME, UID, UNAME};
use super::super::{folder, header};
use super::*;
use crate::error::ErrorKind;
use crate::rootfs::entry::{Kind, Needs};
use crate::rootfs::plan::HeaderChange;

pub(super) fn change(kind: Kind, name: &[u8], link: &[u8]) -> HeaderChange {
    HeaderChange { name: name.to_vec(), kind, link: link.to_vec() }
}

/// The entry of `archive` with its header made anew, its data behind it.
pub(super) fn rewritten(archive: &[u8], change: &HeaderChange) -> Vec<u8> {
    let entry = only_entry(archive);
    let mut bytes = header(&archive[..entry.data as usize], change).expect("a header").bytes;
    if change.kind == Kind::File {
        bytes.extend_from_slice(&archive[entry.data as usize..entry.end as usize]);
    }
    bytes
}

#[test]
fn headers_read_back_as_the_same_entry() {
    let deep = b"folder/".repeat(14);
    let names: &[Vec<u8>] = &[
        b"a".to_vec(),
        "ä/ö".as_bytes().to_vec(),
        b"\xff\xfe".to_vec(),
        vec![b'n'; 100],
        vec![b'n'; 101],
        vec![b'n'; 255],
        [deep.as_slice(), &[b'n'; 100]].concat(),
        [deep.as_slice(), &[b'n'; 101]].concat(),
        [deep.repeat(2).as_slice(), b"n"].concat(),
        [b"p".repeat(155).as_slice(), b"/", &[b'n'; 100]].concat(),
        [b"p".repeat(156).as_slice(), b"/", &[b'n'; 100]].concat(),
    ];
    let originals: Vec<(Kind, Vec<u8>)> = vec![
        (Kind::File, file(b"x", b"data")),
        (Kind::File, [pax(&[("mtime", b"5.5"), ("SCHILY.xattr.user.a", b"v")]), file(b"x", b"data")].concat()),
        (Kind::File, raw(b'0', b"x").number(MTIME, -5).number(UID, 1 << 31).bytes()),
        (Kind::File, sparse(b"x", &[], 1 << 40).bytes()),
        (Kind::HardLink, raw(b'1', b"x").link(b"y").size(5).bytes()),
        (Kind::Symlink, raw(b'2', b"x").link(b"y").bytes()),
        (Kind::CharacterDevice, raw(b'3', b"x").number(MAJOR, 1).number(MINOR, 3).bytes()),
        (Kind::BlockDevice, raw(b'4', b"x").number(MAJOR, 1 << 22).number(MINOR, 3).bytes()),
        (Kind::Folder, raw(b'5', b"x").bytes()),
        (Kind::Fifo, raw(b'6', b"x").bytes()),
    ];
    let dialects = sparse_dialects(b"x").into_iter().map(|(_, bytes)| (Kind::File, bytes));
    for (kind, original) in originals.into_iter().chain(dialects) {
        for name in names {
            let name = if kind == Kind::Folder { [name, b"/".as_slice()].concat() } else { name.clone() };
            let has_link = matches!(kind, Kind::HardLink | Kind::Symlink);
            let link = if has_link { [b"l/".as_slice(), &name].concat() } else { Vec::new() };
            let before = only_entry(&original);
            let anew = rewritten(&original, &change(kind, &name, &link));
            let after = only_entry(&anew);
            let expected = Entry {
                name,
                link,
                data: after.data,
                end: after.data + before.end - before.data,
                needs: Needs::default(),
                ..before
            };
            assert_eq!(after, expected);
            let twice = rewritten(&anew, &change(kind, &expected.name, &expected.link));
            assert!(twice == anew, "the header of a header differs");
        }
    }
}

#[test]
fn fields_are_kept() {
    let original =
        raw(b'0', b"x").number(MODE, 0o104755).number(UID, 1000).number(GID, 2000).number(MTIME, 1_700_000_000);
    let original = original.set(UNAME, b"me").set(GNAME, "gruppä".as_bytes()).bytes();
    let anew = header(&original, &change(Kind::File, b"y", b"")).expect("a header").bytes;
    let expected =
        raw(b'0', b"y").number(MODE, 0o4755).number(UID, 1000).number(GID, 2000).number(MTIME, 1_700_000_000);
    assert_eq!(anew, expected.set(UNAME, b"me").number(MAJOR, 0).number(MINOR, 0).bytes());
}

#[test]
fn what_is_dropped_is_said() {
    let list: &[(&str, &[u8])] = &[
        ("SCHILY.xattr.security.selinux", b"s"),
        ("SCHILY.xattr.user.a", b"SCHILY"),
        ("LIBARCHIVE.xattr.user.a", b"TElC"),
        ("LIBARCHIVE.xattr.user.b", b"Yg"),
        ("SCHILY.xattr.unknown", b"u"),
        ("SCHILY.acl.access", b"user::rw-"),
        ("SCHILY.acl.default", b"user::rw-"),
        ("SCHILY.fflags", b"nodump"),
        ("mtime", b"0.25"),
        ("atime", b"7"),
    ];
    let original = [pax(list), raw(b'0', b"x").bytes()].concat();
    let anew = header(&original, &change(Kind::File, b"y", b"")).expect("a header");
    assert_eq!(anew.dropped, ["security.selinux", "unknown", "ACL", "file flags"]);
    let kept: &[(&str, &[u8])] =
        &[("mtime", b"0.25"), ("SCHILY.xattr.user.a", b"SCHILY"), ("SCHILY.xattr.user.b", b"b")];
    assert_eq!(anew.bytes[512..1024], filled(&records(kept)));
    let link = header(&original, &change(Kind::HardLink, b"y", b"z")).expect("a header");
    assert_eq!((link.dropped.len(), link.bytes[512..1024].to_vec()), (0, filled(&records(&kept[..1]))));
}

#[test]
fn anything_becomes_a_hard_link() {
    let originals = [
        file(b"x", b"data"),
        sparse(b"x", &[(0, 3)], 1 << 40).bytes(),
        raw(b'1', b"x").link(b"other").bytes(),
        raw(b'6', b"x").bytes(),
    ];
    for original in originals {
        let data = original.len().min(512);
        let anew = header(&original[..data], &change(Kind::HardLink, b"y", b"z")).expect("a header").bytes;
        let entry = only_entry(&anew);
        assert_eq!(
            (entry.kind, entry.name.as_slice(), entry.link.as_slice()),
            (Kind::HardLink, b"y".as_slice(), b"z".as_slice())
        );
        assert_eq!((entry.needs, entry.end), (Needs::default(), 512));
    }
}

#[test]
fn what_cannot_be_made_is_a_defect() {
    let original = file(b"x", b"data");
    for (bytes, kind) in [
        (&original[..512], Kind::Folder),
        (&original, Kind::File),
        (&original[..100], Kind::File),
        (&original[..0], Kind::File),
        (&END, Kind::File),
    ] {
        let error = header(bytes, &change(kind, b"y", b"")).expect_err("no header");
        assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
    }
}

#[test]
fn folders_belong_to_root() {
    let long = [b"n".repeat(255).as_slice(), b"/"].concat();
    for name in [b"./".as_slice(), "ä/".as_bytes(), &long] {
        let bytes = folder(name);
        let entry = only_entry(&bytes);
        assert_eq!((entry.kind, entry.name.as_slice(), entry.needs), (Kind::Folder, name, Needs::default()));
    }
    let expected = raw(b'5', b"./").number(MODE, 0o755).number(MAJOR, 0).number(MINOR, 0);
    assert_eq!(folder(b"./"), expected.bytes());
}
