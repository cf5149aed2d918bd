"""The differences of two trees, as lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from .place import Place, Tree

SECOND = 1_000_000_000


def same_mtime(expected: int | None, found: int | None) -> bool:
    """Before 1970 a fraction is read in two ways: libarchive takes -1.5 as -1 + 0.5, GNU tar as -1 - 0.5."""
    if expected is not None and found is not None and expected < 0 and expected % SECOND:
        return abs(expected - found) <= SECOND
    return expected == found


def place_differences(name: bytes, expected: Place, found: Place) -> Iterator[str]:
    for field in fields(Place):
        want, have = getattr(expected, field.name), getattr(found, field.name)
        if not (same_mtime(want, have) if field.name == "mtime" else want == have):
            yield f"{name!r}: {field.name} is {have!r}, not {want!r}"


def differences(expected: Tree, found: Tree) -> list[str]:
    lines = []
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            lines.append(f"{name!r} is missing")
        elif name not in expected:
            lines.append(f"{name!r} ({found[name].kind.value}) should not be there")
        else:
            lines += place_differences(name, expected[name], found[name])
    return lines
