"""Uploads of new receipts: what a client is answered, and what is kept of it."""

import hashlib
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from redis import Redis
from rest_framework.test import APIClient
from rq import Queue
from rq.serializers import JSONSerializer

from accounting.api.body_limits import FORM_BYTES
from accounting.clock import database_now, seconds_since_boot
from accounting.forms.uploaded_files import NamelessFileUploadHandler
from jobs.models import JobEvent, JobLog
from jobs.services import submission
from jobs.stats import GRACE
from receipts.models import ApiKey, Client, Receipt
from tests.factories import DATABASE_ID, SMALL
from tests.support.pictures import pdf
from tests.support.uploads import content, file_part, form, picture, post, post_raw, text_part

pytestmark = pytest.mark.django_db

Media = Callable[[], list[Path]]


def test_a_form_that_says_the_same_twice_is_taken(api: APIClient) -> None:
    again = text_part("notion_database_id", DATABASE_ID)  # the form's own end says so, too
    assert post_raw(api, form(again, file_part())).status_code == 202


def test_a_form_that_is_just_as_long_as_may_be_is_taken(api: APIClient, settings: LazySettings) -> None:
    body = form(text_part("note", "x" * 66_000), file_part())
    settings.UPLOAD_MAX_BYTES = len(body) - FORM_BYTES
    assert post_raw(api, body).status_code == 202
    settings.UPLOAD_MAX_BYTES -= 1
    assert post_raw(api, body).status_code == 413


def test_a_receipt_is_answered_with_its_job_and_where_to_ask_for_it(api: APIClient) -> None:
    answer = post(api)
    assert answer.status_code == 202
    job = JobLog.objects.get()
    address = f"http://testserver/api/v1/jobs/{job.pk}/"
    assert (answer["Location"], answer["Retry-After"]) == (address, "2")
    assert answer.json() == {
        "job_id": str(job.pk),
        "status": "queued",
        "receipt_id": str(job.receipt_id),
        "duplicate_of": None,
        "created_at": answer.json()["created_at"],
        "url": address,
    }
    assert api.get(answer["Location"]).json()["status"] == "queued"


def test_the_receipt_the_job_and_the_first_event_are_kept(api: APIClient, shop: Client) -> None:
    job_id = post(api, headers={"X-Request-ID": "till-3-77"}, file=picture(name="lunch.jpg")).json()["job_id"]
    job = JobLog.objects.get(pk=job_id)
    digest = hashlib.sha256(content()).hexdigest()
    assert (job.client, job.filename, job.notion_database_id) == (shop, "lunch.jpg", DATABASE_ID)
    assert (job.status, job.attempts, job.tries, job.duplicate_of) == ("queued", 0, 0, None)
    assert job.due_at == job.created_at
    receipt = job.receipt
    assert (receipt.client, receipt.sha256, receipt.size) == (shop, digest, len(content()))
    assert (receipt.content_type, receipt.width, receipt.height) == ("image/jpeg", *SMALL)
    event = job.events.get()
    assert (event.kind, event.source, event.attempt) == ("received", "api", 0)
    assert event.actor == f"key {ApiKey.objects.get().prefix}"
    assert event.detail == {"request_id": "till-3-77", "size": len(content()), "sha256": digest}


@pytest.mark.parametrize(("pages", "noted"), [(1, None), (2, 2)])
def test_the_first_event_says_how_many_pages_a_receipt_has_where_there_are_several(
    pages: int, noted: int | None, api: APIClient
) -> None:
    file = SimpleUploadedFile("receipt.pdf", pdf(pages=pages), content_type="application/pdf")
    assert post(api, file=file).status_code == 202
    assert JobEvent.objects.get().detail.get("pages") == noted


def test_the_bytes_are_kept_as_they_came_for_our_eyes_only_and_under_a_random_name(
    api: APIClient, media: Media
) -> None:
    post(api, file=picture(name="secret-lunch.png"))
    (kept,) = media()
    assert kept.read_bytes() == content()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    assert re.fullmatch(r"receipts/\d{4}/\d\d/\d\d/[0-9a-f]{32}\.jpg", Receipt.objects.get().file.name or "")
    assert kept.name == Path(Receipt.objects.get().file.name or "").name


@pytest.mark.parametrize("path", ["receipts/upload", "receipts/upload/", "receipts/", "receipts"])
def test_no_spelling_of_the_address_redirects(path: str, api: APIClient, settings: LazySettings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert post(api, path=f"/api/v1/{path}").status_code == 202


@pytest.mark.django_db(transaction=True)
def test_a_new_job_rings_for_a_worker_once_and_a_repeat_does_not(api: APIClient, redis: "Redis") -> None:
    job_id = post(api).json()["job_id"]
    post(api)
    assert [ring.args for ring in Queue(connection=redis, serializer=JSONSerializer).jobs] == [[job_id]]


def test_nothing_stays_in_the_folder_for_incoming_files(api: APIClient, settings: LazySettings, tmp_path: Path) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    settings.FILE_UPLOAD_TEMP_DIR, settings.FILE_UPLOAD_MAX_MEMORY_SIZE = str(incoming), 0
    assert post(api).status_code == 202
    assert post(api, notion_database_id="none").status_code == 400
    assert list(incoming.iterdir()) == []


def test_while_a_file_waits_there_it_is_in_no_folder_so_that_a_killed_process_leaves_none(
    settings: LazySettings, tmp_path: Path
) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    handler: Any = NamelessFileUploadHandler()
    handler.new_file("file", "receipt.jpg", "image/jpeg", 7)
    handler.receive_data_chunk(b"receipt", 0)
    assert list(tmp_path.iterdir()) == []
    with handler.file_complete(7) as file:
        assert file.read() == b"receipt"


@pytest.mark.parametrize(("ago", "stored_at_once"), [(timedelta(minutes=50), True), (timedelta(days=2), False)])
def test_a_machine_that_slept_between_file_and_row_stores_the_file_again_and_counts_from_when_it_woke(
    api: APIClient, media: Media, monkeypatch: pytest.MonkeyPatch, ago: timedelta, stored_at_once: bool
) -> None:
    looks = [database_now() - ago]

    def look() -> datetime:
        return looks.pop() if looks else database_now()

    monkeypatch.setattr(submission, "database_now", look)
    post(api)
    (kept,) = media()
    receipt, job = Receipt.objects.get(), JobLog.objects.get()
    assert receipt.file.path == str(kept)
    assert timezone.now() - job.created_at < timedelta(minutes=1)
    assert (f"{receipt.created_at - ago:%Y/%m/%d}" in str(kept)) is stored_at_once


def test_a_machine_that_falls_asleep_there_again_asks_for_the_upload_anew_and_keeps_nothing(
    api: APIClient, media: Media, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = [database_now() + timedelta(days=day) for day in range(4)]
    monkeypatch.setattr(submission, "database_now", lambda: looks.pop(0))
    answer = post(api)
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "busy", "5")
    assert (looks, media()) == ([], [])
    assert not Receipt.objects.exists()
    assert not JobLog.objects.exists()


@pytest.mark.parametrize("step", ["_submit", "keep_receipt"])
def test_a_machine_that_slept_between_clock_and_row_dates_nothing_into_an_hour_that_is_counted_already(
    api: APIClient, media: Media, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    go_on = getattr(submission, step)

    def sleep_and_go_on(*args: Any, **more: Any) -> Any:
        monkeypatch.setattr(submission, "database_now", database_now)
        monkeypatch.setattr(submission, "seconds_since_boot", lambda: seconds_since_boot() + GRACE.total_seconds())
        return go_on(*args, **more)

    monkeypatch.setattr(submission, "database_now", lambda: database_now() - GRACE)
    monkeypatch.setattr(submission, step, sleep_and_go_on)
    assert post(api).status_code == 202
    assert timezone.now() - JobLog.objects.get().created_at < timedelta(minutes=1)
    assert [str(path) for path in media()] == [Receipt.objects.get().file.path]
