"""Names as they stand in headers."""

from layers.entries import file, folder, gnu_long, hard_link, symlink
from layers.layer import layer

from .case import case, topic

CLEANED = "umoci's .. at the root stays there, the rules refuse it"

CASES = topic(
    "names",
    case("dot-slash", "./x", layer(folder("./d"), file("./d/x", "1"))),
    case("slash", "/x", layer(folder("/d"), file("/d/x", "1"))),
    case("slashes", "//d//x", layer(folder("d"), file("//d///x", "1"))),
    case("dots-inside", "d/./x", layer(folder("d"), file("d/././x", "1"))),
    case("dot-dot-inside", "d/../x", layer(folder("d"), file("d/../x", "1"))),
    case(
        "dot-dot-symlink",
        "l/../x is cleaned without looking at l",
        layer(folder("a/b"), symlink("l", "a/b"), file("l/../x", "1")),
    ),
    case(
        "mixed-spelling",
        "layers spell one name differently",
        layer(folder("./d"), file("./d/x", "1")),
        file("/d/x", "2"),
        file("d//x", "3"),
    ),
    case("dot-dot-out", "../x leaves the root", file("../leaves-it", "1"), error="leaves-it", umoci=CLEANED),
    case(
        "dot-dot-out-deep",
        "a/../../x leaves the root",
        file("a/../../leaves-it", "1"),
        error="leaves-it",
        umoci=CLEANED,
    ),
    case("dot-dot-absolute", "/../x leaves the root", file("/../leaves-it", "1"), error="leaves-it", umoci=CLEANED),
    case("dot-dot-only", "..", layer(folder("..")), error="..", umoci=CLEANED),
    case(
        "dot-dot-whiteout", "a whiteout outside of the root", file("../.wh.leaves-it"), error="leaves-it", umoci=CLEANED
    ),
    case("100-bytes", "a name that fills its field", file("n" * 100, "1")),
    case("255-bytes", "a name of 255 bytes", gnu_long(file("n", "1"), name="n" * 255)),
    case("255-bytes-prefix", "prefix and name at their full lengths", file("p" * 155 + "/" + "n" * 100, "1")),
    case("prefix", "a name in two fields", layer(folder("p" * 60), file("p" * 60 + "/" + "n" * 60, "1"))),
    case(
        "utf-8", "names beyond ASCII", layer(folder("häuser"), file("häuser/日本語.txt", "1"), symlink("λ", "häuser"))
    ),
    case("latin-1", "names that are no UTF-8", layer(folder(b"h\xe4user"), file(b"h\xe4user/\xff\xfe", "1"))),
    case("surrogate", "bytes that look like a surrogate", file(b"x\xed\xa0\x80y", "1")),
    case(
        "link-target-bytes",
        "link targets that are no UTF-8",
        layer(file(b"\xe4", "1"), symlink("s", b"\xe4\xff"), hard_link("h", b"\xe4")),
    ),
    case(
        "newline",
        "control characters",
        layer(file("a\nb", "1"), file("tab\there", "2"), file("\x1b[31m", "3"), file("\x7f", "4")),
    ),
    case("blanks", "blanks at both ends", layer(file(" x ", "1"), file(" ", "2"), folder("d "))),
    case(
        "glob",
        "characters that mean something to others",
        layer(file("*", "1"), file("?[a]", "2"), file("{}", "3"), file("$x", "4"), file("#", "5")),
    ),
    case(
        "backslash", "a backslash is no separator", layer(file("a\\b", "1"), file("c:\\d", "2"), file("\\\\e\\f", "3"))
    ),
    case("dash", "names like options", layer(file("-x", "1"), file("--help", "2"), file("@archive", "3"))),
    case(
        "windows-names",
        "what Windows could not hold",
        layer(file("CON", "1"), file("aux.txt", "2"), file("x.", "3"), file("a:b", "4")),
    ),
    case("drive-spelled", "what bsdtar takes for a drive, behind ./", layer(file("./c:x", "1"), file("/d:/y", "2"))),
    case(
        "drive-folder",
        "what bsdtar takes for a drive, with children and links",
        layer(folder("c:"), file("c:/x", "1"), hard_link("c:/y", "c:/x"), hard_link("z", "c:/x"), symlink("s", "c:/x")),
    ),
    case("drive-deep", "a drive in a folder is none", layer(folder("d"), file("d/c:x", "1"), file("d/\\x", "2"))),
    case("case", "case matters", layer(file("x", "1"), file("X", "2"))),
    case("composed", "two spellings of one letter are two names", layer(file("\u00e9", "1"), file("e\u0301", "2"))),
    case("trailing-slash-file", "a file whose name ends in /", layer(file("f/", "1"))),
    case(
        "folder-without-slash",
        "a folder whose name does not end in /",
        layer(file("d", kind=b"5", mode=0o755), file("d/x")),
    ),
    case("after-nul", "what follows the NUL does not count", file(b"x\0garbage", "1")),
    case("dots", "names of dots", layer(file("...", "1"), file("....", "2"), folder(".d"), file(".d/..x", "3"))),
    case(
        "symlink-anything",
        "a symbolic link's target is not looked at",
        layer(symlink("a", "../../../etc/passwd"), symlink("b", "/"), symlink("c", "x//y/./z/"), symlink("d", " ")),
    ),
)
