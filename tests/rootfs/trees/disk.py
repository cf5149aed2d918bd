"""Reads a tree back from the disk, following nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from .content import CHUNK, digest_of
from .place import ROOT, Kind, Place, Tree, with_groups

KINDS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFLNK: Kind.SYMLINK,
    stat.S_IFCHR: Kind.CHARACTER_DEVICE,
    stat.S_IFBLK: Kind.BLOCK_DEVICE,
    stat.S_IFDIR: Kind.FOLDER,
    stat.S_IFIFO: Kind.FIFO,
}


def pieces_of(path: bytes) -> Iterator[tuple[int, bytes]]:
    """The data of a file, its holes skipped."""
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        at = 0
        while at < size:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:  # ENXIO: only a hole is left.
                return
            end = os.lseek(file.fileno(), at, os.SEEK_HOLE)
            while at < end:
                data = os.pread(file.fileno(), min(256 * CHUNK, end - at), at)
                yield at, data
                at += len(data)


def read_place(path: bytes) -> tuple[Place, tuple[int, int] | None]:
    """What stands at a path, and its inode if it has several names."""
    found = os.lstat(path)
    kind = KINDS[stat.S_IFMT(found.st_mode)]
    is_device = kind in (Kind.CHARACTER_DEVICE, Kind.BLOCK_DEVICE)
    place = Place(
        kind=kind,
        uid=found.st_uid,
        gid=found.st_gid,
        mode=None if kind is Kind.SYMLINK else stat.S_IMODE(found.st_mode),
        mtime=None if kind is Kind.FOLDER else found.st_mtime_ns,
        size=found.st_size if kind is Kind.FILE else None,
        content=digest_of(pieces_of(path)) if kind is Kind.FILE else None,
        link=os.readlink(path) if kind is Kind.SYMLINK else None,
        device=(os.major(found.st_rdev), os.minor(found.st_rdev)) if is_device else None,
        xattrs={
            name: os.getxattr(path, name, follow_symlinks=False)
            for name in sorted(os.listxattr(path, follow_symlinks=False))
        },
    )
    several = kind is not Kind.FOLDER and found.st_nlink > 1
    return place, (found.st_dev, found.st_ino) if several else None


def read_tree(root: bytes) -> Tree:
    tree: Tree = {}
    names: dict[tuple[int, int], list[bytes]] = {}
    waiting = [ROOT]
    while waiting:
        name = waiting.pop()
        path = root if name == ROOT else root + b"/" + name
        place, inode = read_place(path)
        tree[name] = place
        if inode is not None:
            names.setdefault(inode, []).append(name)
        if place.kind is Kind.FOLDER:
            waiting += [child if name == ROOT else name + b"/" + child for child in os.listdir(path)]
    return with_groups(tree, names.values())
