"""Parents that are symbolic links."""

from layers.entries import file, folder, hard_link, opaque, symlink, whiteout
from layers.layer import layer

from .case import case, topic

USR_MERGED = layer(folder("usr"), folder("usr/lib", 0o711), file("usr/lib/a", "a"), symlink("lib", "usr/lib"))

CASES = topic(
    "symlinked-parents",
    case("usr-merge", "lib/x is usr/lib/x", USR_MERGED, file("lib/x", "x")),
    case("same-layer", "the link stands in the same layer", layer(folder("d"), symlink("l", "d"), file("l/x", "1"))),
    case("absolute", "an absolute target starts at the root", layer(folder("d"), symlink("l", "/d")), file("l/x", "1")),
    case("dot-dot", "a target with ..", layer(folder("a"), folder("d"), symlink("a/l", "../d")), file("a/l/x", "1")),
    case(
        "dot-dot-at-root",
        ".. at the root stays there",
        layer(folder("d"), symlink("l", "../../../d")),
        file("l/x", "1"),
    ),
    case("to-root", "a link to the root", layer(symlink("l", "/")), file("l/x", "1")),
    case("to-dot", "a link to its own folder", layer(folder("d"), symlink("d/l", ".")), file("d/l/x", "1")),
    case(
        "chain",
        "links to links",
        layer(folder("d"), symlink("c", "d"), symlink("b", "c"), symlink("a", "b")),
        file("a/x", "1"),
    ),
    case(
        "in-target",
        "a link in the way of a link",
        layer(folder("r/d"), symlink("s", "r"), symlink("l", "s/d")),
        file("l/x", "1"),
    ),
    case(
        "deep",
        "links at two depths",
        layer(folder("a"), folder("b"), symlink("a/l", "../b"), symlink("m", "a")),
        file("m/l/x", "1"),
    ),
    case("replaces", "an entry through the link replaces the file there", USR_MERGED, file("lib/a", "new")),
    case(
        "folder-replaces-link",
        "a folder over the link takes its place",
        USR_MERGED,
        layer(folder("lib"), file("lib/x", "x")),
    ),
    case(
        "folder-below", "a folder through the link", USR_MERGED, layer(folder("lib/sub", 0o700), file("lib/sub/x", "x"))
    ),
    case("whiteout", "a whiteout through the link", USR_MERGED, whiteout("lib/a")),
    case(
        "whiteout-same-layer",
        "entry by one name, whiteout by the other",
        USR_MERGED,
        layer(file("usr/lib/a", "2"), whiteout("lib/a")),
    ),
    case("opaque", "an opaque mark through the link", USR_MERGED, layer(file("lib/x", "x"), opaque("lib"))),
    case(
        "both-names", "one file by two names in a layer", USR_MERGED, layer(file("lib/x", "1"), file("usr/lib/x", "2"))
    ),
    case("dangling", "the folder behind a dangling link is made", layer(symlink("l", "to/nowhere")), file("l/x", "1")),
    case("dangling-absolute", "the same with an absolute target", layer(symlink("l", "/to/nowhere")), file("l/x", "1")),
    case("dangling-chain", "a link to a dangling link", layer(symlink("l", "m"), symlink("m", "n")), file("l/x", "1")),
    case(
        "link-later",
        "the link comes after the children",
        layer(folder("d"), file("d/x", "1")),
        layer(symlink("d", "e"), folder("e")),
    ),
    case(
        "link-over-used",
        "the entry keeps its place when the link goes",
        USR_MERGED,
        file("lib/x", "x"),
        whiteout("lib"),
    ),
    case(
        "link-turned",
        "the link leads elsewhere in a later layer",
        USR_MERGED,
        file("lib/x", "x"),
        layer(folder("opt"), symlink("lib", "opt")),
        file("lib/y", "y"),
    ),
    case("last-not-followed", "the last part is replaced, not followed", USR_MERGED, file("lib", "now a file")),
    case("symlink-through", "a symbolic link through a link", USR_MERGED, symlink("lib/s", "a")),
    case("hard-link-through", "both ends through the link", USR_MERGED, hard_link("lib/h", "lib/a")),
    case(
        "many-links",
        "two hundred links on the way",
        layer(folder("l000"), *(symlink(f"l{n:03}", f"l{n - 1:03}") for n in range(1, 201))),
        file("l200/x", "1"),
    ),
    case("loop", "a link to itself", layer(symlink("loop", "loop")), file("loop/inside", "1"), error="loop/inside"),
    case(
        "two-link-loop",
        "links to each other",
        layer(symlink("a", "b"), symlink("b", "a")),
        file("a/inside", "1"),
        error="a/inside",
    ),
    case(
        "too-many",
        "three hundred links on the way",
        layer(folder("l000"), *(symlink(f"l{n:03}", f"l{n - 1:03}") for n in range(1, 301))),
        file("l300/inside", "1"),
        error="l300/inside",
    ),
    case("below-file", "the parent is a file", file("f", "1"), file("f/inside", "2"), error="f/inside"),
    case(
        "below-link-to-file",
        "the link leads to a file",
        layer(file("f"), symlink("l", "f")),
        file("l/inside"),
        error="l/inside",
    ),
    case(
        "escape",
        "a link out of the root stays in it",
        layer(symlink("out", "../../../../tmp")),
        file("out/rootfs-escaped", "1"),
    ),
)
