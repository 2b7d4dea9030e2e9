"""Bounds the work that a picture's structure makes, before a decoder takes it up, and says what it will cost.

Pillow reads segments and chunks one by one in Python, and libjpeg decodes as many scans as there are. Files of 10 MB
were made that kept them busy for a minute (nothing but comments, or colour profiles), and one of 1 MB for many minutes
(8,000 scans of nothing). A camera writes some dozen segments and a dozen scans.

What a pixel costs was measured (docs/performance.md), each time from the worst file of its kind that could be made.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from .files import read_at

MAX_SEGMENTS = 500
MAX_SCANS = 50
MAX_STRAY_BYTES = 4096  # between the segments before the first scan: padding, junk
MAX_CHUNKS = 20_000
MAX_ANCILLARY_CHUNKS = 100
PIECE_BYTES = 16 * 1024  # read at a time; a file is never in memory as a whole

# A marker within a scan is one that is neither a stuffed zero, nor fill, nor a restart (ITU-T T.81, section B.1.1.2)
MARKER_BYTES = 2
MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9
START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
PROGRESSIVE = 0xC2
# what cameras write and browsers read; what is coded arithmetically takes four times as long, from next to no bytes
HUFFMAN = frozenset({0xC0, 0xC1, PROGRESSIVE})
WITH_LENGTH = frozenset({*range(0xC0, 0xD0), *range(0xDA, 0xF0), 0xFE} - {0xC8})
PICTURE_CHUNKS = frozenset({b"IDAT", b"fcTL", b"fdAT"})
HEADER_BYTES = 33  # of a PNG: its signature and its first chunk
PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How large a picture says it is, and what decoding one of its pixels costs at the most."""

    width: int
    height: int
    bytes_per_pixel: float
    nanoseconds_per_pixel: float

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.width * self.height


def read_structure(file: IO[bytes], form: str) -> Shape:
    """Look whether a JPEG or PNG has no more parts than a picture needs, and what they will cost.

    Args:
        file: open at any position.
        form: `jpeg` or `png`.

    Raises:
        ValueError: it has more, or says no size.
    """
    return _read_jpeg(file) if form == "jpeg" else _read_png(file)


# -- JPEG --------------------------------------------------------------------------------------------------------------


def _read_jpeg(file: IO[bytes]) -> Shape:
    frame, scans, is_whole = b"", 0, True
    kind = 0
    for marker, at in _segments(file):
        if marker in START_OF_FRAME and not frame:
            kind, frame = marker, read_at(file, at + 2, 6 + 3 * 4)
        if marker == START_OF_SCAN:
            is_whole = is_whole and read_at(file, at + 2, 1) == frame[5:6]
            scans += 1
    if not scans or len(frame) < 9 or kind not in HUFFMAN:
        raise ValueError("no picture")
    # libjpeg keeps every coefficient, of two bytes, where a picture comes in several scans
    kept = 2 * _samples_per_pixel(frame) if kind == PROGRESSIVE or not is_whole else 0
    return Shape(
        width=_number(frame, 3, 2),
        height=_number(frame, 1, 2),
        bytes_per_pixel=0.3 + kept,
        nanoseconds_per_pixel=7 + 0.7 * scans,
    )


def _segments(file: IO[bytes]) -> Iterator[tuple[int, int]]:
    """Walk from marker to marker, as decoders do, to the end of the first picture.

    Yields:
        Each marker, and where what follows it begins.
    """
    at, segments, scans, stray = 2, 0, 0, 0
    while (marker := _find_marker(file, at)) and not (scans and marker[0] == END_OF_IMAGE):
        kind, end = marker
        segments += 1
        scans += kind == START_OF_SCAN
        stray += end - MARKER_BYTES - at if not scans else 0
        if segments > MAX_SEGMENTS or scans > MAX_SCANS or stray > MAX_STRAY_BYTES:
            raise ValueError("too many parts")
        yield kind, end
        at = end + (int.from_bytes(read_at(file, end, 2)) if kind in WITH_LENGTH else 0)


def _find_marker(file: IO[bytes], at: int) -> tuple[int, int] | None:
    """Return the next marker, and where it ends."""
    while len(piece := read_at(file, at, PIECE_BYTES)) >= MARKER_BYTES:
        if found := MARKER.search(piece):
            return found[1][0], at + found.end()
        at += len(piece) - 1  # the last byte may begin one
    return None


def _samples_per_pixel(frame: bytes) -> float:
    """Return how many samples all components have for one pixel (ITU-T T.81, section A.1.1)."""
    factors = [divmod(factor, 16) for factor in frame[7 : 6 + 3 * frame[5] : 3]]
    most = max(across for across, _ in factors) * max(down for _, down in factors)
    return sum(across * down for across, down in factors) / max(1, most)


# -- PNG ---------------------------------------------------------------------------------------------------------------


def _read_png(file: IO[bytes]) -> Shape:
    _check_chunks(file)
    data = read_at(file, 0, HEADER_BYTES)
    if data[12:16] != b"IHDR":
        raise ValueError("no header")
    depth, colour = data[24], data[25]
    channels = PNG_CHANNELS[colour]
    return Shape(
        width=_number(data, 16, 4),
        height=_number(data, 20, 4),
        bytes_per_pixel=4.3 if channels > 1 else 1.3 if depth <= 8 else 4.3,
        nanoseconds_per_pixel=max(1.0, 4.3 * channels * depth / 8),  # inflated, and then unfiltered byte by byte
    )


def _check_chunks(file: IO[bytes]) -> None:
    """Walk from chunk to chunk to the end (PNG specification, section 5.3)."""
    at, ancillary = 8, 0
    for _ in range(MAX_CHUNKS):
        head = read_at(file, at, 8)
        length, kind = head[:4], head[4:]
        ancillary += kind not in PICTURE_CHUNKS
        if ancillary > MAX_ANCILLARY_CHUNKS:
            break
        if kind == b"IEND" or not head:
            return
        at += 12 + int.from_bytes(length)
    raise ValueError("too many parts")


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size])
