"""Bounds the work that a picture's structure makes, before a decoder takes it up, and says what it will cost.

Pillow reads segments and chunks one by one in Python, and libjpeg decodes as many scans as there are. Files of 10 MB
were made that kept them busy for a minute (nothing but comments, or colour profiles), and one of 1 MB for many minutes
(8,000 scans of nothing). A camera writes some dozen segments and a dozen scans.

What a pixel costs was measured (docs/performance.md), each time from the worst file of its kind that could be made.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_SEGMENTS = 500
MAX_SCANS = 50
MAX_STRAY_BYTES = 4096  # between the segments before the first scan: padding, junk
MAX_CHUNKS = 20_000
MAX_ANCILLARY_CHUNKS = 100

# A marker within a scan is one that is neither a stuffed zero, nor fill, nor a restart (ITU-T T.81, section B.1.1.2)
MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9
START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
WITH_LENGTH = frozenset({*range(0xC0, 0xD0), *range(0xDA, 0xF0), 0xFE} - {0xC8})
PICTURE_CHUNKS = frozenset({b"IDAT", b"fcTL", b"fdAT"})
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


def read_structure(data: bytes, form: str) -> Shape:
    """Look whether a JPEG or PNG has no more parts than a picture needs, and what they will cost.

    Args:
        data: the whole file.
        form: `jpeg` or `png`.

    Raises:
        ValueError: it has more, or says no size.
    """
    return _read_jpeg(data) if form == "jpeg" else _read_png(data)


# -- JPEG --------------------------------------------------------------------------------------------------------------


def _read_jpeg(data: bytes) -> Shape:
    frame, scans, is_whole = b"", 0, True
    kind = 0
    for marker, at in _segments(data):
        if marker in START_OF_FRAME and not frame:
            kind, frame = marker, data[at + 2 : at + 2 + 6 + 3 * 4]
        if marker == START_OF_SCAN:
            is_whole = is_whole and data[at + 2 : at + 3] == frame[5:6]
            scans += 1
    if not scans or len(frame) < 9:
        raise ValueError("no picture")
    # libjpeg keeps every coefficient, of two bytes, where a picture comes in several scans
    kept = 2 * _samples_per_pixel(frame) if kind in PROGRESSIVE or not is_whole else 0
    return Shape(
        width=_number(frame, 3, 2),
        height=_number(frame, 1, 2),
        bytes_per_pixel=0.3 + kept,
        nanoseconds_per_pixel=7 + 0.7 * scans,
    )


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Walk from marker to marker, as decoders do, to the end of the first picture.

    Yields:
        Each marker, and where what follows it begins.
    """
    at, segments, scans, stray = 2, 0, 0, 0
    while (marker := MARKER.search(data, at)) and not (scans and marker[1][0] == END_OF_IMAGE):
        kind = marker[1][0]
        segments += 1
        scans += kind == START_OF_SCAN
        stray += marker.start() - at if not scans else 0
        if segments > MAX_SEGMENTS or scans > MAX_SCANS or stray > MAX_STRAY_BYTES:
            raise ValueError("too many parts")
        yield kind, marker.end()
        at = marker.end() + (_number(data, marker.end(), 2) if kind in WITH_LENGTH else 0)


def _samples_per_pixel(frame: bytes) -> float:
    """Return how many samples all components have for one pixel (ITU-T T.81, section A.1.1)."""
    factors = [divmod(factor, 16) for factor in frame[7 : 6 + 3 * frame[5] : 3]]
    most = max(across for across, _ in factors) * max(down for _, down in factors)
    return sum(across * down for across, down in factors) / max(1, most)


# -- PNG ---------------------------------------------------------------------------------------------------------------


def _read_png(data: bytes) -> Shape:
    _check_chunks(data)
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


def _check_chunks(data: bytes) -> None:
    """Walk from chunk to chunk to the end (PNG specification, section 5.3)."""
    at, ancillary = 8, 0
    for _ in range(MAX_CHUNKS):
        kind = data[at + 4 : at + 8]
        ancillary += kind not in PICTURE_CHUNKS
        if ancillary > MAX_ANCILLARY_CHUNKS:
            break
        if kind == b"IEND" or at >= len(data):
            return
        at += 12 + _number(data, at, 4)
    raise ValueError("too many parts")


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size])
