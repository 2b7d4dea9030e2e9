"""Figures over time: what counts, in which hour, and what remains of latencies when hours are added up."""

import math
from collections import Counter
from datetime import datetime, timedelta
from datetime import timezone as timezones

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounting.clock import database_now
from jobs.histogram import ERROR, bucket_of, percentile
from jobs.models import JobEvent
from jobs.stats import HOUR, CountedEvent, Figures, added_up, begin_of, counted, tally
from tests.support.past_events import NOON, event, received
from tests.support.query_plans import multiply, plan


def counted_event(kind: str, seconds: float = 0, code: str | None = None) -> CountedEvent:
    return CountedEvent(kind, timedelta(seconds=seconds), code)


# -- what counts


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], (0, 0, {})),
        ([counted_event("received"), counted_event("received")], (2, 0, {})),
        ([counted_event("received"), counted_event("succeeded", 3)], (1, 1, {})),
        ([counted_event("failed", 3, "n8n_rejected")], (0, 0, {"n8n_rejected": 1})),
        ([counted_event("failed", 3)], (0, 0, {"workflow_failed": 1})),
        ([counted_event("cancelled", 3, "cancelled")], (0, 0, {"cancelled": 1})),
        ([counted_event("failed", 3, "file_missing"), counted_event("succeeded", 9)], (0, 1, {"file_missing": 1})),
    ],
)
def test_events_are_counted(events: list[CountedEvent], expected: tuple[int, int, dict[str, int]]) -> None:
    counted = tally(events)
    assert (counted.received, counted.succeeded, dict(counted.failed)) == expected
    assert counted.latencies.total() == counted.succeeded


@pytest.mark.django_db
def test_what_staff_cancelled_is_kept_among_what_failed_and_is_no_failure() -> None:
    at = NOON + timedelta(minutes=1)
    event(received(NOON), JobEvent.Kind.CANCELLED, at, JobEvent.Source.ADMIN, code="cancelled")
    figures = counted(NOON, NOON + HOUR)
    assert (figures.received, dict(figures.failed)) == (1, {"cancelled": 1})
    assert (figures.failures, figures.success_rate) == (0, None)


def test_the_success_rate_is_of_those_that_ended() -> None:
    assert Figures(received=9).success_rate is None
    assert Figures(received=9, succeeded=3, failed=Counter(n8n_rejected=1, cancelled=4)).success_rate == 0.75


# -- latencies


@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=200), st.sampled_from([0.5, 0.95]))
def test_a_percentile_is_as_near_as_the_bound_says(seconds: list[float], share: float) -> None:
    counts = Counter(bucket_of(latency) for latency in seconds)
    true = sorted(seconds)[math.ceil(share * len(seconds)) - 1]
    assert percentile(counts, share) == pytest.approx(true, rel=ERROR + 1e-9)


def test_the_bound_is_six_percent() -> None:
    assert 0.055 < ERROR < 0.06


def test_latencies_of_hours_added_up_are_those_of_all_jobs_together() -> None:
    morning = tally(counted_event("succeeded", seconds) for seconds in (1, 2, 3))
    evening = tally(counted_event("succeeded", seconds) for seconds in (100, 200, 300, 400))
    both = tally(counted_event("succeeded", seconds) for seconds in (1, 2, 3, 100, 200, 300, 400))
    assert added_up([morning, evening]) == both
    assert both.seconds(0.5) == pytest.approx(100, rel=0.06)
    assert both.seconds(0.95) == pytest.approx(400, rel=0.06)


def test_clocks_that_disagree_make_no_latency_below_nothing() -> None:
    assert tally([counted_event("succeeded", -5)]).seconds(0.5) == pytest.approx(0.01, rel=0.13)
    assert Figures().seconds(0.5) is None


# -- spans of time


@pytest.mark.parametrize(
    ("hours", "began"),
    [(1, "2026-03-10T12:00"), (6, "2026-03-10T12:00"), (24, "2026-03-10T00:00")],
)
def test_spans_begin_with_the_days_of_utc(hours: int, began: str) -> None:
    elsewhere = NOON.astimezone(timezones(timedelta(hours=5, minutes=45)))
    for moment in (NOON, elsewhere):
        assert begin_of(hours * HOUR, moment) == datetime.fromisoformat(f"{began}+00:00")


# -- events


@pytest.mark.django_db
def test_events_of_an_hour_are_found_by_an_index() -> None:
    days = (NOON - timedelta(days=number) for number in range(1_000))
    multiply(received(NOON).events.get(), ({"number": number, "at": at} for number, at in enumerate(days, 2)))
    with CaptureQueriesContext(connection) as queries:
        counted(NOON - HOUR, NOON)
    (query,) = queries.captured_queries
    assert "event_at" in plan(query["sql"])


# -- the clock


@pytest.mark.django_db
def test_the_databases_clock_can_be_read() -> None:
    now = database_now()
    assert now.tzinfo is not None
    assert abs(timezone.now() - now) < timedelta(minutes=1)
    assert JobEvent.objects.filter(at__gte=now).count() == 0
