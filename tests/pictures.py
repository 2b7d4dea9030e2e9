"""Image files for tests: drawn receipts in every form, and files that were made to do harm."""

import io
import struct
import zlib
from typing import Any

from PIL import Image

from receipts.sample import draw_receipt

from .factories import SMALL

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def jpeg(number: int = 1, *, mode: str = "RGB", **options: Any) -> bytes:
    """Return a drawn receipt as a JPEG, saved again in that mode and with those options of Pillow."""
    return saved(drawn(number, mode), "JPEG", **options)


def png(number: int = 1, *, mode: str = "RGB", **options: Any) -> bytes:
    """Return a drawn receipt as a PNG, saved again in that mode and with those options of Pillow."""
    return saved(drawn(number, mode), "PNG", **options)


def drawn(number: int = 1, mode: str = "RGB", size: tuple[int, int] = SMALL) -> Image.Image:
    """Return a drawn receipt as a picture."""
    photo = Image.open(io.BytesIO(draw_receipt(number, size=size)))
    return photo.convert("L").convert(mode) if mode == "I;16" else photo.convert(mode)


def saved(picture: Image.Image, form: str, **options: Any) -> bytes:
    """Return the picture as a file."""
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


# -- PNG by hand (https://www.w3.org/TR/png-3/#5DataRep) ---------------------------------------------------------------


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    """Return a chunk with its right checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def chunks(file: bytes) -> list[bytes]:
    """Return the chunks that a PNG consists of."""
    found, at = [], len(SIGNATURE)
    while at < len(file):
        end = at + 12 + int.from_bytes(file[at : at + 4])
        found.append(file[at:end])
        at = end
    return found


def header(width: int, height: int, *, depth: int = 8, colour: int = 2) -> bytes:
    """Return a PNG's first chunk; colour 0 is grey, 2 is RGB, 6 is RGB with transparency."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))


def with_chunks(file: bytes, *added: bytes, at: int = 1) -> bytes:
    """Return the PNG with more chunks, before the one of that number (1: right after the header)."""
    parts = chunks(file)
    return SIGNATURE + b"".join([*parts[:at], *added, *parts[at:]])


def inflating(kind: bytes, before: bytes, megabytes: int = 1) -> bytes:
    """Return a chunk of a kilobyte for each megabyte that it becomes."""
    return chunk(kind, before + zlib.compress(bytes(megabytes * 1024 * 1024), 9))


# -- JPEG by hand (ITU-T T.81, annex B) --------------------------------------------------------------------------------


def with_segments(file: bytes, segments: bytes) -> bytes:
    """Return the JPEG with more segments, right after its start."""
    return file[:2] + segments + file[2:]


def segment(marker: int, data: bytes = b"") -> bytes:
    """Return a segment with its length."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def with_scans(file: bytes, number: int) -> bytes:
    """Return the progressive JPEG with its last scan repeated that many times."""
    last = file.rindex(b"\xff\xda")
    return file[:-2] + file[last:-2] * number + file[-2:]
