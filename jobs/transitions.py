"""The one place where a job's status changes: checked, saved and written down in one transaction."""

from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError

from accounting.clock import DatabaseNow
from accounting.outages import DATABASE_AWAY

from .models import JobEvent, JobLog
from .proof.chain import extend, facts_of
from .queue import queue_service

logger = structlog.get_logger(__name__)

Detail = dict[str, Any]

MISSED_BELL = timedelta(seconds=2)
MAX_EVENTS = 200  # of a job; what changes nothing after these is in the log only
SPARE_RINGS = 3  # beyond the places that are free: a job whose row is locked, or damaged, takes none


class TransitionNotAllowed(Exception):
    """The job's status does not lead there, or the row is no longer the one that was read."""


def lock_job(job_id: UUID) -> JobLog:
    """Return the job with its row locked until the transaction ends, and `now` by the database's clock.

    Leases and deadlines are compared with that one clock, so that machines need not agree on the time.

    Raises:
        JobLog.DoesNotExist: there is no such job.
    """
    return _lock(job_id, skip_locked=False)


def lock_free_job(job_id: UUID, *related: str) -> JobLog | None:
    """Return the same without waiting: None where somebody has locked it (SQLite locks no rows), or it is gone.

    Args:
        job_id: the job's id.
        related: what is read with it, and not locked.
    """
    try:
        return _lock(job_id, *related, skip_locked=True)
    except JobLog.DoesNotExist:
        return None


def _lock(job_id: UUID, *related: str, skip_locked: bool) -> JobLog:
    jobs = JobLog.objects.select_for_update(of=("self",), skip_locked=skip_locked).annotate(read_at=DatabaseNow())
    job = (jobs.select_related(*related) if related else jobs).get(pk=job_id)
    job.now = job.read_at
    return job


def change_status(
    job: JobLog,
    to: JobLog.Status,
    *,
    kind: JobEvent.Kind,
    source: JobEvent.Source,
    actor: str = "",
    detail: Detail | None = None,
    **changes: Any,
) -> None:
    """Move a locked job to another status and write down that it happened.

    Args:
        job: as `lock_job` returned it.
        to: the new status; `JobLog.ALLOWED` must lead there.
        kind, source, actor, detail: the event's; an event never holds a secret or what the receipt shows.
        changes: further fields to save with the status; of a job that ends, that nothing is due, when it ended, and
            that nobody need attend to it, is saved anyway.

    Raises:
        TransitionNotAllowed: nothing was changed.
        TransactionManagementError: no transaction is open.
    """
    was = JobLog.Status(job.status)
    if to not in JobLog.ALLOWED[was]:
        raise TransitionNotAllowed(f"{was} does not lead to {to}")
    event = _new_event(job, kind, source, actor, detail, from_status=was, to_status=to)
    if to not in JobLog.OPEN:
        changes |= {"due_at": None, "completed_at": job.now, "needs_attention": False}
    _write(job, event, changes)
    if was in JobLog.IN_FLIGHT and to not in JobLog.IN_FLIGHT:
        transaction.on_commit(_ring_next, robust=True)


def _ring_next() -> None:
    """A place has become free: ring for the jobs that have waited longest, if their own bells were missed.

    While rings wait in the queue, a worker that answers one of them takes the place.
    """
    with suppress(*DATABASE_AWAY):  # since the commit; the sweep rings once it is back
        waiting = JobLog.objects.filter(status=JobLog.Status.QUEUED, due_at__lte=DatabaseNow() - MISSED_BELL)
        oldest = list(waiting.order_by("due_at").values_list("job_id", flat=True)[: 1 + SPARE_RINGS])
        if oldest and queue_service().depth() == 0:
            queue_service().ring(oldest)


def begin(job: JobLog, *, source: JobEvent.Source, actor: str, detail: Detail) -> None:
    """Save a job that came in, with its first event, which answers for all of its row and of its receipt's.

    Args:
        job: complete, `now` by the database's clock among it.
        source, actor, detail: the event's.

    Raises:
        TransactionManagementError: no transaction is open.
    """
    event = _new_event(job, JobEvent.Kind.RECEIVED, source, actor, detail)
    vars(job).update(extend(event, job, facts_of(job)))
    job.save(force_insert=True)
    _save(event)


def note(
    job: JobLog,
    *,
    kind: JobEvent.Kind,
    source: JobEvent.Source,
    actor: str = "",
    detail: Detail | None = None,
    receipt: Detail | None = None,
    **changes: Any,
) -> None:
    """Write down something that changed no status.

    Args:
        job: as `lock_job` returned it.
        kind, source, actor, detail: the event's.
        receipt: what changed in the receipt's row, for which the event answers.
        changes: fields to save with it.

    Raises:
        TransitionNotAllowed: nothing was changed.
        TransactionManagementError: no transaction is open.
    """
    _write(job, _new_event(job, kind, source, actor, detail), changes, receipt=receipt)


def note_unless_many(job: JobLog, *, kind: JobEvent.Kind, source: JobEvent.Source, actor: str, detail: Detail) -> None:
    """Write down what changed nothing, unless the job has events enough, and this attempt one of the kind.

    A job's token is known to whoever sees one payload, and a client may send one file for ever: neither may fill the
    database, nor bury what became of the job.

    Args:
        job, kind, source, actor, detail: as `note` takes them.

    Raises:
        TransitionNotAllowed, TransactionManagementError: as `note` does.
    """
    if job.chain_length < MAX_EVENTS or not job.events.filter(kind=kind, attempt=job.attempts).exists():
        note(job, kind=kind, source=source, actor=actor, detail=detail)
    else:
        logger.warning("event_not_written", job_id=str(job.pk), kind=kind)


def _new_event(
    job: JobLog,
    kind: JobEvent.Kind,
    source: JobEvent.Source,
    actor: str,
    detail: Detail | None,
    **statuses: JobLog.Status,
) -> JobEvent:
    if not connection.in_atomic_block:
        raise TransactionManagementError("a change and its event belong in one transaction")
    return JobEvent(
        job=job, at=job.now, kind=kind, source=source, actor=actor[: JobEvent.MAX_ACTOR], attempt=job.attempts,
        detail=detail or {}, **statuses,
    )  # fmt: skip


def _write(job: JobLog, event: JobEvent, changes: Detail, *, receipt: Detail | None = None) -> None:
    """Save the changes and the chain's new head in one UPDATE, and the event."""
    event.attempt = changes.get("attempts", event.attempt)
    status = event.to_status or job.status
    about_receipt = {f"receipt.{name}": value for name, value in (receipt or {}).items()}
    changes |= extend(event, job, about_receipt | {"status": status} | changes)
    as_read = {"status": job.status, "attempts": job.attempts, "chain_length": job.chain_length}
    if not JobLog.objects.filter(pk=job.pk, **as_read).update(status=status, **changes):
        raise TransitionNotAllowed(f"job {job.pk} is no longer as it was read: {as_read}")
    for field, value in {"status": status, **changes}.items():
        setattr(job, field, value)
    _save(event)


def _save(event: JobEvent) -> None:
    event.save(force_insert=True)
    transaction.on_commit(lambda: _log(event), robust=True)  # what is robust has to have a name in Django 5.2


def _log(event: JobEvent) -> None:
    logger.info(
        "job_event",
        job_id=str(event.job_id),
        kind=event.kind,
        source=event.source,
        to_status=event.to_status,
        attempt=event.attempt,
        code=event.detail.get("code", ""),
        seconds=round((event.at - event.job.created_at).total_seconds(), 3),
    )
