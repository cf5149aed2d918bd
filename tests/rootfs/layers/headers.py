"""Raw tar headers: every field as the caller wants it, also wrong."""

from __future__ import annotations

BLOCK = 512
Number = int | bytes
Text = str | bytes

# The bytes 257 to 264: magic and version.
MAGIC = {"ustar": b"ustar\x0000", "gnu": b"ustar  \0", "star": b"ustar\x0000", "v7": bytes(8)}
PREFIX_LENGTH = {"ustar": 155, "gnu": 0, "star": 131, "v7": 0}


def to_bytes(text: Text) -> bytes:
    return text.encode() if isinstance(text, str) else text


def base256(value: int, width: int) -> bytes:
    """GNU's binary number: the top bit is a flag, the rest two's complement."""
    number = bytearray(value.to_bytes(width, "big", signed=True))
    number[0] |= 0x80
    return bytes(number)


def number(value: Number, width: int) -> bytes:
    """Octal where it fits, else base-256; bytes stand as they are."""
    if isinstance(value, bytes):
        return value.ljust(width, b"\0")
    if 0 <= value < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, value)
    return base256(value, width)


def split_name(name: bytes, prefix_length: int) -> tuple[bytes, bytes]:
    """(prefix, name) of a name that may be longer than the name's 100 bytes."""
    if len(name) <= 100:
        return b"", name
    for at in range(len(name) - 101, min(len(name) - 1, prefix_length + 1)):
        if at > 0 and name[at : at + 1] == b"/":
            return name[:at], name[at + 1 :]
    raise ValueError(f"the header has no place for {name!r}")


def checksum(block: bytes | bytearray, signed: bool = False) -> int:
    total = sum(block[:148]) + 8 * 0x20 + sum(block[156:])
    if signed:
        total -= 256 * sum(1 for byte in block[:148] + block[156:] if byte >= 0x80)
    return total


def padding(length: int) -> bytes:
    return bytes(-length % BLOCK)


def header(
    name: Text,
    kind: bytes,
    *,
    dialect: str = "ustar",
    mode: Number = 0o644,
    uid: Number = 0,
    gid: Number = 0,
    size: Number = 0,
    mtime: Number = 1_600_000_000,
    link: Text = b"",
    uname: bytes = b"",
    gname: bytes = b"",
    device: tuple[Number, Number] | None = None,
    prefix: bytes | None = None,
    tail: bytes | None = None,
    signed_checksum: bool = False,
    wrong_checksum: bool = False,
) -> bytes:
    """One header block. `tail` is what stands from byte 345 on, in place of the prefix."""
    raw = to_bytes(name)
    if prefix is None:
        prefix, raw = split_name(raw, PREFIX_LENGTH[dialect])
    block = bytearray(BLOCK)

    def put(at: int, value: bytes, width: int) -> None:
        if len(value) > width:
            raise ValueError(f"{value!r} is longer than its field of {width} bytes")
        block[at : at + len(value)] = value

    put(0, raw, 100)
    put(100, number(mode, 8), 8)
    put(108, number(uid, 8), 8)
    put(116, number(gid, 8), 8)
    put(124, number(size, 12), 12)
    put(136, number(mtime, 12), 12)
    put(156, kind, 1)
    put(157, to_bytes(link), 100)
    put(257, MAGIC[dialect], 8)
    if dialect != "v7":
        put(265, uname, 32)
        put(297, gname, 32)
    if device is not None:
        put(329, number(device[0], 8), 8)
        put(337, number(device[1], 8), 8)
    put(345, prefix, 155)
    if dialect == "star":
        put(476, number(1_500_000_000, 12), 12)
        put(488, number(1_500_000_000, 12), 12)
        put(508, b"tar\0", 4)
    if tail is not None:
        put(345, tail, BLOCK - 345)
    total = checksum(block, signed_checksum) + (1 if wrong_checksum else 0)
    put(148, b"%06o\0 " % total, 8)
    return bytes(block)
