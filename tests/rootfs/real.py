#!/usr/bin/env python3
"""Checks the program with a real image: a Debian of many layers, from a registry and from files, in which dpkg works."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from checks.machine import missing_abilities, missing_programs
from checks.report import failure
from debian import bootstrap
from debian.image import Image

NEEDED = ("bsdtar", "buildah", "docker-registry", "tar", "umoci")
# The store of vfs has a whole tree a layer.
ROOM = 16 << 30


def machine_faults(options: argparse.Namespace, folder: Path) -> list[str]:
    if os.geteuid() != 0:
        return ["only root can make what the image has"]
    faults = missing_programs(NEEDED) + [f"{name} is not installed" for name in bootstrap.missing()]
    if not os.access(options.pull, os.X_OK):
        faults.append(f"{options.pull} is no program")
    free = shutil.disk_usage(folder).free
    if free < ROOM:
        faults.append(f"{folder} has only {free >> 30} GiB, and {ROOM >> 30} are needed")
    return faults + missing_abilities(folder)


def holds(check: Callable[[], list[str]]) -> bool:
    start = time.monotonic()
    try:
        faults = check()
    except Exception:
        faults = [traceback.format_exc()]
    told = failure(check.__name__, faults) if faults else f"{check.__name__}: yes"
    print(f"{told}, {time.monotonic() - start:.0f} s", flush=True)
    return not faults


def check_image(folder: Path, program: Path) -> int:
    image = Image(folder, program)
    checks = [
        image.is_built,
        image.is_pulled,
        image.is_extracted,
        image.boots,
        image.is_the_same_from_its_layout,
        image.is_the_same_from_an_oci_archive,
        image.is_the_same_from_a_docker_archive,
    ]
    try:
        results = [holds(check) for check in checks]
    finally:
        image.builder.remove()
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pull", type=Path, metavar="PROGRAM", required=True, help="the program")
    options = parser.parse_args()
    options.pull = options.pull.resolve()
    with tempfile.TemporaryDirectory(prefix="rootfs-real-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "probe").mkdir()
        unfit = machine_faults(options, folder / "probe")
        if unfit:
            print("\n".join(unfit), file=sys.stderr)
            return 2
        return check_image(folder, options.pull)


if __name__ == "__main__":
    sys.exit(main())
