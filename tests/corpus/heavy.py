"""Rows of many megabytes: bodies over the limit, sent whole before anything is read, and the worst files of 10 MB."""

import random
from collections.abc import Iterator

from PIL import Image

from tests.support.pictures import (
    SIGNATURE,
    chunk,
    chunks,
    header,
    inflating,
    saved,
    segment,
    with_chunks,
    with_scans,
    with_segments,
)
from tests.support.uploads import BOUNDARY, MULTIPART, UPLOAD, file_part, form

from .callbacks import SUCCESS
from .files import BROKEN, JPEG, PNG, TOO_MANY_PIXELS, UNKNOWN
from .framing import CHUNKED, TOO_LARGE, TOO_LONG
from .wire import Row, Site, head, rows

MB = 1_000_000
FILE_BYTES = 10 * 1024 * 1024 - 300_000  # nearly all that may be uploaded


def bodies_over_the_limit(site: Site) -> list[Row]:
    """Return the rows: a client that sends everything before it reads finds the refusal all the same."""
    return rows(_uploads(site), "upload") + rows(_callbacks(site), "callback")


def files_of_ten_megabytes(site: Site) -> list[Row]:
    """Return the rows: each file as large as may be, and made to keep a reader busy."""
    uploads = ((name, site.upload(form(file_part(data=data))), expected) for name, data, expected in _files())
    return rows(uploads, "10 MB")


def _uploads(site: Site) -> Iterator[tuple[str, bytes, str]]:
    for megabytes in (10.6, 15, 20.9, 25, 50):
        body = form(file_part(data=JPEG.ljust(int(megabytes * MB), b"\0")))
        yield f"{megabytes} MB", site.upload(body), TOO_LONG
        yield f"{megabytes} MB in chunks", _in_chunks(site, body), TOO_LONG
    yield "15 MB without a key", site.upload(bytes(15 * MB), {"Authorization": None}), "401 not_authenticated"
    yield "10,000,000 empty parts", site.upload(f"--{BOUNDARY}\r\n\r\n".encode() * 500_000), "400 bad_request"


def _in_chunks(site: Site, body: bytes) -> bytes:
    pieces = [body[at : at + 65536] for at in range(0, len(body), 65536)]
    known = {"Host": site.host, "Authorization": f"Api-Key {site.key}", "Content-Type": MULTIPART}
    sent = b"".join(b"%x\r\n" % len(piece) + piece + b"\r\n" for piece in pieces)
    return head("POST", UPLOAD, known | {"Connection": "close"} | CHUNKED) + sent + b"0\r\n\r\n"


def _callbacks(site: Site) -> Iterator[tuple[str, bytes, str]]:
    for megabytes in (1.5, 2.5, 15, 50):
        yield f"{megabytes} MB", site.callback(SUCCESS.ljust(int(megabytes * MB))), TOO_LARGE
    yield "1,000,000 levels", site.callback(b"[" * 1_000_000), "400 json_invalid"


def _files() -> Iterator[tuple[str, bytes, str]]:
    chance, last = random.Random(5), len(chunks(PNG)) - 1
    noise = Image.frombytes("RGB", (1800, 1800), chance.randbytes(1800 * 1800 * 3))
    progressive = saved(Image.new("RGB", (6000, 4000), "white"), "JPEG", progressive=True)
    yield "noise", chance.randbytes(FILE_BYTES), UNKNOWN
    yield "noise as PNG", saved(noise, "PNG"), "202"
    yield "noise as JPEG", saved(noise.resize((3000, 3000)), "JPEG", quality=95), "202"
    yield "noise as progressive JPEG", saved(noise.resize((3000, 3000)), "JPEG", quality=90, progressive=True), "202"
    for name, data in {
        "noise behind JPEG's magic": JPEG[:3] + chance.randbytes(FILE_BYTES),
        "noise behind PNG's magic": SIGNATURE + chance.randbytes(FILE_BYTES),
        "noise behind JPEG's header": JPEG[:620] + chance.randbytes(FILE_BYTES),
        "JPEG of comments": with_segments(JPEG, _filled(segment(0xFE))),
        "JPEG of Exif": with_segments(JPEG, _filled(segment(0xE1, b"Exif\0\0x"))),
        "JPEG of fill bytes": with_segments(JPEG, _filled(b"\xff")),
        "JPEG of stuffed zeros": with_segments(JPEG, _filled(b"\xff\x00")),
        "JPEG of restarts": with_segments(JPEG, _filled(b"\xff\xd0")),
        "JPEG of 8,000 large scans": with_scans(progressive, 8000)[:FILE_BYTES],
        "PNG of private chunks": with_chunks(PNG, _filled(chunk(b"aaAa"))),
        "PNG of empty data": with_chunks(PNG, _filled(chunk(b"IDAT")), at=last),
        "PNG of texts": with_chunks(PNG, _filled(chunk(b"tEXt", b"a\0b")), at=last),
        "PNG of profiles": with_chunks(PNG, _filled(inflating(b"iCCP", b"name\0\0"))),
        "PNG of compressed texts": with_chunks(PNG, _filled(inflating(b"zTXt", b"name\0\0"))),
        "PNG with a text of 10 GB": with_chunks(PNG, inflating(b"zTXt", b"name\0\0", 1000)),
    }.items():
        yield name, data, BROKEN
    huge = SIGNATURE + header(30_000, 30_000) + inflating(b"IDAT", b"", 1000) + chunk(b"IEND")
    yield "PNG of 900 megapixels", huge, TOO_MANY_PIXELS


def _filled(one: bytes) -> bytes:
    """Return as many of these as a file has room for."""
    return one * (FILE_BYTES // len(one))
