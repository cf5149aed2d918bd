"""What must hold of an archive before anybody extracts it."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from oracle.errors import Refused
from oracle.names import clean
from oracle.reader import Entry, read_entries
from oracle.xattrs import is_kept
from trees.place import ROOT, Kind, Tree

# No case has that much data: more means that a hole has been written out.
MOST_BYTES = 128 << 20


class BadStream(Exception):
    pass


def read_plain(archive: Path) -> bytes:
    try:
        with gzip.open(archive) as stream:
            plain = stream.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise BadStream(f"the archive is no sound gzip stream: {error}") from error
    if len(plain) > MOST_BYTES:
        raise BadStream("the archive is too large: are holes written out?")
    return plain


class Names:
    """The names so far, in the order of the archive."""

    def __init__(self, *, as_it_is: bool) -> None:
        self.kinds: dict[bytes, Kind] = {}
        self.as_it_is = as_it_is

    def faults(self, entry: Entry, tree: Tree) -> Iterator[str]:
        shown = repr(entry.name)
        parts = clean(entry.name, entry.name)
        name = b"/".join(parts) or ROOT
        if entry.name.startswith(b"/"):
            yield f"{shown} is absolute"
        if b".." in entry.name.split(b"/"):
            yield f"{shown} has .."
        if any(part.startswith(b".wh.") for part in parts):
            yield f"{shown} is a whiteout"
        if entry.kind is Kind.CHARACTER_DEVICE and entry.device == (0, 0):
            yield f"{shown} is overlayfs's whiteout"
        if entry.kind is None:
            yield f"{shown} has an unknown kind"
            return
        for depth in range(1, len(parts)):
            parent = self.kinds.get(b"/".join(parts[:depth]), Kind.FOLDER if self.as_it_is else None)
            if parent is not Kind.FOLDER:
                yield f"{shown} stands {'below a ' + parent.value if parent else 'before its parents'}"
                break
        if name in self.kinds and not (self.kinds[name] is entry.kind is Kind.FOLDER):
            yield f"{shown} is there twice"
        if entry.kind is Kind.HARD_LINK:
            yield from self.link_faults(entry)
        elif name in tree:
            yield from (
                f"{shown} has the xattr {key}, which it should not have"
                for key in entry.xattrs
                if key not in tree[name].xattrs or not is_kept(key, entry.kind)
            )
        self.kinds[name] = entry.kind

    def link_faults(self, entry: Entry) -> Iterator[str]:
        target = b"/".join(clean(entry.link, entry.name))
        if entry.link.startswith(b"/") or b".." in entry.link.split(b"/"):
            yield f"{entry.name!r} links to {entry.link!r}, which is not a plain name"
        if target not in self.kinds:
            yield f"{entry.name!r} links to {entry.link!r}, which does not stand before it"
        elif self.kinds[target] is not Kind.FILE:
            yield f"{entry.name!r} links to {entry.link!r}, which is no file but a {self.kinds[target].value}"


def stream_faults(plain: bytes, tree: Tree, *, as_it_is: bool = False) -> list[str]:
    names = Names(as_it_is=as_it_is)
    faults: list[str] = []
    try:
        for entry in read_entries(plain):
            faults += names.faults(entry, tree)
    except Refused as error:
        faults.append(f"the archive cannot be read: {error}")
    return faults
