"""A second opinion on the oracle: what umoci makes of the same image."""

from __future__ import annotations

from pathlib import Path

from corpus.case import Case
from layers.layout import REFERENCE
from oracle.errors import Refused
from trees.compare import differences
from trees.disk import read_tree

from .archive import expected_tree
from .commands import message_of, run


def umoci_differences(case: Case, layout: Path, bundle: Path) -> list[str]:
    """Where umoci's outcome is not the expected one."""
    bundle.parent.chmod(0o755)
    result = run(["umoci", "unpack", "--image", f"{layout}:{REFERENCE}", bundle])
    if case.error is not None:
        return [] if result.returncode else [f"umoci takes it; expected is an error about {case.error!r}"]
    try:
        expected = expected_tree(case)
    except Refused as error:
        return [f"the oracle refuses it: {error}"]
    if result.returncode:
        return [f"umoci refuses it: {last_line(message_of(result))}"]
    return differences(expected, read_tree(bytes(bundle / "rootfs")))


def last_line(message: str) -> str:
    return message.splitlines()[-1] if message else "without a message"


def second_opinion_faults(case: Case, layout: Path, bundle: Path) -> list[str]:
    """Differences need a reason, and reasons a difference."""
    if case.not_for_umoci:
        return []
    found = umoci_differences(case, layout, bundle)
    if found and not case.umoci:
        return [f"umoci: {line}" for line in found]
    if case.umoci and not found:
        return [f"umoci no longer differs: {case.umoci}"]
    return []
