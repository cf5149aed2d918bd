"""The image in every form that it comes in, and what the program makes of each."""

from __future__ import annotations

import gzip
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from checks.commands import WSL_2, extract, message_of
from trees.compare import differences
from trees.disk import read_tree

from . import bootstrap, layers
from .builder import NAME, Builder
from .commands import call
from .registry import Registry


class Image:
    def __init__(self, folder: Path, program: Path) -> None:
        self.folder, self.program = folder, program
        self.layout, self.oci, self.docker = folder / "layout", folder / "oci.tar", folder / "docker.tar"
        self.extracted = folder / "extracted"
        self.archives: dict[str, Path] = {}
        self.builder = Builder(folder / "builder")

    def is_built(self) -> list[str]:
        self.builder.build(bootstrap.root_filesystem())
        return []

    def is_pulled(self) -> list[str]:
        with Registry(self.folder / "registry") as registry:
            name = f"{registry.address}/deep/er/debian:12"
            self.builder.push(f"docker://{name}")
            faults = self._pull("registry", "--plain-http", name)
            registry.copy_to(self.layout, NAME)
        return faults + layers.faults(self.layout, self.builder.driver)

    def is_extracted(self) -> list[str]:
        """As WSL extracts it, it is the tree that umoci makes of the same layers."""
        call(["umoci", "unpack", "--image", f"{self.layout}:{NAME}", self.folder / "bundle"])
        result = extract(WSL_2, self.extracted, self.archives["registry"])
        faults = []
        if result.returncode or result.stderr:
            faults.append(f"bsdtar: exit code {result.returncode}: {message_of(result)}")
        expected = read_tree(bytes(self.folder / "bundle/rootfs"))
        print(f"{len(expected):,} names")
        return faults + differences(expected, read_tree(bytes(self.extracted)))

    def boots(self) -> list[str]:
        told = call(["chroot", self.extracted, "/bin/sh", "-c", "dpkg --audit"])
        return [f"dpkg --audit tells {told}"] if told else []

    def is_the_same_from_its_layout(self) -> list[str]:
        """Manifest and blobs are the same, so that the archive is, byte for byte."""
        return self._pull("layout", "--path", self.layout) + self._compare("layout", Path.open)

    def is_the_same_from_an_oci_archive(self) -> list[str]:
        """buildah compresses anew. To the same blobs, then the archive is the same too; else its plain bytes are."""
        self.builder.push(f"oci-archive:{self.oci}:{NAME}")
        unpacked = self.folder / "oci"
        unpacked.mkdir()
        call(["tar", "-C", unpacked, "-xf", self.oci])
        blobs = list(zip(layers.layers_of(self.layout), layers.layers_of(unpacked), strict=True))
        others = [str(number) for number, (one, other) in enumerate(blobs, 1) if one != other]
        print(f"oci-archive: other blobs than at the registry: {', '.join(others) or 'none'}")
        faults = self._pull("oci-archive", "--path", self.oci)
        is_same_image = layers.image_of(self.layout) == layers.image_of(unpacked)
        return faults + self._compare("oci-archive", Path.open if is_same_image else gzip.open)

    def is_the_same_from_a_docker_archive(self) -> list[str]:
        """Its layers are not compressed, so that the archive is compressed anew: its plain bytes are the same."""
        self.builder.push(f"docker-archive:{self.docker}:{NAME}:latest")
        faults = self._pull("docker-archive", "--path", self.docker)
        return faults + self._compare("docker-archive", gzip.open)

    def _pull(self, kind: str, *arguments: str | Path) -> list[str]:
        """Pulls it alone into a folder, in which there is nothing else in the end."""
        archive = self.folder / kind / "rootfs.tar.gz"
        archive.parent.mkdir(exist_ok=True)
        start = time.monotonic()
        told = call([self.program, *arguments, "-o", archive]).strip()
        print(f"{kind}: {archive.stat().st_size:,} bytes in {time.monotonic() - start:.1f} s", flush=True)
        self.archives[kind] = archive
        with open(archive, "rb") as file:
            actual = f"sha256:{hash_of(file)}"
        faults = [] if told == actual else [f"the program printed {told!r}, the digest is {actual}"]
        return faults + [f"left behind: {it.name}" for it in archive.parent.glob(f"{archive.name}?*")]

    def _compare(self, kind: str, reader: Callable[[Path, str], IO[bytes]]) -> list[str]:
        hashes = []
        for archive in (self.archives["registry"], self.archives[kind]):
            with reader(archive, "rb") as file:
                hashes.append(hash_of(file))
        return [] if hashes[0] == hashes[1] else [f"another archive than from the registry: {hashes}"]


def hash_of(file: IO[bytes]) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()
