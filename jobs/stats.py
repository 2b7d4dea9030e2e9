"""What counts over time: how many receipts came in, how many were filed or failed, and how long that took.

What counts is what happened, by the time at which it happened: a job that fails, is retried and succeeds has failed
once and succeeded once. Events never change, so neither do the figures of a span of time that is over: the sweep writes
them down (`jobs.rollups`), so that a page (`jobs.periods`) costs what the last minutes bring, and not what was ever
done.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db.models import F

from .failures import FailureCode
from .histogram import bucket_of, percentile
from .models import JobEvent

Kind = JobEvent.Kind

HOUR = timedelta(hours=1)
# An event bears the time of the statement that locks its job, draws its id later, and is seen once its transaction
# ends: 45 s after its time in the longest found, which wait for one lock after the other.
GRACE = timedelta(minutes=5)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

COUNTED = (Kind.RECEIVED, Kind.SUCCEEDED, Kind.FAILED, Kind.CANCELLED)


class CountedEvent(NamedTuple):
    """What counts of one event.

    Attributes:
        after: how long after the upload it happened.
    """

    kind: str
    after: timedelta
    code: str | None


@dataclass(frozen=True)
class Figures:
    """What happened in some span of time."""

    received: int = 0
    succeeded: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    latencies: Counter[str] = field(default_factory=Counter)

    @property
    def failures(self) -> int:
        """How many failed, whatever the reason; what staff cancelled did not fail."""
        return self.failed.total() - self.failed[FailureCode.CANCELLED]

    @property
    def success_rate(self) -> float | None:
        """Which share of those that ended succeeded, from 0 to 1; None where none ended."""
        ended = self.succeeded + self.failures
        return self.succeeded / ended if ended else None

    def seconds(self, share: float) -> float | None:
        """Return within how many seconds of their upload that share of the successes came."""
        return percentile(self.latencies, share)


def tally(events: Iterable[CountedEvent]) -> Figures:
    """Count what happened."""
    received, failed, latencies = 0, Counter[str](), Counter[str]()
    for kind, after, code in events:
        if kind == Kind.RECEIVED:
            received += 1
        elif kind == Kind.SUCCEEDED:
            latencies[bucket_of(after.total_seconds())] += 1
        else:
            failed[code or FailureCode.WORKFLOW_FAILED.value] += 1  # a report before there were more codes
    return Figures(received, latencies.total(), failed, latencies)


def added_up(parts: Iterable[Figures]) -> Figures:
    """Return the figures of several spans together."""
    parts = list(parts)
    return Figures(
        received=sum(part.received for part in parts),
        succeeded=sum(part.succeeded for part in parts),
        failed=_total(part.failed for part in parts),
        latencies=_total(part.latencies for part in parts),
    )


def _total(counts: Iterable[Counter[str]]) -> Counter[str]:
    total: dict[str, int] = defaultdict(int)  # twice as fast as a Counter, and a month has thousands to be added
    for each in counts:
        for name, number in each.items():
            total[name] += number
    return Counter(total)


# -- spans of time


def begin_of(length: timedelta, moment: datetime) -> datetime:
    """Return when the span of that length began in which the moment is: days and their parts begin as UTC's do."""
    return moment - (moment - EPOCH) % length


def hour_of(moment: datetime) -> datetime:
    """Return when that hour began."""
    return begin_of(HOUR, moment)


def begins(begin: datetime, end: datetime, length: timedelta) -> Iterator[datetime]:
    """Yield when each span of that length begins, from the first on, before the end."""
    while begin < end:
        yield begin
        begin += length


def counted(begin: datetime, end: datetime) -> Figures:
    """Count the events of receipts, and of no canary, one by one: to let the database count takes a query more."""
    events = JobEvent.objects.filter(at__gte=begin, at__lt=end, kind__in=COUNTED, job__is_canary=False).order_by()
    rows = events.values_list("kind", F("at") - F("job__created_at"), "detail__code")
    return tally(CountedEvent(*row) for row in rows)
