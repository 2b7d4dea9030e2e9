"""Figures over time: how many receipts came in, how many were filed or failed, and how long that took.

What counts is what happened, by the time at which it happened: a job that fails, is retried and succeeds has failed
once and succeeded once. Events never change, so neither do the figures of an hour that is over. The sweep keeps these
as rows (`HourlyFigures`); only the last two hours are read from events, so that a page costs what an hour brings and
not what was ever done.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from .histogram import bucket_of, percentile
from .models import FailureCode, HourlyFigures, JobEvent, JobLog

Kind, Status = JobEvent.Kind, JobLog.Status

HOUR = timedelta(hours=1)
# An event has the time of its transaction, which may end a little later: lock_timeout and the like allow for seconds.
GRACE = timedelta(minutes=5)
CLOSED_AT_ONCE = 12  # hours in one pass, so that catching up delays no sweep by much
LIVE_HOURS = 2  # the present hour, and for the time of grace the one before

COUNTED = (Kind.RECEIVED, Kind.SUCCEEDED, Kind.FAILED, Kind.CANCELLED)


class Happening(NamedTuple):
    """What counts of one event."""

    kind: str
    at: datetime
    created_at: datetime
    code: str | None


@dataclass(frozen=True)
class Figures:
    """What happened in some span of time."""

    received: int = 0
    succeeded: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    latencies: Counter[int] = field(default_factory=Counter)

    @property
    def failures(self) -> int:
        """How many failed, whatever the reason."""
        return self.failed.total()

    @property
    def success_rate(self) -> float | None:
        """Which share of those that ended succeeded, from 0 to 1; None where none ended."""
        ended = self.succeeded + self.failures
        return self.succeeded / ended if ended else None

    def seconds(self, share: float) -> float | None:
        """Return within how many seconds of their upload that share of the successes came."""
        return percentile(self.latencies, share)


def tally(happenings: Iterable[Happening]) -> Figures:
    """Count what happened."""
    received, failed, latencies = 0, Counter[str](), Counter[int]()
    for kind, at, created_at, code in happenings:
        if kind == Kind.RECEIVED:
            received += 1
        elif kind == Kind.SUCCEEDED:
            latencies[bucket_of((at - created_at).total_seconds())] += 1
        else:
            failed[code or FailureCode.WORKFLOW_FAILED.value] += 1  # N8N's own report names no code of ours
    return Figures(received, latencies.total(), failed, latencies)


def added_up(parts: Iterable[Figures]) -> Figures:
    """Return the figures of several spans together."""
    received, succeeded, failed, latencies = 0, 0, Counter[str](), Counter[int]()
    for part in parts:
        received += part.received
        succeeded += part.succeeded
        failed.update(part.failed)
        latencies.update(part.latencies)
    return Figures(received, succeeded, failed, latencies)


# -- hours that are over


def close_hours(now: datetime) -> int:
    """Write down the figures of the hours that are over since the last one written; return how many.

    After an outage it catches up, some hours at each pass. Several sweeps may do it at once: they find the same, and
    the first to write an hour has written it.

    Args:
        now: by the database's clock.
    """
    begin, end = first_open_hour(), hour_of(now - GRACE)
    hours = list(_hours(begin, end))[:CLOSED_AT_ONCE] if begin else []
    rows = [row_of(hour, tally(_happenings(hour, hour + HOUR))) for hour in hours]
    HourlyFigures.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def first_open_hour() -> datetime | None:
    """Return the first hour without figures: after the last that has some, or else that of the very first event."""
    if (closed := HourlyFigures.objects.order_by("-hour").values_list("hour", flat=True).first()) is not None:
        return closed + HOUR
    began: datetime | None = JobEvent.objects.order_by("at").values_list("at", flat=True).first()
    return hour_of(began) if began else None


def hour_of(moment: datetime) -> datetime:
    """Return when that hour began."""
    return moment.replace(minute=0, second=0, microsecond=0)


def _hours(begin: datetime, end: datetime) -> Iterator[datetime]:
    while begin < end:
        yield begin
        begin += HOUR


def _happenings(begin: datetime, end: datetime) -> Iterator[Happening]:
    events = JobEvent.objects.filter(at__gte=begin, at__lt=end, kind__in=COUNTED, job__is_canary=False).order_by()
    rows = events.values_list("kind", "at", "job__created_at", "detail__code")
    return (Happening(*row) for row in rows.iterator(chunk_size=2000))


def row_of(hour: datetime, figures: Figures) -> HourlyFigures:
    """Return what is kept of an hour that is over."""
    return HourlyFigures(
        hour=hour,
        received=figures.received,
        succeeded=figures.succeeded,
        failed=dict(figures.failed),
        latencies={str(bucket): count for bucket, count in figures.latencies.items()},
    )


def figures_of(row: HourlyFigures) -> Figures:
    """Return the figures that a row keeps."""
    latencies = Counter({int(bucket): count for bucket, count in row.latencies.items()})
    return Figures(row.received, row.succeeded, Counter(row.failed), latencies)


# -- periods


class Period(NamedTuple):
    """A span of time that ends now, as the page offers it.

    Attributes:
        name: in the address.
        label: for people.
        hours: how long it is; the present hour is one of them.
        step: how many hours one point of a chart stands for.
    """

    name: str
    label: str
    hours: int
    step: int


PERIODS = (Period("24h", "24 hours", 24, 1), Period("7d", "7 days", 7 * 24, 6), Period("30d", "30 days", 30 * 24, 24))


@dataclass(frozen=True, kw_only=True)
class Report:
    """A period's figures.

    Attributes:
        steps: when each step began, and what happened in it.
        total: the whole period.
        before: the period before it, as long.
        missing_from: the first hour whose figures the sweep still owes; None where it owes none.
    """

    period: Period
    steps: list[tuple[datetime, Figures]]
    total: Figures
    before: Figures
    missing_from: datetime | None


def report(period: Period, now: datetime) -> Report:
    """Return a period's figures, from the rows of its hours and the last events.

    Args:
        now: by the database's clock.
    """
    end = hour_of(now) + HOUR
    begin = end - period.hours * HOUR
    known, missing_from = _by_hour(begin - period.hours * HOUR, end)
    starts = list(_hours(begin, end))[:: period.step]
    steps = [(start, _sum(known, start, start + period.step * HOUR)) for start in starts]
    return Report(
        period=period,
        steps=steps,
        total=added_up(figures for _, figures in steps),
        before=_sum(known, begin - period.hours * HOUR, begin),
        missing_from=missing_from,
    )


def _by_hour(begin: datetime, end: datetime) -> tuple[dict[datetime, Figures], datetime | None]:
    rows = HourlyFigures.objects.filter(hour__gte=begin, hour__lt=end)
    known = {row.hour: figures_of(row) for row in rows}
    open_from = first_open_hour()
    live_from = max(open_from or end, end - LIVE_HOURS * HOUR)
    live = {hour: tally(_happenings(hour, hour + HOUR)) for hour in _hours(live_from, end)}
    return known | live, open_from if open_from and open_from < live_from else None


def _sum(known: dict[datetime, Figures], begin: datetime, end: datetime) -> Figures:
    return added_up(known[hour] for hour in _hours(begin, end) if hour in known)
