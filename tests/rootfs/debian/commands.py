"""Programs that are to succeed, and may take long."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

ENVIRONMENT = {**os.environ, "LC_ALL": "C", "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin"}
TIMEOUT = 900
SHOWN = 30


class Failed(Exception):
    pass


def call(command: Sequence[str | Path]) -> str:
    """What it prints, errors too."""
    result = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=ENVIRONMENT,
        timeout=TIMEOUT,
        check=False,
    )
    told = result.stdout.decode("utf-8", "backslashreplace")
    if result.returncode != 0:
        last = "\n".join(told.splitlines()[-SHOWN:])
        raise Failed(f"{' '.join(map(str, command))} ended with {result.returncode}:\n{last}")
    return told
