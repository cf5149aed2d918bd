"""A layer's compressed bytes, in the ways that real and odd programs write them."""

from __future__ import annotations

import itertools
import shutil
import struct
import subprocess
import zlib
from collections.abc import Sequence


def deflate(plain: bytes, level: int = 6, strategy: int = zlib.Z_DEFAULT_STRATEGY, flush_every: int = 0) -> bytes:
    """Raw deflate. With `flush_every`, an empty stored block stands after each such run of bytes."""
    squeeze = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
    if not flush_every:
        return squeeze.compress(plain) + squeeze.flush()
    parts = []
    for at in range(0, len(plain), flush_every):
        parts += [squeeze.compress(plain[at : at + flush_every]), squeeze.flush(zlib.Z_SYNC_FLUSH)]
    return b"".join(parts) + squeeze.flush()


def member(
    plain: bytes,
    level: int = 6,
    *,
    extra: bytes | None = None,
    name: bytes | None = None,
    comment: bytes | None = None,
    header_checksum: bool = False,
    strategy: int = zlib.Z_DEFAULT_STRATEGY,
    flush_every: int = 0,
) -> bytes:
    """One gzip member with the optional fields of RFC 1952."""
    flags = 2 * header_checksum | 4 * (extra is not None) | 8 * (name is not None) | 16 * (comment is not None)
    start = b"\x1f\x8b\x08" + bytes([flags]) + bytes(4) + b"\0\xff"
    if extra is not None:
        start += struct.pack("<H", len(extra)) + extra
    for text in (name, comment):
        start += b"" if text is None else text + b"\0"
    if header_checksum:
        start += struct.pack("<H", zlib.crc32(start) & 0xFFFF)
    end = struct.pack("<II", zlib.crc32(plain), len(plain) & 0xFFFFFFFF)
    return start + deflate(plain, level, strategy, flush_every) + end


def members(plain: bytes, cuts: Sequence[int]) -> bytes:
    """Several members, cut at these places of the plain bytes, which need not be between entries."""
    edges = [0, *cuts, len(plain)]
    return b"".join(member(plain[start:end]) for start, end in itertools.pairwise(edges))


def zstd(plain: bytes, *options: str) -> bytes:
    """One zstd frame, by the program."""
    if shutil.which("zstd") is None:
        raise SystemExit("zstd is not installed")
    return subprocess.run(["zstd", "-q", "-c", *options], input=plain, stdout=subprocess.PIPE, check=True).stdout


def zstd_skippable(content: bytes) -> bytes:
    return struct.pack("<II", 0x184D2A50, len(content)) + content
