"""Image files for tests: drawn receipts in every form, and files that were made to do harm."""

import io
import struct
import zlib
from typing import Any

from PIL import Image
from pillow_heif import register_heif_opener
from pypdfium2 import PdfDocument

from receipts.sample import draw_receipt
from tests.factories import SMALL

register_heif_opener()

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def jpeg(number: int = 1, *, mode: str = "RGB", **options: Any) -> bytes:
    """Return a drawn receipt as a JPEG, saved again in that mode and with those options of Pillow."""
    return saved(drawn(number, mode), "JPEG", **options)


def png(number: int = 1, *, mode: str = "RGB", **options: Any) -> bytes:
    """Return a drawn receipt as a PNG, saved again in that mode and with those options of Pillow."""
    return saved(drawn(number, mode), "PNG", **options)


def webp(number: int = 1, *, mode: str = "RGB", **options: Any) -> bytes:
    """Return a drawn receipt as a WebP."""
    return saved(drawn(number, mode), "WEBP", **options)


def heic(number: int = 1, *, mode: str = "RGB", size: tuple[int, int] = SMALL, **options: Any) -> bytes:
    """Return a drawn receipt as a HEIC, as pillow-heif writes it in the least time."""
    return saved(drawn(number, mode, size), "HEIF", **{"quality": 60, "enc_params": {"preset": "ultrafast"}} | options)


def pdf(pages: int = 1) -> bytes:
    """Return drawn receipts as a PDF of as many pages, as a scanner makes it: 200 dots to the inch."""
    first, *others = (drawn(number) for number in range(1, pages + 1))
    return saved(first, "PDF", save_all=True, append_images=others, resolution=200)


def blank_pages(sizes: list[tuple[int, int]]) -> bytes:
    """Return a PDF of empty pages, of so many points each."""
    file = io.BytesIO()
    with PdfDocument.new() as document:
        for size in sizes:
            document.new_page(*size)
        document.save(file)
    return file.getvalue()


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


# -- WebP by hand (RFC 9649, section 2) --------------------------------------------------------------------------------


def riff(*parts: tuple[bytes, bytes]) -> bytes:
    """Return a WebP of these chunks."""
    body = b"".join(kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for kind, data in parts)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def empty_webp(width: int, height: int) -> bytes:
    """Return a lossless WebP of that size and of 34 bytes: every pixel the same, and of no bits."""
    bits = (width - 1) | (height - 1) << 14
    return riff((b"VP8L", b"\x2f" + struct.pack("<I", bits) + b"\x88\x88\x08" + bytes(5)))


# -- PDF by hand (ISO 32000-1, section 7.5) ----------------------------------------------------------------------------


def pdf_of(*objects: bytes, trailer: bytes = b"") -> bytes:
    """Return a PDF of these objects, numbered from 1; the first is the catalogue."""
    body, starts = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        starts.append(len(body))
        body += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % start for start in starts)
    size = len(objects) + 1
    body += b"xref\n0 %d\n0000000000 65535 f \n%btrailer <</Size %d /Root 1 0 R %b>>\nstartxref\n%d\n%%%%EOF\n" % (
        size, table, size, trailer, len(body),
    )  # fmt: skip
    return body


def pdf_page(content: bytes, *more: bytes, resources: bytes = b"", box: bytes = b"0 0 595 842") -> bytes:
    """Return a PDF of one page that draws `content` (object 4); `more` are the objects from 5 on."""
    return pdf_of(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[%b]/Contents 4 0 R/Resources<<%b>>>>" % (box, resources),
        packed(content),
        *more,
    )


def packed(data: bytes, extra: bytes = b"") -> bytes:
    """Return a compressed stream."""
    data = zlib.compress(data, 9)
    return b"<</Length %d/Filter/FlateDecode%b>>stream\n%b\nendstream" % (len(data), extra, data)
