"""Devices and FIFOs."""

from layers.entries import block_device, character_device, fifo, file, folder, whiteout
from layers.headers import base256
from layers.layer import layer

from .case import case, topic

MADE = "umoci makes the device"

CASES = topic(
    "devices",
    case("character", "a character device", character_device("null", 1, 3, mode=0o666)),
    case("block", "a block device", block_device("sda", 8, 0, mode=0o660, gid=6)),
    case("fifo", "a FIFO", fifo("p", mode=0o620, uid=3)),
    case(
        "large-numbers",
        "numbers beyond a byte",
        layer(character_device("a", 259, 65_537), block_device("b", 4095, 1_000_000)),
    ),
    case("base256-numbers", "numbers in base-256", character_device("a", base256(10, 8), base256(200, 8))),
    case(
        "overlay-whiteout",
        "a device 0:0 is not in the archive",
        layer(character_device("w", 0, 0), file("x", "1")),
        umoci=MADE,
    ),
    case(
        "overlay-whiteout-covers",
        "what it covers is gone",
        layer(file("w", "1"), file("x", "1")),
        character_device("w", 0, 0),
        umoci=MADE,
    ),
    case(
        "overlay-whiteout-folder",
        "a folder that it covers is gone",
        layer(folder("w"), file("w/y"), file("x", "1")),
        character_device("w", 0, 0),
        umoci=MADE,
    ),
    case("overlay-whiteout-replaced", "a file takes its place", character_device("w", 0, 0), file("w", "1")),
    case("block-0-0", "a block device 0:0 is a device", block_device("b", 0, 0)),
    case("character-0-1", "only 0:0 is special", layer(character_device("a", 0, 1), character_device("b", 1, 0))),
    case("device-removed", "a device goes", layer(character_device("n", 1, 3), file("x")), whiteout("n")),
    case(
        "device-with-size",
        "its size field means nothing",
        layer(character_device("n", 1, 3, size=4096), file("x", "1")),
    ),
    case("fifo-with-size", "its size field means nothing", layer(fifo("p", size=512), file("x", "1"))),
    case("folder-with-size", "its size field means nothing", layer(folder("d", size=1024), file("d/x", "1"))),
)
