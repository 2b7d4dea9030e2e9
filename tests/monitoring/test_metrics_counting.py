"""Counters: each event counts once, at once, whichever process is asked and however many sweeps run."""

import re
from collections import Counter
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from accounting.postgresql.base import SETTINGS
from jobs.delivery_errors import NEVER_SENT
from jobs.metrics import counting
from jobs.metrics.bounds import DELIVERY_BOUNDS, ROUND_TRIP_BOUNDS, bucket_counts, cumulative_counts
from jobs.metrics.counting import SETTLES, by_kind_and_source, count_events, totals
from jobs.models import EventTotals, JobEvent
from tests.factories import JobFactory
from tests.support.at_once import beside
from tests.support.canary_lifecycle import answered, returned
from tests.support.past_events import NOON, event, received, succeeded
from tests.support.query_plans import multiply, plan

pytestmark = pytest.mark.django_db

Kind, Source = JobEvent.Kind, JobEvent.Source
LONG_AFTER = NOON + timedelta(days=1)
EARLY = NOON - timedelta(days=1)


@pytest.fixture(autouse=True)
def _begun() -> None:
    """Let a sweep have passed once one event had settled, which counts as before."""
    received(EARLY - SETTLES - timedelta(seconds=1))
    count_events(EARLY)


def counted() -> dict[str, int]:
    """Return how many events of each kind there were."""
    counted = totals()
    assert counted is not None
    return {kind: number for kind, _, number in by_kind_and_source(counted.transitions)}


def kept() -> int:
    return sum(EventTotals.objects.get().transitions.values())


# -- what is counted


def test_an_event_counts_at_once() -> None:
    received(NOON)
    assert counted() == {"received": 1}
    assert kept() == 0


def test_the_sweep_keeps_what_has_settled_and_no_total_changes_by_it() -> None:
    succeeded(NOON)
    succeeded(NOON + SETTLES - timedelta(seconds=30))
    before = totals()
    count_events(NOON + SETTLES + timedelta(minutes=1))
    assert kept() == 2
    assert totals() == before
    assert counted() == {"received": 2, "succeeded": 2}


def test_an_event_that_appears_late_under_an_earlier_id_counts_once() -> None:
    late, later = received(NOON), received(NOON + timedelta(seconds=9))
    hidden = JobEvent.objects.filter(job=late)
    rows = list(hidden)
    hidden._raw_delete(hidden.db)  # as long as its transaction lasts, nobody sees it
    count_events(later.created_at + SETTLES - timedelta(seconds=1))
    before = counted()
    JobEvent.objects.bulk_create(rows)
    assert (before, counted()) == ({"received": 1}, {"received": 2})
    count_events(LONG_AFTER)
    assert counted() == {"received": 2}


def test_nothing_settles_before_the_longest_waits_of_two_transactions_are_over() -> None:
    lock, idle = map(int, re.findall(r"'(\d+)s'", SETTINGS))
    assert timedelta(seconds=2 * (lock + idle)) < SETTLES


def test_an_event_that_is_counted_is_not_counted_again() -> None:
    received(NOON)
    assert [count_events(LONG_AFTER) > 0 for _ in range(3)] == [True, False, False]
    assert counted() == {"received": 1}


def test_nothing_is_counted_of_what_was_before_the_first_sweep() -> None:
    EventTotals.objects.all().delete()
    received(NOON)
    assert totals() is None
    count_events(LONG_AFTER)
    assert counted() == {}
    received(LONG_AFTER)
    assert counted() == {"received": 1}


def test_kinds_are_told_with_their_sources() -> None:
    job = received(NOON)
    for source in (Source.WORKER, Source.CALLBACK, Source.CALLBACK):
        event(job, Kind.FAILED, NOON, source)
    counted = totals()
    assert counted is not None
    assert list(by_kind_and_source(counted.transitions)) == [
        ("failed", "callback", 2), ("failed", "worker", 1), ("received", "api", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("code", sorted(NEVER_SENT))
def test_n8n_has_not_refused_what_it_was_never_sent(code: str) -> None:
    job = received(NOON)
    event(job, Kind.REFUSED, NOON, Source.WORKER, code="n8n_busy")
    event(job, Kind.REFUSED, NOON, Source.WORKER)
    event(job, Kind.REFUSED, NOON, Source.WORKER, code=code)
    at_once = counted()
    count_events(LONG_AFTER)
    assert at_once == counted() == {"received": 1, "refused": 2, "not_sent": 1}


def test_canaries_count_nowhere() -> None:
    returned()
    assert totals() == ({}, {}, {})


# -- bounds


def test_a_pass_of_the_sweep_counts_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "COUNTED_AT_ONCE", 2)
    for _ in range(5):
        received(NOON)
    assert [count_events(LONG_AFTER) for _ in range(4)] == [2, 2, 1, 0]
    assert counted() == {"received": 5}


def test_who_asks_reads_a_bounded_number_and_no_counter_goes_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "READ_AT_ONCE", 3)
    monkeypatch.setattr(counting, "COUNTED_AT_ONCE", 2)
    for _ in range(6):
        received(NOON)
    seen = [counted()["received"]]
    while count_events(LONG_AFTER):
        seen.append(counted()["received"])
    assert seen == [3, 5, 6, 6]


def test_a_pass_with_nothing_to_count_writes_nothing(django_assert_num_queries: Any) -> None:
    received(NOON)
    count_events(LONG_AFTER)
    with django_assert_num_queries(2):
        count_events(LONG_AFTER)


def test_events_are_found_by_their_ids() -> None:
    _many_that_are_counted()
    received(NOON)
    with CaptureQueriesContext(connection) as queries:
        totals()
    (found,) = [plan(query["sql"]) for query in queries if "jobs_jobevent" in query["sql"]]
    by_id = {"postgresql": "jobs_jobevent_pkey", "sqlite": "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"}
    assert by_id[connection.vendor] in found


def _many_that_are_counted() -> None:
    """Make so many events that a database sees how few of them are new."""
    job = received(EARLY)
    multiply(job.events.get(), ({"number": number, "kind": Kind.REPEATED} for number in range(2, 1000)))
    count_events(LONG_AFTER)


@pytest.mark.django_db(transaction=True)
def test_sweeps_that_count_at_once_count_each_event_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "COUNTED_AT_ONCE", 3)
    for number in range(20):
        received(NOON + timedelta(seconds=number))
    barrier = Barrier(3)

    def sweep() -> None:
        barrier.wait()
        while count_events(LONG_AFTER):
            pass
        connection.close()

    threads = [Thread(target=sweep) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while count_events(LONG_AFTER):
        pass
    assert kept() == 20


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("config.getoption('--database') == 'sqlite'", reason="SQLite locks no rows")
def test_a_sweep_that_has_seen_less_than_one_beside_it_sets_no_counter_back() -> None:
    first, last = (received(NOON + timedelta(seconds=second)).events.get().pk for second in range(2))
    beside(lambda: counting._count_up_to(last), lambda: counting._count_up_to(first))
    assert kept() == 2


def test_a_pass_of_the_sweep_counts() -> None:
    EventTotals.objects.all().delete()
    call_command("sweep_jobs", once=True)
    received(NOON)
    call_command("sweep_jobs", once=True)
    assert kept() == 1


# -- durations


def test_a_delivery_lasts_as_long_as_the_exchange_with_n8n() -> None:
    job = received(NOON)
    event(job, Kind.CLAIMED, NOON, Source.WORKER)
    event(job, Kind.REFUSED, NOON, Source.WORKER, ms=40)
    event(job, Kind.UNCONFIRMED, NOON, Source.WORKER, ms=60_000)
    event(job, Kind.DELIVERED, NOON, Source.WORKER, ms=300)
    event(job, Kind.FAILED, NOON, Source.WORKER, code="file_missing")  # nothing was sent
    counted = totals()
    assert counted is not None
    assert counted.deliveries == {"0.1": 1, "60.0": 1, "0.5": 1, "ms": 60_340}


def test_a_round_trip_lasts_from_the_upload_to_the_success() -> None:
    succeeded(NOON, seconds=4)
    succeeded(NOON, seconds=100_000)
    counted = totals()
    assert counted is not None
    assert counted.round_trips == {"5.0": 1, "inf": 1, "ms": 100_004_000}


def test_a_job_that_another_has_filed_made_no_round_trip() -> None:
    event(received(NOON), Kind.SUCCEEDED, NOON + timedelta(seconds=4), Source.WORKER)
    counted = totals()
    assert counted is not None
    assert sum(counted.round_trips.values()) == 0


def test_clocks_that_disagree_make_no_round_trip_below_nothing() -> None:
    succeeded(NOON, seconds=-3)
    succeeded(NOON, seconds=4)
    counted = totals()
    assert counted is not None
    assert counted.round_trips == {"1.0": 1, "5.0": 1, "ms": 4000}


@given(st.lists(st.integers(0, 200_000)), st.sampled_from([DELIVERY_BOUNDS, ROUND_TRIP_BOUNDS]))
def test_buckets_hold_what_took_no_longer(durations: list[int], bounds: tuple[float, ...]) -> None:
    buckets = cumulative_counts(bucket_counts(Counter(durations), bounds), bounds)
    assert [number for _, number in buckets] == [sum(ms <= bound * 1000 for ms in durations) for bound in bounds]
    assert buckets[-1] == ("+Inf", len(durations))


def test_what_happens_for_real_is_counted() -> None:
    job = JobFactory.create()
    answered(job)
    returned(job)
    assert counted() == {"claimed": 1, "delivered": 1, "succeeded": 1}
