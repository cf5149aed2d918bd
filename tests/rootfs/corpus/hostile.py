"""Archives that are broken, or mean harm."""

from dataclasses import replace

from layers.compression import member, zstd
from layers.entries import entry, file, folder, gnu_long, symlink
from layers.layer import OCI, Layer, layer

from .case import case, topic

ZSTD = OCI + "+zstd"
GOOD = layer(folder("d"), file("d/x", "content" * 1000), file("y", "y"))


def with_wrong_byte(blob: bytes, at: int) -> bytes:
    at %= len(blob)
    return blob[:at] + bytes([blob[at] ^ 0x55]) + blob[at + 1 :]


def broken(damage: object, base: Layer = GOOD) -> Layer:
    return replace(base, blob=damage(base.blob))  # type: ignore[operator]


CASES = topic(
    "hostile",
    case(
        "bad-checksum",
        "a header's checksum is wrong",
        layer(file("x", "1"), file("wrong", "2", wrong_checksum=True)),
        error="",
    ),
    case(
        "bad-first-checksum", "the first header's checksum is wrong", file("wrong", "2", wrong_checksum=True), error=""
    ),
    case("not-tar", "no tar at all", layer(b"This is no archive. " * 100, end=b""), error=""),
    case("cut-header", "the layer ends in a header", layer(file("x", "1"), file("y", "2")[:300], end=b""), error=""),
    case("cut-data", "the layer ends in a file", layer(file("cut-here", "1" * 5000)[:3000], end=b""), error=""),
    case(
        "cut-data-lower",
        "a lower layer ends in a file",
        layer(file("cut-here", "1" * 5000)[:3000], end=b""),
        file("x"),
        error="",
    ),
    case("size-too-large", "a size that the layer does not have", layer(file("huge", "1", size=1 << 40)), error=""),
    case(
        "lone-zero-block",
        "a block of zeros between entries",
        layer(file("x", "1"), bytes(512), file("y", "2")),
        error="",
    ),
    case(
        "lone-zero-block-junk", "a block of zeros, then junk", layer(file("x", "1"), bytes(512), b"j" * 512), error=""
    ),
    *(
        case(
            f"kind-{flag.decode()}",
            f"kind {flag.decode()} is unknown",
            layer(file("x"), entry("strange", flag, b"data")),
            error="strange",
        )
        for flag in (b"8", b"9", b"D", b"M", b"N", b"V", b"X", b"Z", b"s")
    ),
    case("kind-8-empty", "an unknown kind without data", entry("strange", b"8"), error="strange"),
    case("bad-octal", "a mode that is no number", layer(file("x"), file("strange", mode=b"rwxr-xr")), error=""),
    case(
        "escape-absolute-link",
        "an absolute link into the machine",
        layer(symlink("out", "/etc"), file("out/rootfs-escaped", "1")),
    ),
    case(
        "escape-long",
        ".. at the end of a long way",
        gnu_long(file("x", "1"), name="a/" * 30 + "../" * 31 + "leaves-it"),
        error="leaves-it",
        umoci="umoci's .. at the root stays there, the rules refuse it",
    ),
    case("cut-gzip", "the gzip stream is cut", broken(lambda blob: blob[:-20]), error="", fault_outside_tar=True),
    case(
        "cut-gzip-trailer", "the gzip trailer is cut", broken(lambda blob: blob[:-3]), error="", fault_outside_tar=True
    ),
    case(
        "gzip-crc",
        "the checksum of the gzip stream is wrong",
        broken(lambda blob: with_wrong_byte(blob, -6)),
        error="",
        fault_outside_tar=True,
    ),
    case(
        "gzip-length",
        "the length of the gzip stream is wrong",
        broken(lambda blob: with_wrong_byte(blob, -2)),
        error="",
        fault_outside_tar=True,
    ),
    case(
        "gzip-data",
        "a wrong byte in the gzip stream",
        broken(lambda blob: with_wrong_byte(blob, len(blob) // 2)),
        error="",
        fault_outside_tar=True,
    ),
    case(
        "gzip-lower",
        "a wrong byte in a lower layer",
        broken(lambda blob: with_wrong_byte(blob, -6)),
        layer(file("z")),
        error="",
        fault_outside_tar=True,
    ),
    case(
        "cut-zstd",
        "the zstd stream is cut",
        broken(lambda blob: blob[:-9], GOOD.packed(zstd, ZSTD)),
        error="",
        fault_outside_tar=True,
    ),
    case(
        "zstd-window",
        "a window of 256 MiB",
        GOOD.packed(lambda b: zstd(b, "--long=28"), ZSTD),
        error="128 MiB",
        fault_outside_tar=True,
    ),
    case(
        "zstd-checksum",
        "the checksum of the zstd stream is wrong",
        broken(lambda blob: with_wrong_byte(blob, -1), GOOD.packed(zstd, ZSTD)),
        error="",
        fault_outside_tar=True,
    ),
    case(
        "wrong-digest",
        "a blob that is not what the manifest says",
        replace(GOOD, stated_digest="sha256:" + "0" * 64),
        error="",
        fault_outside_tar=True,
    ),
    case(
        "wrong-diff-id",
        "a layer that is not what the config says",
        replace(GOOD, stated_diff_id="sha256:" + "0" * 64),
        error="",
        fault_outside_tar=True,
    ),
    case("double-gzip", "gzip in gzip", GOOD.packed(lambda b: member(member(b))), error="", fault_outside_tar=True),
)
