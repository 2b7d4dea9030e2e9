"""What staff do to jobs: retry, send again, bring forward, cancel."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from jobs import services
from jobs.failures import FailureCode
from jobs.models import JobEvent, JobLog
from receipts.services import has_file
from tests.factories import JobFactory, ReceiptFactory, job_in

Status = JobLog.Status
pytestmark = pytest.mark.django_db


def test_a_retry_begins_a_new_round_and_keeps_the_history() -> None:
    job = JobFactory.create(failure=True, attempts=4, tries=4, n8n_execution_id="17", result_message="Too late.")
    services.retry_job(job.pk, actor="anna", reason="N8N was down")
    job.refresh_from_db()
    assert (job.status, job.attempts, job.tries, job.failure_code) == (Status.QUEUED, 4, 0, "")
    assert (job.n8n_execution_id, job.result_message, job.completed_at) == ("", "", None)
    event = job.events.get()
    assert (event.kind, event.source, event.actor) == ("retried", "admin", "anna")
    assert event.detail == {"reason": "N8N was down", "was": FailureCode.CALLBACK_TIMEOUT}


@pytest.mark.parametrize("status", [status for status in Status if status != Status.FAILURE])
def test_only_a_failed_job_is_retried(status: JobLog.Status) -> None:
    with pytest.raises(services.NotNow):
        services.retry_job(job_in(status).pk, actor="anna", reason="")


def test_a_job_of_the_same_receipt_for_another_database_hinders_no_retry() -> None:
    job = JobFactory.create(failure=True)
    JobFactory.create(receipt=job.receipt, client=job.client, notion_database_id="f" * 32)
    assert services.retry_job(job.pk, actor="anna", reason="").status == Status.QUEUED


@pytest.mark.parametrize("age", [timedelta(hours=-1), timedelta(hours=1)])
@pytest.mark.parametrize(("other", "refused"), [("processing", True), ("success", True), ("failure", False)])
def test_a_retry_is_refused_where_another_job_does_the_same(other: str, refused: bool, age: timedelta) -> None:
    receipt = ReceiptFactory.create()
    job = JobFactory.create(failure=True, receipt=receipt, created_at=timezone.now() - age)
    JobFactory.create(receipt=receipt, **{other: True})
    if refused:
        with pytest.raises(services.NotNow, match="Another job"):
            services.retry_job(job.pk, actor="anna", reason="")
    else:
        assert services.retry_job(job.pk, actor="anna", reason="").status == Status.QUEUED


def test_a_deliberate_duplicate_is_retried_beside_its_original() -> None:
    original = JobFactory.create(success=True, created_at=timezone.now() - timedelta(hours=1))
    job = JobFactory.create(failure=True, receipt=original.receipt, duplicate_of=original)
    assert services.retry_job(job.pk, actor="anna", reason="").status == Status.QUEUED


def test_a_deliberate_duplicate_is_not_retried_beside_a_later_one() -> None:
    original = JobFactory.create(failure=True, created_at=timezone.now() - timedelta(hours=2))
    job, _ = (
        JobFactory.create(
            **{trait: True},
            receipt=original.receipt,
            duplicate_of=original,
            created_at=timezone.now() - timedelta(minutes=minutes),
        )
        for trait, minutes in (("failure", 2), ("processing", 1))
    )
    with pytest.raises(services.NotNow, match="Another job"):
        services.retry_job(job.pk, actor="anna", reason="")


def test_a_new_round_shows_nothing_of_the_former_one() -> None:
    job = JobFactory.create(failure=True, result={"total": 1}, notion_page_url="https://notion.so/x", last_error="x")
    services.retry_job(job.pk, actor="anna", reason="")
    job.refresh_from_db()
    assert (job.result, job.notion_page_url, job.last_error, job.needs_attention) == (None, "", "", False)


def test_a_retry_without_the_receipts_file_is_refused() -> None:
    job = JobFactory.create(failure=True)
    job.receipt.file.delete(save=False)
    job.receipt.refresh_from_db()
    assert not has_file(job.receipt)
    with pytest.raises(services.NotNow, match="file is gone"):
        services.retry_job(job.pk, actor="anna", reason="")


@pytest.mark.parametrize(
    ("was", "act"),
    [
        (Status.FAILURE, services.retry_job),
        (Status.PROCESSING, services.resend_job),
        (Status.QUEUED, services.resend_job),
    ],
)
def test_what_staff_want_sent_is_rung_for_at_once(
    was: JobLog.Status,
    act: Callable[..., JobLog],
    rung: Callable[[], list[str]],
    django_capture_on_commit_callbacks: object,
) -> None:
    job = job_in(was)
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator] # a fixture without a type
        act(job.pk, actor="anna", reason="N8N is back")
    assert rung() == [str(job.pk)]


def test_staff_may_send_a_processing_job_again() -> None:
    job = JobFactory.create(processing=True)
    services.resend_job(job.pk, actor="anna", reason="workflow was stopped")
    job.refresh_from_db()
    assert (job.status, job.tries, job.delivered_at) == (Status.QUEUED, 0, None)
    event = job.events.get()
    assert (event.kind, event.actor, event.detail) == ("resent", "anna", {"reason": "workflow was stopped"})


def test_staff_may_cancel_what_waits() -> None:
    job = JobFactory.create(last_error="n8n_not_found", needs_attention=True)
    services.cancel_job(job.pk, actor="anna", reason="wrong receipt")
    job.refresh_from_db()
    assert (job.status, job.failure_code) == (Status.FAILURE, FailureCode.CANCELLED)
    assert job.result_message == "Cancelled by staff."  # the client reads it; the reason is for staff
    assert not job.needs_attention
    event = job.events.get()
    assert (event.kind, event.detail["reason"]) == (JobEvent.Kind.CANCELLED, "wrong receipt")


@pytest.mark.parametrize("status", [status for status in Status if status != Status.QUEUED])
def test_only_a_queued_job_is_cancelled(status: JobLog.Status) -> None:
    with pytest.raises(services.NotNow):
        services.cancel_job(job_in(status).pk, actor="anna", reason="")


def test_staff_may_bring_forward_what_waits_for_its_next_try() -> None:
    job = JobFactory.create(due_at=timezone.now() + timedelta(hours=8), attempts=3, tries=3, needs_attention=True)
    services.resend_job(job.pk, actor="anna", reason="the webhook is active again")
    assert services.claim_job(job.pk, worker="w1") is not None
    assert list(job.events.values_list("kind", flat=True)) == ["resent", "claimed"]
    event = job.events.earliest("number")
    assert (event.source, event.actor, event.detail) == ("admin", "anna", {"reason": "the webhook is active again"})


@pytest.mark.parametrize("status", [Status.SENDING, Status.SUCCESS, Status.FAILURE])
def test_only_what_waits_or_is_processed_is_sent_now(status: JobLog.Status) -> None:
    with pytest.raises(services.NotNow):
        services.resend_job(job_in(status).pk, actor="anna", reason="")
