"""Names and links that do not fit their fields."""

from layers.entries import file, folder, gnu_long, hard_link, pax, symlink
from layers.layer import layer

from .case import case, topic

PARTS = "/".join("p" * 90 + str(n) for n in range(9))
LONG = PARTS + "/" + "x" * 80

CASES = topic(
    "long-names",
    case("gnu", "GNU L", gnu_long(file("cut", "1", dialect="gnu"), name=LONG)),
    case("gnu-folder", "GNU L on a folder", gnu_long(folder("cut", 0o700, dialect="gnu"), name=PARTS + "/")),
    case("gnu-link", "GNU K", gnu_long(symlink("s", "cut", dialect="gnu"), link=LONG)),
    case("gnu-both", "GNU K and L", gnu_long(symlink("cut", "cut", dialect="gnu"), name=LONG, link=LONG + "2")),
    case(
        "gnu-hard-link",
        "a hard link with both long",
        layer(gnu_long(file("cut", "1"), name=LONG), gnu_long(hard_link("cut", "cut"), name=LONG + "2", link=LONG)),
    ),
    case("gnu-short", "GNU L with a short name", gnu_long(file("cut", "1", dialect="gnu"), name="short")),
    case(
        "gnu-non-utf8",
        "GNU L with bytes that are no UTF-8",
        gnu_long(file("cut", "1", dialect="gnu"), name=b"\xff" * 150),
    ),
    case(
        "gnu-whiteout",
        "a whiteout in GNU L",
        layer(gnu_long(file("cut", "1"), name=LONG), file("stay")),
        gnu_long(file("cut"), name=PARTS + "/.wh." + "x" * 80),
    ),
    case(
        "gnu-next-entry",
        "GNU L does not last beyond its entry",
        layer(gnu_long(file("cut", "1"), name=LONG), file("next", "2")),
    ),
    case("pax", "pax path", pax({"path": LONG}, file("cut", "1"))),
    case("pax-folder", "pax path of a folder", pax({"path": PARTS}, folder("cut", 0o700))),
    case("pax-link", "pax linkpath", pax({"linkpath": LONG}, symlink("s", "cut"))),
    case("pax-both", "pax path and linkpath", pax({"path": LONG, "linkpath": LONG + "2"}, symlink("cut", "cut"))),
    case(
        "pax-hard-link",
        "a hard link with both long",
        layer(
            pax({"path": LONG}, file("cut", "1")), pax({"path": LONG + "2", "linkpath": LONG}, hard_link("cut", "cut"))
        ),
    ),
    case(
        "pax-whiteout",
        "a whiteout in a pax path",
        layer(pax({"path": LONG}, file("cut", "1")), file("stay")),
        pax({"path": PARTS + "/.wh." + "x" * 80}, file("cut")),
    ),
    case(
        "pax-next-entry",
        "a pax path does not last beyond its entry",
        layer(pax({"path": LONG}, file("cut", "1")), file("next", "2")),
    ),
    case(
        "rewritten-hard-link",
        "a long target goes, a long name becomes the file",
        layer(gnu_long(file("cut", "1"), name=LONG), gnu_long(hard_link("cut", "cut"), name=LONG + "2", link=LONG)),
        gnu_long(file("cut"), name=PARTS + "/.wh." + "x" * 80),
    ),
    case(
        "through-symlink",
        "a short name becomes long",
        layer(folder(PARTS[:180]), pax({"linkpath": PARTS[:180]}, symlink("l", "cut"))),
        file("l/x", "1"),
    ),
    case(
        "very-long-symlink",
        "a link target of 4,000 bytes",
        gnu_long(symlink("s", "cut", dialect="gnu"), link="t" * 4000),
    ),
    case("very-long-path", "a path of almost 4,000 bytes", gnu_long(file("cut", "1"), name="/".join(["d" * 199] * 18))),
    case("dot-slash", "GNU L with ./ in front", gnu_long(file("cut", "1"), name="./" + LONG)),
)
