"""The programs that the checks run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

# WSL's init gives bsdtar no locale that can be relied on.
ENVIRONMENT = {"LC_ALL": "C", "PATH": os.environ.get("PATH", "/usr/bin:/bin")}
NEEDED = ("bsdtar", "tar", "zstd", "gzip", "busybox", "7z")
TIMEOUT = 120

WSL_2 = ("bsdtar", "-C", "{}", "-x", "-p", "--xattrs", "--numeric-owner", "-f", "-")
WSL_1 = ("bsdtar", "-C", "{}", "-x", "-p", "--xattrs", "--no-acls", "-f", "-")
GNU_TAR = ("tar", "-C", "{}", "-x", "-p", "--xattrs", "--xattrs-include=*", "--numeric-owner", "-f", "-")
# What decompresses an archive to its output. bsdtar and Python do it anyway.
DECOMPRESSORS = (("gzip", "-dc"), ("busybox", "gunzip", "-c"), ("7z", "e", "-si", "-so", "-tgzip", "-bd"))


def run(command: Sequence[str | Path], stdin: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    with open(stdin or os.devnull, "rb") as source:
        return subprocess.run(command, stdin=source, capture_output=True, env=ENVIRONMENT, timeout=TIMEOUT, check=False)


def extract(command: Sequence[str], folder: Path, archive: Path) -> subprocess.CompletedProcess[bytes]:
    """Extracts into a new folder, root:root and 0755 as the root of a new file system is."""
    folder.mkdir()
    folder.chmod(0o755)
    return run([str(folder) if part == "{}" else part for part in command], archive)


def message_of(result: subprocess.CompletedProcess[bytes]) -> str:
    return result.stderr.decode("utf-8", "backslashreplace").strip()
