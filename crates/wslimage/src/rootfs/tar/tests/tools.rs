//! Rewritten headers, and what is asked to be rewritten, before the tools that read archives in earnest.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::super::block::{MAJOR, MINOR, MTIME, PREFIX, UNAME};
use super::super::folder;
use super::rewriting::{change, rewritten};
use super::*;
use crate::rootfs::entry::Kind;

/// As WSL runs it, but for the destination.
const BSDTAR: &[&str] = &["bsdtar", "-x", "-p", "--xattrs", "--numeric-owner", "-f", "-"];
const GNU_TAR: &[&str] = &["tar", "-x", "-p", "--xattrs", "--xattrs-include=*", "--numeric-owner", "-f", "-"];

/// Extracts `pieces` with `tool`, and says what it complained about.
fn extract(tool: &[&str], pieces: &[Vec<u8>]) -> (TempDir, Result<(), String>) {
    let destination = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(tool[0]);
    command.args(&tool[1..]).arg("-C").arg(destination.path()).env("LC_ALL", "C");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| {
        panic!("{} does not run, which ./build.sh installs on Debian as root (libarchive-tools, tar): {error}", tool[0])
    });
    let archive = [pieces.concat(), END.to_vec()].concat();
    // A tool that has seen the end need not read all of it.
    let _ = child.stdin.take().expect("stdin").write_all(&archive);
    let output = child.wait_with_output().expect("an output");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (destination, if output.status.success() && said.is_empty() { Ok(()) } else { Err(said) })
}

/// What an entry made, as far as it is compared.
#[derive(Debug, PartialEq, Eq)]
struct Made {
    kind: Kind,
    size: u64,
    time: i64,
    nanoseconds: i64,
    device: u64,
    link: Vec<u8>,
    /// The bytes at the beginning, those at 65536, and the last ones.
    samples: Vec<Vec<u8>>,
}

fn made(path: &Path) -> Made {
    let metadata = fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let kind = metadata.file_type();
    let sample = |at: u64| {
        let mut bytes = vec![0; 6];
        let read = File::open(path).and_then(|file| file.read_at(&mut bytes, at)).expect("a file");
        bytes.truncate(read);
        bytes
    };
    let link = if kind.is_symlink() { fs::read_link(path).expect("a link") } else { PathBuf::new() };
    let size = if kind.is_file() { metadata.len() } else { 0 };
    Made {
        kind: match () {
            () if kind.is_file() => Kind::File,
            () if kind.is_dir() => Kind::Folder,
            () if kind.is_symlink() => Kind::Symlink,
            () if kind.is_fifo() => Kind::Fifo,
            () if kind.is_char_device() => Kind::CharacterDevice,
            () => Kind::BlockDevice,
        },
        size,
        time: metadata.mtime(),
        nanoseconds: metadata.mtime_nsec(),
        device: metadata.rdev(),
        link: link.as_os_str().as_bytes().to_vec(),
        samples: if kind.is_file() { [0, 65536, size.saturating_sub(6)].map(sample).to_vec() } else { Vec::new() },
    }
}

fn made_file(size: u64, samples: [&[u8]; 3]) -> Made {
    let samples = samples.iter().map(|sample| sample.to_vec()).collect();
    Made { kind: Kind::File, size, time: 0, nanoseconds: 0, device: 0, link: Vec::new(), samples }
}

fn made_other(kind: Kind, link: &[u8], device: u64) -> Made {
    let link = link.to_vec();
    Made { kind, size: 0, time: 0, nanoseconds: 0, device, link, samples: Vec::new() }
}

/// Originals that bsdtar refuses or misreads, or just any, and what they are to be.
fn cases() -> Vec<(String, Vec<u8>, Made)> {
    let small = || made_file(4, [b"data", b"", b"data"]);
    let records = |list: &[(&str, &[u8])]| [pax(list), file(b"x", b"data")].concat();
    let timed = |time, nanoseconds| Made { time, nanoseconds, ..small() };
    let large = 9_i64 << 30;
    let mut cases = vec![
        ("v7", raw(0, b"x").magic(V7).with(b"data"), small()),
        (
            "star",
            raw(b'0', b"x").set(PREFIX, b"p").set(476..488, b"00000000000 ").set(508..512, b"tar\0").with(b"data"),
            small(),
        ),
        ("Go's prefix", raw(b'0', b"x").magic(GNU).set(PREFIX, &b"prefix/".repeat(15)).with(b"data"), small()),
        ("signed", raw(b'0', b"\xe4").summed_as_signed().with(b"data"), small()),
        ("junk", raw(b'0', b"x").set(MAJOR, b"junk").with(b"data"), small()),
        ("path", records(&[("path", "ä".as_bytes())]), small()),
        ("owner", records(&[("uname", "ä".as_bytes())]), small()),
        ("charset", records(&[("hdrcharset", b"LATIN")]), small()),
        ("owner of bytes", raw(b'0', b"x").set(UNAME, b"\xe4").with(b"data"), small()),
        ("two x", [pax(&[("path", b"p")]), records(&[("path", b"q")])].concat(), small()),
        ("selinux", records(&[("SCHILY.xattr.security.selinux", b"s")]), small()),
        ("unknown xattr", records(&[("SCHILY.xattr.unknown.a", b"s")]), small()),
        ("ACL", records(&[("SCHILY.acl.access", b"user::rw-,user:5:rw-,group::r--,mask::rw-,other::r--")]), small()),
        ("long record", records(&[("comment", &[b'c'; 1_000_000])]), small()),
        ("star's real size", records(&[("SCHILY.realsize", b"900")]), small()),
        ("empty size", [pax(&[("size", b"")]), file(b"x", b"data")].concat(), small()),
        ("before 1970", raw(b'0', b"x").number(MTIME, -7).with(b"data"), timed(-7, 0)),
        ("fraction", records(&[("mtime", b"7.25")]), timed(7, 250_000_000)),
        ("negative fraction", records(&[("mtime", b"-7.5")]), timed(-8, 0)),
        (
            "symlink with xattr",
            [pax(&[("SCHILY.xattr.user.a", b"s")]), raw(b'2', b"x").link(b"t").bytes()].concat(),
            made_other(Kind::Symlink, b"t", 0),
        ),
        (
            "symlink with a size",
            [pax(&[("size", b"1024")]), raw(b'2', b"x").link(b"t").bytes()].concat(),
            made_other(Kind::Symlink, b"t", 0),
        ),
        ("FIFO", raw(b'6', b"x").bytes(), made_other(Kind::Fifo, b"", 0)),
        ("folder", [pax(&[("size", b"1024")]), raw(b'5', b"x").bytes()].concat(), made_other(Kind::Folder, b"", 0)),
        (
            "more than 8 GiB",
            [sparse(b"x", &[(0, 512), (65536, 512), (large - 6, 6)], large).bytes(), sparse_data(), filled(b"uvwxyz")]
                .concat(),
            made_file(9 << 30, [b"abc\0\0\0", b"def\0\0\0", b"uvwxyz"]),
        ),
        ("all a hole", sparse(b"x", &[], large).bytes(), made_file(9 << 30, [&[0; 6]; 3])),
    ];
    if is_root() {
        let null = raw(b'3', b"x").number(MAJOR, 1).number(MINOR, 3).bytes();
        cases.push(("device", null, made_other(Kind::CharacterDevice, b"", 0x103)));
    }
    let mut cases: Vec<_> = cases.into_iter().map(|(label, bytes, made)| (label.to_owned(), bytes, made)).collect();
    for (label, bytes) in sparse_dialects(b"x") {
        cases.push((label.to_owned(), bytes, made_file(100_000, [b"abc\0\0\0", b"def\0\0\0", &[0; 6]])));
    }
    // More parts than one block goes on with.
    let parts: Vec<u64> = (0..60).map(|part| part * 65536).collect();
    let map: Vec<String> = parts.iter().map(|offset| format!("{offset},512")).collect();
    let map = map.join(",");
    let list: &[(&str, &[u8])] = &[("GNU.sparse.size", b"10000000"), ("GNU.sparse.map", map.as_bytes())];
    let many = [pax(list), file(b"x", &filled(b"x").repeat(60))].concat();
    cases.push(("many parts".to_owned(), many, made_file(10_000_000, [b"x\0\0\0\0\0", b"x\0\0\0\0\0", &[0; 6]])));
    cases
}

/// Devices and capabilities are root's.
fn is_root() -> bool {
    tempfile::tempdir().and_then(|folder| folder.path().metadata()).expect("a folder").uid() == 0
}

#[test]
fn rewritten_headers_are_extracted_in_the_c_locale() {
    let long = b"component/".repeat(30);
    let names: &[Vec<u8>] = &[
        b"n".to_vec(),
        "\u{e4}/\u{f6}".as_bytes().to_vec(),
        b"\xff\xfe/\xe4".to_vec(),
        vec![b'n'; 255],
        [&[b'f'; 120], b"/".as_slice(), &[b'n'; 100]].concat(),
        [long.as_slice(), "\u{e4}".repeat(100).as_bytes()].concat(),
    ];
    for tool in [BSDTAR, GNU_TAR] {
        for (label, original, expected) in cases() {
            let mut pieces = Vec::new();
            for (at, name) in names.iter().enumerate() {
                // Each in a folder of its own, so that none is in another's way.
                let name = [format!("{at}/").as_bytes(), name].concat();
                let kind = expected.kind;
                let in_header = if kind == Kind::Folder { [name.as_slice(), b"/"].concat() } else { name };
                pieces.push(rewritten(&original, &change(kind, &in_header, &expected.link)));
            }
            let (destination, outcome) = extract(tool, &pieces);
            // GNU tar restores such times, but says that it does not believe them.
            let is_doubted = tool == GNU_TAR && expected.time < 0;
            assert!(outcome.is_ok() || is_doubted, "{label}, {}: {outcome:?}", tool[0]);
            for (at, name) in names.iter().enumerate() {
                let path = destination.path().join(at.to_string()).join(OsStr::from_bytes(name));
                assert_eq!(made(&path), expected, "{label}, {}, {}", tool[0], path.display());
            }
        }
    }
}

#[test]
fn links_and_folders_are_extracted_in_the_c_locale() {
    let names: &[&[u8]] = &[b"f", "d/\u{e4}".as_bytes(), &[b'n'; 255], b"\xff", &b"deep/".repeat(60)];
    for tool in [BSDTAR, GNU_TAR] {
        for name in names {
            let name = [*name, b"x"].concat();
            let name = if name.len() == 256 { name[..255].to_vec() } else { name };
            let link = [b"links/".as_slice(), &name].concat();
            let symlink = [b"symlinks/".as_slice(), &name].concat();
            let target = [b"/\xff/".as_slice(), &name].concat();
            let pieces = [
                folder(b"./"),
                folder(b"links/"),
                rewritten(&file(b"o", b"data"), &change(Kind::File, &name, b"")),
                rewritten(&sparse(b"o", &[(0, 4)], 1 << 30).bytes(), &change(Kind::HardLink, &link, &name)),
                rewritten(&raw(b'2', b"o").link(b"p").bytes(), &change(Kind::Symlink, &symlink, &target)),
            ];
            let (destination, outcome) = extract(tool, &pieces);
            assert_eq!(outcome, Ok(()), "{}", name.escape_ascii());
            let path = |name: &[u8]| destination.path().join(OsStr::from_bytes(name));
            let inode = |name: &[u8]| path(name).symlink_metadata().expect("an entry").ino();
            assert_eq!(inode(&name), inode(&link));
            assert_eq!(fs::read(path(&link)).expect("a file"), b"data");
            assert_eq!(fs::read_link(path(&symlink)).expect("a link").as_os_str().as_bytes(), target);
            assert_eq!(destination.path().metadata().expect("a folder").mode() & 0o7777, 0o755);
        }
    }
}

#[test]
fn kept_attributes_are_extracted() {
    let capability: &[u8] = &[1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut list: Vec<(&str, &[u8])> = vec![("SCHILY.xattr.user.a", b"\0=\n\xff"), ("LIBARCHIVE.xattr.user.b", b"Yg")];
    if is_root() {
        list.extend([("SCHILY.xattr.security.capability", capability), ("SCHILY.xattr.trusted.a", b"t")]);
    }
    list.extend([("SCHILY.xattr.unknown.a", b"u".as_slice()), ("SCHILY.xattr.trusted.overlay.opaque", b"y")]);
    let name = [&[b'n'; 150], "\u{e4}".as_bytes()].concat();
    let original = [pax(&list), raw(b'0', b"x").number(super::super::block::UID, 1000).with(b"data")].concat();
    let anew = rewritten(&original, &change(Kind::File, &name, b""));
    for tool in [BSDTAR, GNU_TAR] {
        let (destination, outcome) = extract(tool, std::slice::from_ref(&anew));
        assert_eq!(outcome, Ok(()));
        // bsdtar's own archive of what it made says which it has.
        let path = destination.path().join(OsStr::from_bytes(&name));
        fs::rename(path, destination.path().join("x")).expect("a file");
        let arguments = ["-c", "--xattrs", "--format=pax", "-f", "-", "x"];
        let output = Command::new("bsdtar").arg("-C").arg(destination.path()).args(arguments).output();
        let archive = output.expect("bsdtar, which ./build.sh installs").stdout;
        let entry = only_entry(&archive);
        let mut bytes = super::super::header(&archive[..entry.data as usize], &change(Kind::File, b"x", b""))
            .expect("a header")
            .bytes;
        bytes.truncate(bytes.len() - BLOCK);
        let expected: Vec<&[u8]> = if is_root() {
            vec![b"user.a=\0=\n\xff\n", b"user.b=b\n", b"trusted.a=t\n", b"security.capability=\x01\0\0\x02\0\x04"]
        } else {
            vec![b"user.a=\0=\n\xff\n", b"user.b=b\n"]
        };
        for record in expected {
            let is_there = bytes.windows(record.len()).any(|bytes| bytes == record);
            assert!(is_there, "{} has not set {}", tool[0], record.escape_ascii());
        }
        assert!(!bytes.windows(7).any(|bytes| bytes == b"overlay"));
    }
}

#[test]
fn what_needs_no_rewriting_is_extracted_as_it_is() {
    for (label, original, expected) in cases() {
        let entry = only_entry(&original);
        if entry.needs.rewriting {
            continue;
        }
        let (destination, outcome) = extract(BSDTAR, std::slice::from_ref(&original));
        assert_eq!(outcome, Ok(()), "{label}");
        assert_eq!(made(&destination.path().join(OsStr::from_bytes(&entry.name))), expected, "{label}");
    }
}

#[test]
fn every_dialect_that_needs_no_rewriting_is_extracted_as_it_is() {
    for dialect in super::dialects::dialects() {
        // One would need its target, the other loses its slash with a message.
        let is_out_of_place = dialect.kind == Kind::HardLink || dialect.name.starts_with(b"/");
        let needs_root = matches!(dialect.kind, Kind::CharacterDevice | Kind::BlockDevice) && !is_root();
        if dialect.rewriting || is_out_of_place || needs_root {
            continue;
        }
        let (destination, outcome) = extract(BSDTAR, std::slice::from_ref(&dialect.archive));
        assert_eq!(outcome, Ok(()), "{}", dialect.label);
        let made = made(&destination.path().join(OsStr::from_bytes(&dialect.name)));
        assert_eq!((made.kind, made.link), (dialect.kind, dialect.link), "{}", dialect.label);
    }
}
