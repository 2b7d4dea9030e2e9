"""Whether canaries come back: the last round trip, and what has become of those sent since."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import takewhile
from uuid import UUID

from django.conf import settings

from accounting.clock import CLOCK_SLACK
from jobs.failures import ENDED_BY_US, FailureCode
from jobs.models import JobEvent, JobLog

from .sending import canaries_until

Kind, Source, Status = JobEvent.Kind, JobEvent.Source, JobLog.Status

LATE_AFTER = 3  # intervals of the schedule
LOOKED_AT = 200  # canaries, the newest: two days of one in a quarter of an hour
LOOKED_FOR = ("created_at", "completed_at", "status", "failure_code", "last_error", "result_message")
# no report ends so: an outage of days is passed over unread
UNREPORTED = ENDED_BY_US - {FailureCode.WORKFLOW_STOPPED, FailureCode.WORKFLOW_CRASHED, FailureCode.CALLBACK_LOST}


class CanaryState(StrEnum):
    """What canaries say of the way to N8N and back."""

    UNKNOWN = "unknown"  # none has come back or failed
    OK = "ok"  # the last one came back
    LATE = "late"  # by the schedule, more should have come back since
    FAILED = "failed"  # one that was sent later failed, or N8N does not take it


@dataclass(frozen=True, kw_only=True)
class RoundTrip:
    """A canary that went all the way to N8N and back.

    Attributes:
        succeeded: whether N8N reported a success; a failure has come all the way as well.
        message: what N8N said.
    """

    job_id: UUID
    sent_at: datetime
    completed_at: datetime
    succeeded: bool
    message: str

    @property
    def seconds(self) -> float:
        """How long it took, from being sent to being called back."""
        return (self.completed_at - self.sent_at).total_seconds()


@dataclass(frozen=True, kw_only=True)
class CanaryHealth:
    """What is known of canaries at a moment.

    Attributes:
        age: since the last round trip was completed.
        waiting: the same, or where none is known of, since the first canary looked at was sent; nothing without a
            schedule.
        code: why a later canary failed or is not taken (`jobs.causes.cause_of`); "" where none did.
        interval: of the schedule; 0 where there is none, and one that stays away means nothing.
    """

    state: CanaryState
    round_trip: RoundTrip | None
    age: timedelta | None
    waiting: timedelta
    code: str
    interval: timedelta

    @property
    def is_alarming(self) -> bool:
        """Whether somebody should look: it is asked by a schedule, and the answer is no."""
        return bool(self.interval) and self.state in (CanaryState.LATE, CanaryState.FAILED)


def check_health(now: datetime) -> CanaryHealth:
    """Return what canaries say.

    Args:
        now: by the database's clock.
    """
    interval = timedelta(seconds=settings.CANARY_INTERVAL_SECONDS)
    latest = _latest(now)
    trip = _round_trip(latest)
    code = _trouble_since(trip, latest)
    waiting = now - _since(trip, latest, now) if interval else timedelta()
    return CanaryHealth(
        state=_state(trip, code, is_late=waiting > LATE_AFTER * interval),
        round_trip=trip,
        age=now - trip.completed_at if trip else None,
        waiting=waiting,
        code=code,
        interval=interval,
    )


def _latest(now: datetime) -> list[JobLog]:
    """Return the newest canaries, to be told apart here: by status, SQLite would go through all jobs that ended so.

    What was sent, or has ended, by a clock that was ahead is passed over: until then it would be the latest.
    """
    latest = canaries_until(now).only(*LOOKED_FOR)[:LOOKED_AT]
    return [job for job in latest if job.completed_at is None or job.completed_at <= now + CLOCK_SLACK]


def _round_trip(latest: Sequence[JobLog]) -> RoundTrip | None:
    """Return the latest canary that N8N called back for, whatever it said."""
    reported = _reported(latest)
    job = next((job for job in latest if job.status == Status.SUCCESS or job.pk in reported), None)
    if job is None or job.completed_at is None:
        return None
    return RoundTrip(
        job_id=job.pk,
        sent_at=job.created_at,
        completed_at=job.completed_at,
        succeeded=job.status == Status.SUCCESS,
        message=job.result_message,
    )


def _reported(latest: Sequence[JobLog]) -> set[UUID]:
    """Return which of them have failed by N8N's own report."""
    failed = [job.pk for job in latest if job.status == Status.FAILURE and job.failure_code not in UNREPORTED]
    reports = JobEvent.objects.filter(job__in=failed, kind=Kind.FAILED, source=Source.CALLBACK)
    return set(reports.values_list("job_id", flat=True)) if failed else set()


def _trouble_since(trip: RoundTrip | None, latest: Sequence[JobLog]) -> str:
    """Return why the latest canary after that one failed or is not taken; one that is on its way says nothing yet."""
    later = takewhile(lambda job: trip is None or job.created_at > trip.sent_at, latest)
    job = next(filter(_is_in_trouble, later), None)
    return _code_of(job) if job else ""


def _is_in_trouble(job: JobLog) -> bool:
    return job.status == Status.FAILURE or (job.status == Status.QUEUED and job.last_error != "")


def _code_of(job: JobLog) -> str:
    """Return the reason; where it was tried in vain, that of the last try."""
    return job.last_error or job.failure_code


def _state(trip: RoundTrip | None, code: str, *, is_late: bool) -> CanaryState:
    if code:
        return CanaryState.FAILED
    if is_late:
        return CanaryState.LATE
    return CanaryState.OK if trip else CanaryState.UNKNOWN


def _since(trip: RoundTrip | None, latest: Sequence[JobLog], now: datetime) -> datetime:
    """Return since when the next one is waited for: since the last one came back, or since the first one was sent."""
    if trip is not None:
        return trip.completed_at
    return latest[-1].created_at if latest else now
