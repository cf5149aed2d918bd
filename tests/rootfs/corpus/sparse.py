"""Sparse files."""

from collections.abc import Callable

from layers.entries import file, folder, hard_link, symlink, whiteout
from layers.layer import Layer, layer
from layers.sparse import Pieces, gnu_sparse, pax_sparse_00, pax_sparse_01, pax_sparse_10

from .case import Case, case, topic

KIB = 1024
# GNU tar begins each piece at a block of the archive, so all but the last are whole blocks.
PIECES: Pieces = [(0, b"b" * 512), (64 * KIB, b"m" * 5120), (1000 * KIB, b"end")]
SIZE = 2000 * KIB
MANY: Pieces = [(n * 8 * KIB, bytes([65 + n % 26]) * 512) for n in range(60)]
Writer = Callable[..., bytes]
WRITERS: dict[str, Writer] = {
    "gnu": gnu_sparse,
    "pax-0.0": pax_sparse_00,
    "pax-0.1": pax_sparse_01,
    "pax-1.0": pax_sparse_10,
}
NO_GNU_SPARSE = "umoci 0.4.7 refuses kind S"


def each(name: str, shows: str, make: Callable[[Writer], list[Layer | bytes]]) -> list[Case]:
    """A case for each way to write sparse files."""
    return [
        case(f"{it}{name}", shows, *make(write), umoci=NO_GNU_SPARSE if it == "gnu" else "")
        for it, write in WRITERS.items()
    ]


CASES = topic(
    "sparse",
    *each("", "holes between and at the end", lambda write: [write("x", SIZE, PIECES, mode=0o640, uid=3)]),
    *each("-many", "a map longer than a block", lambda write: [layer(write("x", 480 * KIB, MANY), file("next", "1"))]),
    *each("-all-hole", "nothing but a hole", lambda write: [layer(write("x", SIZE, []), file("next", "1"))]),
    *each(
        "-hole-first",
        "begins with a hole, ends with data",
        lambda write: [write("x", 70 * KIB, [(69 * KIB, b"d" * KIB)])],
    ),
    *each(
        "-replaced",
        "a sparse file in the place of a file, and the other way round",
        lambda write: [
            layer(file("x", "1"), write("y", SIZE, PIECES)),
            layer(write("x", SIZE, PIECES), file("y", "2")),
        ],
    ),
    *each(
        "-moved",
        "its name is written anew",
        lambda write: [layer(folder("usr"), symlink("l", "usr")), write("l/x", SIZE, PIECES)],
    ),
    *each(
        "-linked",
        "its first name goes, the second becomes the file",
        lambda write: [layer(write("x", SIZE, PIECES), hard_link("y", "x")), whiteout("x")],
    ),
    case("gnu-four", "a map that just fits the header", gnu_sparse("x", 40 * KIB, MANY[:4]), umoci=NO_GNU_SPARSE),
    case("gnu-five", "a map of one more", gnu_sparse("x", 40 * KIB, MANY[:5]), umoci=NO_GNU_SPARSE),
    case(
        "gnu-25", "header and one block, both full", gnu_sparse("x", 24 * 8 * KIB + 512, MANY[:25]), umoci=NO_GNU_SPARSE
    ),
    case(
        "odd-sizes",
        "pieces that end anywhere",
        gnu_sparse("x", 12345, [(1, b"a"), (4097, b"b" * 3), (12344, b"c")]),
        umoci=NO_GNU_SPARSE,
        gnu_tar="GNU tar begins each piece at a block of the archive, which others do not",
    ),
    case("pax-1.0-non-ascii", "a name beyond ASCII", pax_sparse_10("häuser", SIZE, PIECES)),
    case("pax-1.0-non-utf8", "a name that is no UTF-8", pax_sparse_10(b"h\xe4user", SIZE, PIECES)),
    case(
        "pax-1.0-xattr",
        "xattrs on a sparse file",
        pax_sparse_10("x", SIZE, PIECES, more=[("SCHILY.xattr.user.a", "1")]),
    ),
    case(
        "pax-0.0-times",
        "sub-second times on a sparse file",
        pax_sparse_00("x", SIZE, PIECES, more=[("mtime", "1600000000.25")]),
    ),
    case("pax-1.0-long", "a long name", pax_sparse_10("d" * 150 + "/" + "n" * 150, SIZE, PIECES)),
    case("dense-zeros", "a file of zeros that is not sparse", file("x", bytes(300 * KIB))),
    case(
        "map-beyond-end",
        "a map that leads beyond the size",
        gnu_sparse("overrun", 100, [(50, b"x" * 512)]),
        error="overrun",
    ),
    case(
        "map-overlaps",
        "pieces that overlap",
        gnu_sparse("overlap", 8 * KIB, [(0, b"x" * 512), (100, b"y" * 512)]),
        error="overlap",
    ),
)
