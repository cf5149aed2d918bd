"""Whiteouts of single names."""

from layers.entries import character_device, file, folder, gnu_long, hard_link, symlink, whiteout
from layers.layer import layer

from .case import case, topic

BASE = layer(folder("a"), file("a/x", "x"), file("a/y", "y"), folder("b"), file("b/z", "z"))
DEEP = layer(folder("a", 0o700, uid=7, gid=8), folder("a/b"), folder("a/b/c"), file("a/b/c/x", "x"), file("a/y", "y"))

BELOW = "umoci takes a folder below which something stands for a folder, whatever its name"
NAMELESS = "umoci takes the name without .wh. for a path and removes the folder itself, then misses it"

CASES = topic(
    "whiteouts",
    case("file", "a file goes, its neighbour stays", BASE, whiteout("a/x")),
    case("folder", "a folder goes with all in it", DEEP, whiteout("a/b")),
    case("last-child", "the folder stays when its last child goes", layer(folder("d"), file("d/x")), whiteout("d/x")),
    case("missing", "nothing to remove is no error", BASE, whiteout("a/nothing")),
    case("missing-parent", "the parent of a whiteout is not made", BASE, whiteout("no/such/folder")),
    case("in-root", "a name of the root goes", BASE, whiteout("a")),
    case("dot-slash", "./ in front", BASE, whiteout("./a/x")),
    case("slash", "/ in front", BASE, whiteout("/a/x")),
    case("symlink", "the link goes, not what it leads to", layer(file("f", "f"), symlink("l", "f")), whiteout("l")),
    case(
        "symlink-to-folder",
        "the link goes, the folder stays",
        layer(folder("d"), file("d/x"), symlink("l", "d")),
        whiteout("l"),
    ),
    case("then-again", "the next layer brings the name back", BASE, whiteout("a/x"), file("a/x", "new")),
    case("removed-twice", "the second removal has nothing to do", BASE, whiteout("a/x"), whiteout("a/x")),
    case("twice-in-a-layer", "two whiteouts of a name", BASE, layer(whiteout("a/x"), whiteout("a/x"))),
    case(
        "same-layer-before", "whiteout, then the name: the name stays", BASE, layer(whiteout("a/x"), file("a/x", "2"))
    ),
    case(
        "same-layer-after",
        "the name, then its whiteout: the name stays",
        BASE,
        layer(file("a/x", "2"), whiteout("a/x")),
    ),
    case("same-layer-new", "hides nothing of its own layer", layer(file("n", "n"), whiteout("n"))),
    case(
        "folder-then-whiteout",
        "the layer's own folder stays, the lower children go",
        DEEP,
        layer(folder("a", 0o711), file("a/new", "n"), whiteout("a")),
    ),
    case(
        "whiteout-then-folder",
        "as the other order",
        DEEP,
        layer(whiteout("a"), folder("a", 0o711), file("a/new", "n")),
    ),
    case(
        "lower-folder-kept",
        "a lower folder with a new child stays with its mode and owner, the rest of it goes",
        DEEP,
        layer(file("a/b/new", "n"), whiteout("a")),
    ),
    case(
        "parent-made-again",
        "a folder that went comes again as a missing parent",
        DEEP,
        layer(whiteout("a"), file("a/new", "n")),
    ),
    case(
        "nested",
        "whiteouts of a folder and in it",
        DEEP,
        layer(whiteout("a/b/c/x"), whiteout("a/b"), whiteout("a/y")),
    ),
    case(
        "only-next-layer",
        "a later layer hides what the layer of the whiteout has kept",
        BASE,
        layer(file("a/x", "2"), whiteout("a/x")),
        whiteout("a/x"),
    ),
    case("with-content", "the content does not matter", BASE, file("a/.wh.x", "what is this?")),
    case("as-folder", "the kind does not matter: folder", BASE, folder("a/.wh.x")),
    case("as-symlink", "the kind does not matter: symbolic link", BASE, symlink("a/.wh.x", "y")),
    case("as-hard-link", "the kind does not matter: hard link", BASE, hard_link("a/.wh.x", "a/y")),
    case("as-device", "the kind does not matter: device", BASE, character_device("a/.wh.x", 1, 3)),
    case(
        "below",
        "an entry below a whiteout is left out",
        BASE,
        layer(folder("a/.wh.x"), file("a/.wh.x/in", "i")),
        umoci=BELOW,
    ),
    case(
        "below-without-entry", "an entry below a whiteout that has no entry", BASE, file("a/.wh.x/in", "i"), umoci=BELOW
    ),
    case("nothing-to-name", ".wh. alone is left out", BASE, file("a/.wh.", "?"), umoci=NAMELESS),
    case("of-dot", ".wh.. is left out", BASE, file("a/.wh..", "?"), umoci=NAMELESS),
    case("of-dot-dot", ".wh... is left out", BASE, file("a/.wh...", "?"), umoci=NAMELESS),
    case(
        "aufs-plink",
        "aufs's own names are left out",
        layer(folder(".wh..wh.plnk"), file(".wh..wh.plnk/1.2", "x")),
        umoci=BELOW,
    ),
    case(
        "aufs-orphan",
        "aufs's own names are left out in folders",
        BASE,
        layer(file("a/.wh..wh.aufs"), file("a/.wh..wh.orph")),
    ),
    case("aufs-opaque-like", ".wh..wh..opq2 is no opaque mark", BASE, file("a/.wh..wh..opq2")),
    case("of-whiteout-name", ".wh..wh.x does not remove .wh.x, nor x", BASE, file("a/.wh..wh.x")),
    case(
        "similar-names",
        "wh., .wh, x.wh.y are plain names",
        layer(file("wh.x", "1"), file(".wh", "2"), file("x.wh.y", "3"), file(".Wh.x", "4"), file(".whx", "5")),
    ),
    case(
        "dotted-name",
        "a name that begins with a dot",
        layer(file("..x", "1"), file(".x", "2")),
        layer(file(".wh...x"), file(".wh..x")),
    ),
    case("non-utf8", "a name that is no UTF-8", layer(file(b"\xff\xfe", "1"), file("stay")), file(b".wh.\xff\xfe")),
    case("of-hard-link", "the other name keeps the content", layer(file("a", "1"), hard_link("b", "a")), whiteout("b")),
    case(
        "of-link-target", "the other name becomes the file", layer(file("a", "1"), hard_link("b", "a")), whiteout("a")
    ),
    case(
        "all-links",
        "both names go",
        layer(file("a", "1"), hard_link("b", "a"), file("c")),
        layer(whiteout("a"), whiteout("b")),
    ),
    case(
        "through-symlink",
        "the parent is resolved: lib -> usr/lib",
        layer(folder("usr"), folder("usr/lib"), file("usr/lib/x"), file("usr/lib/y"), symlink("lib", "usr/lib")),
        whiteout("lib/x"),
    ),
    case(
        "long-name",
        "a whiteout's name of 255 bytes",
        layer(gnu_long(file("n", "1"), name="n" * 251), file("stay")),
        gnu_long(file("n"), name=".wh." + "n" * 251),
    ),
)
