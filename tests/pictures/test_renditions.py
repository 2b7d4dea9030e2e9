"""What N8N gets of a receipt that it could not read as it came: upright, and small enough."""

import io
import math
import os
from collections.abc import Callable

import pytest
from django.conf import LazySettings
from django.core.files.base import ContentFile
from PIL import Image, ImageChops, ImageStat

from jobs.payload import Payload, most_bytes
from receipts.models import Rendition
from receipts.validators import check_upload
from tests.factories import SMALL
from tests.support.bombs import BOMBS
from tests.support.pictures import blank_pages, drawn, heic, jpeg, pdf, pdf_page, png, saved, webp
from tests.support.renditions import ORIENTATION, TURNED, job_for, looks_like, opened, sent, turned

pytestmark = pytest.mark.any_database


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "content_type"), [(jpeg(), "image/jpeg"), (png(mode="RGBA"), "image/png")], ids=["JPEG", "PNG"]
)
def test_what_n8n_can_read_is_sent_byte_for_byte_and_nothing_is_made_of_it(content: bytes, content_type: str) -> None:
    job = job_for(content, content_type, filename=f"IMG 1.{content_type[6:]}")
    fields, picture = sent(job)
    assert picture == content
    assert (fields["content_type"], fields["sha256"]) == (content_type, job.receipt.sha256)
    assert fields["filename"] == job.filename
    assert not Rendition.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize(
    ("form", "content_type"),
    [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp"), ("HEIF", "image/heic")],
)
def test_a_picture_that_lies_on_its_side_is_sent_upright(orientation: int, form: str, content_type: str) -> None:
    fields, picture = sent(job_for(turned(orientation, form), content_type))
    assert fields["content_type"] == "image/jpeg"
    assert looks_like(picture, drawn())
    assert ORIENTATION not in opened(picture).getexif()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "content_type"),
    [(webp(quality=90), "image/webp"), (heic(quality=90), "image/heic"), (pdf(), "application/pdf")],
    ids=["WebP", "HEIC", "PDF"],
)
def test_what_n8n_cannot_read_is_sent_as_a_jpeg_under_a_name_that_says_so(content: bytes, content_type: str) -> None:
    job = job_for(content, content_type, filename="IMG_1.HEIC")
    fields, picture = sent(job)
    made = Rendition.objects.get(receipt=job.receipt)
    assert (fields["filename"], fields["content_type"]) == ("IMG_1.jpg", "image/jpeg")
    assert (fields["sha256"], len(picture)) == (made.sha256, made.size)
    assert (made.width, made.height) == opened(picture).size == pytest.approx(SMALL, abs=1)
    assert content == job.receipt.file.read()
    job.receipt.file.close()


@pytest.mark.django_db
def test_the_pages_of_a_pdf_are_sent_as_one_picture_from_top_to_bottom() -> None:
    _, picture = sent(job_for(pdf(pages=7), "application/pdf"))
    image = opened(picture)
    height = image.height // 5
    assert image.size == pytest.approx((SMALL[0], 5 * SMALL[1]), abs=5)
    for page in range(5):
        part = image.crop((0, page * height, SMALL[0], page * height + SMALL[1])).convert("L")
        difference = ImageChops.difference(part, drawn(page + 1, "L"))
        assert ImageStat.Stat(difference).mean[0] < 20, page


@pytest.mark.django_db
@pytest.mark.parametrize(
    "sizes", [[(4320, 150), *[(150, 4320)] * 4], [(5000, 30), (30, 5000)], [(595, 842)] * 5], ids=["L", "cross", "A4"]
)
def test_pages_of_different_shapes_are_sent_on_paper_that_there_is_room_for(sizes: list[tuple[int, int]]) -> None:
    content = blank_pages(sizes)
    found = check_upload(ContentFile(content))
    _, picture = sent(job_for(content, "application/pdf"))
    width, height = opened(picture).size
    assert (width, height) == pytest.approx((found.width, found.height), abs=1)
    assert width * height <= 25_100_000  # every page's edges are rounded up
    assert min(opened(picture).convert("L").tobytes()) > 250


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (saved(Image.new("RGBA", (40, 40), (0, 0, 0, 0)), "WEBP", lossless=True), "image/webp"),
        (saved(Image.new("RGBA", (40, 40), (0, 0, 0, 0)), "HEIF", quality=90), "image/heic"),
        (pdf_page(b""), "application/pdf"),
    ],
    ids=["WebP", "HEIC", "PDF"],
)
def test_what_can_be_seen_through_is_shown_on_white(content: bytes, content_type: str) -> None:
    _, picture = sent(job_for(content, content_type))
    assert min(opened(picture).convert("L").tobytes()) > 245


@pytest.mark.django_db
def test_a_picture_that_is_too_large_for_n8n_is_made_smaller(settings: LazySettings) -> None:
    settings.N8N_MAX_PAYLOAD_MB = 1
    noise = Image.frombytes("RGB", (1200, 900), os.urandom(1200 * 900 * 3))
    job = job_for(saved(noise, "PNG"), "image/png")
    body = Payload(job)
    assert job.receipt.size > most_bytes() > 700_000
    assert 400_000 < len(body) <= 1024 * 1024


@pytest.mark.django_db
def test_a_picture_that_is_too_long_for_a_jpeg_is_made_shorter() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    long = saved(Image.new("RGB", (40, 66_000), "white"), "PNG", exif=exif.tobytes())
    _, picture = sent(job_for(long, "image/png"))
    assert opened(picture).size == (60_000, 36)


@pytest.mark.django_db
def test_no_more_pixels_are_lost_than_there_is_no_room_for(settings: LazySettings) -> None:
    settings.N8N_MAX_PAYLOAD_MB = 1
    noise = Image.frombytes("RGB", (1600, 1500), os.urandom(1600 * 1500 * 3))
    _, picture = sent(job_for(saved(noise, "PNG"), "image/png"))
    room = most_bytes() / len(saved(noise, "JPEG", quality=65))
    assert room < 0.75
    assert opened(picture).width > 0.95 * 0.95 * 1600 * math.sqrt(room)


@pytest.mark.django_db
@pytest.mark.faults
@pytest.mark.parametrize(
    ("make", "content_type"),
    [
        (lambda: saved(Image.new("RGB", (7000, 7100)), "JPEG", exif=lying()), "image/jpeg"),
        (lambda: saved(Image.new("RGBA", (7000, 7100)), "PNG", exif=lying(), compress_level=1), "image/png"),
        (BOMBS["HEIC of 29 megapixels of white"], "image/heic"),
    ],
    ids=["JPEG", "PNG", "HEIC"],
)
def test_the_largest_picture_keeps_all_its_pixels(make: Callable[[], bytes], content_type: str) -> None:
    content = make()
    with Image.open(io.BytesIO(content)) as image:
        pixels = image.width * image.height
    _, picture = sent(job_for(content, content_type))
    assert opened(picture).width * opened(picture).height == pixels


def lying() -> Image.Exif:
    """Return Exif of a camera that lay on its side."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    return exif


@pytest.mark.django_db
@pytest.mark.parametrize("orientation", [0, 1, 9])
def test_an_orientation_that_means_nothing_changes_no_byte(orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    content = jpeg(exif=exif)
    assert sent(job_for(content, "image/jpeg"))[1] == content


@pytest.mark.django_db
def test_damaged_metadata_keeps_no_picture_from_being_sent() -> None:
    content = saved(drawn(), "WEBP", exif=b"Exif\0\0M\xff\xff\x7f\0\0\0\x08", quality=90)
    assert looks_like(sent(job_for(content, "image/webp"))[1], drawn())


@pytest.mark.django_db
@pytest.mark.parametrize("options", [{}, {"transparency": 5000}])
def test_sixteen_bits_of_grey_stay_legible(options: dict[str, int]) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 3
    grey = drawn(mode="L")
    deep = grey.convert("I").point(lambda value: value * 257).convert("I;16").transpose(Image.Transpose.ROTATE_180)
    _, picture = sent(job_for(saved(deep, "PNG", exif=exif, **options), "image/png"))
    assert looks_like(picture, grey)
