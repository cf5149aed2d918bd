"""Large sizes, without large data, and odd ways to write numbers."""

from layers.entries import file, folder, hard_link, symlink, whiteout
from layers.headers import base256
from layers.layer import layer
from layers.sparse import Pieces, gnu_sparse, pax_sparse_00, pax_sparse_10

from .case import case, topic

GIB = 1 << 30
SIZE = 9 * GIB + 17
PIECES: Pieces = [(0, b"begin..." * 192), (8 * GIB + 4096, b"beyond 8" * 64), (SIZE - 3, b"end")]
NOT_UMOCI = "it writes the 9 GiB out"

CASES = topic(
    "sizes",
    case(
        "gnu-9-gib",
        "a sparse file over 8 GiB, sizes in base-256",
        gnu_sparse("x", SIZE, PIECES),
        not_for_umoci=NOT_UMOCI,
    ),
    case("pax-1.0-9-gib", "a sparse file over 8 GiB", pax_sparse_10("x", SIZE, PIECES), not_for_umoci=NOT_UMOCI),
    case("pax-0.0-9-gib", "a sparse file over 8 GiB", pax_sparse_00("x", SIZE, PIECES), not_for_umoci=NOT_UMOCI),
    case("9-gib-hole", "nothing but a hole of 9 GiB", gnu_sparse("x", SIZE, []), not_for_umoci=NOT_UMOCI),
    case(
        "9-gib-linked",
        "the large file's first name goes",
        layer(gnu_sparse("x", SIZE, PIECES), hard_link("y", "x")),
        whiteout("x"),
        not_for_umoci=NOT_UMOCI,
    ),
    case(
        "9-gib-moved",
        "the large file's name is written anew",
        layer(folder("usr"), symlink("l", "usr")),
        gnu_sparse("l/x", SIZE, PIECES),
        not_for_umoci=NOT_UMOCI,
    ),
    case(
        "9-gib-removed",
        "a large file is gone",
        layer(gnu_sparse("x", SIZE, PIECES), file("y")),
        whiteout("x"),
        not_for_umoci=NOT_UMOCI,
    ),
    case("base256-small", "a small size in base-256", layer(file("x", "12345", size=base256(5, 12)), file("y"))),
    case("base256-ids", "ids in base-256", file("x", "1", uid=base256(3_000_000, 8), gid=base256(2_147_483_000, 8))),
    case(
        "octal-full",
        "octal digits up to the end of the field",
        file("x", "12345", size=b"000000000005", mtime=b"13727407000"),
    ),
    case(
        "octal-blanks",
        "blanks around octal numbers",
        file("x", "12345", size=b"          5 ", mode=b"   644 \0", uid=b"  10 \0"),
    ),
    case("octal-short", "few digits", file("x", "12345", size=b"5", mode=b"644", uid=b"12\0", gid=b"0")),
    case("empty-numbers", "fields without digits are 0", file("x", uid=b"", gid=b"", size=b"", mtime=b"")),
    case(
        "mode-with-type", "a mode with the bits of the kind", layer(file("x", "1", mode=0o100640), folder("d", 0o40711))
    ),
    case(
        "block-edges",
        "sizes around a block",
        layer(*(file(f"f{n}", b"x" * n) for n in (0, 1, 511, 512, 513, 1023, 1024, 1025))),
    ),
    case("megabyte", "more than a window of deflate", file("x", b"".join(b"%07d\n" % n for n in range(150_000)))),
    case("bad-size", "a size that is no number", file("bad-size", "1", size=b"zzzzzzzzzzz"), error=""),
    case("negative-size", "a size below zero", file("negative", "1", size=base256(-5, 12)), error=""),
)
