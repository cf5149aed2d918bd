"""buildah, with a store of its own."""

from __future__ import annotations

import os
from pathlib import Path

from .commands import Failed, call

NAME = "real"
CONTAINERFILE = Path(__file__).parent / "Containerfile"


class Builder:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # With overlay, layers are what docker makes of them: folders that were made anew are opaque. vfs, which works
        # everywhere, copies the whole tree for each layer and names each file that is gone.
        self.driver = next(driver for driver in ("overlay", "vfs") if self._works(driver))

    def _buildah(self, driver: str, *arguments: str | Path) -> str:
        root, run = self.folder / f"{driver}-root", self.folder / f"{driver}-run"
        return call(["buildah", "--root", root, "--runroot", run, "--storage-driver", driver, *arguments])

    def _works(self, driver: str) -> bool:
        try:
            container = self._buildah(driver, "from", "scratch").split()[-1]
            self._buildah(driver, "mount", container)
            self._buildah(driver, "rm", container)
        except Failed:
            if driver == "vfs":
                raise
            return False
        return True

    def build(self, root_filesystem: Path) -> None:
        # The network is the machine's: apt in the image asks the mirror that the root filesystem came from.
        how = ["--layers", "--isolation", "chroot", "--network", "host", "--cap-add", "MKNOD"]
        self._buildah(
            self.driver,
            *("bud", *how, "--build-arg", f"ROOTFS={root_filesystem.name}"),
            *("-f", CONTAINERFILE, "-t", NAME, root_filesystem.parent),
        )

    def push(self, destination: str) -> None:
        self._buildah(self.driver, "push", "--tls-verify=false", NAME, destination)

    def remove(self) -> None:
        """Takes away what it has mounted, and all files."""
        below = os.fsencode(self.folder) + b"/"
        with open("/proc/self/mountinfo", "rb") as mounts:
            points = [line.split()[4] for line in mounts]
        for point in sorted((point for point in points if point.startswith(below)), reverse=True):
            call(["umount", os.fsdecode(point)])
        call(["rm", "-rf", "--one-file-system", self.folder])
