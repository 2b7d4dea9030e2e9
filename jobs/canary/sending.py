"""Sends canaries, by hand or by schedule, and tidies up behind them."""

from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from accounting.clock import CLOCK_SLACK, database_now
from jobs.failures import FailureCode
from jobs.models import JobEvent, JobLog
from jobs.services import IdempotencyKeyReused, UploadRequest, fail, purge_receipt, submit_receipt
from jobs.transitions import lock_job
from receipts.models import Client

from .slip import FILENAME, draw_slip

Source, Status = JobEvent.Source, JobLog.Status

DATABASE_ID = str(UUID(int=0))  # the nil UUID (RFC 9562 section 5.9): no Notion database has it
FORMER = 20  # so many before it are looked at: each has tidied up behind those before
GIVEN_UP = "N8N had not taken it when the next one was sent."


def canaries() -> QuerySet[JobLog]:
    """Return the canaries, newest first."""
    return JobLog.objects.filter(is_canary=True).order_by("-created_at")


def canaries_until(now: datetime) -> QuerySet[JobLog]:
    """Return those that were sent until now, newest first, and none by a clock that was ahead.

    Args:
        now: by the database's clock.
    """
    return canaries().filter(created_at__lte=now + CLOCK_SLACK)


def send(*, source: JobEvent.Source, actor: str = "", key: str = "") -> JobLog:
    """Send a canary the way that every receipt goes.

    Those before it that N8N has not taken are given up, so that an N8N that comes back finds one and not a flock.

    Args:
        source, actor: who sends it.
        key: an idempotency key.

    Raises:
        IdempotencyKeyReused: a canary was sent under that key; nothing was changed.
        OSError: its picture could not be stored; `why_not_stored` says it to people.
    """
    request = UploadRequest(
        client=Client.objects.get_or_create(name=Client.CANARY)[0],
        upload=draw_slip(database_now()),
        filename=FILENAME,
        notion_database_id=DATABASE_ID,
        idempotency_key=key,
        source=source,
        actor=actor,
        is_canary=True,
    )
    job = submit_receipt(request).job
    for former in canaries().exclude(pk=job.pk)[:FORMER]:
        _retire(former)
    return job


def why_not_stored(error: OSError) -> str:
    """Return the sentence that says why a canary's picture could not be stored, and where to look."""
    reason = error.strerror or str(error) or type(error).__name__
    return f"The picture could not be stored ({reason}): look at MEDIA_ROOT or S3_BUCKET."


def send_scheduled() -> JobLog | None:
    """Send the next canary of the schedule, if it is time; of any number of sweeps at once only one does.

    What decides is the idempotency key: each names the canary that it follows, which is followed once.
    """
    now = database_now()
    latest = canaries_until(now).first()
    if not settings.CANARY_INTERVAL_SECONDS or (latest is not None and not _may_be_followed(latest, now)):
        return None
    with suppress(IdempotencyKeyReused):  # another sweep was quicker
        return send(source=Source.SWEEP, key=_key_after(latest, now))
    return None


def _key_after(latest: JobLog | None, now: datetime) -> str:
    """Return the key of the next one: another than that of one which followed by a clock that was ahead."""
    key = f"after {latest.pk}" if latest else "first of all"
    ahead = canaries().filter(created_at__gt=now + CLOCK_SLACK).first()
    return f"{key}, beside {ahead.pk}" if ahead else key


def _may_be_followed(job: JobLog, now: datetime) -> bool:
    """Tell whether it is time for the next one: never while one is on its way, or stands in the queue for its turn."""
    is_time = job.created_at <= now - timedelta(seconds=settings.CANARY_INTERVAL_SECONDS)
    return is_time and (not job.is_open or _was_not_taken(job))


def _was_not_taken(job: JobLog) -> bool:
    return job.status == Status.QUEUED and job.tries > 0


def _retire(former: JobLog) -> None:
    """Give up a canary that N8N has not taken, and delete the picture of one that has ended: it proves nothing."""
    _give_up(former)
    with suppress(OSError):  # `receipts.orphans` finds what is left then
        purge_receipt(former.receipt_id)


@transaction.atomic
def _give_up(former: JobLog) -> None:
    job = lock_job(former.pk)
    if _was_not_taken(job):
        fail(job, FailureCode.N8N_UNAVAILABLE, GIVEN_UP, source=Source.SWEEP)
