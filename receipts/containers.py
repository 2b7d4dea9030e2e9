"""Reads the boxes of WebP and HEIF files: how large the picture says it is, and whether it is a single one.

Both decoders set memory aside as soon as they open a file: libwebp 1.3 GB for one of 34 bytes. So their headers are
read here first, by a few lines that set nothing aside.
"""

from collections.abc import Iterator

from .structure import Shape

MAX_BOXES = 5000
MAX_NESTING = 4

WEBP_COST = {"bytes_per_pixel": 16.0, "nanoseconds_per_pixel": 45.0}
HEIC_COST = {"bytes_per_pixel": 8.0, "nanoseconds_per_pixel": 40.0}

ANIMATION_FLAG = 0x02
SEQUENCE_BRANDS = frozenset({b"hevc", b"hevx", b"hevm", b"hevs", b"msf1"})
HOLDERS = {b"meta": 4, b"iprp": 0, b"ipco": 0}  # boxes that hold boxes, and what comes before those


class Animated(Exception):
    """The file holds a sequence of pictures."""


def read_container(data: bytes, form: str) -> Shape:
    """Return what a WebP or HEIC says of its picture.

    Raises:
        ValueError: it says nothing that makes sense.
        Animated: it is no single picture.
    """
    return _read_webp(data) if form == "webp" else _read_heif(data)


# -- WebP (RFC 9649, section 2) ----------------------------------------------------------------------------------------


def _read_webp(data: bytes) -> Shape:
    length = int.from_bytes(data[4:8], "little")
    if length + 8 > len(data):
        raise ValueError("cut short")
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X" and len(body) == 10:
        if body[0] & ANIMATION_FLAG:
            raise Animated
        width, height = _little(body[4:7]) + 1, _little(body[7:10]) + 1
    elif kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        width, height = _little(body[6:8]) & 0x3FFF, _little(body[8:10]) & 0x3FFF
    elif kind == b"VP8L" and body[:1] == b"\x2f":
        bits = _little(body[1:5])
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        raise ValueError("no picture")
    return Shape(width=width, height=height, **WEBP_COST)


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")


# -- HEIF (ISO/IEC 23008-12; its boxes: ISO/IEC 14496-12, section 4.2) ------------------------------------------------


def _read_heif(data: bytes) -> Shape:
    if data[8:12] in SEQUENCE_BRANDS:
        raise Animated
    sizes = [_extent(data, start) for kind, start in _boxes(data) if kind == b"ispe"]
    if not sizes:
        raise ValueError("no picture")
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return Shape(width=width, height=height, **HEIC_COST)


def _extent(data: bytes, start: int) -> tuple[int, int]:
    return int.from_bytes(data[start + 4 : start + 8]), int.from_bytes(data[start + 8 : start + 12])


def _boxes(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Walk through the boxes, and into those that hold the properties of pictures.

    Yields:
        Each box's type, and where its contents begin.
    """
    ends, at = [len(data)], 0
    for _ in range(MAX_BOXES):
        while ends and at + 8 > ends[-1]:
            at = ends.pop()
        if not ends:
            return
        kind, start, end = _box(data, at, ends[-1])
        yield kind, start
        if kind in HOLDERS and len(ends) < MAX_NESTING:
            at = start + HOLDERS[kind]
            ends.append(end)
        else:
            at = end
    raise ValueError("too many parts")


def _box(data: bytes, at: int, outer: int) -> tuple[bytes, int, int]:
    """Return a box's type, and where its contents begin and end."""
    size, kind, start = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8], at + 8
    if size == 1:
        size, start = int.from_bytes(data[start : start + 8]), at + 16
    end = at + size if size else outer
    if end < start or end > outer:
        raise ValueError("a box longer than what it is in")
    return kind, start, end
