#!/usr/bin/env python3
"""The oracle against expectations written by hand, so that nobody has to believe it."""

from __future__ import annotations

import gzip
import sys
import unittest

from checks.report import failure
from checks.stream import stream_faults
from corpus import CASES
from layers import compression
from layers.entries import (
    END,
    character_device,
    file,
    folder,
    gnu_long,
    hard_link,
    opaque,
    pax,
    pax_global,
    record,
    symlink,
    whiteout,
)
from layers.headers import base256, header
from layers.sparse import gnu_sparse, pax_sparse_00, pax_sparse_01, pax_sparse_10
from oracle.apply import apply_layers
from oracle.errors import Refused
from oracle.reader import Entry, parse_number, read_entries
from oracle.records import nanoseconds, parse_records
from trees.compare import differences
from trees.content import Content, digest_of, whole
from trees.place import ROOT, Kind, Tree


def only(plain: bytes) -> Entry:
    [entry] = read_entries(plain)
    return entry


def names(*layers: bytes) -> list[str]:
    """All names of the tree but the root, sorted."""
    return sorted(name.decode() for name in apply_layers(layers) if name != ROOT)


def text(tree: Tree, name: bytes, content: bytes) -> bool:
    return tree[name].kind is Kind.FILE and tree[name].content == whole(content).digest()


class Numbers(unittest.TestCase):
    def test_octal(self) -> None:
        for field, value in [(b"0000644\0", 0o644), (b"   17 \0", 15), (b"\0" * 8, 0), (b"7777777", 0o7777777)]:
            self.assertEqual(parse_number(field), value)

    def test_base256(self) -> None:
        self.assertEqual(parse_number(b"\x80\0\0\0\0\0\0\0\0\0\x04\0"), 1024)
        self.assertEqual(parse_number(b"\xff" * 12), -1)
        self.assertEqual(parse_number(base256(9 << 30, 12)), 9 << 30)

    def test_not_a_number(self) -> None:
        with self.assertRaises(Refused):
            parse_number(b"12x\0")

    def test_times(self) -> None:
        for written, value in [
            (b"1.5", 1_500_000_000),
            (b"-1.5", -1_500_000_000),
            (b"7", 7_000_000_000),
            (b"0.1", 10**8),
        ]:
            self.assertEqual(nanoseconds(written), value)


class Headers(unittest.TestCase):
    def test_a_header_by_hand(self) -> None:
        block = bytearray(512)
        block[0:5] = b"hello"
        block[100:108] = b"0000640\0"
        block[108:116] = b"0001750\0"
        block[116:124] = b"0000144\0"
        block[124:136] = b"00000000003\0"
        block[136:148] = b"00000000012\0"
        block[148:156] = b" " * 8
        block[156:157] = b"0"
        block[257:265] = b"ustar\x0000"
        block[148:156] = b"%06o\0 " % sum(block)
        entry = only(bytes(block) + b"abc" + bytes(509) + bytes(1024))
        self.assertEqual(
            entry, Entry(Kind.FILE, b"hello", 0o640, 1000, 100, 10_000_000_000, content=Content(3, ((0, b"abc"),)))
        )

    def test_prefix(self) -> None:
        self.assertEqual(only(header("name", b"0", prefix=b"some/folder")).name, b"some/folder/name")
        self.assertEqual(only(header("name", b"0", dialect="gnu", tail=b"00000000001\0")).name, b"name")
        self.assertEqual(only(header("name", b"0", dialect="star", prefix=b"p" * 131)).name, b"p" * 131 + b"/name")

    def test_v7_folder(self) -> None:
        self.assertIs(only(header("d/", b"\0", dialect="v7")).kind, Kind.FOLDER)
        self.assertIs(only(header("d", b"\0", dialect="v7")).kind, Kind.FILE)

    def test_long_names(self) -> None:
        entries = list(read_entries(gnu_long(symlink("a", "b"), name="n" * 300, link="l" * 200) + file("next")))
        self.assertEqual([entry.name for entry in entries], [b"n" * 300, b"next"])
        self.assertEqual(entries[0].link, b"l" * 200)

    def test_pax(self) -> None:
        self.assertEqual(record("a", "b"), b"6 a=b\n")
        self.assertEqual(record("path", "x" * 90), b"99 path=" + b"x" * 90 + b"\n")
        self.assertEqual(parse_records(b"6 a=b\n9 c=d\n=\n\n"), [(b"a", b"b"), (b"c", b"d\n=\n")])
        entry = only(
            pax({"path": "é", "uid": "5000000", "size": "2", "SCHILY.xattr.user.a": "v"}, file("x", "12", size=0))
        )
        self.assertEqual((entry.name, entry.uid, entry.xattrs), ("é".encode(), 5_000_000, {"user.a": b"v"}))
        self.assertEqual(entry.content, whole(b"12"))

    def test_pax_global_is_ignored(self) -> None:
        self.assertEqual(only(pax_global({"path": "g", "uid": "9"}) + file("x", "1")), only(file("x", "1")))

    def test_header_only_kinds_have_no_data(self) -> None:
        found = [entry.name for entry in read_entries(symlink("l", "t", size=5000) + file("x"))]
        self.assertEqual(found, [b"l", b"x"])

    def test_end(self) -> None:
        self.assertEqual(len(list(read_entries(file("a") + END + file("b")))), 1)
        self.assertEqual(len(list(read_entries(file("a")))), 1)
        self.assertEqual(len(list(read_entries(file("a") + bytes(512)))), 1)
        self.assertEqual(list(read_entries(b"")), [])

    def test_broken(self) -> None:
        for plain in (
            file("a") + bytes(512) + file("b"),
            file("a", wrong_checksum=True),
            file("a", "1" * 2000)[:1024],
            file("a")[:100],
            file("a", size=base256(-1, 12)),
            pax({"size": "x"}, file("a")),
        ):
            with self.assertRaises(Refused):
                list(read_entries(plain))


class Sparse(unittest.TestCase):
    PIECES = [(512, b"a" * 512), (4096, b"b" * 512)]

    def test_all_forms(self) -> None:
        for write in (gnu_sparse, pax_sparse_00, pax_sparse_01, pax_sparse_10):
            entry = only(write("x", 10_000, self.PIECES))
            self.assertEqual((entry.name, entry.content), (b"x", Content(10_000, tuple(self.PIECES))), write)

    def test_long_map(self) -> None:
        pieces = [(n * 1024, b"x" * 512) for n in range(70)]
        self.assertEqual(only(gnu_sparse("x", 1 << 33, pieces)).content, Content(1 << 33, tuple(pieces)))

    def test_holes_are_zeros(self) -> None:
        self.assertEqual(digest_of([(0, bytes(9000))]), digest_of([]))
        self.assertEqual(digest_of([(4095, b"ab")]), digest_of([(0, bytes(4095) + b"a"), (4096, b"b")]))
        self.assertNotEqual(digest_of([(0, b"a")]), digest_of([(1, b"a")]))


class Applying(unittest.TestCase):
    # The tree of layer.md, "Whiteouts".
    BASE = folder("a") + folder("a/b") + folder("a/b/c") + file("a/b/c/bar", "bar")

    def test_spec_example_in_both_orders(self) -> None:
        new = folder("a/b") + folder("a/b/c") + file("a/b/c/foo")
        expected = ["a", "a/b", "a/b/c", "a/b/c/foo"]
        self.assertEqual(names(self.BASE, folder("a") + opaque("a") + new), expected)
        self.assertEqual(names(self.BASE, folder("a") + new + opaque("a")), expected)

    def test_explicit_and_opaque_are_alike(self) -> None:
        base = folder("bin") + file("bin/app") + folder("bin/tools") + file("bin/tools/one")
        self.assertEqual(names(base, opaque("bin")), ["bin"])
        self.assertEqual(names(base, whiteout("bin/app") + whiteout("bin/tools")), ["bin"])

    def test_whiteouts_hide_lower_layers_only(self) -> None:
        self.assertEqual(names(file("x", "1"), file("x", "2") + whiteout("x")), ["x"])
        self.assertEqual(names(file("x", "1"), whiteout("x") + file("x", "2")), ["x"])
        self.assertEqual(names(file("x", "1"), file("x", "2") + whiteout("x"), whiteout("x")), [])

    def test_lower_folder_with_something_new_stays(self) -> None:
        tree = apply_layers([folder("d", 0o700, uid=5) + file("d/old"), file("d/new") + whiteout("d")])
        self.assertEqual(sorted(tree), [ROOT, b"d", b"d/new"])
        self.assertEqual((tree[b"d"].mode, tree[b"d"].uid), (0o700, 5))

    def test_left_out(self) -> None:
        self.assertEqual(names(file(".wh.") + file(".wh..") + file(".wh...") + file(".wh..wh.x") + file(".wh.d/x")), [])

    def test_folder_over_folder(self) -> None:
        tree = apply_layers([pax({"SCHILY.xattr.user.a": "1"}, folder("d")) + file("d/x"), folder("d", 0o711, uid=3)])
        self.assertIn(b"d/x", tree)
        self.assertEqual((tree[b"d"].mode, tree[b"d"].uid, tree[b"d"].xattrs), (0o711, 3, {}))

    def test_folder_over_symlink(self) -> None:
        tree = apply_layers([folder("d") + file("d/x") + symlink("l", "d"), folder("l")])
        self.assertIs(tree[b"l"].kind, Kind.FOLDER)
        self.assertIn(b"d/x", tree)

    def test_file_over_folder(self) -> None:
        self.assertEqual(names(folder("d") + file("d/x"), file("d")), ["d"])

    def test_symlinked_parent(self) -> None:
        tree = apply_layers([folder("usr/lib") + symlink("lib", "usr/lib"), file("lib/x", "1")])
        self.assertTrue(text(tree, b"usr/lib/x", b"1"))
        self.assertNotIn(b"lib/x", tree)

    def test_symlinks_stay_in_the_root(self) -> None:
        self.assertEqual(names(symlink("l", "../../x"), file("l/y")), ["l", "x", "x/y"])
        self.assertEqual(names(symlink("l", "/x"), file("l/y")), ["l", "x", "x/y"])

    def test_missing_parents(self) -> None:
        tree = apply_layers([file("a/x", uid=9)])
        self.assertEqual((tree[b"a"].mode, tree[b"a"].uid, tree[b"a"].gid), (0o755, 0, 0))

    def test_hard_links(self) -> None:
        links = file("a", "1", mode=0o600) + hard_link("b", "a", mode=0o644) + hard_link("c", "b")
        tree = apply_layers([links])
        self.assertEqual([tree[name].group for name in (b"a", b"b", b"c")], [b"a"] * 3)
        self.assertEqual(tree[b"b"].mode, 0o600)
        tree = apply_layers([links, file("a", "2")])
        self.assertEqual([tree[name].group for name in (b"a", b"b", b"c")], [None, b"b", b"b"])
        self.assertTrue(text(tree, b"a", b"2") and text(tree, b"b", b"1"))
        self.assertIsNone(apply_layers([links, whiteout("a") + whiteout("b")])[b"c"].group)

    def test_overlay_whiteout(self) -> None:
        self.assertEqual(names(file("w"), character_device("w", 0, 0)), [])
        self.assertEqual(names(character_device("w", 0, 1)), ["w"])

    def test_xattrs(self) -> None:
        keys = [
            "user.a",
            "user.overlay.x",
            "trusted.a",
            "trusted.overlay.x",
            "security.capability",
            "security.selinux",
            "x.y",
        ]
        values = {"SCHILY.xattr." + key: "1" for key in keys}
        tree = apply_layers([pax(values, file("f")) + pax(values, folder("d")) + pax(values, symlink("l", "f"))])
        self.assertEqual(list(tree[b"f"].xattrs), ["security.capability", "trusted.a", "user.a"])
        self.assertEqual(list(tree[b"d"].xattrs), ["trusted.a", "user.a"])
        self.assertEqual(list(tree[b"l"].xattrs), ["trusted.a"])

    def test_root(self) -> None:
        tree = apply_layers([folder(".", 0o700, uid=1) + file("/", "?") + file("", "?")])
        self.assertEqual((sorted(tree), tree[ROOT].mode, tree[ROOT].uid), ([ROOT], 0o700, 1))

    def test_refused(self) -> None:
        for layers, entry in [
            ([file("a/../../out")], "a/../../out"),
            ([file("x") + hard_link("h", "../x")], "h"),
            ([hard_link("h", "x") + file("x")], "h"),
            ([folder("d") + hard_link("h", "d")], "h"),
            ([file("f") + file("f/x")], "f/x"),
            ([symlink("l", "l") + file("l/x")], "l/x"),
            ([header("odd", b"Z")], "odd"),
        ]:
            with self.assertRaisesRegex(Refused, "^" + entry):
                apply_layers(layers)


class Comparing(unittest.TestCase):
    def test_every_difference_is_seen(self) -> None:
        base = file("x", "1") + folder("d") + symlink("l", "x") + hard_link("h", "x")
        expected = apply_layers([base])
        self.assertEqual(differences(expected, apply_layers([base])), [])
        for other in (
            base + file("y"),
            base + file("x", "2"),
            base + file("x", "1"),
            base + folder("d", 0o700),
            base + folder("d", uid=1),
            base + folder("d", gid=1),
            base + symlink("l", "y"),
            base + file("h", "1", mtime=5),
            base + pax({"SCHILY.xattr.user.a": "1"}, folder("d")),
        ):
            self.assertNotEqual(differences(expected, apply_layers([other])), [])

    def test_faults_of_archives(self) -> None:
        for archive, fault in [
            (folder("d") + file("d/x") + hard_link("h", "d/x"), None),
            (folder("d") + folder("d"), None),
            (file("/x"), "absolute"),
            (file("a/../x"), "has .."),
            (file(".wh.x"), "whiteout"),
            (character_device("w", 0, 0), "whiteout"),
            (file("d/x"), "before its parents"),
            (symlink("l", "d") + file("l/x"), "below a symbolic link"),
            (file("x") + file("./x"), "twice"),
            (hard_link("h", "x") + file("x"), "does not stand before"),
            (symlink("l", "x") + hard_link("h", "l"), "no file"),
            (file("x") + hard_link("h", "x") + hard_link("i", "h"), "no file"),
            (pax({"SCHILY.xattr.user.a": "1"}, folder("d")) + folder("d"), "xattr"),
        ]:
            found = stream_faults(archive, apply_layers([folder("d")]))
            self.assertEqual(bool(found), fault is not None, found)
            self.assertIn(fault or "", "".join(found))


class Compression(unittest.TestCase):
    def test_others_read_the_members(self) -> None:
        plain = bytes(range(256)) * 50
        for packed in (
            compression.member(plain, 0),
            compression.member(plain, extra=b"AB\0\0", name=b"n", comment=b"c", header_checksum=True),
            compression.member(plain, flush_every=100),
            compression.members(plain, [1, 1, 5000]),
        ):
            self.assertEqual(gzip.decompress(packed), plain)


class Corpus(unittest.TestCase):
    def test_names_are_unique_and_say_something(self) -> None:
        self.assertEqual(len({case.name for case in CASES}), len(CASES))
        self.assertTrue(all(case.shows for case in CASES))

    def test_refused_where_it_says_so(self) -> None:
        for case in CASES:
            with self.subTest(case.name):
                layers = [layer.plain for layer in case.layers]
                if case.error is None or case.fault_outside_tar:
                    apply_layers(layers)
                else:
                    with self.assertRaisesRegex(Refused, case.error.replace(".", r"\.")):
                        apply_layers(layers)


def main() -> int:
    result = unittest.main(exit=False).result
    faults = result.failures + result.errors
    for test, trace in faults:
        print(failure(str(test), trace.strip().splitlines()[-1:]))
    failed = len(faults)
    # Each row of a table may fail.
    print(f"{max(result.testsRun - failed, 0)} passed, {failed} failed")
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
