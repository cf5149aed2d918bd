"""Sparse files as GNU tar writes them: the old kind S, and pax 0.0, 0.1 and 1.0."""

from __future__ import annotations

from typing import Any

from .entries import Records, entry, file, pax
from .headers import BLOCK, Text, header, number, padding, to_bytes

# Where the data lies in the whole file, and the data.
Pieces = list[tuple[int, bytes]]


def _joined(pieces: Pieces) -> bytes:
    return b"".join(data for _, data in pieces)


def _map(pieces: Pieces, size: int) -> list[tuple[int, int]]:
    """GNU tar ends the map with an empty piece where the file ends in a hole."""
    places = [(offset, len(data)) for offset, data in pieces]
    if not places or sum(places[-1]) < size:
        places.append((size, 0))
    return places


def gnu_sparse(name: Text, size: int, pieces: Pieces, **fields: Any) -> bytes:
    """Kind S: four pieces in the header, 21 in each block that follows."""
    data = _joined(pieces)
    places = [number(offset, 12) + number(length, 12) for offset, length in _map(pieces, size)]
    rest = places[4:]
    tail = bytes(41) + b"".join(places[:4]).ljust(96, b"\0") + bytes([bool(rest)]) + number(size, 12)
    blocks = header(name, b"S", dialect="gnu", size=len(data), tail=tail, **fields)
    while rest:
        now, rest = rest[:21], rest[21:]
        blocks += (b"".join(now).ljust(504, b"\0") + bytes([bool(rest)])).ljust(BLOCK, b"\0")
    return blocks + data + padding(len(data))


def pax_sparse_00(name: Text, size: int, pieces: Pieces, more: Records = (), **fields: Any) -> bytes:
    places = _map(pieces, size)
    records: list[tuple[Text, Text]] = [("GNU.sparse.size", str(size)), ("GNU.sparse.numblocks", str(len(places)))]
    for offset, length in places:
        records += [("GNU.sparse.offset", str(offset)), ("GNU.sparse.numbytes", str(length))]
    return pax(records + list(more), file(name, _joined(pieces), **fields))


def pax_sparse_01(name: Text, size: int, pieces: Pieces, **fields: Any) -> bytes:
    places = _map(pieces, size)
    records: dict[str, Text] = {
        "GNU.sparse.size": str(size),
        "GNU.sparse.numblocks": str(len(places)),
        "GNU.sparse.name": to_bytes(name),
        "GNU.sparse.map": ",".join(f"{offset},{length}" for offset, length in places),
    }
    return pax(records, file("GNUSparseFile.1/placeholder", _joined(pieces), **fields))


def pax_sparse_10(name: Text, size: int, pieces: Pieces, more: Records = (), **fields: Any) -> bytes:
    places = _map(pieces, size)
    text = "".join(f"{value}\n" for value in [len(places), *(part for place in places for part in place)]).encode()
    records: list[tuple[Text, Text]] = [
        ("GNU.sparse.major", "1"),
        ("GNU.sparse.minor", "0"),
        ("GNU.sparse.name", to_bytes(name)),
        ("GNU.sparse.realsize", str(size)),
    ]
    stored = text + padding(len(text)) + _joined(pieces)
    return pax(records + list(more), entry("GNUSparseFile.1/placeholder", b"0", stored, **fields))
