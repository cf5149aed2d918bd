"""pax headers."""

from layers.entries import entry, file, folder, hard_link, pax, pax_global, record, symlink
from layers.layer import layer

from .case import case, topic

GLOBAL = "umoci 0.4.7 refuses kind g"

CASES = topic(
    "pax",
    case(
        "path-non-ascii",
        "a path record beyond ASCII",
        layer(pax({"path": "häuser"}, folder("x")), pax({"path": "häuser/日本"}, file("x", "1"))),
    ),
    case("path-non-utf8", "a path record that is no UTF-8", pax({"path": b"h\xe4user"}, file("x", "1"))),
    case("path-non-ascii-short", "a path record that would fit the header", pax({"path": "é"}, file("x", "1"))),
    case(
        "linkpath-non-ascii",
        "link records beyond ASCII",
        layer(
            pax({"path": "zié"}, file("x", "1")),
            pax({"linkpath": "zié"}, hard_link("h", "x")),
            pax({"linkpath": "né"}, symlink("s", "x")),
        ),
    ),
    case("hdrcharset", "hdrcharset=BINARY", pax([("hdrcharset", "BINARY"), ("path", b"\xff\xfe")], file("x", "1"))),
    case("ids", "uid and gid", pax({"uid": "3000000", "gid": "4000000"}, file("x", "1"))),
    case(
        "names-of-owners",
        "uname and gname do not count",
        pax({"uname": "daemon", "gname": "däemon"}, file("x", "1", uid=5, gid=6)),
    ),
    case("size", "a size record", pax({"size": "5"}, file("x", "12345", size=0))),
    case(
        "size-after",
        "a size record that is smaller than the header's",
        layer(pax({"size": "5"}, file("x", "12345", size=4000)), file("y", "2")),
    ),
    case("comment", "a comment", pax({"comment": "made by hand"}, file("x", "1"))),
    case(
        "unknown",
        "records of others",
        pax({"VENDOR.thing": "1", "MSWINDOWS.fileattr": "32", "realtime.any": "2"}, file("x", "1")),
    ),
    case("twice", "the last of two records counts", pax([("path", "first"), ("path", "second")], file("x", "1"))),
    case("empty-value", "an empty value takes a record back", pax([("path", "")], file("x", "1"))),
    case("empty", "a header without records", pax({}, file("x", "1"))),
    case("big", "a header of many blocks", pax({"comment": "c" * 20000, "path": "after"}, file("x", "1"))),
    case(
        "value-with-newline",
        "a newline and = in a value",
        pax([("comment", "a=b\n12 path=no\n"), ("path", "yes")], file("x", "1")),
    ),
    case(
        "global-path",
        "a global path is ignored",
        layer(pax_global({"path": "global"}), file("x", "1"), file("y", "2")),
        umoci=GLOBAL,
    ),
    case(
        "global-owner",
        "global ids, times and sizes are ignored",
        layer(pax_global({"uid": "77", "gid": "78", "mtime": "5", "comment": "git archive"}), file("x", "1")),
        umoci=GLOBAL,
    ),
    case(
        "global-xattr",
        "a global xattr is ignored",
        layer(pax_global({"SCHILY.xattr.user.a": "1"}), file("x", "1")),
        umoci=GLOBAL,
    ),
    case(
        "global-git",
        "as git archive writes it",
        layer(pax_global({"comment": "0" * 40}), folder("d"), file("d/x", "1")),
        umoci=GLOBAL,
    ),
    case(
        "global-then-own",
        "an entry's own records count",
        layer(pax_global({"mtime": "5"}), pax({"mtime": "6"}, file("x", "1"))),
        umoci=GLOBAL,
    ),
    case(
        "global-two-layers",
        "a global header in the second layer",
        file("x", "1"),
        layer(pax_global({"uid": "9"}), file("y", "2")),
        umoci=GLOBAL,
    ),
    case("global-alone", "nothing but a global header", file("x", "1"), pax_global({"comment": "c"}), umoci=GLOBAL),
    case(
        "ctime-atime",
        "other times are ignored",
        pax({"atime": "1.5", "ctime": "2.5", "LIBARCHIVE.creationtime": "3"}, file("x", "1")),
    ),
    case(
        "acls",
        "ACLs are dropped",
        pax(
            {
                "SCHILY.acl.access": "user::rwx,group::r-x,other::r-x,user:lp:rwx:7,mask::rwx",
                "SCHILY.acl.default": "user::rwx,group::r-x,other::r-x",
            },
            folder("d"),
        ),
    ),
    case("flags", "file flags are dropped", pax({"SCHILY.fflags": "nodump"}, file("x", "1"))),
    case(
        "device-fields",
        "SCHILY.dev, ino, nlink are ignored",
        pax({"SCHILY.dev": "9", "SCHILY.ino": "8", "SCHILY.nlink": "2"}, file("x", "1")),
    ),
    case("bad-length", "a record whose length is wrong", layer(entry("p", b"x", b"99 path=x\n"), file("x")), error=""),
    case("no-length", "a record without a length", layer(entry("p", b"x", b"path=x\n"), file("x")), error=""),
    case("no-newline", "a record without its newline", layer(entry("p", b"x", b"9 path=x!"), file("x")), error=""),
    case("no-equals", "a record without =", layer(entry("p", b"x", b"8 pathx\n"), file("x")), error=""),
    case("bad-number", "a size that is no number", pax({"size": "many"}, file("x", "1")), error=""),
    case(
        "cut", "the header's data is cut", layer(entry("p", b"x", record("path", "x" * 900))[:900], end=b""), error=""
    ),
)
