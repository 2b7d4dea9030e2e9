"""Periods: which hours are theirs, what they are compared with, and that rows of days change no figure."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.models import HourlyFigures, JobEvent, SpanFigures
from jobs.operations.trends import charts
from jobs.periods import PERIODS, Period, period_figures, tiled
from jobs.rollups import (
    PIECE,
    Span,
    close_hours,
    close_pieces,
    figures_of,
    first_open_hour,
    sum_up_hours,
    write_rollups,
)
from jobs.services import retry_job
from jobs.stats import GRACE, HOUR, Figures, added_up, counted, hour_of
from tests.support.past_events import NOON, Kind, Source, closed_hours, event, failed, received, succeeded

DAY, WEEK, MONTH = PERIODS
MIDNIGHT = hour_of(NOON) - 12 * HOUR


def figures(period: Period = DAY, now: datetime = NOON) -> Figures:
    return period_figures(period, now).total


# -- which hours


def begun(period: Period, now: str) -> datetime:
    """Return when the period began, of which that was the present."""
    return period_figures(period, datetime.fromisoformat(f"{now}+00:00")).steps[0][0]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("period", "now", "began"),
    [
        (DAY, "2026-03-10T12:20", "2026-03-09T13:00"),
        (DAY, "2026-03-10T00:00", "2026-03-09T01:00"),
        (WEEK, "2026-03-10T12:20", "2026-03-03T18:00"),
        (WEEK, "2026-03-10T11:59", "2026-03-03T12:00"),
        (MONTH, "2026-03-10T12:20", "2026-02-09T00:00"),
        (MONTH, "2026-03-10T23:59", "2026-02-09T00:00"),
        (MONTH, "2026-03-11T00:00", "2026-02-10T00:00"),
    ],
)
def test_a_step_begins_where_a_day_does_or_a_whole_part_of_it(period: Period, now: str, began: str) -> None:
    assert f"{begun(period, now):%Y-%m-%dT%H:%M}" == began


@pytest.mark.django_db
@pytest.mark.parametrize("period", PERIODS, ids=lambda period: period.name)
def test_a_period_is_compared_with_the_same_hours_before_it(period: Period) -> None:
    end, length = hour_of(NOON) + HOUR, period.hours * HOUR
    begin = period_figures(period, NOON).steps[0][0]
    instant = timedelta(microseconds=1)
    for at in (begin, NOON, begin - length, end - length - instant):
        succeeded(at, seconds=0)
    for at in (begin - length - instant, *([end - length] if end - length < begin else [])):
        succeeded(at, seconds=0)  # counts in neither
    while close_hours(NOON) + sum_up_hours():
        pass
    found = period_figures(period, NOON)
    assert (found.total.succeeded, found.before.succeeded) == (2, 2)
    assert len(found.steps) == period.hours // period.step
    assert [start - begin for start, _ in found.steps] == [n * period.step * HOUR for n in range(len(found.steps))]
    assert [each.succeeded for _, each in found.steps] == [1, *[0] * (len(found.steps) - 2), 1]


@pytest.mark.django_db
def test_a_chart_of_days_says_no_hours() -> None:
    succeeded(NOON)
    assert [charts(period_figures(period, NOON))[0].steps[-1] for period in PERIODS] == [
        "10 Mar 12:00", "10 Mar 12:00", "10 Mar",
    ]  # fmt: skip


# -- from what


@pytest.mark.django_db
def test_the_present_hour_counts_as_far_as_it_went() -> None:
    succeeded(NOON - timedelta(minutes=1))
    received(NOON - timedelta(seconds=1))
    assert (figures().received, figures().succeeded) == (2, 1)
    assert not HourlyFigures.objects.exists()


@pytest.mark.django_db
def test_an_hour_counts_before_it_is_closed() -> None:
    succeeded(hour_of(NOON) - timedelta(seconds=10))
    now = hour_of(NOON) + GRACE - timedelta(seconds=1)
    write_rollups(now)
    assert [each.succeeded for _, each in period_figures(DAY, now).steps[-2:]] == [1, 0]


@pytest.mark.django_db
def test_a_failure_that_is_retried_and_succeeds_counts_as_both() -> None:
    job = failed(NOON - 2 * HOUR)
    write_rollups(NOON)
    retry_job(job.pk, actor="anna", reason="N8N was down")
    event(job, Kind.SUCCEEDED, NOON - timedelta(minutes=5), Source.CALLBACK)
    counted = figures()
    assert (counted.received, counted.succeeded, counted.failures) == (1, 1, 1)


@pytest.mark.django_db
def test_the_figures_say_from_when_on_they_are_missing() -> None:
    succeeded(NOON - 30 * HOUR)
    assert period_figures(DAY, NOON).missing_from == hour_of(NOON - 30 * HOUR)
    while close_hours(NOON):
        pass
    assert period_figures(DAY, NOON).missing_from is None


@pytest.mark.django_db
@pytest.mark.parametrize("period", PERIODS, ids=lambda period: period.name)
def test_where_nothing_ever_happened_there_are_no_figures(period: Period) -> None:
    found = period_figures(period, NOON)
    assert (found.total, found.before, found.missing_from) == (Figures(), Figures(), None)


@pytest.mark.django_db
def test_a_month_is_read_from_days() -> None:
    first = MIDNIGHT - 60 * 24 * HOUR
    closed_hours(first, hour_of(NOON))
    while sum_up_hours():
        pass
    found = period_figures(MONTH, NOON)
    assert found.before.succeeded > 0
    last_of_before = hour_of(NOON) - 30 * 24 * HOUR  # the one hour that is no day's and no six hours'
    HourlyFigures.objects.exclude(hour__in=[first, last_of_before, hour_of(NOON) - HOUR]).delete()
    assert period_figures(MONTH, NOON) == found


@pytest.mark.django_db
def test_figures_ask_as_much_however_long_the_period(django_assert_max_num_queries: Any) -> None:
    closed_hours(MIDNIGHT - 60 * 24 * HOUR, hour_of(NOON))
    while sum_up_hours():
        pass
    for period in PERIODS:
        # the first and the last closed hour, days, six hours, hours, pieces, and the events since
        with django_assert_max_num_queries(7):
            period_figures(period, NOON)


@pytest.mark.django_db
def test_a_young_installation_is_asked_for_no_hour_before_its_first() -> None:
    closed_hours(NOON - 30 * HOUR, hour_of(NOON))
    with CaptureQueriesContext(connection) as queries:
        period_figures(MONTH, NOON)
    asked = [len(re.findall("2026-", query["sql"])) for query in queries.captured_queries]
    assert 0 < max(asked) < 50


# -- the same figures, whatever is written down


@given(st.integers(0, 100), st.integers(0, 100))
def test_a_span_is_covered_once_and_by_the_longest_there_are(begin: int, hours: int) -> None:
    start = MIDNIGHT + begin * HOUR
    tiles = list(tiled(start, start + hours * HOUR))
    assert [hour for tile in tiles for hour in tile.hours] == [Span(HOUR, start + n * HOUR) for n in range(hours)]
    assert len(tiles) <= 5 + 3 + hours // 24 + 3 + 5


def figures_by_hours(begin: datetime, end: datetime, open_from: datetime) -> Figures:
    """Return the figures as there were no other rows than those of hours."""
    rows = HourlyFigures.objects.filter(hour__gte=begin, hour__lt=end)
    closed = [figures_of(row.received, row.succeeded, row.failed, row.latencies) for row in rows]
    return added_up([*closed, counted(max(begin, open_from), end)])


def let_happen(moments: list[datetime]) -> None:
    """Write events of one job: the first is its arrival."""
    job = received(moments[0])
    kinds = (Kind.SUCCEEDED, Kind.FAILED, Kind.CANCELLED)
    JobEvent.objects.bulk_create(
        JobEvent(job=job, number=number + 2, at=at, kind=kinds[number % 3], source=Source.API, attempt=1)
        for number, at in enumerate(moments)
    )


@pytest.mark.timeout(1200)  # minutes with the deep profile
@pytest.mark.django_db
@settings(max_examples=settings().max_examples // 3)
@given(
    now=st.timedeltas(timedelta(0), 10 * 24 * HOUR).map(lambda ago: NOON - ago),
    known_hours=st.integers(1, 61 * 24),
    lately=st.lists(st.timedeltas(timedelta(0), 2 * HOUR), min_size=1, max_size=12).map(sorted),
    summed=st.integers(0, 6),
    lost=st.integers(1, 5),
    passes=st.lists(st.timedeltas(timedelta(0), 2 * HOUR), max_size=4).map(sorted),
    missing=st.sets(st.integers(0, HOUR // PIECE - 1)),
)
def test_days_and_pieces_change_no_figure(
    now: datetime,
    known_hours: int,
    lately: list[timedelta],
    summed: int,
    lost: int,
    passes: list[timedelta],
    missing: set[int],
) -> None:
    with transaction.atomic():
        open_from = hour_of(now - GRACE)
        closed_hours(open_from - known_hours * HOUR, open_from)
        let_happen([now - ago for ago in reversed(lately) if now - ago >= open_from] or [now])
        for _ in range(summed):
            sum_up_hours()
        SpanFigures.objects.filter(pk__in=[row.pk for row in SpanFigures.objects.all()[::lost] if lost > 1]).delete()
        for ago in reversed(passes):
            close_pieces(now - ago)
        SpanFigures.objects.filter(minutes=5, begin__in=[open_from + number * PIECE for number in missing]).delete()
        assert first_open_hour() == open_from
        for period in PERIODS:
            found = period_figures(period, now)
            begin, end, length = found.steps[0][0], hour_of(now) + HOUR, period.hours * HOUR
            assert found.total == figures_by_hours(begin, end, open_from)
            assert found.before == figures_by_hours(begin - length, end - length, open_from)
            for start, each in found.steps:
                assert each == figures_by_hours(start, start + period.step * HOUR, open_from)
        transaction.set_rollback(True)
