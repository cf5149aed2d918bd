"""Runs the program on an image and checks what it leaves."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from corpus.case import Case
from oracle.apply import apply_layers
from oracle.errors import Refused
from trees.compare import differences
from trees.disk import read_tree
from trees.place import Tree

from .commands import DECOMPRESSORS, GNU_TAR, WSL_1, WSL_2, extract, message_of, run
from .stream import BadStream, read_plain, stream_faults


def expected_tree(case: Case) -> Tree:
    return apply_layers(layer.plain for layer in case.layers)


def error_faults(case: Case, program: Path, layout: Path, output: Path) -> list[str]:
    """The program must fail, say of what, and leave nothing that looks like an archive."""
    assert case.error is not None
    result = run([program, "--path", layout, "-o", output])
    faults = []
    if result.returncode != 1:
        faults.append(f"exit code {result.returncode}, not 1: {message_of(result)}")
    elif case.error not in message_of(result) or not message_of(result):
        faults.append(f"the message has no {case.error!r}: {message_of(result)}")
    left = [file.name for file in output.parent.iterdir() if not file.name.endswith(".partial")]
    if left:
        faults.append(f"left behind: {', '.join(sorted(left))}")
    return faults


def archive_faults(case: Case, program: Path, layout: Path, output: Path) -> list[str]:
    result = run([program, "--path", layout, "-o", output])
    if result.returncode != 0:
        return [f"exit code {result.returncode}: {message_of(result)}"]
    if not output.is_file():
        return ["no archive was written"]
    faults = digest_faults(result.stdout, output)
    is_the_layer = len(case.layers) == 1 and output.read_bytes() == case.layers[0].blob
    if case.as_it_is and not is_the_layer:
        faults.append("the archive is not the layer as it is")
    expected = expected_tree(case)
    try:
        plain = read_plain(output)
        faults += decompression_faults(output, plain)
        faults += stream_faults(plain, expected, as_it_is=is_the_layer)
        faults += [f"applied: {line}" for line in differences(expected, apply_layers([plain]))]
    except (BadStream, Refused) as error:
        return faults + [str(error)]
    return faults + [f"{who}: {fault}" for who, fault in extraction_faults(case, expected, output, plain)]


def decompression_faults(archive: Path, plain: bytes) -> list[str]:
    """Other readers of gzip must find the same bytes."""
    others = [command[0] for command in DECOMPRESSORS if run(command, archive).stdout != plain]
    return [f"{' and '.join(others)} find other bytes in it"] if others else []


def digest_faults(stdout: bytes, output: Path) -> list[str]:
    stated = re.findall(rb"sha256:[0-9a-f]{64}", stdout)
    actual = b"sha256:" + hashlib.sha256(output.read_bytes()).hexdigest().encode()
    return [] if stated == [actual] else [f"the program printed {stdout!r}, the digest is {actual!r}"]


def extraction_faults(case: Case, expected: Tree, archive: Path, plain: bytes) -> Iterator[tuple[str, str]]:
    """What becomes of the archive on a disk: (who extracted it, what is wrong)."""
    work = archive.parent.parent
    result = extract(WSL_2, work / "wsl-2", archive)
    if result.returncode != 0 or result.stderr:
        yield "WSL 2", f"exit code {result.returncode}: {message_of(result)}"
    yield from (("WSL 2", line) for line in differences(expected, read_tree(bytes(work / "wsl-2"))))
    result = extract(WSL_1, work / "wsl-1", archive)
    if result.returncode != 0:
        yield "WSL 1", f"exit code {result.returncode}: {message_of(result)}"
    if case.gnu_tar:
        return
    # GNU tar takes no compressed archive from a pipe.
    uncompressed = work / "plain.tar"
    uncompressed.write_bytes(plain)
    result = extract(GNU_TAR, work / "gnu-tar", uncompressed)
    if result.returncode != 0:
        yield "GNU tar", f"exit code {result.returncode}: {message_of(result)}"
    yield from (("GNU tar", line) for line in differences(expected, read_tree(bytes(work / "gnu-tar"))))
