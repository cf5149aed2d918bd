"""Which extended attributes the archive has."""

from __future__ import annotations

from trees.place import Kind


def is_kept(name: str, kind: Kind) -> bool:
    if name == "security.capability":
        return kind is Kind.FILE
    if name.startswith("user."):
        return kind in (Kind.FILE, Kind.FOLDER) and not name.startswith("user.overlay.")
    return name.startswith("trusted.") and not name.startswith("trusted.overlay.")
