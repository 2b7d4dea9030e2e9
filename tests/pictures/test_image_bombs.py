"""Files that were made to keep a server busy: each is refused, or looked at, within bounded time and memory."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from PIL import Image

from accounting.problems import Problem
from receipts.sample import draw_receipt
from receipts.structure import MAX_ANCILLARY_CHUNKS, MAX_CHUNKS, MAX_SCANS, MAX_SEGMENTS, MAX_STRAY_BYTES
from receipts.validators import check_upload
from tests.factories import SMALL
from tests.support.bombs import BOMBS, filled
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

CODES = {
    "image/jpeg", "image/png", "image/webp", "image/heic", "application/pdf", "image_broken", "image_too_many_pixels",
    "image_too_complex", "image_animated", "pdf_broken", "pdf_too_complex", "unsupported_file_type",
}  # fmt: skip
SOON = 5.0  # seconds, on a slow machine; without the bounds most of these take from ten seconds to hours


def outcome(content: bytes) -> str:
    """Return the type that was found, or the code of the refusal; nothing else may be raised."""
    try:
        return check_upload(ContentFile(content, name="receipt")).content_type
    except Problem as problem:
        return problem.code


BASELINE, PNG = jpeg(), png()
LAST = len(chunks(PNG)) - 1
COMMENT, EXIF, PROFILE = segment(0xFE), segment(0xE1, b"Exif\0\0x"), inflating(b"iCCP", b"name\0\0")
LONG_EXIF = segment(0xE1, b"Exif\0\0" + bytes(20_000))
TEXT = inflating(b"zTXt", b"name\0\0")


@cache
def large_progressive() -> bytes:
    return saved(Image.new("RGB", (6000, 4000), "white"), "JPEG", progressive=True)


@pytest.mark.parametrize(
    "make",
    [
        lambda: with_segments(BASELINE, filled(COMMENT)),
        lambda: with_segments(BASELINE, filled(EXIF)),
        lambda: with_segments(BASELINE, filled(b"\xff")),
        lambda: with_segments(BASELINE, COMMENT + filled(b"\x00")),
        lambda: with_segments(BASELINE, filled(b"\xff\x00")),
        lambda: with_segments(BASELINE, filled(b"\xff\xd0")),
        lambda: with_segments(BASELINE, filled(segment(0xF0, bytes(65_000)))),
        lambda: with_scans(large_progressive(), 8000),
        lambda: with_chunks(PNG, filled(chunk(b"aaAa"))),
        lambda: with_chunks(PNG, filled(chunk(b"IDAT")), at=LAST),
        lambda: with_chunks(PNG, filled(chunk(b"tEXt", b"a\0b")), at=LAST),
        lambda: with_chunks(PNG, filled(PROFILE)),
        lambda: with_chunks(PNG, filled(TEXT)),
        lambda: with_chunks(PNG, filled(chunk(b"zTXt", TEXT[8:-12]))),
    ],
    ids=[
        "comments", "exif", "fill bytes", "junk", "stuffed zeros", "restarts", "reserved segments", "scans",
        "private chunks", "data chunks", "text chunks", "profiles", "compressed text", "broken compressed text",
    ],
)  # fmt: skip
def test_a_file_of_nothing_but_parts_is_refused_at_once(make: Callable[[], bytes]) -> None:
    content = make()
    started = time.process_time()
    assert outcome(content) == "image_broken"
    assert time.process_time() - started < SOON


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: with_segments(BASELINE, COMMENT * (MAX_SEGMENTS - 50)), "image/jpeg"),
        (lambda: with_segments(BASELINE, COMMENT * MAX_SEGMENTS), "image_broken"),
        (lambda: with_segments(BASELINE, LONG_EXIF * (MAX_SEGMENTS - 50)), "image/jpeg"),
        (lambda: with_segments(BASELINE, b"\xff" * MAX_STRAY_BYTES), "image/jpeg"),
        (lambda: with_segments(BASELINE, b"\xff" * (MAX_STRAY_BYTES + 1)), "image_broken"),
        (lambda: with_scans(large_progressive(), MAX_SCANS - 10), "image/jpeg"),
        (lambda: with_scans(large_progressive(), MAX_SCANS), "image_broken"),
        (lambda: with_chunks(PNG, chunk(b"aaAa") * (MAX_ANCILLARY_CHUNKS - 10)), "image/png"),
        (lambda: with_chunks(PNG, chunk(b"aaAa") * MAX_ANCILLARY_CHUNKS), "image_broken"),
        (lambda: with_chunks(PNG, PROFILE * (MAX_ANCILLARY_CHUNKS - 10)), "image/png"),
        (lambda: with_chunks(PNG, chunk(b"IDAT") * (MAX_CHUNKS - 100), at=LAST), "image/png"),
        (lambda: with_chunks(PNG, chunk(b"IDAT") * MAX_CHUNKS, at=LAST), "image_broken"),
    ],
    ids=[
        "some comments", "too many comments", "much exif", "some fill", "too much fill", "some scans", "too many scans",
        "some chunks", "too many chunks", "some profiles", "data in small pieces", "data in tiny pieces",
    ],
)  # fmt: skip
def test_what_the_bounds_let_through_is_looked_at_in_bounded_time(make: Callable[[], bytes], expected: str) -> None:
    content = make()
    started = time.process_time()
    assert outcome(content) == expected
    assert time.process_time() - started < SOON


@pytest.mark.parametrize(
    "content",
    [
        SIGNATURE + header(30_000, 30_000) + inflating(b"IDAT", b"", 20) + chunk(b"IEND"),
        saved(Image.new("1", (9400, 9400)), "PNG"),
    ],
    ids=["nine hundred megapixels", "eighty-eight"],
)
def test_a_small_file_that_becomes_a_huge_picture_is_refused_undecoded(content: bytes) -> None:
    started = time.process_time()
    assert outcome(content) == "image_too_many_pixels"
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"])
def test_text_that_becomes_hundreds_of_megabytes_is_refused_unread(kind: bytes) -> None:
    started = time.process_time()
    assert outcome(with_chunks(PNG, inflating(kind, b"name\0\0", 200))) == "image_broken"
    assert time.process_time() - started < SOON


OF_LIBRARIES = [name for name in BOMBS if name.startswith(("WebP of 34", "HEIC larger", "HEIC smaller", "PDF"))]


@pytest.mark.faults
@pytest.mark.parametrize("name", OF_LIBRARIES)
def test_what_keeps_a_library_busy_is_ended_in_its_cell(name: str) -> None:
    content = BOMBS[name]()
    before = os.times()
    assert outcome(content) in CODES
    after = os.times()
    assert after.children_user + after.children_system - before.children_user - before.children_system < SOON


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("WebP of 34 bytes and 88 megapixels", "image_too_many_pixels"),
        ("JPEG of 28 megapixels, coded arithmetically", "image_broken"),
        ("HEIC of boxes", "image_broken"),
        ("PDF of forms within forms", "pdf_too_complex"),
        ("PDF of tiny tiles", "pdf_too_complex"),
        ("PDF of layers", "pdf_too_complex"),
    ],
)
def test_some_of_them_are_refused_for_what_they_are(name: str, expected: str) -> None:
    assert outcome(BOMBS[name]()) == expected


# a process of its own, since the most that a process has ever used cannot be measured twice in one
MEASURE = """
import resource, sys
import django
from django.core.files.base import File
django.setup()
from receipts.validators import check_upload
from PIL import Image
Image.preinit()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open(sys.argv[1], "rb") as file:
    check_upload(File(file))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere ru_maxrss counts in other units")
@pytest.mark.parametrize(
    ("mode", "form", "megabytes"), [("RGB", "JPEG", 30), ("L", "PNG", 80), ("RGB", "PNG", 260), ("RGBA", "PNG", 260)]
)
def test_the_largest_picture_takes_bounded_memory(mode: str, form: str, megabytes: int, tmp_path: Path) -> None:
    picture = tmp_path / "picture"
    picture.write_bytes(saved(Image.new(mode, (7000, 7142)), form, **({"compress_level": 1} if form == "PNG" else {})))
    measured = subprocess.run([sys.executable, "-c", MEASURE, picture], check=True, capture_output=True, text=True)
    assert int(measured.stdout) < megabytes


# -- at random


def mutations(content: bytes, number: int, chance: random.Random) -> Iterator[bytes]:
    """Change some bytes, cut a piece out, put one in, or put one somewhere else; mostly near the start."""
    for _ in range(number):
        damaged = bytearray(content)
        for _ in range(chance.randint(1, 8)):
            reach = chance.choice((64, 700, len(damaged)))
            at = chance.randrange(2, max(3, min(reach, len(damaged))))
            piece = chance.randbytes(chance.choice((1, 1, 1, 2, 4, 40)))
            match chance.randrange(4):
                case 0 | 1:
                    damaged[at : at + len(piece)] = piece
                case 2:
                    damaged[at:at] = piece
                case 3:
                    del damaged[at : at + len(piece) * 8]
        yield bytes(damaged)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # what Pillow thinks of damaged metadata
@pytest.mark.parametrize(
    "content",
    [
        draw_receipt(1, size=SMALL),
        jpeg(progressive=True, comment=b"till"),
        jpeg(mode="CMYK", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"),
        saved(drawn(1), "MPO", save_all=True, append_images=[drawn(2)]),
        draw_receipt(1, size=SMALL, form="PNG"),
        png(mode="P", dpi=(300, 300)),
        saved(drawn(1, "L"), "PNG", save_all=True, append_images=[drawn(2, "L")]),
    ],
    ids=["JPEG", "progressive", "exif", "two pictures", "PNG", "palette", "animation"],
)
def test_whatever_is_damaged_at_random_nothing_but_a_clear_answer_comes_of_it(content: bytes) -> None:
    chance = random.Random(2)
    found = {outcome(damaged) for damaged in mutations(content, 150, chance)}
    assert found <= CODES
    assert "image_broken" in found
