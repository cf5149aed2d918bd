"""A row of the corpus."""

from __future__ import annotations

from dataclasses import dataclass, replace

from layers.layer import Layer, layer


@dataclass(frozen=True)
class Case:
    name: str
    # What it shows, in a word.
    shows: str
    layers: tuple[Layer, ...]
    # What the message must contain when the image is refused; "" for any message. None: it is taken.
    error: str | None = None
    # The blob of the only layer is the archive, folders in its order or without an entry; bsdtar makes the same of it.
    as_it_is: bool = False
    # Whether the tar is fine and the fault is in the blob or the manifest, which the oracle does not see.
    fault_outside_tar: bool = False
    # Why umoci's tree (or its refusal) differs from the rules.
    umoci: str = ""
    # Why umoci is not asked.
    not_for_umoci: str = ""
    # Why GNU tar is not asked to extract the archive.
    gnu_tar: str = ""


def case(name: str, shows: str, *layers: Layer | bytes, **more: object) -> Case:
    """A layer that is given as bytes is one of a single entry (or of several joined ones)."""
    stack = tuple(it if isinstance(it, Layer) else layer(it) for it in layers)
    return replace(Case(name, shows, stack), **more)  # type: ignore[arg-type]


def topic(name: str, *cases: Case) -> list[Case]:
    return [replace(it, name=f"{name}/{it.name}") for it in cases]
