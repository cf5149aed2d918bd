#!/bin/sh
# prepare.sh FOLDER SIZE: an empty folder on a disk that has nothing else to write, and memory for a file of SIZE bytes that
# was in use just now. In a virtual machine memory that was freed a while ago is back at the host, and who takes it next
# pays for that: up to a second for 700 MB. Twice the size and large blocks, so that it serves files written in any way.
set -eu
rm -rf "$1"
mkdir "$1"
dd if=/dev/zero of="$1/fill" bs=1M count=$(($2 / 524288 + 1)) status=none
rm "$1/fill"
sync
