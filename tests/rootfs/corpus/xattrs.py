"""Extended attributes: what is kept and what WSL refuses."""

import struct

from layers.entries import character_device, fifo, file, folder, hard_link, pax, symlink, whiteout
from layers.layer import layer

from .case import case, topic

# Version 2, effective, CAP_NET_RAW: what setcap writes for ping.
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)
REFUSED = "umoci fails where the kernel refuses user.* on other kinds"
SET = "umoci sets it"
GO_ONLY = "Go's reader knows no LIBARCHIVE records"


def with_xattrs(of: bytes, **values: str | bytes) -> bytes:
    return pax({"SCHILY.xattr." + key.replace("__", "."): value for key, value in values.items()}, of)


CASES = topic(
    "xattrs",
    case(
        "capability",
        "security.capability is kept",
        with_xattrs(file("ping", "1", mode=0o755), security__capability=CAPABILITY),
    ),
    case(
        "capability-on-folder",
        "but not on a folder",
        with_xattrs(folder("d"), security__capability=CAPABILITY),
        umoci=SET,
    ),
    case(
        "user",
        "user.* on files and folders",
        with_xattrs(file("x", "1"), user__a="1") + with_xattrs(folder("d"), user__b="2"),
    ),
    case("user-many", "several at once", with_xattrs(file("x", "1"), user__a="1", user__b="2", user__c__d="3")),
    case("user-on-symlink", "user.* on a link is dropped", with_xattrs(symlink("l", "x"), user__a="1"), umoci=REFUSED),
    case("user-on-fifo", "user.* on a FIFO is dropped", with_xattrs(fifo("p"), user__a="1"), umoci=REFUSED),
    case(
        "user-on-device",
        "user.* on a device is dropped",
        with_xattrs(character_device("n", 1, 3), user__a="1"),
        umoci=REFUSED,
    ),
    case(
        "user-overlay",
        "user.overlay.* is dropped",
        with_xattrs(folder("d"), user__overlay__opaque="y", user__overlayed="kept"),
        umoci=SET,
    ),
    case(
        "trusted",
        "trusted.* is kept",
        with_xattrs(file("x", "1"), trusted__a="1") + with_xattrs(folder("d"), trusted__b="2"),
    ),
    case("trusted-on-symlink", "trusted.* on a link is kept", with_xattrs(symlink("l", "x"), trusted__a="1")),
    case(
        "trusted-overlay",
        "trusted.overlay.* is dropped",
        with_xattrs(folder("d"), trusted__overlay__opaque="y", trusted__overlay__origin="o", trusted__other="kept"),
    ),
    case(
        "selinux",
        "security.selinux is dropped",
        with_xattrs(file("x", "1"), security__selinux="system_u:object_r:bin_t:s0\0"),
    ),
    case(
        "ima-evm",
        "security.ima and security.evm are dropped",
        with_xattrs(file("x", "1"), security__ima=b"\x03\x02", security__evm=b"\x05"),
        umoci=SET,
    ),
    case(
        "apparmor",
        "other security.* is dropped",
        with_xattrs(file("x", "1"), security__apparmor="x", security__SMACK64="_"),
        umoci=SET,
    ),
    case(
        "system",
        "system.* is dropped",
        with_xattrs(file("x", "1"), system__posix_acl_access=b"\x02\0\0\0", system__nfs4_acl="n"),
    ),
    case(
        "unknown-namespace",
        "unknown namespaces are dropped",
        with_xattrs(file("x", "1"), com__apple__quarantine="q", plain="p"),
    ),
    case(
        "dropped-and-kept",
        "one goes, one stays",
        with_xattrs(file("x", "1"), security__selinux="s", user__a="1", security__capability=CAPABILITY),
    ),
    case("binary-value", "any bytes in a value", with_xattrs(file("x", "1"), user__a=bytes(range(256)))),
    case(
        "empty-value",
        "an empty value",
        with_xattrs(file("x", "1"), user__a=""),
        umoci="Go's reader takes an empty value for no record",
    ),
    case("newline-value", "a newline and = in a value", with_xattrs(file("x", "1"), user__a="b=c\nd\n", user__e="f")),
    case("non-ascii-name", "a name beyond ASCII", with_xattrs(file("x", "1"), user__ä="1")),
    case(
        "libarchive",
        "base64 in LIBARCHIVE.xattr",
        pax({"LIBARCHIVE.xattr.user.a": "aGVsbG8"}, file("x", "1")),
        umoci=GO_ONLY,
    ),
    case(
        "libarchive-encoded",
        "a percent-encoded name",
        pax({"LIBARCHIVE.xattr.user.a%20b%25": "AQID"}, file("x", "1")),
        umoci=GO_ONLY,
    ),
    case(
        "libarchive-both",
        "libarchive writes both",
        pax({"LIBARCHIVE.xattr.user.a": "aGVsbG8", "SCHILY.xattr.user.a": "hello"}, file("x", "1")),
    ),
    case(
        "libarchive-selinux",
        "security.selinux is dropped there, too",
        pax({"LIBARCHIVE.xattr.security.selinux": "AQID"}, file("x", "1")),
    ),
    case(
        "replaced-without",
        "the new file has none of the old's",
        with_xattrs(file("x", "1"), user__a="1"),
        file("x", "2"),
    ),
    case(
        "on-hard-link",
        "a link's own records do not count",
        layer(file("x", "1"), with_xattrs(hard_link("y", "x"), user__a="1")),
    ),
    case(
        "moved",
        "a name that is written anew keeps them",
        layer(folder("usr"), symlink("l", "usr")),
        with_xattrs(file("l/x", "1"), user__a="1", security__selinux="s"),
    ),
    case(
        "linked-capability",
        "the link that becomes the file has them",
        layer(with_xattrs(file("x", "1", mode=0o755), security__capability=CAPABILITY), hard_link("y", "x")),
        whiteout("x"),
    ),
    case(
        "long-path-too",
        "with a path beyond ASCII in the same header",
        pax({"path": "é" * 80, "SCHILY.xattr.user.a": "1", "mtime": "1600000000.5"}, file("x", "1")),
    ),
    case(
        "rht-security",
        "RHT.security.selinux is dropped",
        pax({"RHT.security.selinux": "system_u:object_r:bin_t:s0"}, file("x", "1")),
    ),
)
