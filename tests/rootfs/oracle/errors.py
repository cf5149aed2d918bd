from __future__ import annotations


class Refused(Exception):
    """The layers cannot be applied. The message names the entry where there is one."""


def refuse(what: str, entry: bytes | None = None) -> Refused:
    if entry is None:
        return Refused(what)
    return Refused(f"{entry.decode('utf-8', 'backslashreplace')}: {what}")
