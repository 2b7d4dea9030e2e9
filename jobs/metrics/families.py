"""Gauges of what is now and counters of what was, as Prometheus knows them; nothing in them is personal."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from math import inf

from django.conf import settings
from django.db.models import Max
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from accounting.clock import database_now
from jobs import canary
from jobs.heartbeats import beats, living
from jobs.models import Heartbeat, JobLog
from jobs.operations.attention import QUERIES, AttentionKind
from jobs.operations.cards import open_jobs
from jobs.queue import queue_service

from .bounds import DELIVERY_BOUNDS, ROUND_TRIP_BOUNDS, SUM, cumulative_counts
from .counting import by_kind_and_source, totals

# These are there before the first of them happens: Prometheus sees no increase in what begins with it.
ALERTED = (
    "delivered worker", "refused worker", "unconfirmed worker", "not_sent worker",
    "failed callback", "failed sweep", "failed worker", "succeeded callback",
)  # fmt: skip


def families() -> Iterator[Metric]:
    """Yield the metrics of the whole installation.

    Raises:
        DatabaseError, InterfaceError: they cannot be read just now.
    """
    now = database_now()
    return chain(_job_metrics(now), _process_gauges(now), _queue_gauges(), _canary_gauges(now), _event_metrics())


def _job_metrics(now: datetime) -> Iterator[Metric]:
    """Yield what is open: indexes hold open jobs apart, so that it costs what they are, and not what there ever was."""
    current = open_jobs()
    number = GaugeMetricFamily("receipts_open_jobs", "Open jobs by status.", labels=["status"])
    age = GaugeMetricFamily(
        "receipts_oldest_open_seconds", "Seconds since the oldest open job came in.", labels=["status"]
    )
    for status in JobLog.OPEN:
        number.add_metric([status], current.counts.get(status, 0))
        age.add_metric([status], _age(current.since.get(status, now), now))
    yield number
    yield age
    yield gauge(
        "overdue_jobs",
        "Open jobs whose moment passed over a minute ago, and that wait for no setting.",
        _job_count(AttentionKind.OVERDUE, now),
    )
    yield gauge(
        "needs_attention_jobs",
        "Open jobs that wait for a setting to be mended.",
        _job_count(AttentionKind.DELAYED, now),
    )


def _job_count(kind: AttentionKind, now: datetime) -> int:
    """Return how many jobs the operations page shows so."""
    return QUERIES[kind].jobs(now).count()


def _process_gauges(now: datetime) -> Iterator[Metric]:
    kinds = Heartbeat.Kind
    yield gauge("workers", "Workers whose heart beats.", living(kinds.WORKER, now).count())
    beat: datetime | None = beats(kinds.SWEEP, now).aggregate(at=Max("at"))["at"]
    age = _age(beat, now) if beat else inf  # an alert is to fire where none has ever run, too
    yield gauge("sweep_age_seconds", "Seconds since the latest beat of a sweep.", age)


def _queue_gauges() -> Iterator[Metric]:
    if (depth := queue_service().depth()) is not None:
        yield gauge("queue_depth", "Rings that wait in Redis.", depth)


def _canary_gauges(now: datetime) -> Iterator[Metric]:
    """Yield what canaries say while some are sent; where none has come back yet, the first one's age."""
    if not settings.CANARY_INTERVAL_SECONDS:
        return
    health = canary.check_health(now)
    yield gauge("canary_age_seconds", "Seconds since a canary came back.", health.waiting.total_seconds())
    yield gauge("canary_interval_seconds", "Seconds from one canary to the next.", settings.CANARY_INTERVAL_SECONDS)
    if trip := health.round_trip:
        yield gauge("canary_seconds", "Seconds that the last canary to come back took.", trip.seconds)


def _event_metrics() -> Iterator[Metric]:
    if (counted := totals()) is None:
        return
    transitions = CounterMetricFamily("receipts_transitions", "Events of jobs.", labels=["kind", "source"])
    for kind, source, number in by_kind_and_source(Counter(dict.fromkeys(ALERTED, 0) | counted.transitions)):
        transitions.add_metric([kind, source], number)
    yield transitions
    for name, meaning, counts, bounds in (
        ("delivery", "Seconds of one exchange with N8N.", counted.deliveries, DELIVERY_BOUNDS),
        ("round_trip", "Seconds from the upload to the success.", counted.round_trips, ROUND_TRIP_BOUNDS),
    ):
        buckets = cumulative_counts(counts, bounds)
        yield HistogramMetricFamily(
            f"receipts_{name}_seconds", meaning, buckets=buckets, sum_value=counts.get(SUM, 0) / 1000
        )


def _age(at: datetime, now: datetime) -> float:
    """Return seconds; a clock that was ahead, and was set right, makes nobody younger than new."""
    return max(0.0, (now - at).total_seconds())


def gauge(name: str, meaning: str, value: float) -> Metric:
    """Return a metric of one number, under a name of ours."""
    return GaugeMetricFamily(f"receipts_{name}", meaning, value=value)
