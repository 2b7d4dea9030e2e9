"""Figures over time: what counts, in which hour, and what remains of latencies when hours are added up."""

import math
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounting.clock import database_now
from jobs import stats
from jobs.histogram import ERROR, bucket_of, percentile
from jobs.models import HourlyFigures, JobEvent
from jobs.services import retry_job
from jobs.stats import (
    GRACE,
    HOUR,
    PERIODS,
    Figures,
    Happening,
    Period,
    added_up,
    close_hours,
    first_open_hour,
    hour_of,
    tally,
)

from .happenings import NOON, Kind, Source, event, failed, received, succeeded
from .plans import plan

DAY, WEEK, MONTH = PERIODS


def happening(kind: str, seconds: float = 0, code: str | None = None) -> Happening:
    return Happening(kind, timedelta(seconds=seconds), code)


def figures(period: Period = DAY, now: datetime = NOON) -> Figures:
    return stats.report(period, now).total


# -- what counts


@pytest.mark.parametrize(
    ("happenings", "expected"),
    [
        ([], (0, 0, {})),
        ([happening("received"), happening("received")], (2, 0, {})),
        ([happening("received"), happening("succeeded", 3)], (1, 1, {})),
        ([happening("failed", 3, "n8n_rejected")], (0, 0, {"n8n_rejected": 1})),
        ([happening("failed", 3)], (0, 0, {"workflow_failed": 1})),
        ([happening("cancelled", 3, "cancelled")], (0, 0, {"cancelled": 1})),
        ([happening("failed", 3, "file_missing"), happening("succeeded", 9)], (0, 1, {"file_missing": 1})),
    ],
)
def test_events_are_counted(happenings: list[Happening], expected: tuple[int, int, dict[str, int]]) -> None:
    counted = tally(happenings)
    assert (counted.received, counted.succeeded, dict(counted.failed)) == expected
    assert counted.latencies.total() == counted.succeeded


def test_the_success_rate_is_of_those_that_ended() -> None:
    assert Figures(received=9).success_rate is None
    assert Figures(received=9, succeeded=3, failed=Counter(cancelled=1)).success_rate == 0.75


# -- latencies


@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=200), st.sampled_from([0.5, 0.95]))
def test_a_percentile_is_as_near_as_the_bound_says(seconds: list[float], share: float) -> None:
    counts = Counter(bucket_of(latency) for latency in seconds)
    true = sorted(seconds)[math.ceil(share * len(seconds)) - 1]
    assert percentile(counts, share) == pytest.approx(true, rel=ERROR + 1e-9)


def test_the_bound_is_six_percent() -> None:
    assert 0.055 < ERROR < 0.06


def test_latencies_of_hours_added_up_are_those_of_all_jobs_together() -> None:
    morning = tally(happening("succeeded", seconds) for seconds in (1, 2, 3))
    evening = tally(happening("succeeded", seconds) for seconds in (100, 200, 300, 400))
    both = tally(happening("succeeded", seconds) for seconds in (1, 2, 3, 100, 200, 300, 400))
    assert added_up([morning, evening]) == both
    assert both.seconds(0.5) == pytest.approx(100, rel=0.06)
    assert both.seconds(0.95) == pytest.approx(400, rel=0.06)


def test_clocks_that_disagree_make_no_latency_below_nothing() -> None:
    assert tally([happening("succeeded", -5)]).seconds(0.5) == pytest.approx(0.01, rel=0.13)
    assert Figures().seconds(0.5) is None


# -- hours that are over


@pytest.mark.django_db
def test_an_hour_that_is_over_becomes_a_row_once() -> None:
    succeeded(NOON - HOUR)
    failed(NOON - HOUR, "n8n_rejected")
    assert close_hours(NOON) == 1
    row = HourlyFigures.objects.get()
    assert (row.hour, row.received, row.succeeded) == (hour_of(NOON) - HOUR, 2, 1)
    assert (row.failed, row.latencies) == ({"n8n_rejected": 1}, {str(bucket_of(4)): 1})
    assert close_hours(NOON) == 0


@pytest.mark.django_db
def test_an_hour_is_left_open_until_whatever_began_in_it_must_have_ended() -> None:
    succeeded(hour_of(NOON) - timedelta(seconds=10))
    assert timedelta(minutes=1) < GRACE  # the longest wait of a transaction is 45 s
    assert close_hours(hour_of(NOON) + GRACE - timedelta(seconds=1)) == 0
    assert figures(now=hour_of(NOON) + timedelta(seconds=1)).succeeded == 1  # counted all the same
    assert close_hours(hour_of(NOON) + GRACE) == 1


@pytest.mark.django_db
def test_after_an_outage_the_sweep_catches_up_a_bounded_number_of_hours_at_a_time() -> None:
    succeeded(NOON - 30 * HOUR)
    succeeded(NOON - 2 * HOUR)
    closed = [close_hours(NOON) for _ in range(4)]
    assert closed == [stats.CLOSED_AT_ONCE, stats.CLOSED_AT_ONCE, 30 - 2 * stats.CLOSED_AT_ONCE, 0]
    assert sum(row.succeeded for row in HourlyFigures.objects.all()) == 2  # quiet hours have rows, too


@pytest.mark.django_db
def test_until_then_the_report_says_from_when_on_figures_are_missing() -> None:
    succeeded(NOON - 30 * HOUR)
    assert stats.report(DAY, NOON).missing_from == hour_of(NOON - 30 * HOUR)
    while close_hours(NOON):
        pass
    assert stats.report(DAY, NOON).missing_from is None


@pytest.mark.django_db
def test_two_sweeps_that_close_the_same_hour_count_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    succeeded(NOON - HOUR)
    begin = first_open_hour()
    assert close_hours(NOON) == 1
    monkeypatch.setattr(stats, "first_open_hour", lambda: begin)  # as the other one saw it before
    close_hours(NOON)
    assert HourlyFigures.objects.get().succeeded == 1
    assert figures().succeeded == 1


@pytest.mark.django_db
def test_where_nothing_ever_happened_there_is_nothing_to_close() -> None:
    assert close_hours(NOON) == 0
    assert figures() == Figures()


@pytest.mark.django_db
def test_a_failure_that_is_retried_and_succeeds_counts_as_both_in_their_own_hours() -> None:
    job = failed(NOON - 2 * HOUR)
    while close_hours(NOON):
        pass
    retry_job(job.pk, actor="anna", reason="N8N was down")
    event(job, Kind.SUCCEEDED, NOON - timedelta(minutes=5), Source.CALLBACK)
    counted = figures()
    assert (counted.received, counted.succeeded, counted.failures) == (1, 1, 1)
    assert HourlyFigures.objects.get(hour=hour_of(NOON - 2 * HOUR)).failed == {"callback_timeout": 1}


@pytest.mark.django_db
def test_a_pass_of_the_sweep_closes_hours() -> None:
    succeeded(timezone.now() - 2 * HOUR)
    call_command("sweep_jobs", once=True)
    assert HourlyFigures.objects.count() in (1, 2)
    assert HourlyFigures.objects.order_by("hour")[0].succeeded == 1


# -- periods


@pytest.mark.django_db
@pytest.mark.parametrize("period", PERIODS, ids=lambda period: period.name)
def test_a_period_and_the_one_before_it_share_no_hour(period: Period) -> None:
    end = hour_of(NOON) + HOUR
    begin = end - period.hours * HOUR
    for at in (begin, begin - timedelta(microseconds=1), begin - period.hours * HOUR, NOON):
        succeeded(at, seconds=0)
    succeeded(begin - period.hours * HOUR - timedelta(microseconds=1), seconds=0)
    while close_hours(NOON):
        pass
    report = stats.report(period, NOON)
    assert (report.total.succeeded, report.before.succeeded) == (2, 2)
    assert len(report.steps) == period.hours // period.step
    assert report.steps[0][0] == begin
    assert sum(each.succeeded for _, each in report.steps) == 2


@pytest.mark.django_db
def test_the_present_hour_counts_as_far_as_it_went() -> None:
    succeeded(NOON - timedelta(minutes=1))
    received(NOON - timedelta(seconds=1))
    assert (figures().received, figures().succeeded) == (2, 1)
    assert not HourlyFigures.objects.exists()


@pytest.mark.django_db
def test_a_report_asks_as_much_however_long_the_period(django_assert_num_queries: Any) -> None:
    succeeded(NOON - 3 * HOUR)
    while close_hours(NOON):
        pass
    for period in PERIODS:
        with django_assert_num_queries(4):  # the rows, the first open hour, and of the present hour ends and uploads
            stats.report(period, NOON)


@pytest.mark.django_db
def test_events_of_an_hour_are_found_by_an_index() -> None:
    with CaptureQueriesContext(connection) as queries:
        stats._counted(NOON - HOUR, NOON)
    assert len(queries) == 2
    for query in queries.captured_queries:
        assert "event_at" in plan(query["sql"])


# -- the clock


@pytest.mark.django_db
def test_the_databases_clock_can_be_read() -> None:
    now = database_now()
    assert now.tzinfo is not None
    assert abs(timezone.now() - now) < timedelta(minutes=1)
    assert JobEvent.objects.filter(at__gte=now).count() == 0
