"""The sweep: acts on whatever is overdue, so that no job waits for ever. Safe in any number of copies."""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from accounting.clock import CLOCK_SLACK, DatabaseNow
from accounting.outages import DATABASE_AWAY, code_of, error_fields, spares_others

from .answers import longest_delay
from .executions import Execution, conclude
from .failures import FailureCode
from .masking import masked
from .models import JobEvent, JobLog
from .queue import queue_service
from .reconciliation import Finding, Inquiry
from .services import fail, free_places, why_refused
from .transitions import SPARE_RINGS, change_status, lock_free_job, note

logger = structlog.get_logger(__name__)
inquiry = Inquiry()

Kind, Source, Status = JobEvent.Kind, JobEvent.Source, JobLog.Status

RINGS_AT_ONCE = 100
ENDS_AT_ONCE = 500
DAMAGED_IN_A_ROW = 20
STATEMENT_TIMED_OUT = "57014"
LONGEST_LEASE = timedelta(hours=2.5)  # that any settings give: a worker may have others than this sweep, and still send


class Swept(NamedTuple):
    """What one pass did."""

    rung: int
    taken_back: int
    stopped_waiting: int


def sweep() -> Swept:
    """Do what is overdue, once: take back ended leases, ring for what waits, stop waiting for callbacks.

    That comes last: N8N may be asked first, and nothing else waits for its answer.
    """
    return Swept(taken_back=_take_back_leases(), rung=_ring_overdue(), stopped_waiting=_stop_waiting_for_callbacks())


def _overdue(status: JobLog.Status) -> QuerySet[JobLog]:
    return JobLog.objects.filter(status=status, due_at__lte=DatabaseNow()).order_by("due_at")


def _take_back_leases() -> int:
    ids = list(_overdue(Status.SENDING).values_list("job_id", flat=True)[:ENDS_AT_ONCE])
    return _try_each(partial(_act_once, status=Status.SENDING, act=_take_back), ids)


def _stop_waiting_for_callbacks() -> int:
    """Ask N8N, look at no row meanwhile, and then act on those that nobody else has changed."""
    findings = inquiry.ask(_overdue(Status.PROCESSING)[:ENDS_AT_ONCE])

    def act(job_id: UUID) -> bool:
        return _act_once(job_id, Status.PROCESSING, partial(_stop_waiting, finding=findings[job_id]))

    return _try_each(act, findings)


def _try_each(act: Callable[[UUID], bool], job_ids: Iterable[UUID]) -> int:
    """Act on each, and let no job that cannot be acted on keep the others from their turn; return how many it was.

    Raises:
        DatabaseError: so many in a row met one that it is no job's, or each would wait as long for it.
    """
    done = in_a_row = 0
    for job_id in job_ids:
        try:
            done += act(job_id)
            in_a_row = 0
        except DATABASE_AWAY as error:
            in_a_row += 1
            if not spares_others(error) or code_of(error) == STATEMENT_TIMED_OUT or in_a_row > DAMAGED_IN_A_ROW:
                raise
            logger.error("sweep_failed_for_job", job_id=str(job_id), **error_fields(error))
        except Exception:
            logger.exception("sweep_failed_for_job", job_id=str(job_id))
    return done


@transaction.atomic
def _act_once(job_id: UUID, status: JobLog.Status, act: Callable[[JobLog], None]) -> bool:
    """Act on a job unless somebody else was quicker, or is about to act: a callback, or another sweep.

    Returns:
        Whether it has another status now; one that gets more time waits on.
    """
    job = lock_free_job(job_id)
    if job is None or job.status != status or job.due_at is None or job.due_at > job.now:
        return False
    act(job)
    return job.status != status


def _take_back(job: JobLog) -> None:
    """A worker's lease has ended: it died, or lost the database. N8N may have the receipt."""
    sentence = "The worker fell silent in the last try, and N8N never called back."
    _again_or_fail(job, Kind.LEASE_ENDED, sentence, last_error="", needs_attention=False)  # they told of the try before


def _stop_waiting(job: JobLog, *, finding: Finding) -> None:
    """The callback is overdue. What N8N said it took may have been filed, so it is not sent again by itself."""
    if job.delivered_at is None:
        _again_or_fail(job, Kind.RESENT, "N8N never said that it took it, and did not call back.")
    elif finding.execution is None or finding.execution.id != job.n8n_execution_id:
        silence = f"N8N took it, but did not call back within {settings.CALLBACK_TIMEOUT_SECONDS} seconds."
        sentence = f"{why_refused(job) or silence} {finding.remark}".rstrip()
        fail(job, FailureCode.CALLBACK_TIMEOUT, sentence, source=Source.SWEEP)
    else:
        _follow(job, finding.execution)


def _follow(job: JobLog, execution: Execution) -> None:
    """End the job as N8N says; what still runs there gets as much time again, once."""
    detail = {"execution_id": execution.id, "workflow_id": execution.workflow_id, "n8n_status": execution.status}
    refusal = why_refused(job)
    if conclusion := conclude(execution, refusal=refusal):
        fail(job, conclusion.code, masked(conclusion.sentence, job), source=Source.SWEEP, detail=detail)
    elif job.events.filter(kind=Kind.STILL_RUNNING, attempt=job.attempts).exists():
        sentence = f"N8N is still running it. {refusal}".rstrip()
        fail(job, FailureCode.CALLBACK_TIMEOUT, sentence, source=Source.SWEEP, detail=detail)
    else:
        due_at = job.now + timedelta(seconds=settings.CALLBACK_TIMEOUT_SECONDS)
        note(job, kind=Kind.STILL_RUNNING, source=Source.SWEEP, detail=detail, due_at=due_at)


def _again_or_fail(job: JobLog, kind: JobEvent.Kind, sentence: str, **changes: Any) -> None:
    """Queue it by the same schedule as what N8N refused, so that the tries reach past a day here, too.

    One that N8N has reported on, however badly, may have been filed: it is not sent again by itself.
    """
    if refusal := why_refused(job):
        fail(job, FailureCode.CALLBACK_TIMEOUT, refusal, source=Source.SWEEP, **changes)
        return
    schedule = settings.DELIVERY_RETRY_SCHEDULE
    if job.tries > len(schedule):
        fail(job, FailureCode.DELIVERY_UNCONFIRMED, sentence, source=Source.SWEEP, **changes)
        return
    due_at = job.now + timedelta(seconds=schedule[job.tries - 1])
    change_status(job, Status.QUEUED, kind=kind, source=Source.SWEEP, due_at=due_at, **changes)


def _ring_overdue() -> int:
    """Ring for those that have waited longest and are not rung for next anyway: a few more than N8N has places for.

    One that cannot be claimed would else keep those behind it waiting for ever; who finds no place does nothing. The
    rings come before all that wait: fresh receipts would overtake these jobs for as long as some keep coming.
    """
    next_, free = queue_service().rung_next(RINGS_AT_ONCE), free_places()
    if next_ is None or free <= 0:
        return 0
    oldest = _overdue(Status.QUEUED).values_list("job_id", flat=True)[: min(RINGS_AT_ONCE, free + SPARE_RINGS)]
    return queue_service().ring((job_id for job_id in oldest if str(job_id) not in next_), in_front=True)


def bring_forward() -> int:
    """Let no job wait for longer than it would from now on: a clock that was ahead has said when it is due.

    Returns:
        How many were due later than that.
    """
    return sum(
        _try_each(
            partial(_bring_forward_once, waiting=waiting, wait=wait),
            _due_too_late(waiting, wait).values_list("job_id", flat=True)[:ENDS_AT_ONCE],
        )
        for waiting, wait in _longest_waits()
    )


def _due_too_late(waiting: Q, wait: timedelta) -> QuerySet[JobLog]:
    return JobLog.objects.filter(waiting, due_at__gt=DatabaseNow() + wait + CLOCK_SLACK)


def _longest_waits() -> Iterator[tuple[Q, timedelta]]:
    """Yield what open jobs wait for, and for how long at the most: but for leases, by the settings as they are now."""
    schedule = settings.DELIVERY_RETRY_SCHEDULE
    yield Q(status=Status.SENDING), LONGEST_LEASE
    yield Q(status=Status.PROCESSING), timedelta(seconds=settings.CALLBACK_TIMEOUT_SECONDS)
    yield Q(status=Status.QUEUED, tries=0), timedelta()
    for tries, planned in enumerate(schedule, start=1):
        yield Q(status=Status.QUEUED, tries=tries), timedelta(seconds=longest_delay(planned))
    yield Q(status=Status.QUEUED, tries__gt=len(schedule)), timedelta(seconds=longest_delay(0))


@transaction.atomic
def _bring_forward_once(job_id: UUID, *, waiting: Q, wait: timedelta) -> bool:
    job = lock_free_job(job_id)
    if job is None or job.due_at is None or not _due_too_late(waiting, wait).filter(pk=job_id).exists():
        return False
    note(
        job,
        kind=Kind.BROUGHT_FORWARD,
        source=Source.SWEEP,
        detail={"was_due_at": job.due_at.isoformat()},
        due_at=job.now + wait,
    )
    return True
