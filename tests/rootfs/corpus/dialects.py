"""The dialects of tar: v7, ustar, GNU, star, and flags that are seldom seen."""

from layers.entries import character_device, entry, file, folder, gnu_long, hard_link, symlink
from layers.layer import layer

from .case import case, topic


def of_all_kinds(dialect: str) -> bytes:
    return b"".join(
        [
            folder("d", 0o750, uid=1, gid=2, dialect=dialect),
            file("d/x", "content", mode=0o640, uid=3, gid=4, dialect=dialect),
            hard_link("d/y", "d/x", dialect=dialect),
            symlink("s", "d/x", uid=5, dialect=dialect),
        ]
    )


CASES = topic(
    "dialects",
    *(case(dialect, "all kinds of entries", of_all_kinds(dialect)) for dialect in ("v7", "ustar", "gnu", "star")),
    case("v7-nul-flag", "flag NUL is a file", file("x", "1", kind=b"\0", dialect="v7")),
    case(
        "v7-folder",
        "flag NUL and / at the end is a folder",
        layer(entry("d/", b"\0", mode=0o700, dialect="v7"), file("d/x", "1", kind=b"\0", dialect="v7")),
    ),
    case("v7-non-utf8", "bytes beyond ASCII", file(b"\xe4\xff", "1", kind=b"\0", dialect="v7")),
    case(
        "v7-over-ustar",
        "a v7 layer over a ustar one",
        of_all_kinds("ustar"),
        file("d/x", "new", kind=b"\0", dialect="v7"),
    ),
    case(
        "v7-moved",
        "a v7 entry whose name is written anew",
        layer(folder("usr"), symlink("l", "usr")),
        file("l/x", "1", kind=b"\0", dialect="v7"),
    ),
    case(
        "v7-garbage",
        "what stands where other dialects have fields",
        file("x", "1", kind=b"\0", dialect="v7", prefix=b"garbage"),
    ),
    case("nul-flag-ustar", "flag NUL in ustar", file("x", "1", kind=b"\0")),
    case("contiguous", "flag 7 is a file", file("x", "1", kind=b"7"), umoci="umoci 0.4.7 refuses kind 7"),
    case(
        "gnu-no-prefix",
        "GNU has times where ustar has the prefix",
        file("x", "1", dialect="gnu", tail=b"13727407000\0" + b"13727407001\0"),
    ),
    case("star-prefix", "star's prefix is shorter", file("p" * 100 + "/" + "n" * 90, "1", dialect="star")),
    case("star-full-prefix", "star's prefix at its full length", file("p" * 131 + "/" + "n" * 90, "1", dialect="star")),
    case("owners", "names of owners do not count", file("x", "1", uname=b"daemon", gname=b"bin", uid=0, gid=0)),
    case(
        "owners-gnu",
        "names of owners do not count",
        file("x", "1", uname=b"nobody", gname=b"nogroup", uid=12, gid=13, dialect="gnu"),
    ),
    case("signed-checksum", "a checksum over signed bytes", file(b"\xe4\xe4", "1", signed_checksum=True)),
    case(
        "mixed",
        "several dialects in a layer",
        layer(
            file("v", "1", dialect="v7"),
            file("u", "2"),
            file("g", "3", dialect="gnu"),
            gnu_long(file("x", "4"), name="l" * 120),
        ),
    ),
    case("mixed-layers", "a dialect per layer", *(file(it, it, dialect=it) for it in ("v7", "ustar", "gnu", "star"))),
    case("no-end", "no zeros at the end", layer(file("x", "1"), end=b"")),
    case("no-end-two-layers", "no zeros at the end of the lower layer", layer(file("x", "1"), end=b""), file("y", "2")),
    case("one-zero-block", "one block of zeros, then nothing", layer(file("x", "1"), end=bytes(512))),
    case(
        "long-end",
        "zeros up to a record of 10 KiB",
        layer(file("x", "1"), end=bytes(10240)),
        layer(file("y", "2"), end=bytes(20480)),
    ),
    case(
        "after-end",
        "what follows the end is not read",
        layer(file("x", "1"), end=bytes(1024) + file("never", "2") + b"junk"),
    ),
    case(
        "after-end-lower",
        "the same in a lower layer",
        layer(file("x", "1"), end=bytes(1024) + file("never", "2")),
        file("y", "2"),
    ),
    case("no-bytes", "a layer of no bytes", file("x", "1"), layer(end=b"")),
    case("device-v7", "a device in ustar beside v7", layer(file("a", "1", dialect="v7"), character_device("n", 1, 3))),
)
