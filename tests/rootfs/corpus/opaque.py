"""Opaque folders."""

from layers.entries import file, folder, hard_link, opaque, symlink, whiteout
from layers.layer import layer

from .case import case, topic

# The tree of the OCI image-spec's example.
BASE = layer(folder("a", 0o750, uid=5), folder("a/b", 0o700), folder("a/b/c"), file("a/b/c/bar", "bar"), file("z", "z"))

CASES = topic(
    "opaque",
    case("all-children", "the folder stays, empty", BASE, opaque("a")),
    case("mode-kept", "without an entry of its own the folder keeps mode and owner", BASE, opaque("a")),
    case(
        "spec-first",
        "the example of layer.md",
        BASE,
        layer(folder("a"), opaque("a"), folder("a/b"), folder("a/b/c"), file("a/b/c/foo", "foo")),
    ),
    case(
        "spec-last",
        "the example of layer.md in the other order",
        BASE,
        layer(folder("a"), folder("a/b"), folder("a/b/c"), file("a/b/c/foo", "foo"), opaque("a")),
    ),
    case(
        "between", "entries before and after the mark", BASE, layer(file("a/one", "1"), opaque("a"), file("a/two", "2"))
    ),
    case(
        "before-folder", "the mark before its folder's entry", BASE, layer(opaque("a"), folder("a", 0o711), file("a/n"))
    ),
    case(
        "deep-new",
        "what the layer has put deep inside stays, its lower parents too",
        BASE,
        layer(file("a/b/c/new", "n"), opaque("a")),
    ),
    case(
        "deep-new-after",
        "a deep entry after the mark makes its parents anew",
        BASE,
        layer(opaque("a"), file("a/b/c/new", "n")),
    ),
    case(
        "nested", "two marks, one in the other", BASE, layer(opaque("a"), folder("a/b"), opaque("a/b"), file("a/b/n"))
    ),
    case(
        "nested-last", "the same from the inside", BASE, layer(folder("a/b"), file("a/b/n"), opaque("a/b"), opaque("a"))
    ),
    case("inner-only", "only the inner folder is emptied", BASE, opaque("a/b")),
    case("root", "all lower names go", BASE, layer(opaque(""), file("only", "1"))),
    case("root-last", "all lower names go, in whatever order", BASE, layer(file("only", "1"), opaque(""))),
    case("root-dot", "./.wh..wh..opq", BASE, layer(file("./.wh..wh..opq"), file("./only", "1"))),
    case("missing-folder", "a mark in a folder that does not exist", BASE, opaque("none")),
    case("new-folder", "a mark in a folder of its own layer", layer(folder("d"), opaque("d"), file("d/x", "1"))),
    case("twice", "two marks in two layers", BASE, layer(opaque("a"), file("a/1")), layer(opaque("a"), file("a/2"))),
    case(
        "over-file",
        "the layer puts a folder with a mark over a file",
        layer(file("d", "file")),
        layer(folder("d"), opaque("d"), file("d/x")),
    ),
    case(
        "same-name-again",
        "the mark does not hide the layer's replacement",
        layer(folder("d"), file("d/x", "old")),
        layer(opaque("d"), file("d/x", "new")),
    ),
    case(
        "same-name-again-last",
        "the mark after the replacement",
        layer(folder("d"), file("d/x", "old")),
        layer(file("d/x", "new"), opaque("d")),
    ),
    case(
        "with-whiteout", "a mark and a whiteout in one folder", BASE, layer(opaque("a"), whiteout("a/b"), file("a/n"))
    ),
    case("as-folder", "the kind does not matter", BASE, folder("a/.wh..wh..opq")),
    case("with-content", "the content does not matter", BASE, file("a/.wh..wh..opq", "yes")),
    case(
        "hard-link-out",
        "a link from outside keeps the content",
        layer(folder("d"), file("d/x", "1"), hard_link("out", "d/x")),
        opaque("d"),
    ),
    case(
        "hard-link-in",
        "a new link to a file that the mark hides",
        layer(folder("d"), file("d/x", "1")),
        layer(hard_link("d/y", "d/x"), opaque("d")),
    ),
    case(
        "through-symlink",
        "the mark's folder is found through a link",
        layer(folder("usr"), folder("usr/lib"), file("usr/lib/x"), symlink("lib", "usr/lib")),
        opaque("lib"),
    ),
    case(
        "holds-symlink",
        "a link among the children goes, its target stays",
        layer(folder("t"), file("t/x"), folder("d"), symlink("d/l", "../t")),
        opaque("d"),
    ),
    case("only-lower", "the next layer adds to the emptied folder", BASE, opaque("a"), file("a/n", "n")),
)
