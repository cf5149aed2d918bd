"""Whether this machine can hold what the cases make. What it cannot hold is an error, not a skip."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)


def missing_programs(programs: Sequence[str]) -> list[str]:
    return [f"{name} is not installed" for name in programs if shutil.which(name) is None]


def _attempts(folder: Path) -> Iterator[tuple[str, object]]:
    file, link = folder / "file", folder / "link"
    file.touch()
    link.symlink_to("file")
    yield "user xattrs", lambda: os.setxattr(file, "user.probe", b"1")
    yield "trusted xattrs", lambda: os.setxattr(file, "trusted.probe", b"1")
    yield "file capabilities", lambda: os.setxattr(file, "security.capability", CAPABILITY)
    yield "trusted xattrs of symbolic links", lambda: os.setxattr(link, "trusted.probe", b"1", follow_symlinks=False)
    yield "character devices", lambda: os.mknod(folder / "char", 0o020600, os.makedev(1, 3))
    yield "block devices", lambda: os.mknod(folder / "block", 0o060600, os.makedev(8, 1))
    yield "FIFOs", lambda: os.mkfifo(folder / "fifo")
    yield "sparse files of 9 GiB", lambda: os.truncate(file, 9 << 30)
    yield "names that are not UTF-8", lambda: os.mkdir(os.fsencode(folder) + b"/\xff")
    yield "other owners", lambda: os.chown(file, 123456, 654321)


def _holds_time(file: Path, time: int) -> bool:
    os.utime(file, ns=(time, time))
    return file.stat().st_mtime_ns == time


def missing_abilities(folder: Path) -> list[str]:
    """What root cannot do in this folder."""
    missing = []
    for what, attempt in _attempts(folder):
        try:
            attempt()  # type: ignore[operator]
        except OSError as error:
            missing.append(f"no {what} in {folder}: {error}")
    for time in (-1, -1_500_000_000, 1_600_000_000_123_456_789, 5_000_000_000_000_000_000):
        if not _holds_time(folder / "file", time):
            missing.append(f"{folder} does not keep the time {time}")
    return missing
