"""Times of what is not a folder."""

from layers.entries import fifo, file, folder, hard_link, pax, symlink, whiteout
from layers.headers import base256
from layers.layer import layer

from .case import case, topic

CASES = topic(
    "times",
    case("epoch", "zero", file("x", "1", mtime=0)),
    case(
        "plain",
        "a plain time",
        layer(file("x", "1", mtime=1_234_567_890), symlink("l", "x", mtime=1_234_567_891), fifo("p", mtime=7)),
    ),
    case("negative", "before 1970, in base-256", file("x", "1", mtime=base256(-86_400, 12))),
    case("negative-pax", "before 1970, in a pax record", pax({"mtime": "-86400"}, file("x", "1"))),
    case("sub-second", "with nanoseconds", pax({"mtime": "1600000000.123456789"}, file("x", "1"))),
    case("sub-second-short", "with few digits", pax({"mtime": "1600000000.5"}, file("x", "1"))),
    case("sub-second-long", "more digits than nanoseconds", pax({"mtime": "1600000000.1234567899999"}, file("x", "1"))),
    case("sub-second-dot", "a point without digits", pax({"mtime": "1600000000."}, file("x", "1"))),
    case("negative-sub-second", "a second and a half before 1970", pax({"mtime": "-1.5"}, file("x", "1"))),
    case("sub-second-symlink", "a link's time", pax({"mtime": "1600000000.25"}, symlink("l", "x"))),
    case("after-2038", "beyond 31 bits", file("x", "1", mtime=4_000_000_000)),
    case("after-2106", "beyond 32 bits", file("x", "1", mtime=5_000_000_000)),
    case("base256", "a plain time in base-256", file("x", "1", mtime=base256(1_600_000_001, 12))),
    case(
        "replaced", "the newer layer's time, though it is older", file("x", "1", mtime=2000), file("x", "1", mtime=1000)
    ),
    case(
        "sub-second-moved",
        "a name that is written anew keeps its time",
        layer(folder("usr"), symlink("l", "usr")),
        pax({"mtime": "1600000000.25"}, file("l/x", "1")),
    ),
    case(
        "sub-second-linked",
        "a link that becomes the file has the file's time",
        layer(pax({"mtime": "1600000000.75"}, file("x", "1")), hard_link("y", "x", mtime=9)),
        whiteout("x"),
    ),
)
