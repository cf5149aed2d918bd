"""What stands at one path of a tree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum

ROOT = b"."


class Kind(Enum):
    FILE = "file"
    HARD_LINK = "hard link"
    SYMLINK = "symbolic link"
    CHARACTER_DEVICE = "character device"
    BLOCK_DEVICE = "block device"
    FOLDER = "folder"
    FIFO = "FIFO"


@dataclass(frozen=True)
class Place:
    kind: Kind
    uid: int
    gid: int
    # A symbolic link has no mode.
    mode: int | None = None
    # Nanoseconds since 1970. A folder's is not compared: what is put into it changes it.
    mtime: int | None = None
    size: int | None = None
    content: str | None = None
    link: bytes | None = None
    device: tuple[int, int] | None = None
    # The first name of the inode, where it has several.
    group: bytes | None = None
    xattrs: dict[str, bytes] = field(default_factory=dict)


Tree = dict[bytes, Place]


def with_groups(tree: Tree, groups: Iterable[list[bytes]]) -> Tree:
    """Gives the names of each inode their group."""
    for group in groups:
        if len(group) > 1:
            for name in group:
                tree[name] = replace(tree[name], group=min(group))
    return tree
