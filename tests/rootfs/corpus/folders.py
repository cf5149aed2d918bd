"""Folders: repeated, changed, missing, and the root."""

from layers.entries import file, folder, hard_link, pax, symlink
from layers.layer import layer

from .case import case, topic

BASE = layer(folder("d", 0o755), file("d/x", "x"))

NO_FOLDER = "umoci refuses a root that is no folder"

CASES = topic(
    "folders",
    case("mode", "a new mode, the children stay", BASE, folder("d", 0o1777)),
    case("owner", "a new owner, the children stay", BASE, folder("d", uid=1000, gid=100)),
    case("setgid", "set-group-id and sticky bits", layer(folder("d", 0o3775, gid=50), file("d/x"))),
    case("mode-thrice", "the last of three layers", BASE, folder("d", 0o700), folder("d", 0o2770, gid=4)),
    case(
        "twice-in-a-layer",
        "the last of two in a layer",
        layer(folder("d", 0o700), file("d/x"), folder("d", 0o711, uid=1)),
    ),
    case("no-access", "a folder without any right", layer(folder("d", 0), file("d/x", "1"))),
    case("read-only", "a folder that nobody may write to", layer(folder("d", 0o555), file("d/x")), file("d/y")),
    case("changed-then-filled", "later children in a changed folder", BASE, folder("d", 0o500), file("d/y", "y")),
    case(
        "xattr-gone",
        "the old xattrs go with the new entry",
        layer(pax({"SCHILY.xattr.user.a": "1"}, folder("d")), file("d/x")),
        folder("d"),
    ),
    case(
        "xattr-other",
        "the new xattrs take the place of the old",
        pax({"SCHILY.xattr.user.a": "1"}, folder("d")),
        pax({"SCHILY.xattr.user.b": "2"}, folder("d")),
    ),
    case(
        "xattr-new-value",
        "the same xattr with another value",
        pax({"SCHILY.xattr.user.a": "1"}, folder("d")),
        pax({"SCHILY.xattr.user.a": "2"}, folder("d")),
    ),
    case("missing-parent", "parents without entries are root:root 0755", file("a/b/c/x", "1", uid=5), as_it_is=True),
    case("missing-parent-of-folder", "the same for a folder", folder("a/b/c", 0o700), as_it_is=True),
    case(
        "missing-below-setgid",
        "a parent without an entry takes no group from above",
        layer(folder(".", 0o2775, gid=60), folder("a", 0o2770, gid=50), file("a/b/x"), file("c/x")),
        as_it_is=True,
        umoci="umoci makes the folder below the set-group-id bit, which then goes down",
    ),
    case("missing-of-two", "missing parents are made of several layers, too", file("a/b/x"), file("c/d/x")),
    case(
        "entry-after-child",
        "the folder's own entry stands after its child",
        layer(file("d/x"), folder("d", 0o700, uid=2)),
        as_it_is=True,
    ),
    case(
        "read-only-after-child",
        "a folder without rights after and between its children",
        layer(
            file("d/x", "1"),
            hard_link("d/y", "d/x"),
            pax({"SCHILY.xattr.user.a": "1"}, folder("d", 0o000, uid=2)),
            file("d/e/z"),
            folder("d/e", 0o3555, gid=50),
            hard_link("d/e/x", "d/x"),
        ),
        as_it_is=True,
    ),
    case(
        "entry-in-later-layer", "the folder's own entry stands in a later layer", file("d/x"), folder("d", 0o700, uid=2)
    ),
    case("missing-in-between", "a parent that only a lower layer has", folder("a", 0o700), file("a/b/x")),
    case("root", "./ sets the root's mode and owner", layer(folder(".", 0o711, uid=1, gid=2), file("x"))),
    case("root-twice", "the last root entry wins", folder(".", 0o700), folder(".", 0o751, uid=3)),
    case("root-slash", "/ is the root", layer(folder("", 0o711), file("x"))),
    case("root-dot-dot", "a/.. is the root", layer(folder("a/..", 0o710), file("x"))),
    case("root-xattr", "the root's xattrs", pax({"SCHILY.xattr.user.a": "1"}, folder("."))),
    case("root-as-file", "a root that is no folder is left out", layer(file(".", "?"), file("x")), umoci=NO_FOLDER),
    case(
        "root-as-symlink", "a root that is a link is left out", layer(symlink("./", "/etc"), file("x")), umoci=NO_FOLDER
    ),
    case("empty-name", "an empty name is the root", layer(file("", "?"), file("x")), umoci=NO_FOLDER),
    case("empty-layer", "a layer without entries", BASE, layer()),
    case("empty-image", "no layer has an entry", layer(), as_it_is=True),
    case("empty-folder", "nothing but a folder", folder("d"), as_it_is=True),
    case("deep", "folders in folders", layer(*(folder("d/" * depth + "d") for depth in range(49)))),
)
