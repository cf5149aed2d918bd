"""The records of a pax header, and the numbers in them."""

from __future__ import annotations

import base64
import re
from urllib.parse import unquote_to_bytes

from .errors import refuse

Pairs = list[tuple[bytes, bytes]]
SECOND = 1_000_000_000


def parse_records(data: bytes) -> Pairs:
    pairs: Pairs = []
    at = 0
    while at < len(data):
        digits, space, _ = data[at:].partition(b" ")
        if not space or not digits.isdigit():
            raise refuse("a pax record has no length")
        end = at + int(digits)
        record = data[at + len(digits) + 1 : end]
        if end > len(data) or not record.endswith(b"\n") or b"=" not in record:
            raise refuse("a pax record does not end where it says")
        key, _, value = record[:-1].partition(b"=")
        pairs.append((key, value))
        at = end
    return pairs


def integer(text: bytes) -> int:
    if not re.fullmatch(rb"-?[0-9]+", text):
        raise refuse(f"a pax record has {text!r} as a number")
    return int(text)


def nanoseconds(text: bytes) -> int:
    """A time with a fraction. -1.5 is a second and a half before 1970."""
    parts = re.fullmatch(rb"(-?)([0-9]+)(?:\.([0-9]*))?", text)
    if parts is None:
        raise refuse(f"a pax record has {text!r} as a time")
    fraction = (parts[3] or b"")[:9].ljust(9, b"0")
    value = int(parts[2]) * SECOND + int(fraction)
    return -value if parts[1] else value


def xattrs(pairs: Pairs) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for key, value in pairs:
        if key.startswith(b"SCHILY.xattr."):
            found[key[13:].decode("utf-8", "surrogateescape")] = value
        elif key.startswith(b"LIBARCHIVE.xattr."):
            name = unquote_to_bytes(key[17:]).decode("utf-8", "surrogateescape")
            # The padding is not written.
            found[name] = base64.b64decode(value + b"=" * (-len(value) % 4))
    return found
