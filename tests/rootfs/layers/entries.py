"""Entries of a layer: extension headers, header, data and padding, ready to be joined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .headers import BLOCK, Number, Text, header, padding, to_bytes

END = bytes(2 * BLOCK)
Records = Iterable[tuple[Text, Text]]


def entry(name: Text, kind: bytes, data: bytes = b"", *, size: Number | None = None, **fields: Any) -> bytes:
    stated = len(data) if size is None else size
    return header(name, kind, size=stated, **fields) + data + padding(len(data))


def file(name: Text, data: Text = b"", **fields: Any) -> bytes:
    return entry(name, fields.pop("kind", b"0"), to_bytes(data), **fields)


def folder(name: Text, mode: Number = 0o755, **fields: Any) -> bytes:
    return entry(to_bytes(name) + b"/", b"5", mode=mode, **fields)


def symlink(name: Text, target: Text, **fields: Any) -> bytes:
    return entry(name, b"2", link=target, mode=0o777, **fields)


def hard_link(name: Text, target: Text, **fields: Any) -> bytes:
    return entry(name, b"1", link=target, **fields)


def character_device(name: Text, major: Number, minor: Number, **fields: Any) -> bytes:
    return entry(name, b"3", device=(major, minor), **fields)


def block_device(name: Text, major: Number, minor: Number, **fields: Any) -> bytes:
    return entry(name, b"4", device=(major, minor), **fields)


def fifo(name: Text, **fields: Any) -> bytes:
    return entry(name, b"6", **fields)


def whiteout(name: Text, **fields: Any) -> bytes:
    """The entry that removes `name`."""
    parent, slash, base = to_bytes(name).rpartition(b"/")
    return file(parent + slash + b".wh." + base, **fields)


def opaque(name: Text, **fields: Any) -> bytes:
    """The entry that removes the lower children of the folder `name`; an empty name is the root."""
    parent = to_bytes(name)
    return file((parent + b"/" if parent else b"") + b".wh..wh..opq", **fields)


def record(key: Text, value: Text) -> bytes:
    """A pax record, which counts its own length."""
    body = b" " + to_bytes(key) + b"=" + to_bytes(value) + b"\n"
    length = len(body) + 1
    while len(body) + len(str(length)) != length:
        length = len(body) + len(str(length))
    return str(length).encode() + body


def join_records(records: Mapping[str, Text] | Records) -> bytes:
    pairs: Records = records.items() if isinstance(records, Mapping) else records
    return b"".join(record(key, value) for key, value in pairs)


def pax(records: Mapping[str, Text] | Records, of: bytes = b"", **fields: Any) -> bytes:
    """A pax header and the entry that it describes."""
    return entry("PaxHeaders/0", b"x", join_records(records), **fields) + of


def pax_global(records: Mapping[str, Text] | Records) -> bytes:
    return entry("pax_global_header", b"g", join_records(records))


def gnu_long(of: bytes, *, name: Text | None = None, link: Text | None = None) -> bytes:
    """GNU's headers for a long name and a long link in front of the entry that they describe."""
    long = b""
    if link is not None:
        long += entry("././@LongLink", b"K", to_bytes(link) + b"\0", dialect="gnu", mtime=0)
    if name is not None:
        long += entry("././@LongLink", b"L", to_bytes(name) + b"\0", dialect="gnu", mtime=0)
    return long + of
