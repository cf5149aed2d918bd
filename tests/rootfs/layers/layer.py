"""A layer: its plain bytes, the bytes of its blob, and what the manifest says of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from .compression import member
from .entries import END

OCI = "application/vnd.oci.image.layer.v1.tar"
DOCKER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Layer:
    plain: bytes
    blob: bytes
    media_type: str = OCI + "+gzip"
    # What the manifest and the config say, where that is not the truth.
    stated_digest: str = ""
    stated_diff_id: str = ""

    @property
    def digest(self) -> str:
        return self.stated_digest or digest(self.blob)

    @property
    def diff_id(self) -> str:
        return self.stated_diff_id or digest(self.plain)

    def packed(self, compress: Callable[[bytes], bytes], media_type: str = OCI + "+gzip") -> Layer:
        return replace(self, blob=compress(self.plain), media_type=media_type)

    def uncompressed(self) -> Layer:
        return replace(self, blob=self.plain, media_type=OCI)


def layer(*entries: bytes, end: bytes = END) -> Layer:
    """These entries, compressed as most are: one gzip member."""
    plain = b"".join(entries) + end
    return Layer(plain, member(plain))
