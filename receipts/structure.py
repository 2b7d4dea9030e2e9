"""Bounds the work that an image's structure makes, before a decoder takes it up.

Pillow reads segments and chunks one by one in Python, and libjpeg decodes as many scans as there are. Files of 10 MB
were made that kept them busy for a minute (nothing but comments, or colour profiles), and one of 1 MB for many minutes
(8,000 scans of nothing). A camera writes some dozen segments and a dozen scans.
"""

import re

MAX_SEGMENTS = 500
MAX_SCANS = 50
MAX_STRAY_BYTES = 4096  # between the segments before the first scan: padding, junk
MAX_CHUNKS = 20_000
MAX_ANCILLARY_CHUNKS = 100

# A marker within a scan is one that is neither a stuffed zero, nor fill, nor a restart (ITU-T T.81, section B.1.1.2)
MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9
WITH_LENGTH = frozenset({*range(0xC0, 0xD0), *range(0xDA, 0xF0), 0xFE} - {0xC8})
PICTURE_CHUNKS = frozenset({b"IDAT", b"fcTL", b"fdAT"})


def check_structure(data: bytes, form: str) -> None:
    """Look whether a file has no more parts than a picture needs.

    Args:
        data: the whole file.
        form: `jpeg` or `png`.

    Raises:
        ValueError: it has more.
    """
    if form == "jpeg":
        _check_segments(data)
    else:
        _check_chunks(data)


def _check_segments(data: bytes) -> None:
    """Walk from marker to marker, as decoders do, to the end of the first picture."""
    at, segments, scans, stray = 2, 0, 0, 0
    while (marker := MARKER.search(data, at)) and not (scans and marker[1][0] == END_OF_IMAGE):
        kind = marker[1][0]
        segments += 1
        scans += kind == START_OF_SCAN
        stray += marker.start() - at if not scans else 0
        if segments > MAX_SEGMENTS or scans > MAX_SCANS or stray > MAX_STRAY_BYTES:
            raise ValueError("too many parts")
        at = marker.end() + (_number(data, marker.end(), 2) if kind in WITH_LENGTH else 0)


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
