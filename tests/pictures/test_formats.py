"""WebP, HEIC and PDF: taken as JPEG and PNG are, kept as they came, and refused as clearly."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from accounting.problems import Problem
from receipts.files import CheckedUpload
from receipts.models import Receipt
from receipts.validators import check_upload
from tests.factories import SMALL
from tests.support.bombs import lying_heic
from tests.support.pictures import drawn, empty_webp, heic, pdf, pdf_of, pdf_page, riff, saved, webp
from tests.support.uploads import post

ORIENTATION = 0x0112


def check(content: bytes) -> CheckedUpload:
    return check_upload(ContentFile(content, name="receipt"))


def refusal(content: bytes) -> str:
    with pytest.raises(Problem) as caught:
        check(content)
    assert caught.value.status_code == 400
    return caught.value.code


def found(content: bytes) -> tuple[str, int, int]:
    upload = check(content)
    return upload.content_type, upload.width, upload.height


# -- what is taken


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (webp(), "image/webp"),
        (webp(lossless=True), "image/webp"),
        (webp(mode="RGBA", icc_profile=bytes(1000)), "image/webp"),
        (heic(), "image/heic"),
        (heic(mode="L"), "image/heic"),
        (heic(mode="RGBA"), "image/heic"),
        (heic(tile_size=64), "image/heic"),
        (heic().replace(b"ftypheic", b"ftypmif1", 1), "image/heic"),
        (saved(drawn(1), "HEIF", save_all=True, append_images=[drawn(2, size=(60, 90))]), "image/heic"),
        (pdf(), "application/pdf"),
    ],
    ids=[
        "WebP", "lossless", "alpha and profile", "HEIC", "grey HEIC", "HEIC with alpha", "tiles", "general brand",
        "a second picture", "PDF",
    ],
)  # fmt: skip
def test_a_picture_is_taken_in_every_usual_form(content: bytes, content_type: str) -> None:
    kind, *size = found(content)
    assert kind == content_type
    assert size == pytest.approx(SMALL, abs=1)


def test_all_pages_of_a_pdf_are_counted() -> None:
    assert check(pdf(pages=7)).pages == 7


def test_a_pdfs_size_is_that_of_the_picture_which_is_made_of_its_first_five_pages() -> None:
    assert found(pdf(pages=3))[1:] == pytest.approx((SMALL[0], 3 * SMALL[1]), abs=3)
    assert found(pdf(pages=7))[1:] == pytest.approx((SMALL[0], 5 * SMALL[1]), abs=5)


@pytest.mark.parametrize(
    ("box", "size"),
    [
        (b"0 0 595 842", (1653, 2339)),  # A4 at 200 dots to the inch
        (b"0 0 227 5669", (631, 15_747)),  # a till roll of two metres
        (b"0 0 8000 8000", (5000, 5000)),  # a poster, in all the pixels there are
        (b"0 0 9e9 9e9", (1700, 2200)),  # nonsense is a letter to pdfium
        (b"0 0 5 .01", (14, 1)),
    ],
)
def test_a_page_is_drawn_at_200_dots_to_the_inch_where_there_is_room(box: bytes, size: tuple[int, int]) -> None:
    assert found(pdf_page(b"0 0 m 9 9 l S", box=box))[1:] == pytest.approx(size, abs=1)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "content_type", "suffix", "disposition"),
    [
        (webp(), "image/webp", ".webp", "inline"),
        (heic(), "image/heic", ".heic", "attachment"),
        (pdf(), "application/pdf", ".pdf", "attachment"),
    ],
    ids=["WebP", "HEIC", "PDF"],
)
def test_what_was_sent_is_kept_untouched_and_given_back_under_its_own_type(
    content: bytes, content_type: str, suffix: str, disposition: str, api: APIClient, media: Callable[[], list[Path]]
) -> None:
    sent = SimpleUploadedFile("receipt.jpg", content, content_type="image/jpeg")
    assert post(api, file=sent).status_code == 202
    (stored,) = media()
    assert (stored.read_bytes(), stored.suffix) == (content, suffix)
    answer: Any = api.get(f"/api/v1/receipts/{Receipt.objects.get().pk}/file")
    assert (b"".join(answer.streaming_content), answer["Content-Type"]) == (content, content_type)
    assert answer["Content-Disposition"].partition(";")[0] == disposition


# -- what is more than one picture


def test_an_animation_is_refused() -> None:
    frames = [drawn(number) for number in (2, 3)]
    assert refusal(saved(drawn(1), "WEBP", save_all=True, append_images=frames)) == "image_animated"


@pytest.mark.parametrize("brand", [b"hevc", b"hevx", b"msf1"])
def test_a_sequence_is_refused(brand: bytes) -> None:
    assert refusal(heic().replace(b"ftypheic", b"ftyp" + brand, 1)) == "image_animated"


# -- what is damaged


@pytest.mark.parametrize("content", [webp(), webp(lossless=True), heic(), heic(tile_size=64)])
def test_a_picture_that_was_cut_short_is_refused(content: bytes) -> None:
    for end in range(12, len(content) - 8, len(content) // 7):
        assert refusal(content[:end]) == "image_broken", end


def test_a_heic_that_is_half_written_into_a_file_of_its_length_is_refused() -> None:
    content = heic(size=(600, 800))
    assert found(content) == ("image/heic", 600, 800)
    assert refusal(content[: len(content) // 2].ljust(len(content), b"\0")) == "image_broken"


def test_a_pdf_that_was_cut_short_is_refused() -> None:
    content = pdf()
    for end in range(5, len(content) - 8, len(content) // 5):
        assert refusal(content[:end]) == "pdf_broken", end


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"RIFF\x04\0\0\0WEBP", "image_broken"),
        (riff((b"VP8L", b"\x2f")), "image_broken"),
        (riff((b"ABCD", bytes(30))), "image_broken"),
        (riff((b"VP8X", bytes(10))), "image_broken"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "image_broken"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0\0\0\1meta\xff\xff\xff\xff\xff\xff\xff\xff", "image_broken"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0\0\0\x08free" * 6000, "image_broken"),
        (heic().replace(b"hvcC", b"hvcX"), "image_broken"),
        (b"%PDF-1.7\n%%EOF", "pdf_broken"),
        (pdf_of(b"<</Type/Catalog>>"), "pdf_broken"),
        (pdf_of(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>"), "pdf_broken"),
        (b"%PDF-1.7\n" + webp() + b"%%EOF", "pdf_broken"),
    ],
)
def test_a_file_that_breaks_the_rules_is_refused(content: bytes, code: str) -> None:
    assert refusal(content) == code


def test_a_pdf_that_asks_for_a_password_is_refused_as_locked() -> None:
    lock = b"<</Filter/Standard/V 1/R 2/Length 40/P -4/O<" + b"41" * 32 + b">/U<" + b"42" * 32 + b">>>"
    page = pdf_of(
        b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", b"<</Type/Page/Parent 2 0 R>>",
        lock, trailer=b"/Encrypt 4 0 R/ID[<41><41>]",
    )  # fmt: skip
    assert refusal(page) == "pdf_encrypted"


# -- what is too large


def test_formats_that_cost_more_for_a_pixel_end_earlier(settings: LazySettings) -> None:
    with pytest.raises(Problem) as caught:
        check(empty_webp(9400, 9400))
    assert caught.value.code == "image_too_many_pixels"
    assert str(caught.value.detail) == "The image is 9400 by 9400 pixels; at most 15 megapixels fit."
    settings.UPLOAD_MAX_MEGAPIXELS = 1
    assert refusal(empty_webp(1001, 1000)) == "image_too_many_pixels"
    assert refusal(heic(size=(1001, 1000))) == "image_too_many_pixels"


@pytest.mark.faults  # to make such a file takes seconds
def test_a_heic_that_understates_its_size_gets_no_more_memory_than_it_asked_for() -> None:
    assert refusal(lying_heic(claimed=70, actual=7000)) in ("image_broken", "image_too_complex")
