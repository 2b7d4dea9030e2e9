"""What the sweep writes down of spans that are over: when, once, and no more at a time than delays nothing."""

from datetime import datetime, timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from jobs import rollups
from jobs.histogram import bucket_of
from jobs.models import HourlyFigures, JobEvent, SpanFigures
from jobs.rollups import (
    CLOSED_AT_ONCE,
    PIECE,
    SUMMED_AT_ONCE,
    close_hours,
    close_pieces,
    first_open_hour,
    so_far,
    sum_up_hours,
    write_rollups,
)
from jobs.services import retry_job
from jobs.stats import GRACE, HOUR, begins, hour_of
from tests.support.past_events import NOON, Kind, Source, closed_hours, event, failed, succeeded

pytestmark = pytest.mark.django_db

DAY = 24 * HOUR
MIDNIGHT = hour_of(NOON) - 12 * HOUR


def kept(length: timedelta) -> dict[datetime, int]:
    """Return how many succeeded by what is kept of spans of that length."""
    rows = SpanFigures.objects.filter(minutes=length // timedelta(minutes=1))
    return dict(rows.order_by("begin").values_list("begin", "succeeded"))


def test_what_was_written_down_by_a_clock_that_was_ahead_is_written_anew() -> None:
    succeeded(NOON - HOUR)
    write_rollups(NOON + 30 * HOUR)
    write_rollups(NOON + 31 * HOUR)
    write_rollups(NOON)
    for later in range(8):
        succeeded(NOON + later * HOUR)
        write_rollups(NOON + (later + 1) * HOUR)
    assert sum(HourlyFigures.objects.values_list("succeeded", flat=True)) == 9
    assert kept(6 * HOUR)[hour_of(NOON)] == 6


def test_what_was_written_down_of_spans_that_are_over_stays() -> None:
    closed_hours(MIDNIGHT - DAY, hour_of(NOON))
    write_rollups(NOON)
    written = set(SpanFigures.objects.values_list("pk", "minutes"))
    assert {minutes for _, minutes in written} == {24 * 60, 6 * 60, 5}
    write_rollups(NOON)
    assert set(SpanFigures.objects.values_list("pk", "minutes")) == written


# -- hours


def test_an_hour_that_is_over_becomes_a_row_once() -> None:
    succeeded(NOON - HOUR)
    failed(NOON - HOUR, "n8n_rejected")
    assert close_hours(NOON) == 1
    row = HourlyFigures.objects.get()
    assert (row.hour, row.received, row.succeeded) == (hour_of(NOON) - HOUR, 2, 1)
    assert (row.failed, row.latencies) == ({"n8n_rejected": 1}, {str(bucket_of(4)): 1})
    assert close_hours(NOON) == 0


def test_an_hour_is_left_open_until_whatever_began_in_it_must_have_ended() -> None:
    succeeded(hour_of(NOON) - timedelta(seconds=10))
    assert timedelta(minutes=1) < GRACE  # the longest transaction found may wait for 45 s
    assert close_hours(hour_of(NOON) + GRACE - timedelta(seconds=1)) == 0
    assert close_hours(hour_of(NOON) + GRACE) == 1


def test_after_an_outage_the_sweep_catches_up_a_bounded_number_of_hours_at_a_time() -> None:
    succeeded(NOON - 30 * HOUR)
    succeeded(NOON - 2 * HOUR)
    closed = [close_hours(NOON) for _ in range(4)]
    assert closed == [CLOSED_AT_ONCE, CLOSED_AT_ONCE, 30 - 2 * CLOSED_AT_ONCE, 0]
    assert sum(row.succeeded for row in HourlyFigures.objects.all()) == 2  # quiet hours have rows, too


def test_two_sweeps_that_close_the_same_hour_count_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    succeeded(NOON - HOUR)
    begin = first_open_hour()
    assert close_hours(NOON) == 1
    monkeypatch.setattr(rollups, "first_open_hour", lambda: begin)  # as the other one saw it before
    assert close_hours(NOON) == 1
    assert HourlyFigures.objects.get().succeeded == 1


def test_where_nothing_ever_happened_there_is_nothing_to_write_down() -> None:
    assert (close_hours(NOON), sum_up_hours()) == (0, 0)


def test_a_failure_that_is_retried_and_succeeds_stays_a_failure_of_its_own_hour() -> None:
    job = failed(NOON - 2 * HOUR)
    while close_hours(NOON):
        pass
    retry_job(job.pk, actor="anna", reason="N8N was down")
    event(job, Kind.SUCCEEDED, NOON - timedelta(minutes=5), Source.CALLBACK)
    assert HourlyFigures.objects.get(hour=hour_of(NOON - 2 * HOUR)).failed == {"callback_timeout": 1}
    assert so_far(hour_of(NOON)).succeeded == 1


def test_a_pass_of_the_sweep_writes_everything_down() -> None:
    begin = hour_of(succeeded(timezone.now() - 50 * HOUR).created_at)
    last = hour_of(timezone.now() - GRACE)
    for _ in range(5):
        call_command("sweep_jobs", once=True)
    end = first_open_hour()
    assert end in (last, last + HOUR)  # an hour may be over meanwhile
    assert list(HourlyFigures.objects.order_by("hour").values_list("hour", flat=True)) == list(begins(begin, end, HOUR))
    assert sum(kept(6 * HOUR).values()) == sum(kept(DAY).values()) == 1


# -- days and six hours


def test_a_day_is_summed_up_once_all_of_its_hours_are_closed() -> None:
    succeeded(MIDNIGHT - DAY + HOUR)
    succeeded(MIDNIGHT - timedelta(seconds=1))
    for _ in range(4):
        close_hours(MIDNIGHT + GRACE - timedelta(seconds=1))
        sum_up_hours()
    assert kept(DAY) == {}
    assert kept(6 * HOUR) == {MIDNIGHT - DAY: 1, MIDNIGHT - 18 * HOUR: 0, MIDNIGHT - 12 * HOUR: 0}
    write_rollups(MIDNIGHT + GRACE)
    assert kept(DAY) == {MIDNIGHT - DAY: 2}
    assert kept(6 * HOUR)[MIDNIGHT - 6 * HOUR] == 1
    assert sum_up_hours() == 0


def test_the_first_day_is_summed_up_from_the_hours_that_it_has() -> None:
    closed_hours(MIDNIGHT - 5 * HOUR, MIDNIGHT)
    sum_up_hours()
    assert kept(DAY) == {MIDNIGHT - DAY: 0 + 1 + 2 + 3 + 4}
    assert kept(6 * HOUR) == {MIDNIGHT - 6 * HOUR: 0 + 1 + 2 + 3 + 4}


def test_after_an_upgrade_days_are_caught_up_a_bounded_number_at_a_time() -> None:
    days = SUMMED_AT_ONCE + 2
    closed_hours(MIDNIGHT - days * DAY, MIDNIGHT)
    sum_up_hours()
    assert (len(kept(DAY)), len(kept(6 * HOUR))) == (SUMMED_AT_ONCE, SUMMED_AT_ONCE)
    while sum_up_hours():
        pass
    assert (len(kept(DAY)), len(kept(6 * HOUR))) == (days, 4 * days)
    assert sum(kept(DAY).values()) == sum(kept(6 * HOUR).values()) == sum(range(days * 24))


def test_two_sweeps_that_sum_up_the_same_day_write_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    closed_hours(MIDNIGHT - DAY, MIDNIGHT)
    sum_up_hours()
    before = kept(DAY)
    monkeypatch.setattr(rollups, "_first_open", lambda _: MIDNIGHT - DAY)  # as the other one saw it before
    assert sum_up_hours() == 1 + 4
    assert kept(DAY) == before == {MIDNIGHT - DAY: sum(range(24))}


# -- pieces of the open hour


def test_the_open_hour_is_written_down_in_pieces_as_they_settle() -> None:
    succeeded(hour_of(NOON) + timedelta(minutes=1))
    succeeded(hour_of(NOON) + timedelta(minutes=12))
    assert close_pieces(NOON - timedelta(seconds=1)) == 2  # 12:19:59
    assert close_pieces(NOON) == 1
    assert kept(PIECE) == {hour_of(NOON): 1, hour_of(NOON) + PIECE: 0, hour_of(NOON) + 2 * PIECE: 1}
    assert close_pieces(NOON) == 0


def test_what_is_written_down_of_the_open_hour_is_not_counted_again() -> None:
    succeeded(hour_of(NOON) + timedelta(minutes=1))
    close_pieces(NOON)
    JobEvent.objects.update(at=NOON - 9 * HOUR)
    succeeded(NOON)
    assert so_far(hour_of(NOON)).succeeded == 2


def test_from_a_piece_that_is_missing_on_the_open_hour_is_counted_from_events() -> None:
    for minute in (1, 6, 12, 19):
        succeeded(hour_of(NOON) + timedelta(minutes=minute))
    close_pieces(NOON)
    SpanFigures.objects.filter(begin=hour_of(NOON) + PIECE).delete()
    assert so_far(hour_of(NOON)).succeeded == 4


def test_after_an_outage_there_are_no_pieces_of_hours_that_are_over() -> None:
    close_pieces(NOON)
    assert close_pieces(NOON + 9 * HOUR) == 3


def test_pieces_go_when_the_next_hour_has_some() -> None:
    succeeded(hour_of(NOON) + timedelta(minutes=1))
    write_rollups(NOON)
    write_rollups(NOON + HOUR)
    assert list(kept(PIECE)) == [hour_of(NOON + HOUR) + number * PIECE for number in range(3)]
    assert HourlyFigures.objects.get().succeeded == 1
