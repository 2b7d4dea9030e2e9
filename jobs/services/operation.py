"""Staff steps in."""

from uuid import UUID

from django.db import transaction

from jobs.models import FailureCode, JobEvent, JobLog
from jobs.queue import ring_on_commit
from jobs.transitions import Detail, change_status, lock_job
from receipts.models import Receipt
from receipts.services import Refusal, has_file

from .ending import fail

Kind, Source, Status = JobEvent.Kind, JobEvent.Source, JobLog.Status


class NotNow(Refusal):
    """Staff asked for what the job's state does not allow; the message says why."""


@transaction.atomic
def retry_job(job_id: UUID, *, actor: str, reason: str) -> JobLog:
    """Give a failed job another round of tries; what happened before stays written down.

    Raises:
        NotNow: it has not failed, its file is gone, or a later job for the same receipt and database is open or done.
    """
    receipt_id = JobLog.objects.values_list("receipt_id", flat=True).get(pk=job_id)
    receipt = Receipt.objects.select_for_update().get(pk=receipt_id)
    job = lock_job(job_id)
    if job.status != Status.FAILURE:
        raise NotNow(f"It is {job.get_status_display().lower()}; only a failed job can be retried.")
    if _has_successor(job):
        raise NotNow("A later job for the same receipt and database is open or has succeeded.")
    if not has_file(receipt):
        raise NotNow("The receipt's file is gone; it must be uploaded again.")
    _start_round(job, kind=Kind.RETRIED, actor=actor, detail={"reason": reason, "was": job.failure_code})
    return job


@transaction.atomic
def resend_job(job_id: UUID, *, actor: str, reason: str) -> JobLog:
    """Send a job again that N8N has, or may have; if N8N works on it still, the receipt may be filed twice.

    Raises:
        NotNow: it is not processing.
    """
    job = lock_job(job_id)
    if job.status != Status.PROCESSING:
        raise NotNow(f"It is {job.get_status_display().lower()}; only a job that is processing can be sent again.")
    _start_round(job, kind=Kind.RESENT, actor=actor, detail={"reason": reason})
    return job


@transaction.atomic
def cancel_job(job_id: UUID, *, actor: str, reason: str) -> JobLog:
    """End a job that waits.

    Raises:
        NotNow: it does not wait.
    """
    job = lock_job(job_id)
    if job.status != Status.QUEUED:
        raise NotNow(f"It is {job.get_status_display().lower()}; only a queued job can be cancelled.")
    sentence = f"Cancelled: {reason}" if reason else "Cancelled."
    fail(job, FailureCode.CANCELLED, sentence, source=Source.ADMIN, actor=actor, kind=Kind.CANCELLED)
    return job


def _has_successor(job: JobLog) -> bool:
    others = JobLog.objects.filter(receipt_id=job.receipt_id, notion_database_id=job.notion_database_id)
    return others.filter(created_at__gt=job.created_at).exclude(status=Status.FAILURE).exists()


def _start_round(job: JobLog, *, kind: JobEvent.Kind, actor: str, detail: Detail) -> None:
    change_status(
        job,
        Status.QUEUED,
        kind=kind,
        source=Source.ADMIN,
        actor=actor,
        detail=detail,
        tries=0,
        due_at=job.now,
        delivered_at=None,
        completed_at=None,
        failure_code="",
        result_message="",
        n8n_execution_id="",
        last_error="",
    )
    ring_on_commit(job.pk)
