"""Passes of the sweep that meet a fault: it is told of now and then, and the loop goes on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from accounting import every
from jobs import sweep
from jobs.management.commands import sweep_jobs
from jobs.models import Heartbeat, JobLog
from tests.factories import JobFactory
from tests.support.outages import Clock
from tests.support.workers import lines, status_of

pytestmark = pytest.mark.django_db(transaction=True)  # each pass looks whether its connection is too old

EVERY_SECONDS = 5


def broken(*_: object) -> None:
    raise ZeroDivisionError


def away(*_: object) -> None:
    raise OperationalError("the connection is closed")


@contextmanager
def damaged_events_of(job: JobLog) -> Iterator[str]:
    """Let no event of the job be written, as where a page of an index is damaged; return the error's code."""
    if connection.vendor == "sqlite":
        trigger, code = f"WHEN NEW.job_id = '{job.pk.hex}' BEGIN SELECT json('{{'); END", "SQLITE_ERROR"
    else:
        trigger, code = f"FOR EACH ROW WHEN (NEW.job_id = '{job.pk}') EXECUTE FUNCTION damaged()", "XX001"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("""
                CREATE FUNCTION damaged() RETURNS trigger LANGUAGE plpgsql
                AS $$ BEGIN RAISE 'invalid page in block 0' USING ERRCODE = 'XX001'; END $$
            """)
        cursor.execute(f"CREATE TRIGGER damaged BEFORE INSERT ON jobs_jobevent {trigger}")
    try:
        yield code
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER damaged" + (" ON jobs_jobevent" if connection.vendor == "postgresql" else ""))
            if connection.vendor == "postgresql":
                cursor.execute("DROP FUNCTION damaged")


@pytest.mark.parametrize("trait", ["sending", "processing"])
def test_a_job_whose_event_the_database_cannot_write_keeps_neither_others_nor_parts_from_their_turn(
    trait: str, caplog: pytest.LogCaptureFixture
) -> None:
    past = timezone.now() - timedelta(minutes=5)
    bad, good = (JobFactory.create(**{trait: True}, due_at=past + timedelta(minutes=minute)) for minute in (0, 1))
    with damaged_events_of(bad) as code:
        sweep_jobs.Command()._try_pass()
    (line,) = lines(caplog, "sweep_failed_for_job")
    assert (line["job_id"], line["code"]) == (str(bad.pk), code)
    assert status_of(bad) == trait
    assert status_of(good) != trait
    assert Heartbeat.objects.filter(kind="sweep").exists()
    assert not lines(caplog, "sweep_failed")


@pytest.mark.parametrize(("code", "tries"), [("XX001", 3), ("57014", 1), ("58030", 1)])
def test_what_the_database_can_do_for_no_job_is_not_tried_for_all_of_them(
    code: str, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[object] = []

    def refuse(job_id: object, *_: object, **__: object) -> None:
        tried.append(job_id)
        raise OperationalError from psycopg.errors.lookup(code)()

    JobFactory.create_batch(5, sending=True, due_at=timezone.now() - timedelta(minutes=5))
    monkeypatch.setattr(sweep, "DAMAGED_IN_A_ROW", 2)
    monkeypatch.setattr(sweep, "_act_once", refuse)
    sweep_jobs.Command()._try_pass()
    assert len(tried) == tries


def test_damaged_jobs_with_whole_ones_between_them_end_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    past = timezone.now() - timedelta(minutes=5)
    jobs = [JobFactory.create(sending=True, due_at=past + timedelta(seconds=second)) for second in range(5)]
    damaged, act = {job.pk for job in jobs[::2]}, sweep._act_once

    def refuse_the_damaged(job_id: UUID, **how: Any) -> bool:
        if job_id in damaged:
            raise OperationalError from psycopg.errors.lookup("XX001")()
        return act(job_id, **how)

    monkeypatch.setattr(sweep, "DAMAGED_IN_A_ROW", 1)
    monkeypatch.setattr(sweep, "_act_once", refuse_the_damaged)
    assert sweep.sweep().taken_back == 2


@pytest.mark.parametrize(
    ("code", "told"), [("XX001", ["_count"]), ("57014", ["_count"]), ("53100", [None]), ("55P03", [None])]
)
def test_what_the_database_cannot_do_for_a_part_ends_a_pass_only_where_it_can_do_nothing_for_the_others(
    code: str, told: list[str | None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Heartbeat.objects.create(name="old", kind="worker", at=timezone.now() - timedelta(days=2))

    def refuse(*_: object) -> None:
        raise OperationalError from psycopg.errors.lookup(code)()

    monkeypatch.setattr(sweep_jobs, "write_rollups", refuse)
    sweep_jobs.Command()._try_pass()
    found = lines(caplog, "sweep_failed")
    assert [(line.get("part"), line["code"]) for line in found] == [(part, code) for part in told]
    has_tidied = not Heartbeat.objects.filter(name="old").exists()
    assert has_tidied == (told != [None])


def test_a_part_of_a_pass_that_meets_a_bug_keeps_the_others_from_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Heartbeat.objects.create(name="old", kind="worker", at=timezone.now() - timedelta(days=2))
    monkeypatch.setattr(sweep_jobs, "write_rollups", broken)
    sweep_jobs.Command()._try_pass()
    (line,) = lines(caplog, "sweep_failed")
    assert (line["level"], line["part"]) == ("error", "_count")
    assert [beat.kind for beat in Heartbeat.objects.all()] == ["sweep"]  # it has tidied up


@pytest.mark.parametrize("fault", [broken, away])
def test_what_fails_in_each_pass_is_told_of_once_a_minute_and_anew_once_it_was_well(
    fault: Callable[..., None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock, command = Clock(), sweep_jobs.Command()
    monkeypatch.setattr(every, "time", clock)

    def told_in(passes: int) -> int:
        caplog.clear()
        for _ in range(passes):
            command._try_pass()
            clock.now += EVERY_SECONDS
        return len(lines(caplog, "sweep_failed"))

    with monkeypatch.context() as patch:
        patch.setattr(sweep_jobs, "write_rollups", fault)
        assert [told_in(1), told_in(11), told_in(12)] == [1, 0, 1]
    assert told_in(1) == 0
    monkeypatch.setattr(sweep_jobs, "write_rollups", fault)
    assert told_in(2) == 1


def test_a_database_that_is_away_hides_no_bug(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    command = sweep_jobs.Command()
    for fault in (away, broken):
        monkeypatch.setattr(sweep_jobs, "write_rollups", fault)
        command._try_pass()
    assert [line.get("part") for line in lines(caplog, "sweep_failed")] == [None, "_count"]


@pytest.mark.skipif("config.getoption('--database') == 'sqlite'", reason="SQLite has no server to end connections")
def test_once_the_database_is_back_a_pass_is_whole_again() -> None:
    command = sweep_jobs.Command()
    command._try_pass()
    before = Heartbeat.objects.get().at
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (ours,) = cursor.fetchone()
    with connection.get_new_connection(connection.get_connection_params()) as outside:
        outside.execute("SELECT pg_terminate_backend(%s, 10000)", [ours])
    for _ in range(2):
        command._try_pass()
    assert Heartbeat.objects.get().at > before
