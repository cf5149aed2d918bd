"""What a file holds, without its zeros, so that a sparse file of 9 GiB costs nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

CHUNK = 4096
ZEROS = bytes(CHUNK)


@dataclass(frozen=True)
class Content:
    size: int
    # In order, without overlap; everything else is zero.
    pieces: tuple[tuple[int, bytes], ...] = ()

    def digest(self) -> str:
        return digest_of(self.pieces)


def whole(data: bytes) -> Content:
    return Content(len(data), ((0, data),) if data else ())


def digest_of(pieces: Iterable[tuple[int, bytes]]) -> str:
    """A hash of the chunks that are not all zero and of their places: holes and runs of zeros are alike."""
    chunks: dict[int, bytearray] = {}
    for offset, data in pieces:
        at = 0
        while at < len(data):
            index, inside = divmod(offset + at, CHUNK)
            length = min(CHUNK - inside, len(data) - at)
            chunk = chunks.setdefault(index, bytearray(CHUNK))
            chunk[inside : inside + length] = data[at : at + length]
            at += length
    total = hashlib.sha256()
    for index in sorted(chunks):
        if chunks[index] != ZEROS:
            total.update(b"%d:" % index + chunks[index])
    return total.hexdigest()
