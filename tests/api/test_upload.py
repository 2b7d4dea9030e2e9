"""Uploads: what a client is answered, and what is kept of it."""

import hashlib
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from redis import Redis
from rest_framework.test import APIClient
from rq import Queue
from rq.serializers import JSONSerializer

from accounting.clock import database_now
from accounting.web_server.body_limits import FORM_BYTES
from jobs.models import IdempotencyKey, JobEvent, JobLog
from jobs.services import cancel_job, submission
from jobs.transitions import lock_job
from receipts.models import ApiKey, Client, Receipt
from receipts.services import keep_receipt
from tests.factories import DATABASE_ID, SMALL
from tests.support.installation import wait_for
from tests.support.pictures import pdf
from tests.support.uploads import client_named, content, file_part, form, picture, post, post_raw, text_part

pytestmark = pytest.mark.django_db

Media = Callable[[], list[Path]]
DATABASE_FORMS = [DATABASE_ID, DATABASE_ID.replace("-", "").upper(), f"https://www.notion.so/{DATABASE_ID}?v=1"]
OTHER_DATABASE = "f" * 8 + "-" + "-".join(["f" * 4] * 3) + "-" + "f" * 12


def key(text: str) -> dict[str, str]:
    return {"Idempotency-Key": text}


def kinds(job_id: str) -> list[str]:
    return list(JobLog.objects.get(pk=job_id).events.values_list("kind", flat=True))


# -- a new receipt


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


# -- the same again


@pytest.mark.parametrize("database", DATABASE_FORMS)
def test_the_same_bytes_for_the_same_database_are_answered_with_the_same_job(
    database: str, api: APIClient, media: Media
) -> None:
    first, again = post(api), post(api, notion_database_id=database, file=picture(name="IMG_2.jpg"))
    assert (again.status_code, again.json()) == (200, first.json())
    assert (again["Location"], again["Retry-After"]) == (first["Location"], "2")
    assert kinds(first.json()["job_id"]) == ["received", "repeated"]
    assert len(media()) == 1


def test_a_job_that_is_done_is_answered_without_asking_to_come_back(api: APIClient) -> None:
    first = post(api)
    JobLog.objects.update(status="success", due_at=None, completed_at="2026-01-01T00:00:00Z")
    again = post(api)
    assert (again.status_code, again.json()["job_id"]) == (200, first.json()["job_id"])
    assert "Retry-After" not in again


def test_the_same_key_is_answered_with_the_same_job_whatever_became_of_it(api: APIClient) -> None:
    first = post(api, headers=key("k1"))
    cancel_job(first.json()["job_id"], actor="anna", reason="")
    again = post(api, headers=key("k1"), file=picture(name="renamed.jpg"))
    assert (again.status_code, again.json()["job_id"]) == (200, first.json()["job_id"])
    assert again.json()["status"] == "failure"
    assert kinds(first.json()["job_id"]) == ["received", "cancelled", "repeated"]


@pytest.mark.parametrize(
    "changed", [{"file": picture(2)}, {"notion_database_id": OTHER_DATABASE}, {"allow_duplicate": "true"}], ids=str
)
def test_a_key_that_came_with_another_request_is_refused_and_changes_nothing(
    changed: dict[str, Any], api: APIClient, media: Media
) -> None:
    post(api, headers=key("k1"))
    before = (list(JobLog.objects.values()), list(JobEvent.objects.values()), media())
    answer = post(api, headers=key("k1"), **changed)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert (list(JobLog.objects.values()), list(JobEvent.objects.values()), media()) == before
    assert Receipt.objects.count() == 1


def test_two_keys_for_the_same_bytes_name_the_same_job(api: APIClient) -> None:
    assert post(api, headers=key("k1")).json() == post(api, headers=key("k2")).json()
    assert IdempotencyKey.objects.count() == 2


def test_another_clients_key_is_another_key(api: APIClient) -> None:
    first, other = post(api, headers=key("k1")), post(client_named("Bakery"), 2, headers=key("k1"))
    assert (other.status_code, JobLog.objects.count()) == (202, 2)
    assert first.json()["job_id"] != other.json()["job_id"]


def test_a_duplicate_is_made_where_it_is_asked_for_and_says_of_what(api: APIClient, media: Media) -> None:
    first = post(api)
    second = post(api, allow_duplicate="true")
    assert (second.status_code, second.json()["duplicate_of"]) == (202, first.json()["job_id"])
    assert second.json()["receipt_id"] == first.json()["receipt_id"]
    assert len(media()) == 1


def test_a_first_one_is_no_duplicate_whatever_is_allowed(api: APIClient) -> None:
    assert post(api, allow_duplicate="true").json()["duplicate_of"] is None
    assert post(api, notion_database_id=OTHER_DATABASE, allow_duplicate="true").json()["duplicate_of"] is None


def test_bytes_whose_job_has_failed_make_a_new_job(api: APIClient, media: Media) -> None:
    first = post(api)
    cancel_job(first.json()["job_id"], actor="anna", reason="")
    again = post(api)
    assert (again.status_code, again.json()["duplicate_of"]) == (202, None)
    assert again.json()["receipt_id"] == first.json()["receipt_id"]
    assert len(media()) == 1


def test_the_same_bytes_for_another_database_make_a_job_of_their_own(api: APIClient, media: Media) -> None:
    first, other = post(api), post(api, notion_database_id=OTHER_DATABASE)
    assert (other.status_code, other.json()["duplicate_of"]) == (202, None)
    assert other.json()["receipt_id"] == first.json()["receipt_id"]
    assert len(media()) == 1


def test_among_many_receipts_the_same_bytes_find_their_own(api: APIClient, media: Media) -> None:
    bakery = client_named("Bakery")
    first = [post(client, number).json()["job_id"] for client in (api, bakery) for number in (1, 2, 3)]
    again = [post(client, number).json()["job_id"] for client in (api, bakery) for number in (1, 2, 3)]
    assert again == first
    assert len(set(first)) == len(media()) == 6


def test_another_clients_same_bytes_are_its_own_and_tell_nothing_of_the_first(api: APIClient, media: Media) -> None:
    first, other = post(api), post(client_named("Bakery"))
    assert (other.status_code, other.json()["duplicate_of"]) == (202, None)
    assert other.json()["receipt_id"] != first.json()["receipt_id"]
    assert len(media()) == 2


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b"cut sh")], ids=["lost", "truncated"])
@pytest.mark.parametrize("headers", [{}, key("till-1")], ids=["by its bytes", "by its key"])
def test_a_receipt_whose_file_was_harmed_gets_it_back_by_an_upload(
    api: APIClient, media: Media, headers: dict[str, str], harm: Callable[[Path], object]
) -> None:
    post(api, headers=headers)
    harmed = media()[0]
    harm(harmed)
    assert post(api, headers=headers | {"X-Request-ID": "till-3-78"}).status_code == 200
    harmed.unlink(missing_ok=True)
    (kept,) = media()
    assert kept.read_bytes() == content()
    assert Receipt.objects.get().file.path == str(kept)
    _, *events = JobEvent.objects.values_list("kind", "actor", "detail")
    told = (f"key {ApiKey.objects.get().prefix}", {"request_id": "till-3-78"})
    assert events == [("restored", *told), ("repeated", *told)]


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


def test_a_duplicate_that_waited_for_anothers_lock_is_the_later_one_and_of_that(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(api)
    lock, others = keep_receipt, list[str]()

    def lock_after_another(**upload: Any) -> tuple[Receipt, bool]:
        if not others:
            others.append("is on its way")
            before = database_now()
            wait_for(lambda: database_now() > before, "the clock's next tick")
            others[0] = post(api, allow_duplicate="true").json()["job_id"]
        return lock(**upload)

    monkeypatch.setattr(submission, "keep_receipt", lock_after_another)
    job = JobLog.objects.get(pk=post(api, allow_duplicate="true").json()["job_id"])
    (other,) = JobLog.objects.filter(pk__in=others)
    assert job.duplicate_of == other
    assert job.created_at >= other.created_at


@pytest.fixture
def fail_when_locked(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that lets a job fail as soon as an upload is about to lock it."""

    def arrange(failing: str) -> None:
        def lock_what_fails(job_id: UUID) -> JobLog:
            if str(job_id) == failing:
                cancel_job(job_id, actor="anna", reason="")
            return lock_job(job_id)

        monkeypatch.setattr(submission, "lock_job", lock_what_fails)

    return arrange


def test_an_upload_beside_a_job_that_fails_just_now_makes_a_new_one(
    api: APIClient, fail_when_locked: Callable[[str], None]
) -> None:
    first = post(api).json()["job_id"]
    fail_when_locked(first)
    again = post(api)
    assert (again.status_code, again.json()["status"]) == (202, "queued")
    assert again.json()["job_id"] != first


def test_an_upload_beside_a_duplicate_that_fails_just_now_is_answered_with_the_job_before_it(
    api: APIClient, fail_when_locked: Callable[[str], None]
) -> None:
    first = post(api).json()["job_id"]
    fail_when_locked(post(api, allow_duplicate="true").json()["job_id"])
    again = post(api)
    assert (again.status_code, again.json()["job_id"]) == (200, first)
