"""Counters that are right whichever process is asked, and cost what the last minutes brought.

The truth is the events. The sweep adds those that have settled to one row (`EventTotals`), which names the last of
them; whoever asks adds what came after it. Ids are drawn in the order of time, and events never change, so that what is
up to the row's last event is counted there and nowhere else: each event once, and no counter ever goes down.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import Case, CharField, Count, F, OuterRef, Q, Subquery, Value, When

from jobs.delivery_errors import NEVER_SENT
from jobs.models import EventTotals, JobEvent, JobLog

from .bounds import DELIVERY_BOUNDS, ROUND_TRIP_BOUNDS, bucket_counts

ONLY = 1  # the key of the row
# Nothing bounds a transaction as a whole: lock_timeout (15 s) counts for each lock, and several add up, as does
# idle_in_transaction_session_timeout (30 s). The longest ways found take 30 to 45 s. So an event is visible 45 s after
# its time, and those that drew a smaller id meanwhile are after 45 s more.
SETTLES = timedelta(minutes=2)
COUNTED_AT_ONCE = 20_000  # ids in one pass, so that catching up delays no sweep by much
# Ids after the row's last that are read when metrics are asked for; where no sweep has run for so long that there are
# more, counters stand still. It bounds ids and not rows: a late one must push no other out, and so a counter back.
READ_AT_ONCE = 50_000
MILLISECOND = timedelta(milliseconds=1)
NOT_SENT = "not_sent"  # a kind of metrics alone: N8N has refused nothing where it was not called
KIND = Case(
    When(kind=JobEvent.Kind.REFUSED, detail__code__in=NEVER_SENT, then=Value(NOT_SENT)),
    default=F("kind"),
    output_field=CharField(),
)


class Totals(NamedTuple):
    """What was counted: events by kind and source; deliveries and round trips by duration."""

    transitions: Counter[str]
    deliveries: Counter[str]
    round_trips: Counter[str]

    def plus(self, other: "Totals") -> "Totals":
        """Return both together."""
        return Totals(*(mine + its for mine, its in zip(self, other, strict=True)))


class _EventGroup(NamedTuple):
    """What counts of events that are alike.

    Attributes:
        ms: how long N8N took to answer, where that is what happened.
        after: how long after the upload it succeeded, where that is what happened.
        number: how many events.
    """

    kind: str
    source: str
    ms: int | None
    after: timedelta | None
    number: int


def count_events(now: datetime) -> int:
    """Add events that have settled to the totals; return up to which id that came, from where it was.

    Several sweeps may do it at once: each goes on from where the row, which it locks, says that another came to. The
    very first pass counts nothing of what was before it.

    Args:
        now: by the database's clock.
    """
    settled, counted = _last_settled(now), _last_counted()
    if counted is None:
        EventTotals.objects.get_or_create(pk=ONLY, defaults={"last_event": settled})
        return 0
    return _count_up_to(settled) if settled > counted else 0


def totals() -> Totals | None:
    """Return what was counted and what came since; None before the first pass of a sweep."""
    row = EventTotals.objects.filter(pk=ONLY).first()
    return _stored_totals(row).plus(_count_between(row.last_event, row.last_event + READ_AT_ONCE)) if row else None


def by_kind_and_source(transitions: Counter[str]) -> Iterator[tuple[str, str, int]]:
    """Yield each kind and source of events, and how many there were."""
    for name, number in sorted(transitions.items()):
        kind, _, source = name.partition(" ")
        yield kind, source, number


def _last_settled(now: datetime) -> int:
    """Return the id of an event before which none can still appear (see `SETTLES`); 0 where there is none."""
    settled = JobEvent.objects.filter(at__lt=now - SETTLES).order_by("-at", "-id").values_list("id", flat=True)
    return settled.first() or 0


def _last_counted() -> int | None:
    return EventTotals.objects.filter(pk=ONLY).values_list("last_event", flat=True).first()


@transaction.atomic
def _count_up_to(settled: int) -> int:
    row = EventTotals.objects.select_for_update().get(pk=ONLY)
    begin, end = row.last_event, min(settled, row.last_event + COUNTED_AT_ONCE)
    if end <= begin:
        return 0  # another sweep was quicker
    row.last_event = end
    row.transitions, row.deliveries, row.round_trips = _stored_totals(row).plus(_count_between(begin, end))
    row.save()
    return end - begin


def _stored_totals(row: EventTotals) -> Totals:
    return Totals(Counter(row.transitions), Counter(row.deliveries), Counter(row.round_trips))


def _count_between(after: int, last: int) -> Totals:
    """Count the events of receipts, and of no canary."""
    transitions, deliveries, round_trips = Counter[str](), Counter[int](), Counter[int]()
    for each in _event_groups(after, last):
        transitions[f"{each.kind} {each.source}"] += each.number
        if each.ms is not None:
            deliveries[each.ms] += each.number
        if each.after is not None:
            round_trips[max(each.after // MILLISECOND, 0)] += each.number
    return Totals(
        transitions, bucket_counts(deliveries, DELIVERY_BOUNDS), bucket_counts(round_trips, ROUND_TRIP_BOUNDS)
    )


def _event_groups(after: int, last: int) -> Iterator[_EventGroup]:
    """Read them in one query; most are alike, and come as one row.

    Each event's job is looked up by its key: for a join PostgreSQL would rather read all jobs.
    """
    job = JobLog.objects.filter(pk=OuterRef("job_id")).order_by()
    events = JobEvent.objects.filter(id__gt=after, id__lte=last).alias(is_canary=Subquery(job.values("is_canary")))
    is_back = Q(kind=JobEvent.Kind.SUCCEEDED, source=JobEvent.Source.CALLBACK)
    trip = Case(When(is_back, then=F("at") - Subquery(job.values("created_at"))))
    alike = events.filter(is_canary=False).order_by().values_list(KIND, "source", "detail__ms", trip)
    return (_EventGroup(*row) for row in alike.annotate(Count("pk")))
