#!/usr/bin/env python3
"""Checks the program, which turns images into archives, against the oracle, bsdtar, GNU tar and umoci."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

from checks.archive import archive_faults, error_faults
from checks.commands import NEEDED
from checks.machine import missing_abilities, missing_programs
from checks.report import failure
from checks.umoci import second_opinion_faults
from corpus import CASES
from corpus.case import Case
from dialect import dialect_faults, version
from layers.layout import write_layout


def faults_of(case: Case, folder: Path, options: argparse.Namespace) -> list[str]:
    layout, output = folder / "layout", folder / "output" / "rootfs.tar.gz"
    write_layout(layout, case.layers)
    output.parent.mkdir()
    faults: list[str] = []
    if options.pull:
        check = archive_faults if case.error is None else error_faults
        faults += check(case, options.pull, layout, output)
    if options.umoci:
        faults += second_opinion_faults(case, layout, folder / "bundle")
    return faults


def check_case(job: tuple[str, argparse.Namespace]) -> tuple[str, list[str]]:
    name, options = job
    case = next(it for it in CASES if it.name == name)
    folder = Path(tempfile.mkdtemp(prefix="rootfs-"))
    folder.chmod(0o755)
    try:
        return name, faults_of(case, folder, options)
    except Exception:
        return name, [traceback.format_exc()]
    finally:
        shutil.rmtree(os.fsencode(folder), ignore_errors=True)


def machine_faults(options: argparse.Namespace) -> list[str]:
    if os.geteuid() != 0:
        return ["only root can make what the cases make"]
    faults = missing_programs([*NEEDED, *(["umoci"] if options.umoci else [])])
    if options.pull and not os.access(options.pull, os.X_OK):
        faults.append(f"{options.pull} is no program")
    with tempfile.TemporaryDirectory(prefix="rootfs-") as folder:
        return faults + missing_abilities(Path(folder))


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pull", type=Path, metavar="PROGRAM", help="the program; it takes --path LAYOUT -o FILE")
    parser.add_argument("--only", metavar="NAME", default="", help="cases whose names contain this")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--umoci", action="store_true", help="ask umoci about each case, too")
    options = parser.parse_args()
    if not options.pull and not options.umoci:
        parser.error("nothing to check: give --pull PROGRAM, --umoci or both")
    if options.pull:
        options.pull = options.pull.resolve()
    return options


def report(name: str, faults: list[str]) -> bool:
    if faults:
        print(failure(name, faults), flush=True)
    return not faults


def main() -> int:
    options = parse_options()
    unfit = machine_faults(options)
    if unfit:
        print("\n".join(unfit), file=sys.stderr)
        return 2
    print(version(), flush=True)
    names = [case.name for case in CASES if options.only in case.name]
    if not names:
        print(f"no case has {options.only!r} in its name", file=sys.stderr)
        return 2
    with multiprocessing.Pool(options.jobs) as pool:
        results = [report(*result) for result in pool.imap_unordered(check_case, [(name, options) for name in names])]
    if not options.only:
        results += [report(f"dialect/{name}", faults) for name, faults in dialect_faults()]
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
