"""The same bytes, or the same key, again: one job, unless another is asked for, or the first one has failed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from rest_framework.test import APIClient

from accounting.clock import database_now
from jobs import transitions
from jobs.models import IdempotencyKey, JobEvent, JobLog
from jobs.services import cancel_job, submission
from jobs.transitions import lock_job
from receipts.models import ApiKey, Receipt
from receipts.services import StoredFile, keep_receipt
from tests.factories import DATABASE_ID
from tests.support.installation import wait_for
from tests.support.job_actions import upload_request
from tests.support.job_lifecycle import uploaded
from tests.support.uploads import client_named, content, picture, post

pytestmark = pytest.mark.django_db

Media = Callable[[], list[Path]]
DATABASE_FORMS = [DATABASE_ID, DATABASE_ID.replace("-", "").upper(), f"https://www.notion.so/{DATABASE_ID}?v=1"]
OTHER_DATABASE = "f" * 8 + "-" + "-".join(["f" * 4] * 3) + "-" + "f" * 12


def key(text: str) -> dict[str, str]:
    return {"Idempotency-Key": text}


def kinds(job_id: str) -> list[str]:
    return list(JobLog.objects.get(pk=job_id).events.values_list("kind", flat=True))


@pytest.mark.parametrize("database", DATABASE_FORMS)
def test_the_same_bytes_for_the_same_database_are_answered_with_the_same_job(
    database: str, api: APIClient, media: Media
) -> None:
    first, again = post(api), post(api, notion_database_id=database, file=picture(name="IMG_2.jpg"))
    assert (again.status_code, again.json()) == (200, first.json())
    assert (again["Location"], again["Retry-After"]) == (first["Location"], "2")
    assert kinds(first.json()["job_id"]) == ["received", "repeated"]
    assert len(media()) == 1


def test_one_that_is_uploaded_without_end_is_answered_alike_and_buries_nothing(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transitions, "MAX_EVENTS", 3)
    job_id = post(api).json()["job_id"]
    assert [post(api).json()["job_id"] for _ in range(4)] == [job_id] * 4
    cancel_job(UUID(job_id), actor="anna", reason="")
    assert kinds(job_id) == ["received", "repeated", "repeated", "cancelled"]


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


# -- beside another


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


def test_a_receipt_that_has_its_file_keeps_it_whatever_was_stored_beside_it() -> None:
    job = uploaded()
    upload = upload_request(job.client, DATABASE_ID, "", allow_duplicate=False).upload
    stored = StoredFile("receipts/another.jpg")
    with transaction.atomic():
        keep_receipt(client=job.client, upload=upload, stored=stored, now=database_now())
    assert not stored.is_kept
    assert Receipt.objects.get().file.name == job.receipt.file.name
