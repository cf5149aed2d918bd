"""One kind of entry over another, and repeated entries."""

from layers.entries import character_device, fifo, file, folder, hard_link, symlink
from layers.layer import layer

from .case import case, topic

MAKERS = {
    "file": lambda name: file(name, "the file", mode=0o640, uid=3),
    "symlink": lambda name: symlink(name, "elsewhere", uid=4),
    "fifo": lambda name: fifo(name, mode=0o600),
    "device": lambda name: character_device(name, 1, 5),
    "folder": lambda name: folder(name, 0o711, gid=9),
    "full-folder": lambda name: folder(name, 0o750) + folder(name + "/sub") + file(name + "/sub/x", "x"),
    "hard-link": lambda name: file("a-source", "linked") + hard_link(name, "a-source"),
    "symlink-to-folder": lambda name: folder("target") + file("target/in", "i") + symlink(name, "target"),
}
PAIRS = [
    ("file", "file"), ("file", "symlink"), ("file", "folder"), ("file", "full-folder"), ("file", "fifo"),
    ("file", "device"), ("file", "hard-link"), ("file", "symlink-to-folder"),
    ("folder", "file"), ("folder", "symlink"), ("folder", "full-folder"), ("folder", "symlink-to-folder"),
    ("folder", "device"), ("folder", "hard-link"),
    ("symlink", "file"), ("symlink", "symlink"), ("symlink", "full-folder"), ("symlink", "symlink-to-folder"),
    ("fifo", "full-folder"), ("device", "file"), ("hard-link", "file"), ("hard-link", "full-folder"),
    ("hard-link", "symlink"), ("full-folder", "file"), ("full-folder", "full-folder"),
]  # fmt: skip

CASES = topic(
    "replaced",
    *(
        case(f"{new}-over-{old}", f"{new} over {old} of a lower layer", MAKERS[old]("n"), MAKERS[new]("n"))
        for new, old in PAIRS
    ),
    *(
        case(f"{new}-over-{old}-in-a-layer", f"{new} over {old} in one layer", MAKERS[old]("n") + MAKERS[new]("n"))
        for new, old in PAIRS
    ),
    case("then-filled", "a file becomes a folder with children", file("n", "1"), folder("n"), file("n/x", "2")),
    case(
        "back-and-forth",
        "folder, file, folder: the first children do not come back",
        layer(folder("n"), file("n/old")),
        file("n", "1"),
        layer(folder("n"), file("n/new")),
    ),
    case("smaller", "a shorter file leaves nothing of the longer", file("n", "a" * 5000), file("n", "b")),
    case("empty", "an empty file over a full one", file("n", "a" * 5000), file("n")),
    case(
        "thrice",
        "the last of three entries in a layer",
        layer(file("n", "1"), file("n", "22"), file("n", "333", mode=0o600)),
    ),
    case("spelled-otherwise", "n, ./n and /n are one name", layer(file("n", "1"), file("./n", "2"), file("/n", "3"))),
    case(
        "first-of-links",
        "the first of several links is replaced, the others keep the content",
        layer(file("a", "old"), hard_link("b", "a"), hard_link("c", "a")),
        file("a", "new"),
    ),
    case(
        "last-of-links",
        "the last of several links is replaced",
        layer(file("a", "old"), hard_link("b", "a"), hard_link("c", "a")),
        file("c", "new"),
    ),
    case(
        "first-of-links-in-a-layer",
        "the same within a layer",
        layer(file("a", "old"), hard_link("b", "a"), hard_link("c", "a"), file("a", "new")),
    ),
    case(
        "link-then-link",
        "a hard link replaced by one to another file",
        layer(file("a", "1"), file("b", "2"), hard_link("c", "a")),
        hard_link("c", "b"),
    ),
    case(
        "owner-only",
        "the same content with another owner and mode",
        file("n", "1"),
        file("n", "1", uid=1000, gid=1000, mode=0o4755),
    ),
)
