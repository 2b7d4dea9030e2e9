"""A receipt whose file is purged: what is said of it, and that what comes meanwhile is neither lost nor left behind."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from jobs import services
from jobs.models import JobLog
from receipts import renditions, thumbnails, views
from receipts import services as receipt_services
from receipts.models import Receipt, Rendition
from receipts.rendering import NotMade
from receipts.thumbnails import find_thumbnail
from tests.factories import JobFactory
from tests.support.job_lifecycle import filed, uploaded
from tests.support.old_receipts import purge, rendition_of
from tests.support.pictures import heic
from tests.support.renditions import job_for
from tests.support.renditions import sent as delivered_picture
from tests.support.staff import auditor
from tests.support.uploads import post

pytestmark = pytest.mark.django_db

Media = Callable[[], list[Path]]


# -- what is said of it


def test_the_api_says_that_it_was_deleted_and_when(api: APIClient, shop: Any) -> None:
    receipt = filed(shop).receipt
    purge(receipt)
    for what in ("file", "rendition"):
        answer = api.get(f"/api/v1/receipts/{receipt.pk}/{what}")
        assert (answer.status_code, answer.json()["code"]) == (410, "file_gone")
        assert f"{timezone.now():%Y-%m}" in answer.json()["detail"]
    assert api.get(f"/api/v1/receipts/{receipt.pk}/").json()["purged_at"]


@pytest.mark.parametrize(("what", "look"), [("file", "has_file"), ("rendition", "find_rendition")])
def test_the_api_says_so_of_what_went_between_its_look_and_its_answer(
    what: str, look: str, api: APIClient, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = filed(shop).receipt
    rendition_of(receipt)
    seen = look_before(lambda: purge(receipt), look, monkeypatch)
    answer = api.get(f"/api/v1/receipts/{receipt.pk}/{what}")
    assert seen[0]
    assert (answer.status_code, answer.json()["code"]) == (410, "file_gone")


@pytest.mark.parametrize(
    ("what", "look", "code"),
    [("file", "has_file", "file_gone"), ("rendition", "find_rendition", "rendition_missing")],
)
def test_the_api_finds_nothing_where_it_was_lost_then(
    what: str, look: str, code: str, api: APIClient, shop: Any, media: Media, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = filed(shop).receipt
    rendition_of(receipt)
    seen = look_before(lambda: list(map(os.unlink, media())), look, monkeypatch)
    answer = api.get(f"/api/v1/receipts/{receipt.pk}/{what}")
    assert seen[0]
    assert (answer.status_code, answer.json()["code"]) == (404, code)


def look_before(happens: Callable[[], object], look: str, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let something happen right after the views' first look; return what each look finds."""
    real, found = getattr(views, look), list[Any]()

    def looked(receipt: Receipt) -> Any:
        found.append(real(receipt))
        if len(found) == 1:
            happens()
        return found[-1]

    monkeypatch.setattr(views, look, looked)
    return found


def test_the_admin_says_so_and_links_to_nothing() -> None:
    job = filed()
    purge(job.receipt)
    page = auditor().get(f"/admin/receipts/receipt/{job.receipt_id}/change/").content.decode()
    assert "deleted by rule on" in page
    assert f"/api/v1/receipts/{job.receipt_id}/file" not in page


# -- what comes while it goes, or afterwards


def test_bytes_that_come_while_their_file_goes_are_stored(media: Media, monkeypatch: pytest.MonkeyPatch) -> None:
    filed()
    look = receipt_services.has_file
    seen: list[bool] = []

    def go_after_the_look(receipt: Receipt) -> bool:
        seen.append(look(receipt))
        if len(seen) == 1:
            purge(receipt)
        return seen[-1]

    monkeypatch.setattr(receipt_services, "has_file", go_after_the_look)
    uploaded(again=True)
    receipt = Receipt.objects.get()
    assert (seen[0], receipt.purged_at) == (True, None)
    assert Path(receipt.file.path) in media()


def test_bytes_whose_file_goes_comes_back_and_goes_again_meanwhile_are_asked_for_anew(
    api: APIClient, shop: Any, media: Media, monkeypatch: pytest.MonkeyPatch
) -> None:
    filed(shop)
    look = receipt_services.has_file
    before = list(JobLog.objects.values()), media()

    def be_there_for_the_look_only(receipt: Receipt) -> bool:
        Receipt.objects.update(purged_at=None)
        is_there = look(Receipt.objects.get())
        Receipt.objects.update(purged_at=timezone.now())
        return is_there

    monkeypatch.setattr(receipt_services, "has_file", be_there_for_the_look_only)
    answer = post(api)
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "busy", "5")
    assert (list(JobLog.objects.values()), media()) == before


def test_who_comes_second_purges_nothing(media: Media) -> None:
    job = filed()
    purge(job.receipt)
    assert services.purge_receipt(job.receipt_id, before="receipts/9999") is None
    assert job.events.filter(kind="purged").count() == 1


def test_a_purged_job_cannot_be_retried() -> None:
    job = JobFactory.create(failure=True)
    purge(job.receipt)
    with pytest.raises(services.NotNow, match="file is gone"):
        services.retry_job(job.pk, actor="anna", reason="again")


def test_a_picture_that_is_made_while_its_receipt_goes_is_not_kept(media: Media, monkeypatch: Any) -> None:
    job = job_for(heic(), "image/heic")
    JobLog.objects.filter(pk=job.pk).update(status="success", due_at=None, completed_at=timezone.now())
    keep = renditions._keep_rendition

    def purge_first(receipt: Receipt, *args: Any, **kwargs: Any) -> Rendition:
        purge(receipt)
        return keep(receipt, *args, **kwargs)

    monkeypatch.setattr(renditions, "_keep_rendition", purge_first)
    with pytest.raises(NotMade):
        delivered_picture(job)
    assert [path for path in media() if "renditions" in path.parts] == []


def test_a_thumbnail_that_is_made_while_its_receipt_goes_is_not_kept(media: Media, monkeypatch: Any) -> None:
    receipt = JobFactory.create(success=True).receipt
    keep = thumbnails._keep

    def purge_first(receipt_id: Any, data: bytes) -> None:
        purge(receipt)
        keep(receipt_id, data)

    monkeypatch.setattr(thumbnails, "_keep", purge_first)
    assert find_thumbnail(receipt)
    assert [path for path in media() if "thumbnails" in path.parts] == []
