"""What is sent as the file: other types, lies, bombs, and files of two natures at once."""

import base64
import gzip
import io
import zipfile
from collections.abc import Iterator

from PIL import Image

from tests.support.pictures import (
    SIGNATURE,
    chunk,
    chunks,
    drawn,
    header,
    inflating,
    jpeg,
    png,
    saved,
    segment,
    with_chunks,
    with_scans,
    with_segments,
)
from tests.support.uploads import file_part, form

from .wire import Row, Site, rows

UNKNOWN, BROKEN = "415 unsupported_file_type", "400 image_broken"
TOO_MANY_PIXELS, ANIMATED = "400 image_too_many_pixels", "400 image_animated"

JPEG, PNG = jpeg(), png()
SIZE_AT = JPEG.index(b"\xff\xc0") + 5  # of a JPEG's height and width, within its frame header


def uploads_of_files(site: Site) -> list[Row]:
    """Return the rows: each file within an otherwise good form."""
    tables = {"type": types(), "lie": lies(), "bomb": bombs(), "two natures": polyglots(site), "good": good(site)}
    return [
        row
        for group, table in tables.items()
        for row in rows(
            ((name, site.upload(form(file_part(data=data))), expected) for name, data, expected in table), group
        )
    ]


def types() -> Iterator[tuple[str, bytes, str]]:
    """Yield files of every type but those that are taken."""
    yield "empty", b"", "400 file_empty"
    for name, data in {
        "one byte": b"\xff",
        "half of JPEG's magic": b"\xff\xd8",
        "half of PNG's magic": SIGNATURE[:4],
        "text": b"a receipt over 12.50",
        "HTML": b"<!doctype html><script>alert(1)</script>",
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        "XML that expands": b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>',
        "JSON": b'{"file": "receipt"}',
        "PostScript": b"%!PS-Adobe-3.0\n",
        "shell script": b"#!/bin/sh\nreboot\n",
        "PHP": b"<?php system($_GET['c']); ?>",
        "ZIP": _zip(),
        "gzip of a JPEG": gzip.compress(JPEG),
        "base64 of a JPEG": base64.b64encode(JPEG),
        "ELF": b"\x7fELF\x02\x01\x01" + bytes(57),
        "EXE": b"MZ\x90\x00" + bytes(60),
        "ICO": b"\x00\x00\x01\x00\x01\x00\x10\x10",
        "MP3": b"ID3\x04\x00\x00\x00\x00\x00\x00",
        "MP4": b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00",
        "GIF": saved(drawn(), "GIF"),
        "BMP": saved(drawn(), "BMP"),
        "TIFF": saved(drawn(), "TIFF"),
        "TIFF, big-endian": b"MM\x00*" + bytes(100),
        "JPEG 2000": b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(100),
        "PSD": b"8BPS\x00\x01" + bytes(100),
        "blank before a JPEG": b" " + JPEG,
        "BOM before a PNG": b"\xef\xbb\xbf" + PNG,
        "line before a JPEG": b"\r\n" + JPEG,
        "JPEG turned around": JPEG[::-1],
        "zeros": bytes(5000),
    }.items():
        yield name, data, UNKNOWN


def lies() -> Iterator[tuple[str, bytes, str]]:
    """Yield files that are cut, or that say of themselves what is not so."""
    first, last = chunks(PNG)[0], chunks(PNG)[-1]
    for name, data in {
        "JPEG's magic alone": JPEG[:3],
        "JPEG's header alone": JPEG[:600],
        "half a JPEG": JPEG[: len(JPEG) // 2],
        "nine tenths of a JPEG": JPEG[: len(JPEG) * 9 // 10],
        "JPEG of no height": JPEG[:SIZE_AT] + b"\x00\x00" + JPEG[SIZE_AT + 2 :],
        "JPEG without tables": JPEG.replace(b"\xff\xdb", b"\xff\xef").replace(b"\xff\xc4", b"\xff\xef"),
        "JPEG whose segment ends beyond the file": b"\xff\xd8\xff\xe0\xff\xff" + bytes(10),
        "JPEG's magic and noise": JPEG[:3] + bytes(range(256)) * 20,
        "PNG's magic alone": PNG[:8],
        "half a PNG": PNG[: len(PNG) // 2],
        "PNG without its end": PNG[: -len(last)],
        "PNG without data": SIGNATURE + first + last,
        "PNG with a wrong checksum": PNG[:-40] + bytes([PNG[-40] ^ 1]) + PNG[-39:],
        "PNG that begins with data": SIGNATURE + b"".join(chunks(PNG)[1:]),
        "PNG of no width": SIGNATURE + header(0, 10) + b"".join(chunks(PNG)[1:]),
        "PNG larger than its data": SIGNATURE + header(2000, 2000) + b"".join(chunks(PNG)[1:]),
        "PNG of an unknown colour": SIGNATURE + header(10, 10, colour=5) + b"".join(chunks(PNG)[1:]),
        "PNG chunk beyond the file": SIGNATURE + first + b"\x7f\xff\xff\xffIDAT" + bytes(100),
        "JPEG's magic on a PNG": JPEG[:3] + PNG,
        "PNG's magic on a JPEG": SIGNATURE + JPEG,
    }.items():
        yield name, data, BROKEN
    yield "JPEG of 60,000 by 60,000", JPEG[:SIZE_AT] + b"\xea\x60\xea\x60" + JPEG[SIZE_AT + 4 :], TOO_MANY_PIXELS
    yield "PNG of 60,000 by 60,000", SIGNATURE + header(60_000, 60_000) + b"".join(chunks(PNG)[1:]), TOO_MANY_PIXELS
    yield "PNG of 2³¹ by 2³¹", SIGNATURE + header(2**31 - 1, 2**31 - 1) + b"".join(chunks(PNG)[1:]), TOO_MANY_PIXELS
    frames = [drawn(1), drawn(2)]
    yield "animated PNG", saved(frames[0], "PNG", save_all=True, append_images=frames[1:]), ANIMATED


def bombs() -> Iterator[tuple[str, bytes, str]]:
    """Yield small files that would become large ones."""
    progressive = saved(Image.new("RGB", (64, 64), "white"), "JPEG", progressive=True)
    white = saved(Image.new("1", (9400, 9400), 1), "PNG")
    yield "PNG of 88 megapixels in 10 KB", white, TOO_MANY_PIXELS
    yield (
        "PNG data of 200 MB behind a small header",
        SIGNATURE + header(10, 10) + _idat(200) + chunks(PNG)[-1],
        "202",
    )  # never inflated
    for kind, before in {b"iCCP": b"name\0\0", b"zTXt": b"name\0\0", b"iTXt": b"name\0\1\0\0\0"}.items():
        yield f"{kind.decode()} of 100 MB", with_chunks(PNG, inflating(kind, before, 100)), BROKEN
    yield "JPEG of 8,000 scans", with_scans(progressive, 8000), BROKEN
    yield "JPEG of 5,000 comments", with_segments(JPEG, segment(0xFE) * 5000), BROKEN
    yield "JPEG of 5,000 fill bytes", with_segments(JPEG, b"\xff\x00" * 5000), BROKEN
    yield "PNG of 5,000 empty chunks", with_chunks(PNG, chunk(b"aaAa") * 5000), BROKEN


def polyglots(site: Site) -> Iterator[tuple[str, bytes, str]]:
    """Yield files that two kinds of readers understand: taken for pictures, and never sent out as anything else."""
    page = b"<script>alert(1)</script>"
    yield "JPEG and ZIP", site.picture() + _zip(), "202"
    yield "JPEG and PDF", site.picture() + b"%PDF-1.7\n%%EOF", "202"
    yield "JPEG with PHP in its comment", with_segments(site.picture(), segment(0xFE, b"<?php die(); ?>")), "202"
    yield "PNG and HTML", png(7) + page, "202"
    yield "PNG with HTML in its text", with_chunks(png(8), chunk(b"tEXt", b"Comment\0" + page)), "202"
    yield "ZIP and JPEG", _zip() + JPEG, UNKNOWN
    yield "GIF and JavaScript", b"GIF89a/*" + saved(drawn(), "GIF")[8:] + b"*/=1;alert(1)", UNKNOWN
    yield "HTML and JPEG", page + JPEG, UNKNOWN
    yield "PDF with junk before it", b"junk\n%PDF-1.7\n%%EOF", UNKNOWN
    yield "EXE and PNG", b"MZ" + PNG, UNKNOWN


def good(site: Site) -> Iterator[tuple[str, bytes, str]]:
    """Yield pictures that look odd and are good."""
    for name, data in {
        "grey JPEG": jpeg(20, mode="L"),
        "CMYK JPEG": jpeg(21, mode="CMYK"),
        "progressive JPEG": jpeg(22, progressive=True),
        "transparent PNG": png(23, mode="RGBA"),
        "PNG with a palette": png(24, mode="P"),
        "PNG of 16 bits": png(25, mode="I;16"),
        "black and white PNG": png(26, mode="1"),
    }.items():
        yield name, data, "202"
    yield "JPEG with a second picture", site.picture() + site.picture(), "202"


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../../receipt.sh", "reboot")
    return file.getvalue()


def _idat(megabytes: int) -> bytes:
    return inflating(b"IDAT", b"", megabytes)
