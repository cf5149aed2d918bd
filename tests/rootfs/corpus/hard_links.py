"""Hard links."""

from layers.entries import block_device, fifo, file, folder, hard_link, opaque, pax, symlink, whiteout
from layers.layer import layer

from .case import case, topic

BASE = layer(file("a", "content", mode=0o750, uid=10, gid=20), file("z", "z"))

ONE_INODE = "umoci makes one inode of them, the archive has two as older bsdtar fails on such links"

CASES = topic(
    "hard-links",
    case("same-layer", "two names of one file", layer(file("a", "1"), hard_link("b", "a"))),
    case("three", "three names", layer(file("a", "1"), hard_link("b", "a"), hard_link("c", "a"))),
    case("chain", "a link to a link", layer(file("a", "1"), hard_link("b", "a"), hard_link("c", "b"))),
    case("lower", "a link to a file of a lower layer", BASE, hard_link("b", "a")),
    case("lower-earlier-name", "a link whose name sorts before its target's", BASE, hard_link("0", "a")),
    case("two-layers-down", "a link to a file two layers below", BASE, file("m"), hard_link("b", "a")),
    case("target-removed", "the target goes in a later layer", BASE, hard_link("b", "a"), whiteout("a")),
    case("target-replaced", "the target is replaced in a later layer", BASE, hard_link("b", "a"), file("a", "new")),
    case(
        "target-removed-two-left",
        "two links are left and stay one inode",
        BASE,
        layer(hard_link("b", "a"), hard_link("c", "a")),
        whiteout("a"),
    ),
    case(
        "target-folder-removed",
        "the target's folder goes",
        layer(folder("d"), file("d/x", "1")),
        hard_link("b", "d/x"),
        whiteout("d"),
    ),
    case(
        "target-opaque",
        "the target's folder is emptied",
        layer(folder("d"), file("d/x", "1")),
        hard_link("b", "d/x"),
        opaque("d"),
    ),
    case(
        "target-becomes-folder",
        "the target's name becomes a folder",
        BASE,
        hard_link("b", "a"),
        layer(folder("a"), file("a/x")),
    ),
    case(
        "target-becomes-symlink",
        "the target's name becomes a link to the other",
        BASE,
        hard_link("b", "a"),
        symlink("a", "b"),
    ),
    case(
        "whiteout-after-link",
        "link and whiteout of its target in one layer",
        BASE,
        layer(hard_link("b", "a"), whiteout("a")),
    ),
    case(
        "replaced-after-link",
        "link, then a new target in one layer",
        BASE,
        layer(hard_link("b", "a"), file("a", "new")),
    ),
    case("replaced-before-link", "a new target, then a link to it", BASE, layer(file("a", "new"), hard_link("b", "a"))),
    case(
        "relinked",
        "the layer brings both names again",
        layer(file("a", "1"), hard_link("b", "a")),
        layer(file("a", "2"), hard_link("b", "a")),
    ),
    case("link-again", "the same link twice", layer(file("a", "1"), hard_link("b", "a"), hard_link("b", "a"))),
    case(
        "over-its-folder-sibling",
        "a link over a full folder",
        layer(file("a", "1"), folder("d"), file("d/x")),
        hard_link("d", "a"),
    ),
    case(
        "no-metadata",
        "the link's header does not change the file",
        BASE,
        hard_link("b", "a", mode=0o600, uid=99, gid=99, mtime=5),
    ),
    case("dot-slash-target", "./a", layer(file("a", "1"), hard_link("b", "./a"))),
    case("absolute-target", "/a is in the root", layer(file("a", "1"), hard_link("b", "/a"))),
    case("dot-dot-target", "d/../a", layer(file("a", "1"), folder("d"), hard_link("d/b", "d/../a"))),
    case(
        "target-through-symlink",
        "the target's parent is a link",
        layer(
            folder("usr"), folder("usr/bin"), file("usr/bin/x", "1"), symlink("bin", "usr/bin"), hard_link("y", "bin/x")
        ),
    ),
    case(
        "name-through-symlink",
        "the link's parent is a link",
        layer(
            folder("usr"),
            folder("usr/bin"),
            file("usr/bin/x", "1"),
            symlink("bin", "usr/bin"),
            hard_link("bin/y", "usr/bin/x"),
        ),
    ),
    case(
        "to-symlink",
        "a second symbolic link",
        layer(symlink("l", "nowhere", uid=6), hard_link("m", "l")),
        umoci=ONE_INODE,
    ),
    case(
        "to-symlink-to-file",
        "the link is not followed",
        layer(file("f", "1"), symlink("l", "f"), hard_link("m", "l")),
        umoci=ONE_INODE,
    ),
    case(
        "to-symlink-removed",
        "the second symbolic link stays",
        layer(symlink("l", "nowhere"), hard_link("m", "l")),
        whiteout("l"),
    ),
    case("to-fifo", "a second FIFO", layer(fifo("p", mode=0o600), hard_link("q", "p")), umoci=ONE_INODE),
    case("to-device", "a second device", layer(block_device("p", 7, 0, uid=1), hard_link("q", "p")), umoci=ONE_INODE),
    case(
        "with-size",
        "the size field of a link means nothing",
        layer(file("a", "1"), hard_link("b", "a", size=700), file("c", "3")),
    ),
    case(
        "xattrs",
        "the names share xattrs",
        layer(pax({"SCHILY.xattr.user.a": "1"}, file("a", "1")), hard_link("b", "a")),
        whiteout("a"),
    ),
    case(
        "in-folders", "names in two folders", layer(folder("d"), file("d/x", "1"), folder("e"), hard_link("e/y", "d/x"))
    ),
    case("missing-parents", "the link's parents are made", layer(file("a", "1"), hard_link("n/m/b", "a"))),
    case(
        "before-target",
        "the target does not stand before the link",
        layer(hard_link("early", "late"), file("late")),
        error="early",
    ),
    case("missing-target", "no target at all", layer(hard_link("lonely", "nothing")), error="lonely"),
    case("missing-target-parent", "no folder of the target", layer(hard_link("lonely", "no/thing")), error="lonely"),
    case(
        "to-removed", "the target went in a lower layer", BASE, whiteout("a"), hard_link("lonely", "a"), error="lonely"
    ),
    case(
        "to-removed-in-a-layer",
        "the target has gone before the link",
        BASE,
        layer(whiteout("a"), hard_link("lonely", "a")),
        error="lonely",
    ),
    case("to-folder", "a folder has no links", layer(folder("d"), hard_link("to-folder", "d")), error="to-folder"),
    case("to-root", "the root has no links", hard_link("to-root", "/"), error="to-root"),
    case("leaves-root", "a target outside of the root", hard_link("leaves", "../outside"), error="leaves"),
    case("below-file", "the target lies below a file", layer(file("a"), hard_link("lonely", "a/b")), error="lonely"),
)
