"""How layers are compressed, and what the manifest says of it."""

import zlib
from functools import partial

from layers.compression import member, members, zstd, zstd_skippable
from layers.entries import file, folder, opaque, whiteout
from layers.layer import DOCKER, OCI, Layer, layer

from .case import Case, case, topic

TEXT = "".join(f"line {n} of the file, {n * n % 9973}\n" for n in range(6000))
PLAIN = layer(
    folder("d"), file("d/text", TEXT), file("d/x", "x"), file("d/zeros", bytes(200_000)), file("e", "e" * 70_000)
)
# Cuts in the middle, so that bytes before and after are wanted.
CUT = layer(whiteout("d/x"), file("e", "new"))
ZSTD = OCI + "+zstd"
NO_ZSTD = "umoci 0.4.7 knows no zstd"
NO_SNIFFING = "umoci goes by the media type"


def kept_and_cut(name: str, shows: str, packed: Layer, **more: str) -> list[Case]:
    """The layer alone, and with a layer that cuts into it."""
    return [case(name, shows, packed, **more), case(name + "-cut", shows + ", cut", packed, CUT, **more)]


CASES = topic(
    "compressions",
    *(
        it
        for level in (0, 1, 6, 9)
        for it in kept_and_cut(f"gzip-{level}", f"level {level}", PLAIN.packed(partial(member, level=level)))
    ),
    *kept_and_cut("gzip-members", "several members", PLAIN.packed(lambda b: members(b, [1000, 1512, 60_000, 200_001]))),
    *kept_and_cut(
        "gzip-tiny-members", "hundreds of members", PLAIN.packed(lambda b: members(b, list(range(500, len(b), 2500))))
    ),
    *kept_and_cut(
        "gzip-empty-members",
        "members without data",
        PLAIN.packed(lambda b: member(b"") + members(b, [700, 700]) + member(b"")),
    ),
    *kept_and_cut(
        "gzip-fields",
        "extra field, name, comment and header checksum",
        PLAIN.packed(
            lambda b: member(b, extra=b"AB\x04\0test", name=b"layer.tar", comment=b"made by hand", header_checksum=True)
        ),
        umoci="umoci 0.4.7's gzip reader does not add up header checksums rightly",
    ),
    *kept_and_cut(
        "gzip-zeros",
        "zeros behind the stream",
        PLAIN.packed(lambda b: member(b) + bytes(1000)),
        umoci="umoci takes nothing behind the stream",
    ),
    *kept_and_cut("gzip-fixed", "fixed codes", PLAIN.packed(lambda b: member(b, strategy=zlib.Z_FIXED))),
    *kept_and_cut(
        "gzip-huffman", "codes without matches", PLAIN.packed(lambda b: member(b, strategy=zlib.Z_HUFFMAN_ONLY))
    ),
    *kept_and_cut("gzip-rle", "matches of distance 1", PLAIN.packed(lambda b: member(b, strategy=zlib.Z_RLE))),
    *kept_and_cut("gzip-flushed", "many empty stored blocks", PLAIN.packed(lambda b: member(b, flush_every=3000))),
    *kept_and_cut("zstd", "zstd", PLAIN.packed(zstd, ZSTD), umoci=NO_ZSTD),
    *kept_and_cut("zstd-19", "a high level", PLAIN.packed(lambda b: zstd(b, "-19"), ZSTD), umoci=NO_ZSTD),
    *kept_and_cut(
        "zstd-frames",
        "several frames",
        PLAIN.packed(lambda b: zstd(b[:1000]) + zstd(b[1000:99_999]) + zstd(b[99_999:]), ZSTD),
        umoci=NO_ZSTD,
    ),
    *kept_and_cut(
        "zstd-skippable",
        "skippable frames",
        PLAIN.packed(lambda b: zstd_skippable(b"first") + zstd(b) + zstd_skippable(b"last"), ZSTD),
        umoci=NO_ZSTD,
    ),
    *kept_and_cut(
        "zstd-long", "a window of 128 MiB", PLAIN.packed(lambda b: zstd(b, "--long=27"), ZSTD), umoci=NO_ZSTD
    ),
    *kept_and_cut(
        "zstd-no-check", "without a checksum", PLAIN.packed(lambda b: zstd(b, "--no-check"), ZSTD), umoci=NO_ZSTD
    ),
    *kept_and_cut("none", "uncompressed", PLAIN.uncompressed()),
    case("gzip-over-gzip", "two gzip layers", PLAIN, layer(file("d/x", TEXT), file("f", "f"))),
    case("gzip-over-none", "gzip over plain", PLAIN.uncompressed(), CUT),
    case("none-over-gzip", "plain over gzip", PLAIN, CUT.uncompressed()),
    case("zstd-over-gzip", "zstd over gzip", PLAIN, CUT.packed(zstd, ZSTD), umoci=NO_ZSTD),
    case("gzip-over-zstd", "gzip over zstd", PLAIN.packed(zstd, ZSTD), CUT, umoci=NO_ZSTD),
    case(
        "all-three",
        "three ways in a stack",
        PLAIN.uncompressed(),
        CUT,
        layer(opaque("d"), file("d/n", "n")).packed(zstd, ZSTD),
        umoci=NO_ZSTD,
    ),
    case("gzip-as-tar", "gzip called tar", PLAIN.packed(member, OCI), umoci=NO_SNIFFING),
    case("tar-as-gzip", "tar called gzip", PLAIN.packed(bytes, OCI + "+gzip"), umoci=NO_SNIFFING),
    case("zstd-as-gzip", "zstd called gzip", PLAIN.packed(zstd, OCI + "+gzip"), umoci=NO_ZSTD),
    case("gzip-as-zstd", "gzip called zstd", PLAIN.packed(member, ZSTD), umoci=NO_SNIFFING),
    case(
        "docker", "Docker's media type", PLAIN.packed(member, DOCKER), umoci="umoci 0.4.7 takes OCI's media types only"
    ),
    case(
        "nondistributable",
        "OCI's media type for foreign layers",
        PLAIN.packed(member, "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"),
    ),
    case("same-blob-twice", "one blob as two layers", PLAIN, CUT, PLAIN),
    case("small", "a layer smaller than a deflate block", file("x", "1")),
    case(
        "incompressible", "stored blocks by themselves", file("x", zlib.compress(TEXT.encode()) * 3), whiteout("none")
    ),
)
