"""Names of entries: cleaned, and what they say about whiteouts."""

from __future__ import annotations

from .errors import refuse

WHITEOUT = b".wh."
OPAQUE = b".wh..wh..opq"
AUFS = b".wh..wh."


def clean(name: bytes, entry: bytes) -> list[bytes]:
    """The parts of a name, worked out without looking at any tree."""
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part in (b"", b"."):
            continue
        if part != b"..":
            parts.append(part)
        elif parts:
            parts.pop()
        else:
            raise refuse("the name leads out of the root", entry)
    return parts


def below_whiteout(parts: list[bytes]) -> bool:
    return any(part.startswith(WHITEOUT) for part in parts[:-1])
