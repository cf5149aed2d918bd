"""The maps of sparse files."""

from __future__ import annotations

from trees.content import Content

from .errors import refuse

BLOCK = 512
Map = list[tuple[int, int]]


def spread(places: Map, size: int, data: bytes) -> Content:
    """Puts the stored data at its places."""
    pieces = []
    at = end = 0
    for offset, length in places:
        if offset < end or length < 0 or offset + length > size:
            raise refuse("a sparse map has pieces that overlap, go back or lie behind the end")
        if length:
            pieces.append((offset, data[at : at + length]))
        at += length
        end = offset + length
    if at != len(data):
        raise refuse("a sparse map does not fit its data")
    return Content(size, tuple(pieces))


def pairs(numbers: list[int]) -> Map:
    if len(numbers) % 2:
        raise refuse("a sparse map has an odd number of values")
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def split_map_in_data(data: bytes) -> tuple[Map, bytes]:
    """pax 1.0: decimal lines in front of the data, filled up to a block."""
    at = 0

    def line() -> int:
        nonlocal at
        text, newline, _ = data[at:].partition(b"\n")
        if not newline or not text.isdigit():
            raise refuse("a sparse map in the data is not made of numbers")
        at += len(text) + 1
        return int(text)

    count = line()
    places = pairs([line() for _ in range(2 * count)])
    return places, data[at + -at % BLOCK :]
