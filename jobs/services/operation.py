"""Staff steps in: what may be done to one job, and why not now."""

from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.lookups import IsNull

from jobs.failures import FailureCode
from jobs.models import JobEvent, JobLog
from jobs.queue import ring_on_commit
from jobs.transitions import Detail, change_status, lock_job, note
from receipts.models import Receipt
from receipts.services import has_file
from receipts.storage import StorageAway

from .ending import fail, may_be_filed

Kind, Source, Status = JobEvent.Kind, JobEvent.Source, JobLog.Status


STATES = {
    Status.QUEUED: "It is queued",
    Status.SENDING: "It is being sent",
    Status.PROCESSING: "N8N has it",
    Status.SUCCESS: "It has succeeded",
    Status.FAILURE: "It has failed",
}
FILE_GONE = "The receipt's file is gone; it must be uploaded again."
FILE_GONE_AND_MAYBE_FILED = (
    "The receipt's file is gone; look in Notion whether it was filed, and upload it again only if not."
)
CANARY = "It is a canary; send another one instead (manage.py canary)."
MOVED_ON = "it has moved on since you looked"
CANCELLED = "Staff cancelled it, and such jobs were not to be retried."


class Seen(NamedTuple):
    """What whoever asks has seen of a job.

    Attributes:
        attempts: how many deliveries had been begun; None where that does not matter.
    """

    status: str
    attempts: int | None = None


class NotNow(Exception):
    """Staff asked for what the job's state does not allow; the message says why."""


@transaction.atomic
def retry_job(job_id: UUID, *, actor: str, reason: str, cancelled_too: bool = True, seen: Seen | None = None) -> JobLog:
    """Give a failed job another round of tries; what happened before stays written down.

    Args:
        cancelled_too: whether one that staff cancelled is meant as well.
        seen: what whoever asks has seen of it.

    Raises:
        NotNow: it has not failed, its file is gone, another job does the same, it is not meant, or no longer as seen.
    """
    receipt_id = JobLog.objects.values_list("receipt_id", flat=True).get(pk=job_id)
    receipt = Receipt.objects.select_for_update().get(pk=receipt_id)
    job = lock_job(job_id)
    if refusal := why_not_retry(job, receipt):
        raise NotNow(refusal)
    _require_as_seen(job, seen)
    if job.is_cancelled and not cancelled_too:
        raise NotNow(CANCELLED)
    _start_round(job, kind=Kind.RETRIED, actor=actor, detail={"reason": reason, "was": job.failure_code})
    return job


def why_not_retry(job: JobLog, receipt: Receipt) -> str:
    """Return the sentence that says why a job cannot be retried now; "" where it can be."""
    if job.status != Status.FAILURE:
        return _not_in(job, "only a failed job can be retried")
    if job.is_canary:
        return CANARY
    if JobLog.objects.filter(done_elsewhere(), pk=job.pk).exists():
        return "Another job for the same receipt and database is open or has succeeded."
    try:
        if has_file(receipt):
            return ""
    except StorageAway:
        return "The storage of the receipts' files cannot be reached just now."
    return FILE_GONE_AND_MAYBE_FILED if may_be_filed(job) else FILE_GONE


def done_elsewhere() -> Exists:
    """Tell of failed jobs whether another files their receipt, or has; before a deliberate duplicate there is one."""
    same = {name: OuterRef(name) for name in ("receipt", "notion_database_id")}
    others = JobLog.objects.filter(**same).exclude(status=Status.FAILURE)
    return Exists(others.filter(Q(created_at__gt=OuterRef("created_at")) | Q(IsNull(OuterRef("duplicate_of"), True))))


@transaction.atomic
def resend_job(job_id: UUID, *, actor: str, reason: str, seen: Seen | None = None) -> JobLog:
    """Send a job now: one that waits for its next try, or one that N8N has, or may have.

    If N8N still works on it, the receipt may be filed twice.

    Args:
        seen: what whoever asks has seen of it.

    Raises:
        NotNow: it is neither, or no longer what was seen.
    """
    job = lock_job(job_id)
    _require(job, {Status.QUEUED, Status.PROCESSING}, "only a job that is queued or processing can be sent now")
    _require_as_seen(job, seen)
    if job.status == Status.PROCESSING:
        _start_round(job, kind=Kind.RESENT, actor=actor, detail={"reason": reason})
    else:
        note(job, kind=Kind.RESENT, source=Source.ADMIN, actor=actor, detail={"reason": reason}, due_at=job.now)
        ring_on_commit(job.pk)
    return job


@transaction.atomic
def cancel_job(job_id: UUID, *, actor: str, reason: str, seen: Seen | None = None) -> JobLog:
    """End a job that waits. The reason is for staff: it stays in the event.

    Args:
        seen: what whoever asks has seen of it.

    Raises:
        NotNow: it does not wait, or is no longer as seen.
    """
    job = lock_job(job_id)
    _require_as_seen(job, seen)
    _require(job, {Status.QUEUED}, "only a queued job can be cancelled")
    fail(
        job, FailureCode.CANCELLED, "Cancelled by staff.", source=Source.ADMIN, actor=actor, kind=Kind.CANCELLED,
        detail={"reason": reason},
    )  # fmt: skip
    return job


def _require(job: JobLog, statuses: set[JobLog.Status], otherwise: str) -> None:
    if job.status not in statuses:
        raise NotNow(_not_in(job, otherwise))


def _require_as_seen(job: JobLog, seen: Seen | None) -> None:
    """Let no form act that was drawn before a delivery: who sent it has not seen what that came to."""
    if seen and (seen.status != job.status or seen.attempts not in (None, job.attempts)):
        raise NotNow(_not_in(job, MOVED_ON))


def _not_in(job: JobLog, otherwise: str) -> str:
    return f"{STATES[Status(job.status)]}; {otherwise}."


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
        notion_page_url="",
        result=None,
        n8n_execution_id="",
        last_error="",
        needs_attention=False,
    )
    ring_on_commit(job.pk)
