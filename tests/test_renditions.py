"""What N8N gets of a receipt that it could not read as it came: made once, kept, upright, and small enough."""

import base64
import io
import json
import math
import os
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.files.base import ContentFile
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone
from PIL import Image, ImageChops, ImageStat

from jobs import n8n
from jobs.answers import Trouble
from jobs.models import JobLog
from jobs.payload import Payload, most_bytes
from receipts import services
from receipts.models import Receipt, Rendition
from receipts.orphans import remove_orphans
from receipts.validators import check_upload

from .bombs import BOMBS
from .deliveries import n8n_at
from .factories import SMALL, JobFactory, ReceiptFactory
from .pictures import blank_pages, drawn, heic, jpeg, pdf, pdf_page, png, saved, webp
from .stub_server import answering, stub_server

Media = Callable[[], list[Path]]

ORIENTATION = 0x0112
# how a phone that was held so writes the picture (Exif 2.32, tag Orientation): what turns it back
TURNED = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}


def job_for(content: bytes, content_type: str, **fields: Any) -> JobLog:
    return JobFactory.create(receipt=ReceiptFactory.create(content=content, content_type=content_type), **fields)


def sent(job: JobLog) -> tuple[dict[str, Any], bytes]:
    """Return the fields of a delivery, and the picture in it."""
    body = Payload(job)
    fields = json.loads(b"".join(body))
    assert len(body) == len(b"".join(body))
    return fields, base64.b64decode(fields.pop("image_data"))


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content), formats=["JPEG"])


def looks_like(content: bytes, expected: Image.Image) -> bool:
    """Tell whether a picture shows the same, but for what encoding changes."""
    picture = opened(content).convert("L")
    if picture.size != expected.size:
        return False
    return bool(ImageStat.Stat(ImageChops.difference(picture, expected.convert("L"))).mean[0] < 6)


def turned(orientation: int, form: str) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return saved(drawn().transpose(TURNED[orientation]), form, exif=exif.tobytes(), quality=90)


# -- what is sent


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "content_type"), [(jpeg(), "image/jpeg"), (png(mode="RGBA"), "image/png")], ids=["JPEG", "PNG"]
)
def test_what_n8n_can_read_is_sent_byte_for_byte_and_nothing_is_made_of_it(content: bytes, content_type: str) -> None:
    job = job_for(content, content_type, filename="IMG_1.whatever")
    fields, picture = sent(job)
    assert picture == content
    assert (fields["content_type"], fields["sha256"]) == (content_type, job.receipt.sha256)
    assert fields["filename"] == "IMG_1.whatever"
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
def test_sixteen_bits_of_grey_stay_legible() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 3
    grey = drawn(mode="L")
    deep = grey.convert("I").point(lambda value: value * 257).convert("I;16")
    _, picture = sent(job_for(saved(deep.transpose(Image.Transpose.ROTATE_180), "PNG", exif=exif), "image/png"))
    assert looks_like(picture, grey)


# -- once


@pytest.mark.django_db
def test_it_is_not_made_again_for_the_next_try(media: Media) -> None:
    job = job_for(heic(), "image/heic")
    first, files = sent(job), media()
    assert sent(job) == first
    assert sent(JobFactory.create(receipt=job.receipt))[1] == first[1]
    assert media() == files
    assert Rendition.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_another_limit_of_n8n_asks_for_another_and_the_former_file_goes(settings: LazySettings, media: Media) -> None:
    job = job_for(heic(), "image/heic")
    sent(job)
    files = media()
    settings.N8N_MAX_PAYLOAD_MB = 2
    sent(job)
    assert Rendition.objects.get().most_bytes == most_bytes()
    assert len(media()) == len(files) == 2
    assert media() != files


@pytest.mark.django_db(transaction=True)
def test_one_whose_file_is_gone_is_made_again(media: Media) -> None:
    job = job_for(heic(), "image/heic")
    _, picture = sent(job)
    Path(Rendition.objects.get().file.path).unlink()
    assert sent(job)[1] == picture
    assert len(media()) == 2


@pytest.mark.django_db(transaction=True)
def test_two_workers_that_prepare_it_at_once_leave_one(media: Media) -> None:
    job = job_for(heic(), "image/heic")
    gate, bodies = threading.Barrier(2), []

    def prepare() -> None:
        gate.wait()
        try:
            bodies.append(sent(job))
        finally:
            connection.close()

    threads = [threading.Thread(target=prepare) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(bodies) == 2
    assert bodies[0] == bodies[1]
    assert (Rendition.objects.count(), len(media())) == (1, 2)


@pytest.mark.django_db
def test_a_worker_killed_in_between_leaves_a_file_that_is_removed_after_a_day(
    media: Media, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_for(heic(), "image/heic")
    with monkeypatch.context() as patch:
        patch.setattr(services, "_keep_rendition", _die)
        with pytest.raises(KeyboardInterrupt):
            Payload(job)
    assert (Rendition.objects.count(), len(media())) == (0, 2)
    sent(job)
    assert len(media()) == 3
    for file in media():
        _age(file, timedelta(hours=23))
    assert remove_orphans(now=timezone.now()) == 0
    for file in media():
        _age(file, timedelta(hours=25))
    assert remove_orphans(now=timezone.now()) == 1
    assert sent(job)
    assert len(media()) == 2


def _die(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def _age(file: Path, by: timedelta) -> None:
    then = (timezone.now() - by).timestamp()
    os.utime(file, (then, then))


# -- what cannot be prepared


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "content_type"),
    [(heic()[:-2000], "image/heic"), (b"%PDF-1.7 %%EOF", "application/pdf"), (bytes(100), "image/webp")],
    ids=["HEIC", "PDF", "WebP"],
)
def test_a_file_that_nobody_can_read_is_told_of_and_ends_no_worker(content: bytes, content_type: str) -> None:
    job = job_for(content, content_type, sending=True)
    with stub_server(answering()) as server, n8n_at(server.url):
        assert n8n.send_receipt(job).trouble is Trouble.FILE_UNREADABLE
        assert server.requests == []
    assert not Rendition.objects.exists()


@pytest.mark.django_db
def test_where_the_machine_is_too_busy_it_is_tried_again_later(settings: LazySettings) -> None:
    settings.N8N_PREPARATION_SECONDS = 0.001
    assert n8n.send_receipt(job_for(heic(), "image/heic", sending=True)).trouble is Trouble.NOT_PREPARED


@pytest.mark.django_db
@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_where_the_database_is_away_when_it_is_to_be_kept_it_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def away(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(services, "_keep_rendition", away)
    assert n8n.send_receipt(job_for(heic(), "image/heic", sending=True)).trouble is Trouble.NOT_PREPARED


# -- to look at


@pytest.mark.django_db
def test_the_picture_made_can_be_had_by_its_client_alone(api: Any, shop: Any) -> None:
    own = job_for(heic(), "image/heic").receipt
    Receipt.objects.filter(pk=own.pk).update(client=shop)
    address = f"/api/v1/receipts/{own.pk}/rendition"
    assert (api.get(address).status_code, api.get(address).json()["code"]) == (404, "rendition_missing")
    _, picture = sent(JobFactory.create(receipt=own))
    answer = api.get(address)
    assert (b"".join(answer.streaming_content), answer["Content-Type"]) == (picture, "image/jpeg")
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    other = job_for(heic(2), "image/heic")
    sent(other)
    assert api.get(f"/api/v1/receipts/{other.receipt.pk}/rendition").status_code == 404


@pytest.mark.django_db
def test_the_jobs_page_shows_what_a_browser_can_show(admin_client: Any) -> None:
    job = job_for(heic(), "image/heic")
    page = f"/admin/jobs/joblog/{job.pk}/change/"
    before = admin_client.get(page).content.decode()
    assert '<img class="receipt"' not in before
    assert f"/api/v1/receipts/{job.receipt.pk}/file" in before
    sent(job)
    assert (
        f'<img class="receipt" src="/api/v1/receipts/{job.receipt.pk}/rendition"'
        in admin_client.get(page).content.decode()
    )
    assert (
        f"/api/v1/receipts/{job.receipt.pk}/rendition"
        in admin_client.get(f"/admin/receipts/receipt/{job.receipt.pk}/change/").content.decode()
    )
