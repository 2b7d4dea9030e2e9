"""What is changed behind the service's back is found and named, whichever column it is."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db.models import F
from django.utils import timezone

from jobs.models import JobEvent, JobLog
from jobs.proof.audit import verify_job
from receipts.models import Client, Receipt
from tests.factories import JobFactory
from tests.support.job_lifecycle import READ, filed

pytestmark = pytest.mark.django_db

LATER = datetime(2031, 1, 1, tzinfo=UTC)

FAILED = {"status": "failure", "failure_code": "cancelled"}
REOPENED = {"status": "queued", "due_at": LATER, "completed_at": None}
# for each column what makes it another; the database's own constraints ask for company
OF_JOB: dict[str, dict[str, Any]] = {
    "status": FAILED,
    "failure_code": FAILED,
    "due_at": REOPENED,
    "completed_at": {"completed_at": LATER},
    "created_at": {"created_at": LATER},
    "delivered_at": {"delivered_at": None},
    "filename": {"filename": "other.jpg"},
    "notion_database_id": {"notion_database_id": "0" * 36},
    "attempts": {"attempts": 2},
    "tries": {"tries": 0},
    "result_message": {"result_message": "filed."},
    "notion_page_url": {"notion_page_url": "https://www.notion.so/0124"},
    "last_error": {"last_error": "n8n_refused"},
    "needs_attention": {"needs_attention": True},
    "result": {"result": READ | {"total": 12.51}},
    "n8n_execution_id": {"n8n_execution_id": "18"},
    "is_canary": {"is_canary": True},
}
OF_EVENT: dict[str, dict[str, Any]] = {
    "at": {"at": F("at") + timedelta(microseconds=1000)},
    "kind": {"kind": "unconfirmed"},
    "source": {"source": "admin"},
    "actor": {"actor": "w2"},
    "from_status": {"from_status": "queued"},
    "to_status": {"to_status": ""},
    "attempt": {"attempt": 2},
    "detail": {"detail": {"http_status": 201}},
    "facts": {"facts": {}},
    "digest": {"digest": "0" * 64},
}
OF_RECEIPT: dict[str, dict[str, Any]] = {
    "sha256": {"sha256": "0" * 64},
    "size": {"size": F("size") + 1},
    "content_type": {"content_type": "image/png"},
    "width": {"width": 1},
    "height": {"height": 1},
    "created_at": {"created_at": LATER},
}


def wrong(job: JobLog) -> tuple[str, ...]:
    return verify_job(job).wrong


def event(job: JobLog, number: int) -> Any:
    return JobEvent.objects.filter(job=job, number=number)


def columns(model: Any) -> set[str]:
    return {field.attname for field in model._meta.concrete_fields}


@pytest.mark.parametrize("column", OF_JOB)
def test_a_changed_column_of_a_job_is_named(column: str) -> None:
    job = filed()
    JobLog.objects.filter(pk=job.pk).update(**OF_JOB[column])
    assert len(wrong(job)) == len(OF_JOB[column])
    assert any(sentence.startswith(f"its {column} is not what event ") for sentence in wrong(job))


@pytest.mark.parametrize("column", ["receipt_id", "client_id", "duplicate_of_id"])
def test_a_job_that_points_elsewhere_is_named(column: str) -> None:
    job, other = filed(), JobFactory.create()
    elsewhere = {"receipt_id": other.receipt_id, "client_id": other.client_id, "duplicate_of_id": other.pk}
    JobLog.objects.filter(pk=job.pk).update(**{column: elsewhere[column]})
    assert f"its {column} is not what event 1 wrote" in wrong(job)


@pytest.mark.parametrize("change", [{"chain_length": 3}, {"chain_head": "0" * 64}], ids=str)
def test_a_changed_end_of_a_chain_is_named(change: dict[str, Any]) -> None:
    job = filed()
    JobLog.objects.filter(pk=job.pk).update(**change)
    assert len(wrong(job)) == 1


@pytest.mark.parametrize("number", [1, 3, 4])
@pytest.mark.parametrize("column", OF_EVENT)
def test_a_changed_column_of_an_event_is_named_with_its_event(column: str, number: int) -> None:
    job = filed()
    (before,) = event(job, number).values(column)
    event(job, number).update(**OF_EVENT[column])
    if (before,) == tuple(event(job, number).values(column)):
        event(job, number).update(**{column: "processing"})
    kind = event(job, number).get().kind
    assert f"event {number} ({kind}) is not as it was written" in wrong(job)


@pytest.mark.parametrize("column", OF_RECEIPT)
def test_a_changed_column_of_a_receipt_is_named(column: str) -> None:
    job = filed()
    Receipt.objects.filter(pk=job.receipt_id).update(**OF_RECEIPT[column])
    assert wrong(job) == (f"its receipt.{column} is not what event 1 wrote",)


def test_a_receipt_that_was_given_to_another_client_is_named() -> None:
    job = filed()
    Receipt.objects.filter(pk=job.receipt_id).update(client=Client.objects.create(name="Other"))
    assert wrong(job) == ("its receipt.client_id is not what event 1 wrote",)


def test_a_receipt_that_is_called_purged_and_was_not_is_named() -> None:
    job = filed()
    Receipt.objects.filter(pk=job.receipt_id).update(purged_at=timezone.now())
    assert wrong(job) == ("its receipt is marked as purged, and no event says so",)


def test_a_job_under_another_id_is_none_of_ours() -> None:
    job = filed()
    JobLog.objects.filter(pk=job.pk).update(job_id=UUID(int=7))
    JobEvent.objects.filter(job=job).update(job_id=UUID(int=7))
    assert "event 1 (received) is not as it was written" in wrong(JobLog.objects.get(pk=UUID(int=7)))


def test_no_column_is_left_out_here() -> None:
    elsewhere = {"job_id", "receipt_id", "client_id", "duplicate_of_id", "chain_length", "chain_head"}
    assert set(OF_JOB) | elsewhere == columns(JobLog)
    assert set(OF_EVENT) | {"id", "job_id", "number"} == columns(JobEvent)  # moved, removed and swapped below
    # where its file lies is a matter of the file, in tests/proof/test_audit_files.py
    assert set(OF_RECEIPT) | {"id", "client_id", "purged_at", "file"} == columns(Receipt)
