"""What is printed of a check, in one line."""

from __future__ import annotations

SHOWN = 10


def failure(name: str, faults: list[str]) -> str:
    more = f" (and {len(faults) - SHOWN} more)" if len(faults) > SHOWN else ""
    told = f"{'; '.join(faults[:SHOWN])}{more}"
    return f"failed: {name}: {' '.join(told.splitlines())}"
