"""The verbs: everything that may happen to a job, each in one transaction with the event that tells of it."""

import hashlib
import random
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError, connection, transaction

from accounting.clock import DatabaseNow
from receipts.models import Client, Receipt
from receipts.services import Refusal, has_file, keep_receipt, stored_file
from receipts.validators import CheckedUpload

from .answers import Answer, Decision, decide
from .callbacks import Report, Verdict, judge
from .models import FailureCode, IdempotencyKey, JobEvent, JobLog
from .queue import queue_service
from .transitions import Detail, change_status, lock_job, note

logger = structlog.get_logger(__name__)

Kind, Source, Status = JobEvent.Kind, JobEvent.Source, JobLog.Status

CLAIMS_LOCK = 0x7265_6365  # any number, the same in every worker
MISSED_BELL = timedelta(seconds=2)
KEPT_MESSAGE = 500


# -- upload ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class UploadRequest:
    """What a client asks for, checked."""

    client: Client
    upload: CheckedUpload
    filename: str
    notion_database_id: str
    allow_duplicate: bool = False
    idempotency_key: str = ""
    source: JobEvent.Source = Source.API
    actor: str = ""

    @property
    def fingerprint(self) -> str:
        """What makes two requests the same; the file's name does not, since phones make a new one each time."""
        parts = (self.upload.sha256, self.notion_database_id, str(self.allow_duplicate))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Submission:
    """The job that an upload was answered with."""

    job: JobLog
    created: bool


class IdempotencyKeyReused(Refusal):
    """The same key came with another request before."""


def submit_receipt(request: UploadRequest) -> Submission:
    """Take a receipt in: its bytes, its row, its job and the job's first event.

    The bytes are on the disk before the rows are written, and the rows are committed before anybody is rung.

    Returns:
        A new job; or the one that the same key, or the same bytes for the same database, were answered with before.

    Raises:
        IdempotencyKeyReused: nothing was changed.
    """
    with stored_file(client=request.client, upload=request.upload) as stored_as:
        try:
            return _submit(request, stored_as)
        except IntegrityError:
            # two requests with one new key met; the other has won, and this one finds its row
            return _submit(request, stored_as)


@transaction.atomic
def _submit(request: UploadRequest, stored_as: str) -> Submission:
    known = IdempotencyKey.objects.filter(client=request.client, key=request.idempotency_key).first()
    if request.idempotency_key and known is not None:
        return _repeat_by_key(request, known)
    receipt = keep_receipt(client=request.client, upload=request.upload, stored_as=stored_as)
    same = receipt.jobs.filter(notion_database_id=request.notion_database_id).exclude(status=Status.FAILURE).first()
    if same is not None and not request.allow_duplicate:
        submission = Submission(job=_note_repeat(same.pk, request), created=False)
    else:
        submission = Submission(job=_create_job(request, receipt, duplicate_of=same), created=True)
    if request.idempotency_key:
        IdempotencyKey.objects.create(
            client=request.client, key=request.idempotency_key, fingerprint=request.fingerprint, job=submission.job
        )
    return submission


def _repeat_by_key(request: UploadRequest, known: IdempotencyKey) -> Submission:
    if known.fingerprint != request.fingerprint:
        raise IdempotencyKeyReused
    return Submission(job=_note_repeat(known.job_id, request), created=False)


def _note_repeat(job_id: UUID, request: UploadRequest) -> JobLog:
    job = lock_job(job_id)
    note(job, kind=Kind.REPEATED, source=request.source, actor=request.actor, detail=_request_detail())
    return job


def _create_job(request: UploadRequest, receipt: Receipt, *, duplicate_of: JobLog | None) -> JobLog:
    created = JobLog.objects.create(
        receipt=receipt,
        client=request.client,
        filename=request.filename,
        notion_database_id=request.notion_database_id,
        duplicate_of=duplicate_of,
        created_at=DatabaseNow(),
        due_at=DatabaseNow(),
    )
    job = lock_job(created.pk)
    detail = _request_detail() | {"size": receipt.size, "sha256": receipt.sha256}
    note(job, kind=Kind.RECEIVED, source=request.source, actor=request.actor, detail=detail)
    _ring_on_commit(job.pk)
    return job


def _request_detail() -> Detail:
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    return {"request_id": request_id} if request_id else {}


def _ring_on_commit(job_id: UUID) -> None:
    # robust: the job is accepted once it is committed, whether or not the bell can be rung
    transaction.on_commit(partial(queue_service().ring, [job_id]), robust=True)


# -- delivery ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def claim_job(job_id: UUID, *, worker: str) -> JobLog | None:
    """Take a queued job for one delivery: QUEUED to SENDING, with a lease.

    Args:
        job_id: as the bell said.
        worker: the name under which the event is written.

    Returns:
        The job, its attempt counted; or None where there is nothing to do: it is gone, is not queued, is not due yet,
        or N8N has as much as it may have at once (the bell rings again).
    """
    if not JobLog.objects.filter(pk=job_id, status=Status.QUEUED, due_at__lte=DatabaseNow()).exists():
        return None
    _lock_claims()
    job = lock_job(job_id)
    if job.status != Status.QUEUED or job.due_at is None or job.due_at > job.now or free_places() <= 0:
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
        What was decided, or None where the job had moved on.
    """
    job = lock_job(job_id)
    if job.status != Status.SENDING or job.attempts != attempt:
        logger.info("answer_overtaken", status=job.status, attempt=attempt, current_attempt=job.attempts)
        return None
    decision = decide(
        answer, tries=job.tries, schedule=settings.DELIVERY_RETRY_SCHEDULE, jitter=random.random()  # noqa: S311 - no secret
    )  # fmt: skip
    detail = _answer_detail(answer, decision)
    match decision.status:
        case Status.PROCESSING:
            _await_callback(job, decision, worker, detail)
        case Status.QUEUED:
            _queue_again(job, decision, worker, detail)
        case Status.FAILURE:
            fail(job, FailureCode(decision.code), decision.sentence, source=Source.WORKER, actor=worker, detail=detail)
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


def _answer_detail(answer: Answer, decision: Decision) -> Detail:
    detail = {
        "http_status": answer.status,
        "ms": answer.milliseconds,
        "code": decision.code,
        "execution_id": decision.execution_id,
        "message": decision.sentence,
    }
    return {key: value for key, value in detail.items() if value}


@transaction.atomic
def fail_missing_file(job_id: UUID, *, attempt: int, worker: str) -> None:
    """End a claimed job whose receipt's file is gone."""
    job = lock_job(job_id)
    if job.status == Status.SENDING and job.attempts == attempt:
        sentence = "The receipt's file is gone; upload the receipt again."
        fail(job, FailureCode.FILE_MISSING, sentence, source=Source.WORKER, actor=worker)


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
    _ring_next_on_commit()


# -- callback ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Completion:
    """What a callback came to."""

    job: JobLog
    verdict: Verdict


@transaction.atomic
def complete_job(job_id: UUID, report: Report, *, actor: str) -> Completion:
    """Do what N8N's report means: end the job, or leave it as it is and write down why.

    Args:
        report: what N8N sent.
        actor: which token the report came with.

    Returns:
        The job as it is now, and the verdict. A contradiction is written down too; telling the caller is the view's.

    Raises:
        JobLog.DoesNotExist: there is no such job.
    """
    job = lock_job(job_id)
    verdict = judge(report, job, former_executions=_former_executions(job))
    match verdict:
        case Verdict.ACCEPT | Verdict.ACCEPT_LATE:
            _end(job, report, actor, late=verdict is Verdict.ACCEPT_LATE)
        case Verdict.REPEAT:
            note(job, kind=Kind.CALLBACK_REPEATED, source=Source.CALLBACK, actor=actor, detail=_report_detail(report))
        case Verdict.CONTRADICTION:
            note(job, kind=Kind.CALLBACK_REFUSED, source=Source.CALLBACK, actor=actor, detail=_report_detail(report))
    return Completion(job=job, verdict=verdict)


def find_open_job(execution_id: str) -> UUID | None:
    """Return the one open job whose current execution this is, for error workflows that know no job."""
    open_jobs = JobLog.objects.filter(n8n_execution_id=execution_id, due_at__isnull=False)
    found = list(open_jobs.values_list("job_id", flat=True)[:2])
    return found[0] if len(found) == 1 else None


def _former_executions(job: JobLog) -> frozenset[str]:
    """Return the executions that were told of before the present round of tries began."""
    before = job.events.filter(attempt__lte=job.attempts - job.tries)
    return frozenset(detail.get("execution_id", "") for detail in before.values_list("detail", flat=True)) - {""}


def _end(job: JobLog, report: Report, actor: str, *, late: bool) -> None:
    failed = report.status == Status.FAILURE
    change_status(
        job,
        report.status,
        kind=Kind.FAILED if failed else Kind.SUCCEEDED,
        source=Source.CALLBACK,
        actor=actor,
        detail=_report_detail(report) | ({"late": True} if late else {}),
        due_at=None,
        completed_at=job.now,
        failure_code=FailureCode.WORKFLOW_FAILED if failed else "",
        result_message=report.message,
        notion_page_url=report.notion_page_url,
        result=report.data,
        n8n_execution_id=report.execution_id or job.n8n_execution_id,
        last_error="",
        needs_attention=False,
    )
    _ring_next_on_commit()


def _report_detail(report: Report) -> Detail:
    """Return what the event keeps: of a failure the reason too, since a retry clears it from the job."""
    failed = report.status == Status.FAILURE
    detail = {
        "reported": report.status,
        "execution_id": report.execution_id,
        "notion_page_url": report.notion_page_url,
        "message": report.message[:KEPT_MESSAGE] if failed else "",
    }
    return {key: value for key, value in detail.items() if value}


def _ring_next_on_commit() -> None:
    """An end frees a place: ring for the job that has waited longest, if its own bell was missed."""
    transaction.on_commit(_ring_next, robust=True)


def _ring_next() -> None:
    waiting = JobLog.objects.filter(status=Status.QUEUED, due_at__lte=DatabaseNow() - MISSED_BELL).order_by("due_at")
    queue_service().ring(waiting.values_list("job_id", flat=True)[:1])


# -- staff -------------------------------------------------------------------------------------------------------------


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
    _ring_on_commit(job.pk)
