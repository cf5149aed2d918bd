"""Reads the entries of a layer's plain bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from trees.content import Content, whole
from trees.place import Kind

from . import records, sparse
from .errors import Refused, refuse

BLOCK = 512
ZEROS = bytes(BLOCK)
SECOND = 1_000_000_000
KINDS = {
    b"1": Kind.HARD_LINK,
    b"2": Kind.SYMLINK,
    b"3": Kind.CHARACTER_DEVICE,
    b"4": Kind.BLOCK_DEVICE,
    b"5": Kind.FOLDER,
    b"6": Kind.FIFO,
}


@dataclass(frozen=True)
class Entry:
    # None is a kind that nobody knows.
    kind: Kind | None
    name: bytes
    mode: int
    uid: int
    gid: int
    mtime: int
    link: bytes = b""
    device: tuple[int, int] = (0, 0)
    content: Content = field(default_factory=lambda: Content(0))
    xattrs: dict[str, bytes] = field(default_factory=dict)


def parse_number(field: bytes) -> int:
    if field[0] & 0x80:
        width = 8 * len(field)
        value = int.from_bytes(field, "big") & ~(1 << (width - 1))
        return value - (1 << (width - 1)) if field[0] & 0x40 else value
    text = field.strip(b" \0").partition(b"\0")[0].strip()
    if any(digit not in b"01234567" for digit in text):
        raise refuse(f"a header has {field!r} as a number")
    return int(text or b"0", 8)


def text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


class Header:
    """One header block."""

    def __init__(self, block: bytes) -> None:
        self.block = block
        self.flag = block[156:157]
        self._check()
        self.size = parse_number(block[124:136])
        if self.size < 0:
            raise refuse("a size is negative", text(block[:100]))

    def _check(self) -> None:
        stated = parse_number(self.block[148:156])
        rest = self.block[:148] + self.block[156:]
        plain = sum(rest) + 8 * 0x20
        # Some old programs added the bytes as signed ones.
        signed = plain - 256 * sum(1 for byte in rest if byte >= 0x80)
        if stated not in (plain, signed):
            raise refuse("a header's checksum is wrong")

    @property
    def dialect(self) -> str:
        if self.block[257:265] == b"ustar  \0":
            return "gnu"
        if self.block[257:263] != b"ustar\0":
            return "v7"
        return "star" if self.block[508:512] == b"tar\0" else "ustar"

    @property
    def name(self) -> bytes:
        length = {"ustar": 155, "star": 131}.get(self.dialect, 0)
        prefix = text(self.block[345 : 345 + length])
        name = text(self.block[:100])
        return prefix + b"/" + name if prefix else name

    @property
    def kind(self) -> Kind | None:
        if self.flag == b"S":
            return Kind.FILE
        if self.flag not in (b"0", b"\0", b"7"):
            return KINDS.get(self.flag)
        old = self.flag == b"\0" or (self.flag == b"0" and self.dialect == "v7")
        return Kind.FOLDER if old and self.name.endswith(b"/") else Kind.FILE

    def device(self) -> tuple[int, int]:
        return parse_number(self.block[329:337]), parse_number(self.block[337:345])


class Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, length: int, what: str, name: bytes | None = None) -> bytes:
        taken = self.data[self.at : self.at + length]
        if len(taken) < length:
            raise refuse(f"the layer ends in {what}", name)
        self.at += length
        return taken

    def take_data(self, length: int, name: bytes) -> bytes:
        taken = self.take(length, "an entry's data", name)
        self.take(-length % BLOCK, "an entry's padding", name)
        return taken

    def next_header(self) -> Header | None:
        if self.at == len(self.data):
            return None
        block = self.take(BLOCK, "a header")
        if block != ZEROS:
            return Header(block)
        if self.at < len(self.data) and self.take(BLOCK, "its end") != ZEROS:
            raise refuse("a block of zeros stands between entries")
        return None

    def entries(self) -> Iterator[Entry]:
        extended: records.Pairs = []
        long_name = long_link = None
        while (header := self.next_header()) is not None:
            if header.flag in (b"x", b"g", b"L", b"K"):
                data = self.take_data(header.size, header.name)
                if header.flag == b"x":
                    extended = records.parse_records(data)
                elif header.flag == b"L":
                    long_name = text(data)
                elif header.flag == b"K":
                    long_link = text(data)
                continue
            yield self.entry(header, extended, long_name, long_link)
            extended, long_name, long_link = [], None, None

    def entry(self, header: Header, pairs: records.Pairs, long_name: bytes | None, long_link: bytes | None) -> Entry:
        # An empty value takes a record back.
        known = {key: value for key, value in pairs if value or b"xattr" in key}
        name = long_name or known.get(b"GNU.sparse.name") or known.get(b"path") or header.name
        try:
            kind = header.kind
            block = header.block
            uid = records.integer(known[b"uid"]) if b"uid" in known else parse_number(block[108:116])
            gid = records.integer(known[b"gid"]) if b"gid" in known else parse_number(block[116:124])
            seconds = parse_number(block[136:148])
            mtime = records.nanoseconds(known[b"mtime"]) if b"mtime" in known else seconds * SECOND
            is_device = kind in (Kind.CHARACTER_DEVICE, Kind.BLOCK_DEVICE)
            return Entry(
                kind=kind,
                name=name,
                mode=parse_number(block[100:108]) & 0o7777,
                uid=uid,
                gid=gid,
                mtime=mtime,
                link=long_link or known.get(b"linkpath") or text(block[157:257]),
                device=header.device() if is_device else (0, 0),
                content=self.content(header, pairs, known, name),
                xattrs=records.xattrs(pairs),
            )
        except Refused as error:
            raise refuse(str(error), name) from None

    def content(self, header: Header, pairs: records.Pairs, known: dict[bytes, bytes], name: bytes) -> Content:
        if header.flag in KINDS:  # A header is all that these have.
            return Content(0)
        places, size = self.old_map(header) if header.flag == b"S" else ([], 0)
        stored = records.integer(known[b"size"]) if b"size" in known else header.size
        data = self.take_data(stored, name)
        if header.flag == b"S":
            return sparse.spread(places, size, data)
        if known.get(b"GNU.sparse.major") == b"1":
            places, data = sparse.split_map_in_data(data)
            return sparse.spread(places, records.integer(known[b"GNU.sparse.realsize"]), data)
        if b"GNU.sparse.map" in known:
            numbers = [records.integer(value) for value in known[b"GNU.sparse.map"].split(b",")]
            return sparse.spread(sparse.pairs(numbers), records.integer(known[b"GNU.sparse.size"]), data)
        if b"GNU.sparse.size" in known:
            numbers = [
                records.integer(value) for key, value in pairs if key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes")
            ]
            return sparse.spread(sparse.pairs(numbers), records.integer(known[b"GNU.sparse.size"]), data)
        return whole(data)

    def old_map(self, header: Header) -> tuple[sparse.Map, int]:
        """The map of kind S, whose blocks follow the header."""
        block = header.block
        fields = [block[386 + 24 * index : 410 + 24 * index] for index in range(4)]
        more = block[482]
        while more:
            block = self.take(BLOCK, "a sparse map")
            fields += [block[24 * index : 24 * index + 24] for index in range(21)]
            more = block[504]
        places = [(parse_number(it[:12]), parse_number(it[12:])) for it in fields if it[0] or it[12]]
        return places, parse_number(header.block[483:495])


def read_entries(plain: bytes) -> Iterator[Entry]:
    return Reader(plain).entries()
