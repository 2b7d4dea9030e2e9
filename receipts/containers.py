"""Reads the boxes of WebP and HEIF files: how large the picture says it is, and whether it is a single one.

Both decoders set memory aside as soon as they open a file: libwebp 1.3 GB for one of 34 bytes. So their headers are
read here first, by a few lines that set nothing aside.
"""

import os
from collections.abc import Iterator
from typing import IO

from .files import read_at
from .structure import Shape

MAX_BOXES = 5000
MAX_NESTING = 4

WEBP_COST = {"bytes_per_pixel": 16.0, "nanoseconds_per_pixel": 45.0}
HEIC_COST = {"bytes_per_pixel": 8.0, "nanoseconds_per_pixel": 40.0}

# Zeros at the end, as of a file whose length was set before it was filled: libheif conceals what is missing, and HEVC
# never has three of them in a row (ITU-T H.265, section 7.4.2). A WebP is not asked: a whole one, with much blank
# paper at its end, may end in 30 KB of them.
UNWRITTEN_BYTES = 1024

ANIMATION_FLAG = 0x02
SEQUENCE_BRANDS = frozenset({b"hevc", b"hevx", b"hevm", b"hevs", b"msf1"})
HOLDERS = {b"meta": 4, b"iprp": 0, b"ipco": 0}  # boxes that hold boxes, and what comes before those


class Animated(Exception):
    """The file holds a sequence of pictures."""


def read_container(file: IO[bytes], form: str) -> Shape:
    """Return what a WebP or HEIC says of its picture.

    Args:
        file: open at any position.
        form: `webp` or `heic`.

    Raises:
        ValueError: it says nothing that makes sense.
        Animated: it is no single picture.
    """
    size = file.seek(0, os.SEEK_END)
    return _read_webp(file, size) if form == "webp" else _read_heif(file, size)


# -- WebP (RFC 9649, section 2) ----------------------------------------------------------------------------------------


def _read_webp(file: IO[bytes], size: int) -> Shape:
    head = read_at(file, 0, 30)
    if _little(head[4:8]) + 8 > size:
        raise ValueError("cut short")
    kind, body = head[12:16], head[20:]
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


def _read_heif(file: IO[bytes], size: int) -> Shape:
    if read_at(file, 8, 4) in SEQUENCE_BRANDS:
        raise Animated
    if not any(read_at(file, max(0, size - UNWRITTEN_BYTES), UNWRITTEN_BYTES)):
        raise ValueError("cut short")
    sizes = [_extent(file, start) for kind, start in _boxes(file, size) if kind == b"ispe"]
    if not sizes:
        raise ValueError("no picture")
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return Shape(width=width, height=height, **HEIC_COST)


def _extent(file: IO[bytes], start: int) -> tuple[int, int]:
    sides = read_at(file, start + 4, 8)
    return int.from_bytes(sides[:4]), int.from_bytes(sides[4:])


def _boxes(file: IO[bytes], size: int) -> Iterator[tuple[bytes, int]]:
    """Walk through the boxes, and into those that hold the properties of pictures.

    Yields:
        Each box's type, and where its contents begin.
    """
    ends, at = [size], 0
    for _ in range(MAX_BOXES):
        while ends and at + 8 > ends[-1]:
            at = ends.pop()
        if not ends:
            return
        kind, start, end = _box(file, at, ends[-1])
        yield kind, start
        if kind in HOLDERS and len(ends) < MAX_NESTING:
            at = start + HOLDERS[kind]
            ends.append(end)
        else:
            at = end
    raise ValueError("too many parts")


def _box(file: IO[bytes], at: int, outer: int) -> tuple[bytes, int, int]:
    """Return a box's type, and where its contents begin and end."""
    head = read_at(file, at, 16)
    size, kind, start = int.from_bytes(head[:4]), head[4:8], at + 8
    if size == 1:
        size, start = int.from_bytes(head[8:]), at + 16
    end = at + size if size else outer
    if end < start or end > outer:
        raise ValueError("a box longer than what it is in")
    return kind, start, end
