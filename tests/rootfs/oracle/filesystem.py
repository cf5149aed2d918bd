"""A file system in memory, in which layers are applied."""

from __future__ import annotations

from dataclasses import dataclass, field

from trees.content import Content
from trees.place import ROOT, Kind, Place, Tree, with_groups

from .errors import refuse
from .names import clean
from .xattrs import is_kept

MOST_LINKS = 255


@dataclass
class Inode:
    kind: Kind
    mode: int
    uid: int
    gid: int
    mtime: int = 0
    link: bytes = b""
    device: tuple[int, int] = (0, 0)
    content: Content = field(default_factory=lambda: Content(0))
    xattrs: dict[str, bytes] = field(default_factory=dict)


@dataclass
class Node:
    """One name: hard links are several nodes with one inode."""

    inode: Inode
    # The layer whose entry put it here, or had to make it as a parent.
    layer: int
    children: dict[bytes, Node] = field(default_factory=dict)

    @property
    def is_folder(self) -> bool:
        return self.inode.kind is Kind.FOLDER


def new_folder() -> Inode:
    return Inode(Kind.FOLDER, 0o755, 0, 0)


class Filesystem:
    def __init__(self) -> None:
        self.root = Node(new_folder(), -1)

    def find_folder(self, parts: list[bytes], entry: bytes, make_in: int | None) -> Node | None:
        """The folder at these parts, through symbolic links. Missing ones are made if a layer is given."""
        path = [self.root]
        waiting = list(reversed(parts))
        links = 0
        while waiting:
            part = waiting.pop()
            if part in (b"", b"."):
                continue
            if part == b"..":
                if len(path) > 1:
                    path.pop()
                continue
            child = path[-1].children.get(part)
            if child is None:
                if make_in is None:
                    return None
                child = path[-1].children[part] = Node(new_folder(), make_in)
            if child.inode.kind is Kind.SYMLINK:
                links += 1
                if links > MOST_LINKS:
                    raise refuse("too many symbolic links", entry)
                if child.inode.link.startswith(b"/"):
                    path = [self.root]
                waiting += reversed(child.inode.link.split(b"/"))
            elif child.is_folder:
                path.append(child)
            else:
                raise refuse("its parent is no folder", entry)
        return path[-1]

    def find_link_target(self, target: bytes, entry: bytes) -> Inode:
        parts = clean(target, entry)
        parent = self.find_folder(parts[:-1], entry, None)
        found = self.root if not parts else parent and parent.children.get(parts[-1])
        if not found:
            raise refuse("its hard link's target does not exist", entry)
        if found.is_folder:
            raise refuse("its hard link's target is a folder", entry)
        return found.inode

    def put(self, parts: list[bytes], inode: Inode, layer: int, entry: bytes) -> None:
        parent = self.find_folder(parts[:-1], entry, layer)
        assert parent is not None
        old = parent.children.get(parts[-1])
        new = Node(inode, layer)
        if old is not None and old.is_folder and new.is_folder:
            new.children = old.children
        parent.children[parts[-1]] = new

    def hide(self, parent: Node, name: bytes, layer: int) -> None:
        """Removes what lower layers have put at a name and under it."""
        node = parent.children[name]
        self.hide_children(node, layer)
        if node.layer < layer and not node.children:
            del parent.children[name]

    def hide_children(self, node: Node, layer: int) -> None:
        for name in list(node.children):
            self.hide(node, name, layer)

    def tree(self) -> Tree:
        tree: Tree = {}
        names: dict[int, list[bytes]] = {}
        waiting = [(ROOT, self.root)]
        while waiting:
            name, node = waiting.pop()
            # Overlayfs's whiteout has no place in the archive.
            if node.inode.kind is Kind.CHARACTER_DEVICE and node.inode.device == (0, 0):
                continue
            tree[name] = place_of(node.inode)
            if node.inode.kind is Kind.FILE:
                names.setdefault(id(node.inode), []).append(name)
            for child, below in node.children.items():
                waiting.append((child if name == ROOT else name + b"/" + child, below))
        return with_groups(tree, names.values())


def place_of(inode: Inode) -> Place:
    kind = inode.kind
    is_file = kind is Kind.FILE
    return Place(
        kind=kind,
        uid=inode.uid,
        gid=inode.gid,
        mode=None if kind is Kind.SYMLINK else inode.mode,
        mtime=None if kind is Kind.FOLDER else inode.mtime,
        size=inode.content.size if is_file else None,
        content=inode.content.digest() if is_file else None,
        link=inode.link if kind is Kind.SYMLINK else None,
        device=inode.device if kind in (Kind.CHARACTER_DEVICE, Kind.BLOCK_DEVICE) else None,
        xattrs={name: value for name, value in sorted(inode.xattrs.items()) if is_kept(name, kind)},
    )
