"""WebP, HEIC and PDF as files to upload: for an installation that takes them all."""

import io
import struct
from collections.abc import Iterator

import pillow_heif
from PIL import Image

from tests.support.pictures import drawn, saved
from tests.support.uploads import file_part, form

from .files import ANIMATED, BROKEN, JPEG, TOO_MANY_PIXELS, UNKNOWN
from .wire import Row, Site, rows

PDF_BROKEN = "400 pdf_broken"


def uploads_of_other_formats(site: Site) -> list[Row]:
    """Return the rows: each file within an otherwise good form."""
    tables = {"WebP": _webps(), "HEIC": _heics(), "PDF": _pdfs()}
    return [
        row
        for group, table in tables.items()
        for row in rows(((name, site.upload(form(file_part(data=data))), code) for name, data, code in table), group)
    ]


def _webps() -> Iterator[tuple[str, bytes, str]]:
    good = saved(drawn(31), "WEBP")
    lossless = saved(Image.new("RGB", (100, 100), "white"), "WEBP", lossless=True)
    size_at = lossless.index(b"VP8L") + 9
    yield "good", good, "202"
    yield "good, lossless", saved(drawn(32), "WEBP", lossless=True), "202"
    yield "good, transparent", saved(drawn(33, "RGBA"), "WEBP"), "202"
    for name, data in {
        "its magic alone": b"RIFF\x04\x00\x00\x00WEBP",
        "its magic and noise": b"RIFF\xff\xff\x00\x00WEBP" + bytes(range(256)) * 10,
        "half of it": good[: len(good) // 2],
        "without its last bytes": good[:-100],
        "longer than it is": good[:4] + struct.pack("<I", 2**31) + good[8:],
        "shorter than it is": good[:4] + struct.pack("<I", 12) + good[8:],
        "a part longer than the file": good[:16] + struct.pack("<I", 2**31) + good[20:],
        "parts of nothing": b"RIFF" + struct.pack("<I", 80_004) + b"WEBP" + b"EXIF\0\0\0\0" * 10_000,
    }.items():
        yield name, data, BROKEN
    width_and_height = struct.pack("<I", 9399 | 9399 << 14)
    huge = lossless[:size_at] + width_and_height + lossless[size_at + 4 :]
    yield f"{len(huge)} bytes of 9,400 by 9,400", huge, TOO_MANY_PIXELS
    frames = [drawn(1), drawn(2)]
    yield "animated", saved(frames[0], "WEBP", save_all=True, append_images=frames[1:]), ANIMATED
    yield "within an AVI", b"RIFF\x10\x00\x00\x00AVI LIST" + bytes(100), UNKNOWN


def _heics() -> Iterator[tuple[str, bytes, str]]:
    good = _heic(41)
    yield "good", good, "202"
    first = int.from_bytes(good[:4])
    for name, data in {
        "a ZIP behind it": good + b"PK\x03\x04" + bytes(30),
        "its first box alone": good[:first],
        "its brand and noise": good[:first] + bytes(range(256)) * 10,
        "half of it": good[: len(good) // 2],
        "without its last bytes": good[:-100],
        "a box longer than the file": good[:first] + b"\x7f\xff\xff\xff" + good[first + 4 :],
        "a box of no length": good[:first] + b"\x00\x00\x00\x01" + good[first + 4 :],
        "a JPEG behind the brand": good[:first] + JPEG,
    }.items():
        yield name, data, BROKEN
    yield "of 60,000 by 60,000", _with_extent(good, 60_000, 60_000), TOO_MANY_PIXELS
    yield "AVIF", b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1miaf" + bytes(100), UNKNOWN
    yield "QuickTime", b"\x00\x00\x00\x14ftypqt  \x00\x00\x00\x00qt  " + bytes(100), UNKNOWN


def _pdfs() -> Iterator[tuple[str, bytes, str]]:
    yield "good", saved(drawn(51), "PDF"), "202"
    yield "good, with HTML behind it", saved(drawn(52), "PDF") + b"<script>alert(1)</script>", "202"
    for name, data in {
        "its magic alone": b"%PDF-1.7",
        "its magic and noise": b"%PDF-1.7\n" + bytes(range(256)) * 10,
        "its magic and a JPEG": b"%PDF-1.7\n" + JPEG,
        "without a page": b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        b"2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF",
        "pages in a circle": b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        b"2 0 obj<</Type/Pages/Kids[2 0 R]/Count 1>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF",
    }.items():
        yield name, data, PDF_BROKEN


def _heic(number: int) -> bytes:
    file = io.BytesIO()
    pillow_heif.from_pillow(drawn(number)).save(file)
    return file.getvalue()


def _with_extent(heic: bytes, width: int, height: int) -> bytes:
    """Return the file with every extent that it names changed (ISO/IEC 23008-12, section 6.5.3)."""
    parts = heic.split(b"ispe")
    changed = [part[:4] + struct.pack(">II", width, height) + part[12:] for part in parts[1:]]
    return b"ispe".join([parts[0], *changed])
