"""The order in which entries stand."""

import itertools

from layers.entries import file, folder, hard_link, opaque, symlink, whiteout
from layers.layer import layer

from .case import case, topic

BASE = layer(folder("a", 0o700, uid=4), folder("a/b"), file("a/b/old", "o"), file("a/x", "x"), file("k", "k"))
# A layer whose entries mean the same in any order: the folders have entries of their own.
ANY_ORDER = {
    "f": folder("a", 0o711),
    "o": opaque("a"),
    "b": folder("a/b", 0o750),
    "n": file("a/b/new", "n"),
}

CASES = topic(
    "order",
    *(
        case(
            "opaque-" + "".join(order),
            "folder, mark, folder inside and its file in any order",
            BASE,
            layer(*(ANY_ORDER[it] for it in order)),
        )
        for order in itertools.permutations(ANY_ORDER)
        if order.index("o") > order.index("n") or order.index("o") == 0
    ),
    case(
        "children-first",
        "children before their folders",
        layer(file("a/b/x", "1"), folder("a/b", 0o700), folder("a", 0o711)),
        as_it_is=True,
    ),
    case(
        "backwards",
        "a whole tree backwards",
        layer(file("a/b/c/x"), folder("a/b/c"), file("a/b/y"), folder("a/b", 0o700), folder("a"), folder(".")),
        as_it_is=True,
    ),
    case(
        "interleaved",
        "folders and files of two trees in turn",
        layer(
            folder("a"),
            folder("b"),
            file("a/1"),
            file("b/1"),
            folder("a/c"),
            folder("b/c"),
            file("a/c/2"),
            file("b/c/2"),
        ),
    ),
    case("whiteout-last", "a whiteout after all", BASE, layer(file("z"), whiteout("a/x"))),
    case("whiteout-first", "a whiteout before all", BASE, layer(whiteout("a/x"), file("z"))),
    case(
        "link-before-removal",
        "links live on when their target goes at once",
        BASE,
        layer(hard_link("a/y", "a/x"), whiteout("a/x")),
    ),
    case(
        "symlink-before-use", "a link, then entries through it", layer(symlink("l", "d"), folder("d"), file("l/x", "1"))
    ),
    case(
        "symlink-after-use",
        "entries, then a link over their folder",
        layer(folder("l"), file("l/x", "1"), symlink("l", "d"), folder("d")),
    ),
    case(
        "file-folder-file",
        "one name as file, folder and file",
        layer(file("n", "1"), folder("n"), file("n/x", "2"), file("n", "3")),
    ),
    case(
        "folder-file-folder",
        "one name as folder, file and folder",
        layer(folder("n", 0o700), file("n/x", "1"), file("n", "2"), folder("n", 0o711), file("n/y", "3")),
    ),
    case(
        "link-replaced-linked",
        "link, replace, link again",
        layer(file("a", "1"), hard_link("b", "a"), file("a", "2"), hard_link("c", "a")),
    ),
    case(
        "lower-order",
        "names sort otherwise than they stand",
        layer(file("z", "1"), file("m", "2"), file("a", "3")),
        layer(file("m", "4"), file("0", "5")),
    ),
)
