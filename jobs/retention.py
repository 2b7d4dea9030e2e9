"""Which receipts' files have been kept for long enough. A file's name begins with the day on which it was stored.

That day was told by a clock, which may have been behind; so a seal of before the first day that is kept has to agree.
The clock may be ahead now; so time in which nothing was sealed does not count.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from receipts.models import Receipt, day_folder

from .models import JobEvent, JobLog, Seal

BATCH = 500
UNPURGED_FOR_LONG = timedelta(days=2)  # for whoever runs the purge each day
STANDSTILL = timedelta(days=1)  # without a seal: a sweep makes one each hour


def last_day(now: datetime) -> str:
    """Return the folder of the first day whose files are kept; "" where all are kept for ever."""
    if not settings.RETENTION_DAYS:
        return ""
    return day_folder(Receipt, _first_kept(now) - standstill(now))


def standstill(now: datetime) -> timedelta:
    """Return for how long nothing was sealed since the first moment that is kept.

    Nobody can tell whether that time has passed, or a clock has jumped ahead: files are kept for as much longer. Seals
    of before 0016 do not say when they were made.
    """
    begin = _first_kept(now)
    made: QuerySet[Seal, Any] = Seal.objects.order_by("made_at").values_list("made_at", flat=True)
    before, since = made.filter(made_at__lte=begin).reverse()[:1], made.filter(made_at__gt=begin, made_at__lte=now)
    gaps = (later - former for former, later in pairwise([*before, *since, now]))
    return sum((gap for gap in gaps if gap > STANDSTILL), timedelta())


def _first_kept(now: datetime) -> datetime:
    return now - timedelta(days=settings.RETENTION_DAYS)


def expired(before: str, *, after: str = "") -> QuerySet[Receipt]:
    """Return the receipts whose files were stored before that day; a purged one has none (`file` is empty).

    Args:
        after: only those whose files' names come after this one; SQLite uses one lower bound of an index, not two.
    """
    return Receipt.objects.filter(file__gt=after, file__lt=before)


def purgeable(before: str, *, after: str = "") -> QuerySet[Receipt]:
    """Return those of them of which no job is open, and which a seal says to be that old."""
    is_open = JobLog.objects.filter(receipt=OuterRef("pk"), due_at__isnull=False)
    return expired(before, after=after).filter(~Exists(is_open)).exclude(_stored_after(_last_event(before)))


def never_filed(before: str) -> QuerySet[Receipt]:
    """Return those of them of which no job succeeded."""
    filed = JobLog.objects.filter(receipt=OuterRef("pk"), status=JobLog.Status.SUCCESS)
    return purgeable(before).filter(~Exists(filed))


def _last_event(before: str) -> int:
    """Return the last event under a seal of before that day; 0 where there is none.

    A clock that was ahead for half an hour has sealed months meanwhile: no later than that day was the seal made, too.
    """
    if not before:
        return 0
    day = datetime.strptime(before, f"{Receipt.FOLDER}/%Y/%m/%d").replace(tzinfo=UTC)
    made_then = Q(made_at=None) | Q(made_at__lt=day + timedelta(days=1))
    seals = Seal.objects.filter(made_then, hour__lt=day).order_by("-hour")
    return seals.values_list("last_event", flat=True).first() or 0


def _stored_after(event: int) -> Q:
    """Return what tells that a file was stored after that event: ids are in order, whatever the clock said."""
    events = JobEvent.objects.filter(job__receipt=OuterRef("pk"))
    later = events.filter(id__gt=event)
    stored_anew = Exists(later.filter(kind=JobEvent.Kind.RESTORED))
    return Q(stored_anew) | Q(Exists(later), ~Exists(events.filter(id__lte=event)))


def oldest_first(before: str) -> Iterator[UUID]:
    """Return the purgeable ones, read some hundred at a time, while they are being purged."""
    after = ""
    while batch := list(purgeable(before, after=after).order_by("file").values_list("pk", "file")[:BATCH]):
        yield from (receipt_id for receipt_id, _ in batch)
        after = batch[-1][1]


def is_overdue(now: datetime) -> bool:
    """Tell whether the purge has not run for days."""
    return purgeable(min(last_day(now - UNPURGED_FOR_LONG), last_day(now))).exists()
