"""An image as an OCI layout folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .layer import Layer, digest

REFERENCE = "latest"


def _blob(folder: Path, name: str, content: bytes) -> None:
    (folder / "blobs" / "sha256" / name.removeprefix("sha256:")).write_bytes(content)


def _json_blob(folder: Path, media_type: str, document: dict[str, Any]) -> dict[str, Any]:
    content = json.dumps(document).encode()
    _blob(folder, digest(content), content)
    return {"mediaType": media_type, "digest": digest(content), "size": len(content)}


def write_layout(folder: Path, layers: Sequence[Layer]) -> None:
    (folder / "blobs" / "sha256").mkdir(parents=True)
    for layer in layers:
        _blob(folder, layer.digest, layer.blob)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": _json_blob(folder, "application/vnd.oci.image.config.v1+json", config),
        "layers": [
            {"mediaType": layer.media_type, "digest": layer.digest, "size": len(layer.blob)} for layer in layers
        ],
    }
    described = _json_blob(folder, "application/vnd.oci.image.manifest.v1+json", manifest)
    described["annotations"] = {"org.opencontainers.image.ref.name": REFERENCE}
    described["platform"] = {"architecture": "amd64", "os": "linux"}
    index = {"schemaVersion": 2, "manifests": [described]}
    (folder / "index.json").write_text(json.dumps(index))
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
