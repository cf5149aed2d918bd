"""Trees of files: what a place holds, read back from a disk, compared."""
