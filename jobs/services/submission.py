"""A receipt comes in."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import IntegrityError, transaction

from accounting.clock import database_now, seconds_since_boot
from jobs.models import IdempotencyKey, JobEvent, JobLog
from jobs.queue import ring_on_commit
from jobs.transitions import Detail, begin, lock_job, note, note_unless_many
from receipts.files import CheckedUpload
from receipts.models import Client, Receipt
from receipts.services import JustPurged, StoredFile, keep_receipt, stored_file

Kind, Source, Status = JobEvent.Kind, JobEvent.Source, JobLog.Status


@dataclass(frozen=True, kw_only=True)
class Submission:
    """The job that an upload was answered with."""

    job: JobLog
    created: bool


@dataclass(frozen=True, kw_only=True)
class UploadRequest:
    """What a client asks for, checked.

    Attributes:
        log: writes down in the same transaction, where somebody keeps a log of his own, what this is answered with.
    """

    client: Client
    upload: CheckedUpload
    filename: str
    notion_database_id: str
    allow_duplicate: bool = False
    idempotency_key: str = ""
    source: JobEvent.Source = Source.API
    actor: str = ""
    is_canary: bool = False
    log: Callable[[Submission], None] | None = None

    @property
    def fingerprint(self) -> str:
        """What makes two requests the same; the file's name does not, since phones make a new one each time."""
        parts = (self.upload.sha256, self.notion_database_id, str(self.allow_duplicate))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


# Two requests with new bytes may meet, and two with a new key: the other has won, and this one finds its row.
MEETINGS = 2


# A machine may sleep between two lines; after a day the sweep takes a file that no row names for an orphan.
MAX_STORING = timedelta(hours=1)
# As long as the longest transaction that is known of: counters take an event for settled after twice that
# (`jobs.metrics.counting.SETTLES`), and the hour that the receipt is dated into is counted later still.
MAX_WRITING = timedelta(seconds=45)


class StoredLongAgo(Exception):
    """The file was put away so long before its row that it may be gone, or the clock was asked so long before."""


class IdempotencyKeyReused(Exception):
    """The same key came with another request before."""


def submit_receipt(request: UploadRequest) -> Submission:
    """Take a receipt in: its bytes, its row, its job and the job's first event.

    The bytes are on the disk before the rows are written, and the rows are committed before anybody is rung.

    Returns:
        A new job; or the one that the same key, or the same bytes for the same database, were answered with before.

    Raises:
        IdempotencyKeyReused: nothing was changed.
        JustPurged, StoredLongAgo: twice, one after the other; nothing was changed.
    """
    try:
        return _store_and_submit(request)
    except (JustPurged, StoredLongAgo):
        return _store_and_submit(request)


def _store_and_submit(request: UploadRequest) -> Submission:
    begun_at = database_now()
    with stored_file(client=request.client, upload=request.upload, now=begun_at) as stored:
        write_by = seconds_since_boot() + MAX_WRITING.total_seconds()
        now = database_now()  # before the transaction, for which others may have to wait
        if now - begun_at > MAX_STORING:
            raise StoredLongAgo
        for _ in range(MEETINGS):
            with suppress(IntegrityError):
                return _submit(request, stored, now, write_by)
        return _submit(request, stored, now, write_by)


@transaction.atomic
def _submit(request: UploadRequest, stored: StoredFile, now: datetime, write_by: float) -> Submission:
    stored.may_be_named = False  # the transaction before this one met another's, and was rolled back
    submission = _find_or_create(request, stored, now)
    if request.log:
        request.log(submission)
    if seconds_since_boot() > write_by:
        raise StoredLongAgo
    stored.may_be_named = True
    return submission


def _find_or_create(request: UploadRequest, stored: StoredFile, now: datetime) -> Submission:
    known = _known_key(request)
    receipt, is_new = keep_receipt(client=request.client, upload=request.upload, stored=stored, now=now)
    if stored.is_kept and not is_new:
        _note_restored(receipt, request)
    if known is not None:
        return Submission(job=_note_repeat(lock_job(known.job_id), request), created=False)
    find = _former_job if request.allow_duplicate else _same_job
    same = None if is_new else find(request, receipt)
    if same is not None and not request.allow_duplicate:
        submission = Submission(job=_note_repeat(same, request), created=False)
    else:
        now = now if is_new else database_now()  # locks may have been waited for
        submission = Submission(job=_create_job(request, receipt, now, duplicate_of=same), created=True)
    if request.idempotency_key:
        IdempotencyKey.objects.create(
            client=request.client, key=request.idempotency_key, fingerprint=request.fingerprint, job=submission.job
        )
    return submission


def _note_restored(receipt: Receipt, request: UploadRequest) -> None:
    """Write down that the receipt has a file again, so that its purge can no longer be passed off as the last word."""
    for job_id in receipt.jobs.order_by("pk").values_list("pk", flat=True):
        note(
            lock_job(job_id),
            kind=Kind.RESTORED,
            source=request.source,
            actor=request.actor,
            detail=_request_detail(),
            receipt={"purged_at": None},
        )


def _known_key(request: UploadRequest) -> IdempotencyKey | None:
    if not request.idempotency_key:
        return None
    known = IdempotencyKey.objects.filter(client=request.client, key=request.idempotency_key).first()
    if known is not None and known.fingerprint != request.fingerprint:
        raise IdempotencyKeyReused
    return known


def _same_job(request: UploadRequest, receipt: Receipt) -> JobLog | None:
    """Return the newest job that files these bytes in this database, locked; one that fails just now is none."""
    not_failed = receipt.jobs.filter(notion_database_id=request.notion_database_id).exclude(status=Status.FAILURE)
    for job_id in not_failed.values_list("job_id", flat=True):
        job = lock_job(job_id)
        if job.status != Status.FAILURE:
            return job
    return None


def _former_job(request: UploadRequest, receipt: Receipt) -> JobLog | None:
    """Return the newest job for these bytes and this database, whatever became of it."""
    return receipt.jobs.filter(notion_database_id=request.notion_database_id).first()


def _note_repeat(job: JobLog, request: UploadRequest) -> JobLog:
    note_unless_many(job, kind=Kind.REPEATED, source=request.source, actor=request.actor, detail=_request_detail())
    return job


def _create_job(request: UploadRequest, receipt: Receipt, now: datetime, *, duplicate_of: JobLog | None) -> JobLog:
    job = JobLog(
        receipt=receipt,
        client=request.client,
        filename=request.filename,
        notion_database_id=request.notion_database_id,
        duplicate_of=duplicate_of,
        is_canary=request.is_canary,
        created_at=now,
        due_at=now,
    )
    job.now = now
    detail = _request_detail() | {"size": receipt.size, "sha256": receipt.sha256}
    if request.upload.pages > 1:
        detail["pages"] = request.upload.pages
    begin(job, source=request.source, actor=request.actor, detail=detail)
    ring_on_commit(job.pk, request_id=detail.get("request_id", ""))
    return job


def _request_detail() -> Detail:
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    return {"request_id": request_id} if request_id else {}
