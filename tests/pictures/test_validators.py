"""What is taken for a receipt, by its bytes alone, and how cheaply everything else is refused."""

from itertools import accumulate

import pytest
from django.conf import LazySettings
from django.core.files.base import ContentFile
from PIL import Image

from accounting.problems import Problem
from receipts.files import CheckedUpload
from receipts.sample import draw_receipt
from receipts.validators import check_upload
from tests.factories import SMALL
from tests.support.pictures import SIGNATURE, chunk, chunks, drawn, header, jpeg, png, saved, with_chunks

BROKEN = (400, "image_broken")


def check(content: bytes) -> CheckedUpload:
    return check_upload(ContentFile(content, name="receipt"))


def refusal(content: bytes) -> Problem:
    with pytest.raises(Problem) as caught:
        check(content)
    return caught.value


def code(content: bytes) -> tuple[int, str]:
    problem = refusal(content)
    return problem.status_code, problem.code


# -- what is taken


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (draw_receipt(1, size=SMALL), "image/jpeg"),
        (draw_receipt(1, size=SMALL, form="PNG"), "image/png"),
        (jpeg(mode="L"), "image/jpeg"),
        (jpeg(mode="CMYK"), "image/jpeg"),
        (jpeg(progressive=True), "image/jpeg"),
        (jpeg(quality=100, subsampling=0, optimize=True), "image/jpeg"),
        (jpeg(restart_marker_rows=1), "image/jpeg"),
        (jpeg(comment=b"till 3", dpi=(300, 300)), "image/jpeg"),
        (jpeg(exif=Image.Exif(), icc_profile=bytes(200_000)), "image/jpeg"),
        (png(mode="L"), "image/png"),
        (png(mode="LA"), "image/png"),
        (png(mode="RGBA"), "image/png"),
        (png(mode="P"), "image/png"),
        (png(mode="1"), "image/png"),
        (png(mode="I;16"), "image/png"),
        (png(compress_level=0), "image/png"),
    ],
    ids=[
        "JPEG", "PNG", "grey", "CMYK", "progressive", "best", "restarts", "comment", "profile", "grey PNG",
        "grey with alpha", "alpha", "palette", "black and white", "16 bits", "uncompressed",
    ],
)  # fmt: skip
def test_a_picture_is_taken_in_every_usual_form(content: bytes, content_type: str) -> None:
    found = check(content)
    assert (found.content_type, (found.width, found.height), found.size) == (content_type, SMALL, len(content))


def test_a_photograph_that_lies_on_its_side_is_taken_as_it_lies() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn it to the right to see it upright
    found = check(jpeg(exif=exif))
    assert (found.width, found.height) == SMALL


def test_a_phones_photograph_with_a_preview_in_the_same_file_is_taken() -> None:
    photo, preview = drawn(1), drawn(1, size=(90, 140))
    found = check(saved(photo, "MPO", save_all=True, append_images=[preview]))
    assert (found.content_type, found.width, found.height) == ("image/jpeg", *SMALL)


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (3000, 1), (1, 3000)])
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_small_and_thin_pictures_are_taken(size: tuple[int, int], form: str) -> None:
    found = check(saved(Image.new("RGB", size), form))
    assert (found.width, found.height) == size


def test_what_is_appended_to_a_picture_harms_nobody() -> None:
    for content in (draw_receipt(1, size=SMALL), draw_receipt(1, size=SMALL, form="PNG")):
        assert check(content + b"PK\x03\x04 a film, an archive or a script").size > len(content)


def test_a_picture_of_exactly_the_most_pixels_is_taken(settings: LazySettings) -> None:
    settings.UPLOAD_MAX_MEGAPIXELS = 1
    assert check(saved(Image.new("L", (1000, 1000)), "PNG")).width == 1000
    assert code(saved(Image.new("L", (1001, 1000)), "PNG")) == (400, "image_too_many_pixels")


def test_a_file_of_exactly_the_most_bytes_is_taken(settings: LazySettings) -> None:
    content = draw_receipt(1, size=SMALL)
    settings.UPLOAD_MAX_BYTES = len(content)
    assert check(content).size == len(content)
    settings.UPLOAD_MAX_BYTES = len(content) - 1
    assert code(content) == (413, "file_too_large")


def test_where_the_file_was_read_to_before_does_not_matter() -> None:
    file = ContentFile(draw_receipt(1, size=SMALL), name="receipt")
    file.read()
    assert check_upload(file) == check_upload(file)


# -- what is something else


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00", "an AVIF"),
        (b"\x00\x00\x00\x18ftypavis\x00\x00\x00\x00", "an AVIF"),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1avif", "an AVIF"),
        (saved(drawn(), "GIF"), "a GIF"),
        (saved(drawn(), "TIFF"), "a TIFF"),
        (b"MM\x00*\x00\x00\x00\x08", "a TIFF"),
        (saved(drawn(), "BMP"), "a BMP"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_another_format_is_refused_by_its_name(head: bytes, name: str) -> None:
    problem = refusal(head)
    assert (problem.status_code, problem.code) == (415, "unsupported_file_type")
    assert str(problem.detail) == f"This is {name} file; send JPEG, PNG, WEBP, HEIC or PDF."


@pytest.mark.parametrize(
    "content",
    [
        b"x",
        bytes(5000),
        b"\xff\xd8",
        SIGNATURE[:7],
        b"\x89PNG\n\x1a\n" + bytes(100),  # what a transfer in text mode leaves of a PNG
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<html><script>alert(1)</script>",
        b"PK\x03\x04",
        b" " + draw_receipt(1, size=SMALL),
    ],
    ids=lambda content: ascii(content[:12]),
)
def test_what_is_no_image_is_refused(content: bytes) -> None:
    assert code(content) == (415, "unsupported_file_type")


def test_an_empty_file_is_refused() -> None:
    assert code(b"") == (400, "file_empty")


def test_formats_that_are_switched_off_are_refused_by_their_name(settings: LazySettings) -> None:
    settings.UPLOAD_FORMATS = ["jpeg"]
    assert str(refusal(png()).detail) == "This is a PNG file; send JPEG."
    settings.UPLOAD_FORMATS = ["jpeg", "png"]
    assert str(refusal(b"%PDF-1.7").detail) == "This is a PDF file; send JPEG or PNG."
    assert str(refusal(b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic").detail).startswith("This is a HEIC file")


@pytest.mark.parametrize(
    "content",
    [
        SIGNATURE + draw_receipt(1, size=SMALL),
        b"\xff\xd8\xff" + draw_receipt(1, size=SMALL, form="PNG"),
        b"\xff\xd8\xff" + b"<?php system($_GET['c']); ?>",
        SIGNATURE + b"%PDF-1.7",
        SIGNATURE,
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe0",
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff" + bytes(5000),
    ],
    ids=lambda content: ascii(content[:16]),
)
def test_a_first_line_that_lies_does_not_help(content: bytes) -> None:
    assert code(content) == BROKEN


# -- what is damaged


@pytest.mark.parametrize(
    "content", [draw_receipt(1, size=SMALL), jpeg(progressive=True)], ids=["baseline", "progressive"]
)
def test_a_jpeg_that_was_cut_short_is_refused(content: bytes) -> None:
    for end in range(3, len(content) * 98 // 100, 97):
        assert code(content[:end]) == BROKEN, end


def test_a_png_that_was_cut_short_is_refused_wherever_it_was_cut() -> None:
    content = draw_receipt(1, size=(36, 56), form="PNG")
    for end in [*range(8, len(content), 31), *range(len(content) - 30, len(content) - 8)]:
        assert code(content[:end]) == BROKEN, end


def test_a_png_with_a_wrong_checksum_in_any_chunk_is_refused() -> None:
    content = png(dpi=(300, 300))
    starts = accumulate(map(len, chunks(content)), initial=len(SIGNATURE))
    for end in list(starts)[1:-1]:  # nothing hangs on the last one's: it is empty
        damaged = bytearray(content)
        damaged[end - 1] ^= 1
        assert code(bytes(damaged)) == BROKEN, end


@pytest.mark.parametrize("size", [(0, 0), (0, 10), (10, 0)])
def test_a_picture_without_an_extent_is_refused(size: tuple[int, int]) -> None:
    rest = b"".join(chunks(png())[1:])
    assert code(SIGNATURE + header(*size) + rest) == BROKEN
    assert code(resized(jpeg(), *size)) == BROKEN


@pytest.mark.parametrize(
    "content",
    [
        SIGNATURE + header(10, 10) + chunk(b"IEND"),
        SIGNATURE + header(10, 10) + chunk(b"IDAT", b"no zlib") + chunk(b"IEND"),
        SIGNATURE + header(10, 10, depth=7) + chunk(b"IDAT") + chunk(b"IEND"),
        SIGNATURE + header(10, 10, colour=5) + chunk(b"IDAT") + chunk(b"IEND"),
        SIGNATURE + b"".join(chunks(png())[1:]),
        with_chunks(png(), b"\xff\xff\xff\xffaaAa"),
        with_chunks(png(), chunk(b"IHDR", b"short")),
        with_chunks(png(), chunk(b"\xff\xfe\xfd\xfc")),
    ],
    ids=["no data", "no zlib", "odd depth", "odd colour", "no header", "endless chunk", "two headers", "no name"],
)
def test_a_png_that_breaks_the_rules_is_refused(content: bytes) -> None:
    assert code(content) == BROKEN


# -- what is more than one picture, or too large a one


def test_an_animation_is_refused() -> None:
    frames = [drawn(number) for number in (2, 3)]
    assert code(saved(drawn(1), "PNG", save_all=True, append_images=frames)) == (400, "image_animated")


def test_a_long_animation_is_refused_as_one() -> None:
    frames = [Image.new("L", (4, 4), shade) for shade in range(1, 200)]
    assert code(saved(Image.new("L", (4, 4)), "PNG", save_all=True, append_images=frames)) == (400, "image_animated")


@pytest.mark.parametrize("size", [(65_500, 65_500), (60_000, 834)])
def test_a_jpeg_that_says_it_has_too_many_pixels_is_refused(size: tuple[int, int]) -> None:
    problem = refusal(resized(jpeg(), *size))
    assert (problem.status_code, problem.code) == (400, "image_too_many_pixels")
    assert str(problem.detail) == f"The image is {size[0]} by {size[1]} pixels; at most 50 megapixels fit."


@pytest.mark.parametrize("size", [(2**31 - 1, 2**31 - 1), (10_000, 5_001)])
def test_a_png_that_says_it_has_too_many_pixels_is_refused(size: tuple[int, int]) -> None:
    rest = b"".join(chunks(png())[1:])
    assert code(SIGNATURE + header(*size) + rest) == (400, "image_too_many_pixels")


def resized(content: bytes, width: int, height: int) -> bytes:
    """Return a baseline JPEG that lies about its size."""
    at = content.index(b"\xff\xc0") + 5
    return content[:at] + height.to_bytes(2) + width.to_bytes(2) + content[at + 4 :]
