"""Many layers."""

from layers.entries import file, folder, hard_link, opaque, whiteout
from layers.layer import layer

from .case import case, topic

CASES = topic(
    "many-layers",
    case("2000-tiny", "a file in each of 2,000 layers", *(file(f"d{n % 7}/f{n}", str(n)) for n in range(2000))),
    case("same-file", "one file in each of 100 layers", *(file("x", str(n)) for n in range(100))),
    case(
        "same-folder",
        "one folder in each of 100 layers",
        *(folder("d", 0o700 + n % 64) + file(f"d/{n}") for n in range(100)),
    ),
    case(
        "made-and-removed",
        "every second layer removes what the one before has made",
        *(whiteout(f"f{n - 1}") if n % 2 else file(f"f{n}", str(n)) for n in range(99)),
    ),
    case(
        "emptied-each-time",
        "each layer empties the folder",
        *(layer(opaque("d"), file(f"d/{n}", str(n))) for n in range(50)),
    ),
    case(
        "link-chain",
        "a link to the link of the layer below",
        file("f0", "1"),
        *(hard_link(f"f{n}", f"f{n - 1}") for n in range(1, 50)),
        whiteout("f0"),
    ),
    case(
        "many-entries",
        "3,000 files in a layer, some replaced",
        layer(*(file(f"d/{n}", str(n)) for n in range(3000))),
        layer(*(file(f"d/{n}", "new") for n in range(0, 3000, 7)), *(whiteout(f"d/{n}") for n in range(1, 3000, 11))),
    ),
    case(
        "empty-ones",
        "layers without entries between others",
        layer(),
        file("x", "1"),
        layer(),
        layer(),
        file("y", "2"),
        layer(),
    ),
)
