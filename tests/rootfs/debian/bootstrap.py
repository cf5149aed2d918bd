"""The root filesystem of Debian that everything stands on. The PowerShell tests keep theirs in the same file."""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
from pathlib import Path

from .commands import call

DEFAULT_MIRROR = "http://deb.debian.org/debian"


def mirror() -> str:
    """The first that apt uses."""
    sources = sorted(Path("/etc/apt").glob("sources.list")) + sorted(Path("/etc/apt/sources.list.d").glob("*"))
    for file in sources:
        if file.suffix in (".list", ".sources"):
            found = re.search(r"https?://\S+/debian/?(?=\s)", file.read_text())
            if found:
                return found[0]
    return DEFAULT_MIRROR


def suite() -> str:
    """The machine's own Debian, whose keys debootstrap surely has; stable on another system."""
    release = platform.freedesktop_os_release()
    return release.get("VERSION_CODENAME", "stable") if release.get("ID") == "debian" else "stable"


def cache() -> Path:
    told = os.environ.get("WSLIMAGE_TEST_CACHE")
    return Path(told) if told else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wslimage-tests"


def root_filesystem() -> Path:
    """A tar.gz that is kept outside the repository: making it takes a minute and a network."""
    folder, name = cache(), f"debian-{suite()}-minbase.tar.gz"
    if not (folder / name).exists():
        folder.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix="debian-", dir=folder))
        try:
            call(["debootstrap", "--variant=minbase", suite(), work / "root", mirror()])
            call(["tar", "--numeric-owner", "-C", work / "root", "-czf", work / name, "."])
            (work / name).rename(folder / name)
        finally:
            call(["rm", "-rf", "--one-file-system", work])
    return folder / name


def missing() -> list[str]:
    there = (cache() / f"debian-{suite()}-minbase.tar.gz").exists()
    return [] if there or shutil.which("debootstrap", path="/usr/sbin:/usr/bin:/sbin:/bin") else ["debootstrap"]
