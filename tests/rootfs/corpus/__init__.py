"""Layer stacks, by topic, and what each shows."""

from . import (
    compressions,
    devices,
    dialects,
    folders,
    hard_links,
    hostile,
    long_names,
    many_layers,
    names,
    opaque,
    order,
    pax,
    replaced,
    sizes,
    sparse,
    symlinked_parents,
    times,
    whiteouts,
    xattrs,
)

CASES = [
    case
    for topic in (
        whiteouts,
        opaque,
        replaced,
        folders,
        hard_links,
        symlinked_parents,
        names,
        long_names,
        pax,
        sparse,
        sizes,
        times,
        xattrs,
        devices,
        dialects,
        compressions,
        many_layers,
        order,
        hostile,
    )
    for case in topic.CASES
]
