"""A worker takes a job to N8N."""

import random
from dataclasses import replace
from datetime import timedelta
from functools import partial
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q

from accounting.clock import DatabaseNow
from jobs.answers import Answer, Decision, decide
from jobs.delivery_errors import NEVER_SENT
from jobs.failures import ENDED_BY_US, FailureCode
from jobs.masking import masked, readable
from jobs.models import JobEvent, JobLog
from jobs.transitions import Detail, change_status, lock_free_job, lock_job

from .ending import fail, may_be_filed, why_refused

logger = structlog.get_logger(__name__)

Kind, Source, Status = JobEvent.Kind, JobEvent.Source, JobLog.Status

CLAIMS_LOCK = 0x7265_6365  # any number, the same in every worker


@transaction.atomic
def claim_job(job_id: UUID, *, worker: str) -> JobLog | None:
    """Take a queued job for one delivery: QUEUED to SENDING, with a lease.

    Args:
        job_id: as the bell said.
        worker: the name under which the event is written.

    Returns:
        The job, its attempt counted; or None where there is nothing to do: it is gone, is not queued, is not due yet,
        somebody acts on it, N8N has as much as it may have at once (the bell rings again), or the receipt was filed
        meanwhile by a job that had been given up: then this one has ended.
    """
    if not JobLog.objects.filter(pk=job_id, status=Status.QUEUED, due_at__lte=DatabaseNow()).exists():
        return None
    _lock_claims()
    job = lock_free_job(job_id, "receipt")  # whose bytes are sent
    if job is None or job.status != Status.QUEUED or job.due_at is None or job.due_at > job.now or free_places() <= 0:
        return None
    if filed := _filed_meanwhile(job):
        _end_as_filed(job, filed, worker)
        return None
    change_status(
        job,
        Status.SENDING,
        kind=Kind.CLAIMED,
        source=Source.WORKER,
        actor=worker,
        attempts=job.attempts + 1,
        tries=job.tries + 1,
        due_at=job.now + timedelta(seconds=settings.N8N_LEASE_SECONDS),
    )
    return job


def request_id_of(job_id: UUID) -> str:
    """Return under which request a job was uploaded; the job's own id where it came by none, as a canary does."""
    received = JobEvent.objects.filter(job=job_id, kind=Kind.RECEIVED)
    detail: Detail = received.values_list("detail", flat=True).first() or {}
    return str(detail.get("request_id") or job_id)


def is_claimed(job: JobLog) -> bool:
    """Tell whether a claim still holds, and for as long as a delivery may take.

    While a receipt is prepared, the delivery before may be reported on, or that of a job that had been given up; and
    the machine may be halted from outside, of which its own clocks know nothing.

    Args:
        job: as `claim_job` returned it.
    """
    answered_by = DatabaseNow() + timedelta(seconds=settings.N8N_DEADLINE_SECONDS)
    claimed = JobLog.objects.filter(pk=job.pk, status=Status.SENDING, attempts=job.attempts)
    return claimed.filter(due_at__gte=answered_by).exists() and _filed_meanwhile(job) is None


def _filed_meanwhile(job: JobLog) -> JobLog | None:
    """Return the job that has filed this one's receipt since this one was queued, deliberate duplicates apart.

    That one had been given up by then, or this one would not have been made, or retried; and was reported late.
    """
    is_first = job.receipt.created_at == job.created_at
    never_failed = job.chain_length <= len((Kind.RECEIVED, Kind.CLAIMED))
    if (is_first and never_failed) or job.duplicate_of_id:
        return None
    filed = JobLog.objects.filter(receipt=job.receipt_id, notion_database_id=job.notion_database_id)
    meant_for_it = Q(duplicate_of=None) | Q(created_at__lt=job.created_at)
    return filed.filter(meant_for_it, status=Status.SUCCESS).first()


def _end_as_filed(job: JobLog, filed: JobLog, worker: str) -> None:
    change_status(
        job,
        Status.SUCCESS,
        kind=Kind.SUCCEEDED,
        source=Source.WORKER,
        actor=worker,
        detail={"filed_by": str(filed.pk), "notion_page_url": filed.notion_page_url},
        result_message=filed.result_message,
        notion_page_url=filed.notion_page_url,
        result=filed.result,
        last_error="",
    )


def free_places() -> int:
    """Return how many more jobs N8N may have in flight."""
    in_flight: int = JobLog.objects.filter(status__in=JobLog.IN_FLIGHT).count()
    return settings.N8N_MAX_IN_FLIGHT - in_flight


def _lock_claims() -> None:
    """Let one claim at a time count the places; SQLite has but one writer anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CLAIMS_LOCK])


@transaction.atomic
def mark_delivered(job_id: UUID, *, attempt: int, answer: Answer, worker: str) -> Decision | None:
    """Do what an answer of N8N means: SENDING to PROCESSING, or back to QUEUED, or to FAILURE.

    Args:
        job_id, attempt: of the claim; where the job has moved on since (a callback came first, or the lease passed to
            another worker) nothing is written.
        answer: what came of the delivery.
        worker: the name under which the event is written.

    Returns:
        What was decided; or None where the job had moved on, or was not sent since the receipt was filed meanwhile by a
        job that had been given up: then this one has ended.
    """
    job = lock_job(job_id)
    if job.status != Status.SENDING or job.attempts != attempt:
        logger.info("answer_overtaken", status=job.status, attempt=attempt, current_attempt=job.attempts)
        return None
    if answer.error in NEVER_SENT and (filed := _filed_meanwhile(job)):
        _end_as_filed(job, filed, worker)
        return None
    decision = decide(
        answer,
        tries=job.tries,
        schedule=settings.DELIVERY_RETRY_SCHEDULE,
        now=job.now,
        jitter=random.random(),  # noqa: S311 - no secret
        masked=partial(masked, job=job),
    )
    if decision.status != Status.PROCESSING and (refusal := why_refused(job)):  # it has the receipt, whatever it says
        decision = replace(decision, status=Status.FAILURE, code=FailureCode.CALLBACK_TIMEOUT, sentence=refusal)
    detail = _answer_detail(answer, decision, job)
    match decision.status:
        case Status.PROCESSING:
            _await_callback(job, decision, worker, detail)
        case Status.QUEUED:
            _queue_again(job, decision, worker, detail)
        case Status.FAILURE:
            _end_without_page(job, decision, worker, detail)
    return decision


def _await_callback(job: JobLog, decision: Decision, worker: str, detail: Detail) -> None:
    change_status(
        job,
        Status.PROCESSING,
        kind=Kind.DELIVERED if decision.confirmed else Kind.UNCONFIRMED,
        source=Source.WORKER,
        actor=worker,
        detail=detail,
        due_at=job.now + timedelta(seconds=settings.CALLBACK_TIMEOUT_SECONDS),
        delivered_at=job.now if decision.confirmed else None,
        n8n_execution_id=decision.execution_id,
        last_error=decision.code,
        needs_attention=False,
    )


def _queue_again(job: JobLog, decision: Decision, worker: str, detail: Detail) -> None:
    change_status(
        job,
        Status.QUEUED,
        kind=Kind.REFUSED,
        source=Source.WORKER,
        actor=worker,
        detail=detail | {"again_in_seconds": round(decision.delay)},
        due_at=job.now + timedelta(seconds=decision.delay),
        last_error=decision.code,
        needs_attention=decision.needs_attention,
    )


def _end_without_page(job: JobLog, decision: Decision, worker: str, detail: Detail) -> None:
    """End it; of what N8N may have from a try before, that counts, whatever kept the last from N8N."""
    code = FailureCode(decision.code)
    if code in ENDED_BY_US and may_be_filed(job):
        code = FailureCode.DELIVERY_UNCONFIRMED
    last_error = decision.refused_for
    fail(job, code, decision.sentence, source=Source.WORKER, actor=worker, detail=detail, last_error=last_error)


def _answer_detail(answer: Answer, decision: Decision, job: JobLog) -> Detail:
    detail = {
        "http_status": answer.status,
        "ms": answer.milliseconds,
        "code": decision.code,
        "refused_for": decision.refused_for,
        "execution_id": decision.execution_id,
        "workflow_id": decision.workflow_id,
        "message": decision.sentence,
        "request": answer.request,
        "answer": _said(answer, job) if answer.status else {},
    }
    return {key: value for key, value in detail.items() if value}


def _said(answer: Answer, job: JobLog) -> Detail:
    said = {
        "status": answer.status,
        "content_type": masked(answer.content_type, job)[:100],
        "bytes": len(answer.body),
        "goes_on": answer.goes_on,
        "retry_after": masked(answer.retry_after, job)[:100],
        "body": readable(answer, job),
    }
    return {key: value for key, value in said.items() if value}
