"""A job ends, and makes room for the next."""

from datetime import timedelta

from django.db import transaction

from accounting.clock import DatabaseNow
from jobs.models import FailureCode, JobEvent, JobLog
from jobs.queue import queue_service
from jobs.transitions import Detail, change_status

Kind, Source, Status = JobEvent.Kind, JobEvent.Source, JobLog.Status

MISSED_BELL = timedelta(seconds=2)


def fail(
    job: JobLog,
    code: FailureCode,
    sentence: str,
    *,
    source: JobEvent.Source,
    actor: str = "",
    kind: JobEvent.Kind = Kind.FAILED,
    detail: Detail | None = None,
) -> None:
    """End a locked job without a page, for a reason of ours or because N8N's answer said so."""
    change_status(
        job,
        Status.FAILURE,
        kind=kind,
        source=source,
        actor=actor,
        detail={**(detail or {}), "code": code, "message": sentence},
        due_at=None,
        completed_at=job.now,
        failure_code=code,
        result_message=sentence,
        needs_attention=False,
    )
    ring_next_on_commit()


def ring_next_on_commit() -> None:
    """An end frees a place: ring for the job that has waited longest, if its own bell was missed."""
    transaction.on_commit(_ring_next, robust=True)


def _ring_next() -> None:
    waiting = JobLog.objects.filter(status=Status.QUEUED, due_at__lte=DatabaseNow() - MISSED_BELL).order_by("due_at")
    queue_service().ring(waiting.values_list("job_id", flat=True)[:1])
