"""Small pictures for the list: made once, cheap, for those who may see receipts, and never in anybody's way."""

import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone
from PIL import Image

from receipts import thumbnails
from receipts.models import Receipt
from receipts.thumbnails import find_thumbnail, thumbnail_name
from tests.factories import ReceiptFactory
from tests.support.installation import wait_for
from tests.support.job_lifecycle import uploaded
from tests.support.old_receipts import purge
from tests.support.pictures import drawn, heic, pdf, png, webp
from tests.support.renditions import looks_like
from tests.support.staff import auditor, staff

pytestmark = pytest.mark.django_db

Media = Callable[[], list[Path]]


def address(receipt: Receipt) -> str:
    return f"/admin/receipts/receipt/{receipt.pk}/thumbnail/"


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def shows(made: bytes, drawing: Image.Image) -> bool:
    """Tell whether a thumbnail is that of the drawing."""
    return looks_like(made, drawing.resize(opened(made).size))


def test_it_is_a_small_jpeg() -> None:
    answer = auditor().get(address(ReceiptFactory.create()))
    made = opened(answer.content)
    assert (answer["Content-Type"], made.format) == ("image/jpeg", "JPEG")
    assert made.width <= 96
    assert made.height <= 128
    assert len(answer.content) < 16_000


def test_it_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    receipt = ReceiptFactory.create()
    first = find_thumbnail(receipt)
    monkeypatch.setattr(thumbnails, "_make", None)
    assert find_thumbnail(receipt) == first


def test_it_is_upright() -> None:
    landscape = Image.new("RGB", (200, 100), "white")
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    landscape.save(out, "JPEG", exif=exif)
    made = opened(find_thumbnail(ReceiptFactory.create(content=out.getvalue())))
    assert made.width < made.height


@pytest.mark.parametrize(("draw", "content_type"), [(png, "image/png"), (webp, "image/webp"), (heic, "image/heic")])
def test_every_picture_has_one(draw: Callable[[], bytes], content_type: str) -> None:
    receipt = ReceiptFactory.create(content=draw(), content_type=content_type)
    assert shows(find_thumbnail(receipt), drawn())


def test_a_pdf_shows_its_first_page() -> None:
    receipt = ReceiptFactory.create(content=pdf(pages=2), content_type="application/pdf")
    assert shows(find_thumbnail(receipt), drawn(1))


def test_what_no_picture_can_be_made_of_is_tried_once(media: Media, monkeypatch: pytest.MonkeyPatch) -> None:
    receipt = ReceiptFactory.create(content=b"\xff\xd8\xff no picture")
    answer = auditor().get(address(receipt))
    assert (answer.status_code, answer["Location"]) == (302, "/static/receipts/no-thumbnail.svg")
    assert answer["Cache-Control"] == "no-store"
    monkeypatch.setattr(thumbnails, "_make", None)
    assert find_thumbnail(receipt) == b""


def test_a_file_that_is_away_for_now_is_tried_again() -> None:
    receipt = ReceiptFactory.create()
    name = receipt.file.name or ""
    with receipt.file.open() as file:
        data = file.read()
    receipt.file.storage.delete(name)
    assert find_thumbnail(receipt) == b""
    receipt.file.storage.save(name, ContentFile(data))
    assert find_thumbnail(receipt) != b""


def test_a_damaged_file_that_is_uploaded_anew_has_one_again(django_capture_on_commit_callbacks: Any) -> None:
    receipt = uploaded().receipt
    path = Path(receipt.file.path)
    path.write_bytes(path.read_bytes()[:300])
    assert find_thumbnail(receipt) == b""
    with django_capture_on_commit_callbacks(execute=True):
        uploaded()
    receipt.refresh_from_db()
    assert opened(find_thumbnail(receipt)).format == "JPEG"


def test_of_a_deleted_receipt_none_is_shown_even_if_one_was_made() -> None:
    receipt = ReceiptFactory.create()
    assert find_thumbnail(receipt)
    receipt.purged_at = timezone.now()
    assert find_thumbnail(receipt) == b""


def test_the_retention_rule_leaves_none(media: Media, django_capture_on_commit_callbacks: Any) -> None:
    receipt = ReceiptFactory.create()
    find_thumbnail(receipt)
    assert [path for path in media() if path.name == f"{receipt.pk.hex}.jpg"] != []
    with django_capture_on_commit_callbacks(execute=True):
        purge(receipt)
    assert [path for path in media() if path.name == f"{receipt.pk.hex}.jpg"] == []


def test_a_full_disk_keeps_nobody_from_seeing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    receipt = ReceiptFactory.create()

    def full(*args: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("receipts.storage.PrivateFileStorage.save", full)
    assert opened(find_thumbnail(receipt)).format == "JPEG"


def test_so_many_are_made_at_once_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "PATIENCE_SECONDS", 0.05)
    receipt = ReceiptFactory.create()
    go_on, begun = threading.Event(), threading.Semaphore(0)

    def slow(receipt: Receipt) -> bytes:
        begun.release()
        assert go_on.wait(20)
        return b"made"

    monkeypatch.setattr(thumbnails, "_make", slow)
    busy = [threading.Thread(target=find_thumbnail, args=[receipt]) for _ in range(thumbnails.AT_ONCE)]
    for thread in busy:
        thread.start()
    for _ in busy:
        assert begun.acquire(timeout=20)
    assert find_thumbnail(receipt) == b""  # this time
    go_on.set()
    for thread in busy:
        thread.join(20)
    assert find_thumbnail(receipt) == b"made"


def test_who_waits_behind_somebody_with_the_same_wish_is_given_what_he_made(monkeypatch: pytest.MonkeyPatch) -> None:
    receipt, look = ReceiptFactory.create(), thumbnails._kept
    looked, made, go_on = set[int](), list[Receipt](), threading.Event()

    def look_and_say_so(receipt_id: UUID) -> bytes | None:
        found = look(receipt_id)
        looked.add(threading.get_ident())
        return found

    def make(receipt: Receipt) -> bytes:
        made.append(receipt)
        assert go_on.wait(20)
        thumbnails._keep(receipt.pk, b"made")
        return b"made"

    monkeypatch.setattr(thumbnails, "_turns", threading.BoundedSemaphore(1))
    monkeypatch.setattr(thumbnails, "PATIENCE_SECONDS", 20)
    monkeypatch.setattr(thumbnails, "_kept", look_and_say_so)
    monkeypatch.setattr(thumbnails, "_make", make)
    with ThreadPoolExecutor(2) as pool:
        wishes = [pool.submit(find_thumbnail, receipt) for _ in range(2)]
        wait_for(lambda: made and len(looked) == 2, "one to make it, and the other to find none yet")
        go_on.set()
        assert [wish.result() for wish in wishes] == [b"made"] * 2
    assert made == [receipt]


def test_it_is_for_those_who_may_see_receipts() -> None:
    receipt = ReceiptFactory.create()
    assert staff("jobs.view_joblog", name="berta").get(address(receipt)).status_code == 403


def test_a_browser_may_keep_it_for_itself_and_asks_again_with_its_etag() -> None:
    browser, receipt = auditor(), ReceiptFactory.create()
    answer = browser.get(address(receipt))
    assert answer["Cache-Control"] == "private, max-age=3600"
    assert browser.get(address(receipt), headers={"If-None-Match": answer["ETag"]}).status_code == 304


def test_its_name_tells_whose_it_is_and_needs_no_table() -> None:
    receipt = ReceiptFactory.create()
    assert thumbnail_name(receipt.pk) == f"thumbnails/{receipt.pk.hex[:2]}/{receipt.pk.hex}.jpg"
