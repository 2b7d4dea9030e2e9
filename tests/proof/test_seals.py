"""Each hour's events are sealed, so that a job that was deleted with all its events is missed."""

from datetime import timedelta
from threading import Barrier, Thread
from typing import Any
from unittest.mock import call, patch

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from structlog.testing import capture_logs

from accounting.terminal.progress import bar
from jobs.management.commands import verify_audit
from jobs.models import Heartbeat, JobEvent, JobLog, Seal
from jobs.proof import sealing
from jobs.proof.sealing import seal_finished_hours
from jobs.stats import HOUR
from receipts.models import Client
from tests.support.audit_runs import verify
from tests.support.job_lifecycle import delivered, filed, reported, uploaded
from tests.support.servers import made_up

from .sealed_hours import NINE, clock_at, due, three_hours, wrong

pytestmark = pytest.mark.django_db

OLD, NEW = made_up("old"), made_up("new")


# -- when


def test_an_hour_is_sealed_once_it_is_safely_over_and_only_once() -> None:
    with clock_at(NINE + timedelta(minutes=59)):
        filed()
    seal_finished_hours(due(NINE - HOUR))
    assert seal_finished_hours(due(NINE) - timedelta(seconds=1)) == 0
    assert seal_finished_hours(due(NINE)) == 1
    assert seal_finished_hours(due(NINE)) == 0
    first, seal = Seal.objects.all()
    assert (first.hour, first.events) == (NINE - HOUR, 0)
    assert (seal.number, seal.hour, seal.events, seal.jobs) == (2, NINE, 4, 1)


def test_what_happens_later_belongs_to_its_own_hour() -> None:
    with clock_at(NINE):
        job = delivered(uploaded())
    with clock_at(NINE + HOUR):
        reported(job)
    seal_finished_hours(due(NINE))
    seal_finished_hours(due(NINE + HOUR))
    assert list(Seal.objects.values_list("events", "jobs")) == [(3, 1), (1, 1)]
    assert wrong() == []


def test_the_first_seal_covers_all_that_was_before() -> None:
    for number in range(3):
        with clock_at(NINE + number * HOUR):
            filed(Client.objects.create(name=f"Shop {number}"))
    assert seal_finished_hours(due(NINE + 2 * HOUR)) == 1
    assert Seal.objects.get().events == 12


def test_after_an_outage_each_hour_gets_its_seal_and_the_log_says_that_it_is_late() -> None:
    seal_finished_hours(due(NINE))
    for number in (1, 4):
        with clock_at(NINE + number * HOUR):
            filed(Client.objects.create(name=f"Shop {number}"))
    with capture_logs() as logs:
        assert seal_finished_hours(due(NINE + 5 * HOUR)) == 5
    assert list(Seal.objects.values_list("events", flat=True)) == [0, 4, 0, 0, 4, 0]
    assert [log["late"] for log in logs] == [True, True, True, False, False]
    assert [log["log_level"] for log in logs] == ["warning"] * 3 + ["info"] * 2
    assert wrong(due(NINE + 5 * HOUR)) == []


def test_what_happens_while_an_hour_is_sealed_is_not_drawn_into_it() -> None:
    """Also where there was nothing after the hour when the sealing began."""
    with clock_at(NINE):
        filed()
    between = sealing._between

    def upload_meanwhile(*bounds: int) -> Any:
        with clock_at(due(NINE)):
            uploaded(Client.objects.create(name="Other"))
        return between(*bounds)

    with patch.object(sealing, "_between", upload_meanwhile):
        seal_finished_hours(due(NINE))
    assert Seal.objects.get().events == 4
    assert wrong(due(NINE)) == []


def test_what_is_written_while_writers_are_waited_for_is_not_drawn_into_the_seal() -> None:
    with clock_at(NINE):
        filed()

    def write_meanwhile() -> bool:
        with clock_at(NINE + timedelta(minutes=59)):
            uploaded(Client.objects.create(name="Other"))
        return True

    with patch.object(sealing, "all_is_seen", write_meanwhile):
        seal_finished_hours(due(NINE))
    assert Seal.objects.get().events == 4


def test_each_seal_is_logged_with_its_digest_for_a_copy_elsewhere() -> None:
    with clock_at(NINE):
        filed()
    with capture_logs() as logs:
        seal_finished_hours(due(NINE))
    seal = Seal.objects.get()
    assert logs == [
        {
            "event": "audit_sealed", "log_level": "info", "hour": NINE.isoformat(), "number": 1, "jobs": 1,
            "events": 4, "digest": seal.digest, "late": False,
        }
    ]  # fmt: skip


def test_the_sweep_seals() -> None:
    call_command("sweep_jobs", once=True)
    call_command("sweep_jobs", once=True)
    assert Seal.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_sweeps_that_seal_at_once_make_one_seal_for_each_hour() -> None:
    with clock_at(NINE):
        filed()
    seal_finished_hours(due(NINE - HOUR))
    barrier, made = Barrier(3), []

    def seal() -> None:
        barrier.wait()
        made.append(seal_finished_hours(due(NINE + HOUR)))
        connection.close()

    threads = [Thread(target=seal) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seal_finished_hours(due(NINE + HOUR))
    assert list(Seal.objects.values_list("number", "hour")) == [
        (1, NINE - HOUR),
        (2, NINE),
        (3, NINE + HOUR),
    ]
    assert len(made) == 3
    assert wrong() == []


def test_a_look_for_hours_to_seal_is_one_query_where_there_are_none(django_assert_num_queries: Any) -> None:
    three_hours()
    with django_assert_num_queries(1):
        assert seal_finished_hours(due(NINE + 2 * HOUR)) == 0


# -- what is found


def test_what_went_well_is_verified() -> None:
    three_hours()
    assert wrong() == []


def test_a_job_deleted_with_all_its_events_is_missed() -> None:
    jobs = three_hours()
    JobEvent.objects.filter(job=jobs[1]).delete()
    JobLog.objects.filter(pk=jobs[1].pk).delete()
    assert wrong() == ["Seal 2 of 2031-05-06 10:00: it covers 4 events (jobs: 1), and 0 of them are there."]


def test_a_last_event_that_is_gone_is_missed() -> None:
    jobs = three_hours()
    JobEvent.objects.filter(job=jobs[2], number=4).delete()
    assert wrong() == ["Seal 3 of 2031-05-06 11:00: it covers 4 events (jobs: 1), and 3 of them are there."]


def test_an_event_that_was_put_in_place_of_another_is_found() -> None:
    jobs = three_hours()
    JobEvent.objects.filter(job=jobs[0], number=4).update(digest="0" * 64)
    assert wrong() == [
        "Seal 1 of 2031-05-06 09:00: it is not as it was made, or one of the events that it covers is not."
    ]


@pytest.mark.parametrize("number", [1, 2])
def test_a_seal_that_is_gone_is_missed(number: int) -> None:
    three_hours()
    Seal.objects.filter(number=number).delete()
    assert f"Seal {number + 1} of 2031-05-06 {9 + number:02}:00: the one before it is missing." in wrong()


def test_a_last_seal_that_is_gone_is_missed_unless_a_sweep_makes_it_anew() -> None:
    three_hours()
    Seal.objects.filter(number=3).delete()
    Heartbeat.objects.create(name="sweep", kind=Heartbeat.Kind.SWEEP, at=due(NINE + 5 * HOUR))
    assert wrong(due(NINE + 5 * HOUR)) == [
        "No hour since 2031-05-06 11:59 is sealed: no sweep runs, or a seal was deleted."
    ]


def test_hours_that_never_had_a_seal_are_missed() -> None:
    with clock_at(NINE):
        filed(Client.objects.create(name="One"))
    Heartbeat.objects.create(name="sweep", kind=Heartbeat.Kind.SWEEP, at=due(NINE + 5 * HOUR))
    assert wrong(due(NINE + 5 * HOUR)) == [
        f"No hour since {NINE:%Y-%m-%d %H:%M} is sealed: no sweep runs, or a seal was deleted."
    ]


def test_what_had_no_seal_yet_when_everything_was_stopped_is_no_fault_as_after_a_restore() -> None:
    three_hours()
    with clock_at(NINE + 3 * HOUR):
        filed(Client.objects.create(name="Last of the day"))
    assert wrong(NINE + 20 * HOUR) == []


@pytest.mark.parametrize(
    "change",
    [
        {"hour": F("hour") - timedelta(minutes=1)},
        {"last_event": F("last_event") - 1},
        {"events": 3},
        {"jobs": 2},
        {"digest": "0" * 64},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_seal_is_named(change: dict[str, Any]) -> None:
    three_hours()
    Seal.objects.filter(number=2).update(**change)
    assert wrong()[0].startswith("Seal 2 of 2031-05-06 ")


def test_a_seal_made_without_the_key_is_named(settings: LazySettings) -> None:
    three_hours()
    Seal.objects.filter(number=3).delete()
    real, settings.AUDIT_KEY = settings.AUDIT_KEY, [OLD]
    seal_finished_hours(due(NINE + 2 * HOUR))
    settings.AUDIT_KEY = real
    assert wrong()[0].startswith("Seal 3 of 2031-05-06 11:00: it is not as it was made")


def test_a_new_key_goes_on_where_the_old_one_ended(settings: LazySettings) -> None:
    settings.AUDIT_KEY = [OLD]
    seal_finished_hours(due(NINE))
    settings.AUDIT_KEY = [NEW, OLD]
    seal_finished_hours(due(NINE + HOUR))
    assert wrong() == []


def test_seals_before_a_moment_may_be_believed() -> None:
    jobs = three_hours()
    JobEvent.objects.filter(job=jobs[0]).delete()
    assert len(wrong()) == 1
    assert wrong(since=NINE + HOUR) == []
    assert wrong(since=NINE + 2 * HOUR) == []


def test_the_bar_is_as_long_as_there_are_seals_to_look_at() -> None:
    three_hours()
    with patch.object(verify_audit, "bar", wraps=bar) as drawn:
        lines = verify(since=NINE + HOUR, no_files=True)
    assert call("Seals", 2) in drawn.call_args_list
    assert "Seals: 2 looked at, 0 broken" in lines


def test_a_seal_is_chained_to_the_one_before() -> None:
    three_hours()
    Seal.objects.filter(number=2).update(digest="0" * 64)
    assert [sentence[:6] for sentence in wrong()] == ["Seal 2", "Seal 3"]
