#!/usr/bin/env python3
"""What bsdtar, run as WSL runs it, makes of each form of archive that the writer must know about.

The table holds for Debian 12's bsdtar 3.6.2. WSL's own differs in version, so the archives avoid what fails here.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from checks.commands import ENVIRONMENT, WSL_1, WSL_2, message_of
from layers.compression import member, zstd
from layers.entries import (
    END,
    character_device,
    fifo,
    file,
    folder,
    gnu_long,
    hard_link,
    pax,
    pax_global,
    symlink,
    whiteout,
)
from layers.headers import base256
from layers.sparse import gnu_sparse, pax_sparse_10
from trees.disk import read_tree
from trees.place import ROOT, Kind, Place, Tree

C, UTF_8 = "C", "C.UTF-8"
MIB = 1 << 20


@dataclass(frozen=True)
class Row:
    name: str
    # The entries, without the end of the archive; or whole bytes, when `whole`.
    archive: bytes
    # The names that are there afterwards, and what of them; the names of a failed extraction are not looked at.
    makes: dict[bytes, str] = field(default_factory=dict)
    # What the message contains. Where bsdtar also fails, `fails`.
    says: str = ""
    fails: bool = False
    whole: bool = False
    locales: tuple[str, ...] = (C,)
    command: tuple[str, ...] = WSL_2


def describe(tree: Tree, name: bytes, folder: Path) -> str:
    place = tree[name]
    words = [shown_kind(place, bytes(folder) + b"/" + name)]
    if place.group not in (None, name):
        words.append(f"= {place.group.decode('latin-1')}")
    words += [f"{key}={value.decode('latin-1')}" for key, value in place.xattrs.items()]
    return " ".join(words)


def shown_kind(place: Place, path: bytes) -> str:
    if place.kind is Kind.FILE:
        with open(path, "rb") as content:
            return "file " + content.read(20).split(b"\0")[0].decode("latin-1")
    if place.kind is Kind.SYMLINK:
        return "-> " + (place.link or b"").decode("latin-1")
    if place.kind is Kind.FOLDER:
        return f"folder {place.mode:o} {place.uid}"
    return f"{place.kind.value} {place.device}"


SEVERAL = file("a", "1") + hard_link("b", "a") + hard_link("c", "a")
FAR = gnu_sparse("x", 2 * MIB, [(0, b"b" * 512), (MIB, b"e" * 512)])

ROWS = [
    Row(
        "hard link before its target",
        hard_link("b", "a") + file("a"),
        says="Hard-link target 'a' does not exist",
        fails=True,
    ),
    Row("hard link after its target", file("a", "1") + hard_link("b", "a"), {b"a": "file 1", b"b": "file 1 = a"}),
    Row("hard link to a symlink", symlink("a", "n") + hard_link("b", "a"), {b"a": "-> n", b"b": "-> n = a"}),
    Row(
        "name through a symlink",
        folder("usr") + symlink("lib", "usr") + file("lib/x"),
        says="Cannot extract through symlink",
        fails=True,
    ),
    Row(
        "folder over a symlink to a folder",
        folder("d") + file("d/x", "1") + symlink("l", "d") + folder("l"),
        {b"d": "folder 755 0", b"d/x": "file 1", b"l": "folder 755 0"},
    ),
    Row(
        "file over a full folder",
        folder("d") + file("d/x") + file("d"),
        says="Can't replace existing directory",
        fails=True,
    ),
    Row(
        "symlink over a full folder",
        folder("d") + file("d/x") + symlink("d", "e"),
        says="Can't replace existing directory",
        fails=True,
    ),
    Row("file twice", file("a", "1") + file("a", "2"), {b"a": "file 2"}),
    Row("file over a symlink", file("b", "b") + symlink("a", "b") + file("a", "2"), {b"a": "file 2", b"b": "file b"}),
    Row("symlink over a file", file("a", "1") + symlink("a", "b"), {b"a": "-> b"}),
    Row("file over an empty folder", folder("a") + file("a", "2"), {b"a": "file 2"}),
    Row("folder over a file", file("a", "1") + folder("a"), {b"a": "folder 755 0"}),
    Row("first of several links again", SEVERAL + file("a", "2"), {b"a": "file 2", b"b": "file 1", b"c": "file 1 = b"}),
    Row("last of several links again", SEVERAL + file("c", "2"), {b"a": "file 1", b"b": "file 1 = a", b"c": "file 2"}),
    Row(
        "folder twice",
        folder("d", 0o700, uid=1) + file("d/x") + folder("d", 0o711, uid=2),
        {b"d": "folder 711 2", b"d/x": "file "},
    ),
    Row(
        "folder twice, xattrs",
        pax({"SCHILY.xattr.user.a": "1"}, folder("d")) + folder("d"),
        {b"d": "folder 755 0 user.a=1"},
    ),
    Row("missing parents", file("a/b/x", "1"), {b"a": "folder 755 0", b"a/b": "folder 755 0", b"a/b/x": "file 1"}),
    Row("name with ..", file("a/../x"), says="Path contains '..'", fails=True),
    Row("leading /", file("/x", "1"), {b"x": "file 1"}, says="Removing leading '/' from member names"),
    Row("leading ./", folder("./d") + file("./d/x", "1"), {b"d": "folder 755 0", b"d/x": "file 1"}),
    Row(
        "name like a drive", file("c:x", "1"), {b"x": "file 1"}, says="Removing leading drive letter from member names"
    ),
    Row("name like a drive in a folder", file("d/c:x", "1"), {b"d": "folder 755 0", b"d/c:x": "file 1"}),
    Row("name like a drive behind ./", file("./c:x", "1"), {b"c:x": "file 1"}),
    Row(
        "link to a name like a drive",
        file("./c:x", "1") + hard_link("y", "./c:x"),
        {b"c:x": "file 1", b"y": "file 1 = c:x"},
    ),
    Row(
        "name with a leading backslash",
        file("\\x", "1"),
        {b"x": "file 1"},
        says="Removing leading '\\' from member names",
    ),
    Row("leading backslash behind ./", file("./\\x", "1"), {b"\\x": "file 1"}),
    Row(
        "pax path beyond ASCII, C",
        pax({"path": "é"}, file("x", "1")),
        says="can't be converted from UTF-8 to current locale",
        fails=True,
    ),
    Row("pax path beyond ASCII, UTF-8", pax({"path": "é"}, file("x", "1")), {"é".encode(): "file 1"}, locales=(UTF_8,)),
    Row(
        "pax linkpath beyond ASCII, C",
        pax({"linkpath": "é"}, symlink("x", "y")),
        says="can't be converted from UTF-8 to current locale",
        fails=True,
    ),
    Row("raw bytes in ustar", file("é", "1"), {"é".encode(): "file 1"}, locales=(C, UTF_8)),
    Row(
        "raw bytes in GNU L",
        gnu_long(file("x", "1", dialect="gnu"), name="é" * 70),
        {("é" * 70).encode(): "file 1"},
        locales=(C, UTF_8),
    ),
    Row(
        "raw bytes and a pax xattr",
        pax({"SCHILY.xattr.user.a": "1"}, file("é", "1")),
        {"é".encode(): "file 1 user.a=1"},
        locales=(C, UTF_8),
    ),
    Row(
        "GNU L and a pax xattr",
        pax({"SCHILY.xattr.user.a": "1"}) + gnu_long(file("x", "1"), name="é" * 70),
        {("é" * 70).encode(): "file 1 user.a=1"},
        locales=(C, UTF_8),
    ),
    Row(
        "GNU L, then a pax xattr",
        gnu_long(pax({"SCHILY.xattr.user.a": "1"}, file("x", "1")), name="é" * 70),
        {("é" * 70).encode(): "file 1 user.a=1"},
        locales=(C, UTF_8),
    ),
    Row("no UTF-8 in ustar", file(b"\xff\xe4", "1"), {b"\xff\xe4": "file 1"}, locales=(C, UTF_8)),
    Row(
        "no UTF-8 in GNU L", gnu_long(file("x", "1"), name=b"\xff" * 120), {b"\xff" * 120: "file 1"}, locales=(C, UTF_8)
    ),
    Row(
        "pax hdrcharset=BINARY",
        pax([("hdrcharset", "BINARY"), ("path", b"\xff\xe4")], file("x", "1")),
        {b"\xff\xe4": "file 1"},
        locales=(C, UTF_8),
    ),
    Row("xattr user", pax({"SCHILY.xattr.user.a": "1"}, file("x", "1")), {b"x": "file 1 user.a=1"}),
    Row("xattr user, empty", pax({"SCHILY.xattr.user.a": ""}, file("x", "1")), {b"x": "file 1 user.a="}),
    Row(
        "xattr security.selinux",
        pax({"SCHILY.xattr.security.selinux": "s"}, file("x", "1")),
        {b"x": "file 1 security.selinux=s"},
    ),
    Row(
        "xattr of an unknown namespace",
        pax({"SCHILY.xattr.com.x": "1"}, file("x", "1")),
        says="Cannot restore extended attributes",
        fails=True,
    ),
    Row(
        "xattr user on a symlink",
        pax({"SCHILY.xattr.user.a": "1"}, symlink("x", "y")),
        says="Cannot restore extended attributes",
        fails=True,
    ),
    Row(
        "xattr trusted on a symlink",
        pax({"SCHILY.xattr.trusted.a": "1"}, symlink("x", "y")),
        {b"x": "-> y trusted.a=1"},
    ),
    Row(
        "xattr trusted.overlay",
        pax({"SCHILY.xattr.trusted.overlay.opaque": "y"}, folder("d")),
        {b"d": "folder 755 0 trusted.overlay.opaque=y"},
    ),
    Row(
        "LIBARCHIVE.xattr",
        pax({"LIBARCHIVE.xattr.user.a%20b": "aGVsbG8"}, file("x", "1")),
        {b"x": "file 1 user.a b=hello"},
    ),
    Row("character device 0:0", character_device("w", 0, 0), {b"w": "character device (0, 0)"}),
    Row("whiteout left over", file("x", "1") + whiteout("x"), {b"x": "file 1", b".wh.x": "file "}),
    Row("two archives joined", file("a", "1") + END + file("b", "2"), {b"a": "file 1"}),
    Row(
        "gzip members joined",
        member(file("a", "1")) + member(file("b", "2") + END),
        {b"a": "file 1", b"b": "file 2"},
        whole=True,
    ),
    Row("junk behind gzip", member(file("a", "1") + END) + b"junk" * 100, {b"a": "file 1"}, whole=True),
    Row("zeros behind gzip", member(file("a", "1") + END) + bytes(3000), {b"a": "file 1"}, whole=True),
    Row(
        "cut gzip",
        member(file("a", bytes(range(256)) * 900, uid=1) + END, 0)[:150_000],
        says="truncated gzip input",
        fails=True,
        whole=True,
    ),
    Row("cut gzip trailer", member(file("a", "1") + END)[:-4], says="Error opening archive", fails=True, whole=True),
    Row("gzip without the end of the archive", member(file("a", "1")), {b"a": "file 1"}, whole=True),
    Row("zstd", zstd(file("a", "1") + END), {b"a": "file 1"}, whole=True),
    Row("no end of the archive", file("a", "1"), {b"a": "file 1"}, whole=True),
    Row(
        "pax global header", pax_global({"path": "g", "uid": "7", "comment": "c"}) + folder("x"), {b"x": "folder 755 0"}
    ),
    Row(
        "sparse pieces that are no whole blocks",
        gnu_sparse("x", 9000, [(0, b"one"), (5000, b"two")]),
        {b"x": "file one"},
    ),
    Row("contiguous file, kind 7", file("x", "1", kind=b"7"), {b"x": "file 1"}),
    Row(
        "v7",
        file("x", "1", kind=b"\0", dialect="v7") + file("d/", kind=b"\0", dialect="v7", mode=0o700),
        {b"d": "folder 700 0", b"x": "file 1"},
    ),
    Row("symlink with a size", symlink("x", "y", size=700) + file("z", "1"), {b"x": "-> y", b"z": "file 1"}),
    Row(
        "hard link with a size",
        file("a", "1") + hard_link("x", "a", size=700) + file("z", "1"),
        {b"a": "file 1", b"x": "file 1 = a", b"z": "file 1"},
    ),
    Row("folder with a size", folder("x", size=700) + file("z", "1"), {b"x": "folder 755 0", b"z": "file 1"}),
    Row("FIFO with a size", fifo("x", size=700) + file("z", "1"), {b"x": "FIFO None", b"z": "file 1"}),
    Row("a block of zeros between entries", file("a", "1") + bytes(512) + file("b", "2"), {b"a": "file 1"}),
    Row(
        "hard link to itself",
        file("a", "1") + hard_link("a", "a"),
        says="Skipping hardlink pointing to itself",
        fails=True,
    ),
    Row("symlink without a target", symlink("x", ""), {b"x": "file "}),
    Row("name of 256 bytes", gnu_long(file("x", "1"), name="n" * 256), says="File name too long", fails=True),
    Row("whole archive without entries", END, {}, whole=True),
    Row("ustar kind 0, name ends in /", file("x/", "1"), {b"x": "folder 644 0"}, says="Damaged tar archive"),
    Row(
        "WSL 1: xattr user", pax({"SCHILY.xattr.user.a": "1"}, file("x", "1")), {b"x": "file 1 user.a=1"}, command=WSL_1
    ),
]


def extract_row(row: Row, locale: str, target: Path) -> subprocess.CompletedProcess[bytes]:
    target.mkdir()
    target.chmod(0o755)
    command = [str(target) if part == "{}" else part for part in row.command]
    archive = row.archive if row.whole else row.archive + END
    return subprocess.run(
        command, input=archive, capture_output=True, env=ENVIRONMENT | {"LC_ALL": locale}, check=False
    )


def row_faults(row: Row, locale: str, target: Path) -> Iterator[str]:
    result = extract_row(row, locale, target)
    message = message_of(result)
    if (result.returncode != 0) != row.fails:
        yield f"exit code {result.returncode}: {message}"
    if row.says not in message or bool(row.says) != bool(message):
        yield f"the message is {message!r}, not {row.says!r}"
    if row.fails:
        return
    tree = read_tree(bytes(target))
    found = {name: describe(tree, name, target) for name in tree if name != ROOT}
    if found != row.makes:
        yield f"makes {found}, not {row.makes}"


def mtime_of(archive: bytes, folder: Path, command: tuple[str, ...] = WSL_2) -> int:
    extract_row(Row("", archive, command=command), C, folder)
    return (folder / "x").lstat().st_mtime_ns


def measured(name: str, found: object, expected: object) -> tuple[str, list[str]]:
    return name, [] if found == expected else [f"{found}, not {expected}"]


def special_faults(work: Path) -> Iterator[tuple[str, list[str]]]:
    """What the table's form has no place for."""
    second = 1_000_000_000
    yield measured(
        "folder twice, time", mtime_of(folder("x", mtime=1000) + folder("x", mtime=2000), work / "1"), 1000 * second
    )
    yield measured("time before 1970", mtime_of(file("x", mtime=base256(-5, 12)), work / "2"), -5 * second)
    yield measured("fraction", mtime_of(pax({"mtime": "7.25"}, file("x")), work / "3"), 7 * second + second // 4)
    yield measured("fraction before 1970", mtime_of(pax({"mtime": "-1.5"}, file("x")), work / "4"), -second // 2)
    for number, (name, archive) in enumerate(
        [("GNU sparse", FAR), ("pax sparse", pax_sparse_10("x", 2 * MIB, [(0, b"b" * 512), (MIB, b"e" * 512)]))]
    ):
        target = work / f"sparse-{number}"
        extract_row(Row("", archive), C, target)
        found = (target / "x").stat()
        yield measured(f"{name}, holes", (found.st_size, found.st_blocks * 512 < MIB // 2), (2 * MIB, True))
    extract_row(Row("", file("x", bytes(MIB))), C, work / "dense")
    yield measured("dense zeros", (work / "dense" / "x").stat().st_blocks * 512 >= MIB, True)


def dialect_faults() -> Iterator[tuple[str, list[str]]]:
    work = Path(tempfile.mkdtemp(prefix="dialect-"))
    try:
        for number, row in enumerate(ROWS):
            for locale in row.locales:
                yield f"{row.name} ({locale})", list(row_faults(row, locale, work / f"{number}-{locale}"))
        yield from special_faults(work)
    finally:
        shutil.rmtree(bytes(work), ignore_errors=True)


def version() -> str:
    return subprocess.run(["bsdtar", "--version"], capture_output=True, text=True, check=True).stdout.strip()


def main() -> int:
    print(version())
    results = list(dialect_faults())
    for name, faults in results:
        print(f"{name}: {'; '.join(faults) or 'as the table says'}")
    failed = sum(1 for _, faults in results if faults)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
