"""Sample receipts: real pictures that the upload's checks accept, each its own, with sums that are right."""

import io
import time

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image, ImageStat

from receipts.sample import VAT_PERCENT, draw_receipt, make_sample
from receipts.validators import check_upload
from tests.factories import SMALL


def picture(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def brightness(photo: Image.Image, box: tuple[int, int, int, int]) -> float:
    return ImageStat.Stat(photo.convert("L").crop(box)).mean[0]


def test_the_same_number_draws_the_same_bytes() -> None:
    assert draw_receipt(7, size=SMALL) == draw_receipt(7, size=SMALL)


def test_every_number_draws_another_receipt() -> None:
    numbers = range(40)
    assert len({draw_receipt(number, size=SMALL) for number in numbers}) == len(numbers)
    samples = [make_sample(number) for number in numbers]
    assert len({(sample.street, sample.bought_on, sample.items) for sample in samples}) == len(numbers)


@pytest.mark.parametrize(("form", "content_type"), [("JPEG", "image/jpeg"), ("PNG", "image/png")])
@pytest.mark.parametrize("size", [(900, 1400), SMALL])
def test_the_checks_of_an_upload_find_a_picture_of_the_wanted_kind_and_size(
    form: str, content_type: str, size: tuple[int, int]
) -> None:
    found = check_upload(SimpleUploadedFile("receipt", draw_receipt(form=form, size=size)))
    assert (found.content_type, found.width, found.height) == (content_type, *size)


@pytest.mark.parametrize("size", [(1, 1), (40, 400), (400, 40)])
def test_a_picture_of_any_shape_can_be_drawn(size: tuple[int, int]) -> None:
    assert picture(draw_receipt(size=size)).size == size


@pytest.mark.parametrize("number", range(5))
def test_it_shows_bright_paper_upon_a_darker_table(number: int) -> None:
    photo = picture(draw_receipt(number))
    table = brightness(photo, (0, 0, 900, 60))
    paper = brightness(photo, (300, 400, 600, 1000))
    assert table < 110 < 150 < paper


def test_the_paper_is_not_quite_straight() -> None:
    photo = picture(draw_receipt(form="PNG")).convert("L")
    rows = [photo.crop((0, y, 900, y + 1)).tobytes() for y in range(400, 1000, 50)]
    left_edges = {next(x for x, shade in enumerate(row) if shade > 150) for row in rows}
    assert len(left_edges) > 3


@pytest.mark.parametrize("number", range(50))
def test_the_prices_add_up(number: int) -> None:
    sample = make_sample(number)
    assert sample.total == sum(item.count * item.price for item in sample.items)
    assert sample.vat == pytest.approx((sample.total - sample.vat) * VAT_PERCENT / 100, abs=1)
    assert len(sample.items) >= 4


def test_small_receipts_are_cheap_enough_for_tests_to_draw_many() -> None:
    started = time.process_time()
    for number in range(20):
        draw_receipt(number, size=SMALL)
    assert time.process_time() - started < 2
