"""Seals: each hour's events of all jobs, signed together and chained, so that a job that is gone is missed.

A seal covers events by their ids, from where the seal before it ends: every event comes under one, and each can be made
again later although jobs go on.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Count, Max, QuerySet

from accounting.batches import why_unreadable
from accounting.stored import OTHER_FORM, columns_of_other_form, with_stored
from jobs.models import Heartbeat, JobEvent, Seal
from jobs.stats import GRACE, HOUR, hour_of

from .chain import keys, sign, signer
from .writers import all_is_seen

logger = structlog.get_logger(__name__)

UNSEALED_FOR_LONG = timedelta(hours=2)  # while a sweep runs, it is minutes
PIECE = 10_000
SEALED_AT_ONCE = 100  # hours: after a long standstill, and where the clock is ahead for a moment


def seal_finished_hours(now: datetime) -> int:
    """Seal every hour that is over and has no seal yet.

    Args:
        now: by the database's clock.

    Returns:
        How many seals were made. Two sweeps at once make each of them once.
    """
    for made in range(SEALED_AT_ONCE):
        if not (hour := _next_hour(now)) or not _seal(hour, now):
            return made
    return SEALED_AT_ONCE


def _next_hour(now: datetime) -> datetime | None:
    """Return the first hour without a seal, if it is over. The very first seal covers all that was before, too."""
    finished = hour_of(now - GRACE) - HOUR
    last = Seal.objects.last()
    hour = last.hour + HOUR if last else finished
    return hour if hour <= finished else None


def _seal(hour: datetime, now: datetime) -> bool:
    last = Seal.objects.last()
    last_event = find_last_event(hour, last, now)
    if not all_is_seen():
        return False  # the next pass goes on; by a clock that has just jumped an hour seems to be over too soon
    seal = make_seal(hour, last, last_event)
    seal.made_at = now
    # what it covers no longer changes, so nobody has to wait for it
    try:
        with transaction.atomic():
            seal.save(force_insert=True)
    except IntegrityError:
        return False  # another sweep was quicker
    late = now - hour > HOUR + UNSEALED_FOR_LONG
    log = logger.warning if late else logger.info  # late: no sweep ran, or somebody deleted a seal
    log("audit_sealed", hour=hour.isoformat(), number=seal.number, jobs=seal.jobs, events=seal.events,
        digest=seal.digest, late=late)  # fmt: skip
    return True


def make_seal(hour: datetime, last: Seal | None, last_event: int) -> Seal:
    """Return the seal, not yet saved, of all events from where the last seal ends to that one."""
    events = _between(_end_of(last), last_event)
    seal = Seal(number=last.number + 1 if last else 1, hour=hour, last_event=last_event)
    seal.jobs = events.aggregate(jobs=Count("job", distinct=True))["jobs"]
    seal.events, content = _content(events)
    seal.digest = sign(keys()[0], _signed(seal, content, last))
    return seal


def find_last_event(hour: datetime, last: Seal | None, now: datetime) -> int:
    """Return the id of the hour's last event: that before the first of a later hour. No others are read.

    Args:
        last: the last seal; where nothing came after it, it is its last event.
        now: by the database's clock. An event of later was written while that was ahead, and is sealed with those
            that were written beside it.
    """
    end, after = hour + HOUR, _end_of(last)
    events = JobEvent.objects.filter(id__gt=after).order_by("id").values_list("id", flat=True)
    if later := events.filter(at__gte=end, at__lte=now).first():
        events = events.filter(id__lt=later)
    return events.filter(at__lt=end).last() or after


def _end_of(seal: Seal | None) -> int:
    return seal.last_event if seal else 0


def _between(after: int, last: int) -> QuerySet[JobEvent]:
    return JobEvent.objects.filter(id__gt=after, id__lte=last).order_by("id")


def _content(events: QuerySet[JobEvent]) -> tuple[int, str]:
    """Return how many events there are, and a SHA-256 over their signatures."""
    digest, count = sha256(), 0
    for job_id, number, signature in events.values_list("job_id", "number", "digest").iterator(PIECE):
        digest.update(f"{job_id} {number} {signature}\n".encode())
        count += 1
    return count, digest.hexdigest()


def _signed(seal: Seal, content: str, last: Seal | None) -> list[object]:
    begins_after, chained = (last.last_event, last.digest) if last else (0, "")
    return ["seal", seal.number, seal.hour, begins_after, seal.last_event, seal.events, seal.jobs, content, chained]


def seals_since(moment: datetime | None) -> QuerySet[Seal]:
    """Return the seals of the hours that began since then; all of them where it is None."""
    return Seal.objects.filter(hour__gte=moment) if moment else Seal.objects.all()


def seal_of_event(event: int) -> Seal | None:
    """Return the seal that covers the event with that id; None where none does."""
    before = Seal.objects.filter(last_event__lt=event).order_by("number").last()
    number = before.number + 1 if before else 1
    return Seal.objects.filter(number=number, last_event__gte=event).first() if event > 0 else None


def is_missed(hour: datetime, now: datetime) -> bool:
    """Tell whether an hour without a seal should have had one for long.

    Args:
        now: by the database's clock.
    """
    return hour + HOUR + GRACE + UNSEALED_FOR_LONG < now


def verify_seals(since: datetime | None, now: datetime) -> Iterator[tuple[int, list[str]]]:
    """Make every seal again, and compare.

    Args:
        since: the seals of earlier hours are believed; None where none is.
        now: by the database's clock.

    Yields:
        For each seal 1, and a sentence where it is broken; at last 0, and a sentence where hours have none.
    """
    last = Seal.objects.filter(hour__lt=since).last() if since else None
    for key in list(seals_since(since).order_by("number").values_list("pk", flat=True)):
        seal, sentences = _look_at(key, last)
        yield 1, sentences
        last = seal
    yield 0, list(_unsealed(last, now))


def _look_at(key: int, last: Seal | None) -> tuple[Seal | None, list[str]]:
    """Return a seal, and what is broken of it; no seal where it cannot be read."""
    try:
        seal = with_stored(Seal.objects.all()).get(pk=key)
        forms = [f"its {name} {OTHER_FORM}" for name in columns_of_other_form(seal)]
        named = f"Seal {seal.number} of {seal.hour:%Y-%m-%d %H:%M}"
        return seal, [f"{named}: {fault}." for fault in (*forms, *_faults(seal, last))]
    except Seal.DoesNotExist:
        return None, []  # gone meanwhile: the next one misses it
    except Exception as error:
        return None, [f"The seal with the id {key} {why_unreadable(error)}."]


def _faults(seal: Seal, last: Seal | None) -> Iterator[str]:
    if seal.number != (last.number + 1 if last else 1):
        yield "the one before it is missing"
        return  # what it was chained to cannot be known
    count, content = _content(_between(_end_of(last), seal.last_event))
    if count != seal.events:
        yield f"it covers {seal.events} events (jobs: {seal.jobs}), and {count} of them are there"
    elif signer(seal.digest, _signed(seal, content, last)) is None:
        yield "it is not as it was made, or one of the events that it covers is not"


def _unsealed(last: Seal | None, now: datetime) -> Iterator[str]:
    """Look for events that should have a seal; while nothing ran, as before a back-up is restored, none was due."""
    due = min(now, _last_sign_of_life() or now) - GRACE - UNSEALED_FOR_LONG
    since = JobEvent.objects.filter(id__gt=_end_of(last), at__lte=now).order_by("id")
    first = since.values_list("at", flat=True).first()
    if first is None or first >= due:
        return
    if last and last.hour > now:
        yield (
            f"Nothing since {first:%Y-%m-%d %H:%M} is sealed until {last.hour:%Y-%m-%d %H:%M}, up to when there are "
            "seals: the database's clock was ahead."
        )
    else:
        yield f"No hour since {first:%Y-%m-%d %H:%M} is sealed: no sweep runs, or a seal was deleted."


def _last_sign_of_life() -> datetime | None:
    event = JobEvent.objects.order_by("-id").values_list("at", flat=True).first()
    beat = Heartbeat.objects.aggregate(at=Max("at"))["at"]
    return max(filter(None, (event, beat)), default=None)
