"""Passes of the sweep that meet a fault: it is told of now and then, and the loop goes on."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from accounting import outages
from jobs.management.commands import sweep_jobs
from jobs.models import Heartbeat
from tests.support.outages import Clock
from tests.support.workers import lines

pytestmark = pytest.mark.django_db(transaction=True)  # each pass looks whether its connection is too old

EVERY_SECONDS = 5


def broken(*_: object) -> None:
    raise ZeroDivisionError


def away(*_: object) -> None:
    raise OperationalError("the connection is closed")


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
    monkeypatch.setattr(outages, "time", clock)

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
