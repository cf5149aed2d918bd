//! What is read from each dialect, and what is refused.

use super::super::block::{GID, MAJOR, MINOR, MODE, MTIME, PREFIX, STAR_TRAILER, UID};
use super::*;
use crate::error::ErrorKind;
use crate::rootfs::entry::{Kind, Needs};

/// An archive of one entry, and what is to be read from it.
pub(super) struct Dialect {
    pub(super) label: &'static str,
    pub(super) archive: Vec<u8>,
    pub(super) kind: Kind,
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) rewriting: bool,
}

/// The fields of a [`Dialect`].
type Row<'a> = (&'static str, Vec<u8>, Kind, &'a [u8], &'a [u8], bool);

pub(super) fn dialects() -> Vec<Dialect> {
    let star = |prefix: &[u8]| {
        raw(b'0', b"name").set(PREFIX, prefix).set(476..488, b"00000000000 ").set(STAR_TRAILER, b"tar\0")
    };
    let device = |type_flag, major| raw(type_flag, b"d").number(MAJOR, major).number(MINOR, 0);
    let at = |name: &[u8]| raw(b'0', name).bytes();
    let with_records = |list: &[(&str, &[u8])]| [pax(list), at(b"short")].concat();
    let long_name = b"n/".repeat(150);
    // What it is, kind, name, link, rewriting.
    let table: Vec<Row<'_>> = vec![
        ("v7 file", raw(0, b"a").magic(V7).bytes(), Kind::File, b"a", b"", false),
        ("v7 folder", raw(0, b"a/").magic(V7).bytes(), Kind::Folder, b"a/", b"", false),
        ("v7 folder with a size", raw(0, b"a/").magic(V7).size(9).bytes(), Kind::Folder, b"a/", b"", true),
        ("v7 has no prefix", raw(0, b"a").magic(V7).set(PREFIX, b"p").bytes(), Kind::File, b"a", b"", false),
        (
            "a magic of neither",
            raw(b'0', b"a").magic(b"ustar   ").set(PREFIX, b"p").bytes(),
            Kind::File,
            b"a",
            b"",
            true,
        ),
        ("ustar", at(b"a"), Kind::File, b"a", b"", false),
        ("ustar prefix", raw(b'0', b"a").set(PREFIX, b"p/q").bytes(), Kind::File, b"p/q/a", b"", false),
        ("contiguous file", raw(b'7', b"a").bytes(), Kind::File, b"a", b"", false),
        ("folder", raw(b'5', b"a/").bytes(), Kind::Folder, b"a/", b"", false),
        ("folder with a size", raw(b'5', b"a/").size(5).bytes(), Kind::Folder, b"a/", b"", true),
        ("file with a slash", at(b"a/"), Kind::File, b"a/", b"", true),
        ("symlink", raw(b'2', b"a").link(b"../b").bytes(), Kind::Symlink, b"a", b"../b", false),
        ("hard link", raw(b'1', b"a").link(b"b").bytes(), Kind::HardLink, b"a", b"b", false),
        ("hard link with a size", raw(b'1', b"a").link(b"b").size(600).bytes(), Kind::HardLink, b"a", b"b", true),
        ("hard link with ..", raw(b'1', b"a").link(b"c/../b").bytes(), Kind::HardLink, b"a", b"c/../b", true),
        ("character device", device(b'3', 1).bytes(), Kind::CharacterDevice, b"d", b"", false),
        ("block device 0:0", device(b'4', 0).bytes(), Kind::BlockDevice, b"d", b"", false),
        ("FIFO", raw(b'6', b"a").bytes(), Kind::Fifo, b"a", b"", false),
        ("not ASCII", at("ä".as_bytes()), Kind::File, "ä".as_bytes(), b"", false),
        ("signed sum", raw(b'0', b"\xe4").summed_as_signed().bytes(), Kind::File, b"\xe4", b"", true),
        ("empty name", at(b""), Kind::File, b"", b"", true),
        ("..", at(b"a/../b"), Kind::File, b"a/../b", b"", true),
        ("unclean, fine for bsdtar", at(b"/.//a"), Kind::File, b"/.//a", b"", false),
        ("junk in a device number", raw(b'0', b"a").set(MAJOR, b"junk").bytes(), Kind::File, b"a", b"", true),
        ("GNU", raw(b'0', b"a").magic(GNU).bytes(), Kind::File, b"a", b"", false),
        ("GNU times", raw(b'0', b"a").magic(GNU).set(PREFIX, b"00000000001\0").bytes(), Kind::File, b"a", b"", false),
        ("GNU negative time", raw(b'0', b"a").magic(GNU).number(MTIME, -9).bytes(), Kind::File, b"a", b"", false),
        ("GNU large owner", raw(b'0', b"a").magic(GNU).number(UID, 1 << 31).bytes(), Kind::File, b"a", b"", false),
        ("GNU negative owner", raw(b'0', b"a").magic(GNU).number(GID, -2).bytes(), Kind::File, b"a", b"", true),
        ("Go's prefix in GNU", raw(b'0', b"a").magic(GNU).set(PREFIX, b"p/q").bytes(), Kind::File, b"p/q/a", b"", true),
        ("GNU L", [long(b'L', &long_name), at(b"n/")].concat(), Kind::File, &long_name, b"", true),
        (
            "GNU L, folder",
            [long(b'L', &long_name), raw(b'5', b"n").bytes()].concat(),
            Kind::Folder,
            &long_name,
            b"",
            false,
        ),
        (
            "GNU L and K",
            [long(b'K', b"k"), long(b'L', b"l"), raw(b'2', b"n").magic(GNU).link(b"x").bytes()].concat(),
            Kind::Symlink,
            b"l",
            b"k",
            false,
        ),
        ("two L", [long(b'L', b"a"), long(b'L', b"b"), at(b"c")].concat(), Kind::File, b"b", b"", true),
        ("empty L", [long(b'L', b""), at(b"c")].concat(), Kind::File, b"c", b"", true),
        ("K of a file", [long(b'K', b"k"), at(b"c")].concat(), Kind::File, b"c", b"", true),
        ("star", star(b"p").bytes(), Kind::File, b"p/name", b"", true),
        ("star without a prefix", star(b"").bytes(), Kind::File, b"name", b"", true),
        ("pax path", with_records(&[("path", b"p")]), Kind::File, b"p", b"", false),
        ("pax path not ASCII", with_records(&[("path", "ä".as_bytes())]), Kind::File, "ä".as_bytes(), b"", true),
        (
            "pax path of bytes",
            with_records(&[("hdrcharset", b"BINARY"), ("path", b"\xff")]),
            Kind::File,
            b"\xff",
            b"",
            false,
        ),
        ("another charset", with_records(&[("hdrcharset", b"LATIN")]), Kind::File, b"short", b"", true),
        ("pax empty path", with_records(&[("path", b"p"), ("path", b"")]), Kind::File, b"short", b"", true),
        ("pax uname not ASCII", with_records(&[("uname", "ä".as_bytes())]), Kind::File, b"short", b"", true),
        ("a drive's root", file(b"c:x", b""), Kind::File, b"c:x", b"", true),
        ("a name like a drive's root", file(b"./c:x", b""), Kind::File, b"./c:x", b"", false),
        ("a backslash", file(b"\\x", b""), Kind::File, b"\\x", b"", true),
        (
            "pax linkpath",
            [pax(&[("linkpath", b"l")]), raw(b'2', b"a").link(b"m").bytes()].concat(),
            Kind::Symlink,
            b"a",
            b"l",
            false,
        ),
        (
            "pax size of a folder",
            [pax(&[("size", b"5")]), raw(b'5', b"a").bytes()].concat(),
            Kind::Folder,
            b"a",
            b"",
            true,
        ),
        (
            "L before x with a path",
            [long(b'L', b"l"), with_records(&[("path", b"p")])].concat(),
            Kind::File,
            b"l",
            b"",
            true,
        ),
        ("x before L", [pax(&[("mtime", b"1")]), long(b'L', b"l"), at(b"a")].concat(), Kind::File, b"l", b"", false),
        ("two x", [pax(&[("path", b"p")]), with_records(&[("path", b"q")])].concat(), Kind::File, b"q", b"", true),
        ("pax times", with_records(&[("mtime", b"1.5"), ("atime", b"-3")]), Kind::File, b"short", b"", false),
        ("pax negative fraction", with_records(&[("mtime", b"-1.5")]), Kind::File, b"short", b"", true),
        ("pax empty time", with_records(&[("mtime", b"")]), Kind::File, b"short", b"", true),
        ("pax unknown keyword", with_records(&[("comment", b"c")]), Kind::File, b"short", b"", false),
        ("pax long record", with_records(&[("comment", &[b'c'; 1_000_000])]), Kind::File, b"short", b"", true),
        ("kept xattr", with_records(&[("SCHILY.xattr.user.a", b"\0=\n")]), Kind::File, b"short", b"", false),
        ("dropped xattr", with_records(&[("SCHILY.xattr.security.selinux", b"s")]), Kind::File, b"short", b"", true),
        ("RHT", with_records(&[("RHT.security.selinux", b"s")]), Kind::File, b"short", b"", true),
        ("ACL", with_records(&[("SCHILY.acl.access", b"user::rw-")]), Kind::File, b"short", b"", true),
        ("file flags", with_records(&[("SCHILY.fflags", b"nodump")]), Kind::File, b"short", b"", true),
        ("star's real size", with_records(&[("SCHILY.realsize", b"9")]), Kind::File, b"short", b"", true),
        (
            "pax linkpath only",
            [pax(&[("linkpath", b"l")]), raw(b'2', b"a").bytes()].concat(),
            Kind::Symlink,
            b"a",
            b"l",
            true,
        ),
        (
            "pax sparse of a v7 flag",
            [
                pax(&[("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0"), ("GNU.sparse.realsize", b"0")]),
                raw(0, b"a").with(&filled(b"0\n")),
            ]
            .concat(),
            Kind::File,
            b"a",
            b"",
            true,
        ),
        (
            "pax sparse of a folder",
            [pax(&[("GNU.sparse.realsize", b"0")]), raw(b'5', b"a").bytes()].concat(),
            Kind::Folder,
            b"a",
            b"",
            true,
        ),
        (
            "mode in base-256",
            raw(b'0', b"a").set(MODE, b"\x80\0\0\0\0\0\x01\xa4").bytes(),
            Kind::File,
            b"a",
            b"",
            false,
        ),
    ];
    let dialect = |(label, archive, kind, name, link, rewriting): (_, _, _, &[u8], &[u8], _)| Dialect {
        label,
        archive,
        kind,
        name: name.to_vec(),
        link: link.to_vec(),
        rewriting,
    };
    table.into_iter().map(dialect).collect()
}

#[test]
fn every_dialect_is_read_and_what_bsdtar_misreads_is_known() {
    let next = file(b"next", b"");
    for Dialect { label, archive, kind, name, link, rewriting } in dialects() {
        let end = archive.len() as u64;
        let found = entries(&[archive, next.clone()]);
        let needs = Needs { rewriting, leaving_out: false };
        let has_xattrs = label == "kept xattr";
        // Blocks of a map in front of no data are headers too.
        let expected = Entry { kind, name, link, start: 0, data: end, end, needs, has_xattrs };
        assert_eq!(found.first(), Some(&expected), "{label}");
        assert_eq!(found.get(1).map(|entry| entry.name.as_slice()), Some(b"next".as_slice()), "{label}");
    }
}

#[test]
fn places_of_data_and_ends() {
    let folder = raw(b'5', b"d/").bytes();
    let pieces = [
        file(b"a", b""),
        file(b"b", &[1; 512]),
        pax(&[("size", b"513")]),
        raw(b'0', b"c").bytes(),
        filled(&[2; 513]),
        folder,
    ];
    let places: Vec<_> = entries(&pieces).iter().map(|entry| (entry.start, entry.data, entry.end)).collect();
    assert_eq!(places, [(0, 512, 512), (512, 1024, 1536), (1536, 3072, 4096), (4096, 4608, 4608)]);
    for (label, bytes) in sparse_dialects(b"s") {
        let entry = only_entry(&bytes);
        assert_eq!((entry.name.as_slice(), entry.kind), (b"s".as_slice(), Kind::File), "{label}");
        assert_eq!((entry.start, entry.end), (0, bytes.len() as u64), "{label}");
        assert_eq!(&bytes[entry.data as usize..], sparse_data(), "{label}");
        assert_eq!(entry.needs.rewriting, label.starts_with("pax 0"), "{label}");
    }
    let huge = read(&raw(b'0', b"a").size(i64::MAX - 2000).bytes()).expect_err("data are missing");
    assert!(huge.to_string().contains("within its data"), "{huge}");
}

#[test]
fn global_headers_belong_to_no_entry() {
    let global = raw(b'g', b"pax_global_header").with(&records(&[("path", b"wrong"), ("comment", &[b'c'; 600])]));
    let found = entries(&[file(b"a", b"x"), global.clone(), global.clone(), pax(&[("path", b"b")]), file(b"c", b"")]);
    let places: Vec<_> = found.iter().map(|entry| (entry.name.as_slice(), entry.start, entry.end)).collect();
    let behind = 1024 + 2 * global.len() as u64;
    assert_eq!(places, [(b"a".as_slice(), 0, 1024), (b"b", behind, behind + 1536)]);
    let (found, end) = read(&global).expect("an archive");
    assert_eq!((found.len(), end), (0, TarEnd { end: 0, is_archive: true }));
}

#[test]
fn ends_of_archives() {
    let a = file(b"a", b"x");
    let table: Vec<(&str, Vec<u8>, TarEnd)> = vec![
        ("nothing", vec![], TarEnd { end: 0, is_archive: false }),
        ("the end", END.to_vec(), TarEnd { end: 0, is_archive: true }),
        ("an entry and no end", a.clone(), TarEnd { end: 1024, is_archive: true }),
        ("half an end", [a.clone(), vec![0; 512]].concat(), TarEnd { end: 1024, is_archive: true }),
        ("junk behind", [a.clone(), END.to_vec(), b"junk".to_vec()].concat(), TarEnd { end: 1024, is_archive: true }),
        ("another archive", [a.clone(), END.to_vec(), a].concat(), TarEnd { end: 1024, is_archive: true }),
    ];
    for (label, bytes, expected) in table {
        assert_eq!(read(&bytes).expect(label).1, expected, "{label}");
    }
}

#[test]
fn overlay_whiteouts_are_to_be_left_out() {
    let device =
        |type_flag, major, minor| only_entry(&raw(type_flag, b"d").number(MAJOR, major).number(MINOR, minor).bytes());
    assert!(device(b'3', 0, 0).needs.leaving_out);
    assert!(!device(b'3', 0, 1).needs.leaving_out);
    assert!(!device(b'4', 0, 0).needs.leaving_out);
}

#[test]
fn wrong_archives_are_refused() {
    let a = || file(b"a", b"x");
    let at = |name: &[u8]| raw(b'0', name);
    let sparse_records = |list: &[(&str, &[u8])], data: &[u8]| [pax(list), file(b"s", data)].concat();
    let map = |map: &[u8]| sparse_records(&[("GNU.sparse.size", b"9"), ("GNU.sparse.map", map)], b"abc");
    let decimal = |data: &[u8]| {
        let list: &[(&str, &[u8])] =
            &[("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0"), ("GNU.sparse.realsize", b"9")];
        sparse_records(list, data)
    };
    let table: Vec<(&str, Vec<u8>, &str)> = vec![
        ("text", b"hello ".repeat(200), "byte 0: the checksum of a header is wrong"),
        ("Solaris X", raw(b'X', b"x").with(&records(&[("path", b"p")])), "it is of the unknown type 'X'"),
        ("short", b"hello".to_vec(), "byte 5: the archive ends within a header"),
        ("damaged header", [a(), at(b"b").bytes()[..511].to_vec(), b"!".to_vec()].concat(), "byte 1024: the checksum"),
        ("cut header", [a(), vec![1; 100]].concat(), "byte 1124: the archive ends within a header"),
        (
            "cut data",
            file(b"name", &[1; 600])[..1100].to_vec(),
            "byte 1100, in the entry name: the archive ends within its data",
        ),
        ("cut padding", a()[..1000].to_vec(), "byte 1000, in the entry a: the archive ends within its data"),
        ("half an end and more", [vec![0; 512], a()].concat(), "byte 512: one block of zeros is followed by"),
        ("x at the end", pax(&[("path", b"p")]), "byte 1024, in the entry p: the archive ends within its headers"),
        (
            "x before the end",
            [pax(&[("path", b"p")]), END.to_vec()].concat(),
            "in the entry p: its extension headers have no",
        ),
        (
            "x g",
            [pax(&[("path", b"p")]), raw(b'g', b"g").bytes(), a()].concat(),
            "byte 1024, in the entry p: a global pax header",
        ),
        ("L g", [long(b'L', b"l"), raw(b'g', b"g").bytes(), a()].concat(), "in the entry l: a global pax header"),
        ("type V", raw(b'V', b"volume").bytes(), "in the entry volume: it is of the unknown type 'V'"),
        ("type \\x1b", raw(0x1b, b"\x1b[31m").bytes(), "in the entry \u{b7}[31m: it is of the unknown type '\\x1b'"),
        ("negative size", at(b"a").size(-1).bytes(), "its size is negative"),
        ("no number", at(b"a").set(SIZE, b"zzz").bytes(), "its size is not a number"),
        (
            "too large",
            [a(), at(b"a").size(i64::MAX).bytes()].concat(),
            "byte 1024, in the entry a: its size is too large",
        ),
        ("long L", long(b'L', &[b'l'; 70_000]), "a name is longer than 8192 bytes"),
        ("long path", pax(&[("path", &[b'l'; 70_000])]), "a name is longer than 8192 bytes"),
        ("large x", raw(b'x', b"x").size(1 << 21).bytes(), "its extension headers are larger than 1048576 bytes"),
        ("many x", raw(b'x', b"x").bytes().repeat(17), "more than 16 extension headers"),
        ("malformed x", raw(b'x', b"x").with(b"99 path=a\n"), "its pax records are malformed"),
        ("x without =", raw(b'x', b"x").with(b"7 path\n"), "its pax records are malformed"),
        ("NUL in a path", pax(&[("path", b"a\0b")]), "a zero byte in a name"),
        ("pax size", pax(&[("size", b"-1")]), "the size in its pax records is not a number"),
        ("pax time", pax(&[("mtime", b"today")]), "the time in its pax records is not a number"),
        ("symlink to nothing", raw(b'2', b"a").bytes(), "it is a symbolic link without a target"),
        ("star's sparse file", raw(b'S', b"a").bytes(), "it is a sparse file of star's"),
        ("overlap", sparse(b"s", &[(0, 3), (2, 3)], 9).bytes(), "overlap or go beyond the file"),
        ("beyond", sparse(b"s", &[(8, 3)], 9).bytes(), "overlap or go beyond the file"),
        ("too much data", sparse(b"s", &[(0, 3)], 9).size(4).bytes(), "for 3 bytes of data, but there are 4"),
        ("odd map", map(b"0,3,4"), "its sparse map is not pairs of numbers"),
        ("short map", map(b"0,2"), "for 2 bytes of data, but there are 3"),
        ("text for a map", decimal(&filled(b"two\n")), "its sparse map has something that is not a number"),
        ("endless map", decimal(&b"9\n".repeat(128)), "in the entry s"),
        ("map cut short", decimal(b"1\n0\n3\n"), "its sparse map is cut short"),
        (
            "sparse without a size",
            sparse_records(&[("GNU.sparse.map", b"0,3")], b"abc"),
            "a sparse file without its size",
        ),
        ("sparse 2.0", sparse_records(&[("GNU.sparse.major", b"2")], b""), "of a form that is not known"),
    ];
    for (label, bytes, expected) in table {
        let error = read(&bytes).expect_err(label);
        assert_eq!(error.kind(), ErrorKind::UnsupportedImage, "{label}");
        assert!(error.to_string().contains(expected), "{label}: {error}");
    }
}
