"""What the layers of an OCI layout have, so that a test of them shows what it claims."""

from __future__ import annotations

import gzip
import json
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

LAYERS = 8
PLAIN = 1 << 30


def read_json(file: Path) -> Any:
    return json.loads(file.read_bytes())


def blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")


def image_of(layout: Path) -> str:
    """The digest of the manifest."""
    (described,) = read_json(layout / "index.json")["manifests"]
    return str(described["digest"])


def layers_of(layout: Path) -> list[str]:
    return [layer["digest"] for layer in read_json(blob(layout, image_of(layout)))["layers"]]


def count(layer: Path, seen: Counter[str]) -> None:
    """Adds what is in a layer."""
    with gzip.open(layer) as plain:
        with tarfile.open(fileobj=plain, mode="r|") as archive:
            for entry in archive:
                base = entry.name.rsplit("/", 1)[-1]
                seen["opaque folders"] += base == ".wh..wh..opq"
                seen["whiteouts"] += base.startswith(".wh.") and base != ".wh..wh..opq"
                seen["hard links"] += entry.islnk()
                seen["symbolic links"] += entry.issym()
                seen["setuid"] += entry.isreg() and bool(entry.mode & 0o4000)
                seen["setgid"] += entry.isreg() and bool(entry.mode & 0o2000)
                seen["devices"] += entry.ischr()
                seen["capabilities"] += "SCHILY.xattr.security.capability" in entry.pax_headers
                seen["user xattrs"] += "SCHILY.xattr.user.note" in entry.pax_headers
        while plain.read(1 << 20):
            pass
        seen["plain bytes"] += plain.tell()


def faults(layout: Path, driver: str) -> list[str]:
    """What the layers lack."""
    layers = layers_of(layout)
    seen: Counter[str] = Counter()
    for layer in layers:
        count(blob(layout, layer), seen)
    print(f"{len(layers)} layers by {driver}:", ", ".join(f"{number:,} {what}" for what, number in seen.items()))
    lacks = [f"no {what}" for what, number in seen.items() if not number and (what, driver) != ("opaque folders", "vfs")]
    if len(layers) < LAYERS:
        lacks.append(f"{len(layers)} layers, not {LAYERS}")
    if seen["plain bytes"] <= PLAIN:
        lacks.append(f"only {seen['plain bytes']} plain bytes")
    return lacks
