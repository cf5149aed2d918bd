"""Applies layers in order."""

from __future__ import annotations

from collections.abc import Iterable

from trees.place import Kind, Tree

from .errors import refuse
from .filesystem import Filesystem, Inode
from .names import AUFS, OPAQUE, WHITEOUT, below_whiteout, clean
from .reader import Entry, read_entries


def apply_layers(layers: Iterable[bytes]) -> Tree:
    """The tree that these layers (plain bytes) make, or `Refused`."""
    filesystem = Filesystem()
    for number, plain in enumerate(layers):
        for entry in read_entries(plain):
            apply_entry(filesystem, entry, number)
    return filesystem.tree()


def apply_entry(filesystem: Filesystem, entry: Entry, layer: int) -> None:
    parts = clean(entry.name, entry.name)
    if below_whiteout(parts):
        return
    if parts and parts[-1].startswith(WHITEOUT):
        apply_whiteout(filesystem, parts, layer, entry.name)
    elif entry.kind is None:
        raise refuse("its kind is unknown", entry.name)
    elif parts:
        filesystem.put(parts, inode_of(filesystem, entry), layer, entry.name)
    elif entry.kind is Kind.FOLDER:
        filesystem.root.inode = inode_of(filesystem, entry)


def apply_whiteout(filesystem: Filesystem, parts: list[bytes], layer: int, entry: bytes) -> None:
    base = parts[-1]
    target = base.removeprefix(WHITEOUT)
    if target in (b"", b".", b"..") or (base.startswith(AUFS) and base != OPAQUE):
        return
    parent = filesystem.find_folder(parts[:-1], entry, None)
    if parent is None:
        return
    if base == OPAQUE:
        filesystem.hide_children(parent, layer)
    elif target in parent.children:
        filesystem.hide(parent, target, layer)


def inode_of(filesystem: Filesystem, entry: Entry) -> Inode:
    assert entry.kind is not None
    if entry.kind is Kind.HARD_LINK:
        return filesystem.find_link_target(entry.link, entry.name)
    return Inode(
        kind=entry.kind,
        mode=entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        mtime=entry.mtime,
        link=entry.link,
        device=entry.device,
        content=entry.content,
        xattrs=entry.xattrs,
    )
