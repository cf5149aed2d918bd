"""Debian's docker-registry on loopback, without TLS."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from pathlib import Path

from .commands import ENVIRONMENT

CONFIGURATION = """\
version: 0.1
storage:
  filesystem:
    rootdirectory: {folder}/store
http:
  addr: 127.0.0.1:0
  secret: tests
"""
STARTING = 60


class Registry:
    """Ends with the block that it is for."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "store/docker/registry/v2"
        folder.mkdir()
        (folder / "config.yml").write_text(CONFIGURATION.format(folder=folder))
        self.process = subprocess.Popen(
            ["docker-registry", "serve", folder / "config.yml"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
        )
        self.lines: list[str] = []
        self.listens = threading.Event()
        self.port = 0
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        if not self.listens.wait(STARTING) or not self.port:
            self.end()
            raise RuntimeError("docker-registry does not listen: " + "".join(self.lines[-5:]))

    def _read(self) -> None:
        # To its end, so that it never waits for somebody to read.
        assert self.process.stderr is not None
        for raw in self.process.stderr:
            line = raw.decode("utf-8", "backslashreplace")
            self.lines.append(line)
            found = re.search(r"listening on 127\.0\.0\.1:(\d+)", line)
            if found:
                self.port = int(found[1])
                self.listens.set()
        self.listens.set()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def copy_to(self, layout: Path, name: str) -> None:
        """Makes an OCI layout of the only image: the registry has the same blobs under other names."""
        (layout / "blobs/sha256").mkdir(parents=True)
        for data in self.store.glob("blobs/sha256/*/*/data"):
            (layout / "blobs/sha256" / data.parent.name).hardlink_to(data)
        (link,) = self.store.glob("repositories/**/_manifests/tags/*/current/link")
        digest = link.read_text().strip()
        manifest = (layout / "blobs" / digest.replace(":", "/")).read_bytes()
        described = {
            "mediaType": json.loads(manifest)["mediaType"],
            "digest": digest,
            "size": len(manifest),
            "annotations": {"org.opencontainers.image.ref.name": name},
        }
        (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [described]}))
        (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.reader.join()

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
