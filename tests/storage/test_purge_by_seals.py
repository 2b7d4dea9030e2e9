"""How old a file is, its name says, by a clock that may have been wrong; a seal has to agree before a purge."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.db.models import F
from django.utils import timezone

from accounting.clock import database_now
from jobs import retention
from jobs.management.commands import purge_receipts, sweep_jobs
from jobs.models import JobEvent, JobLog, Seal
from jobs.proof.sealing import seal_finished_hours
from jobs.services import submission
from jobs.stats import HOUR
from receipts.models import Client, Receipt
from tests.support.job_lifecycle import delivered, filed, filed_by, reported, uploaded
from tests.support.old_receipts import DAYS, old, run_purge

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("retention")]

Media = Callable[[], list[Path]]


# -- a clock that was behind


def behind(monkeypatch: pytest.MonkeyPatch, upload: Callable[[], JobLog]) -> JobLog:
    """Let it happen by a clock that is behind for longer than the rule keeps files."""
    with monkeypatch.context() as its:
        its.setattr(submission, "database_now", lambda: timezone.now() - timedelta(days=2 * DAYS))
        return upload()


def test_what_was_stored_by_a_clock_that_was_behind_is_kept(
    media: Media, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gone = old(filed())
    kept = reported(delivered(behind(monkeypatch, partial(uploaded, Client.objects.create(name="Another")))))
    assert str(kept.receipt.file.name) < retention.last_day(database_now())
    assert run_purge()[0].endswith(
        "deleted; 1 kept, since a job of theirs is open or no seal says that they are so old."
    )
    assert media() == [Path(kept.receipt.file.path)]
    assert [event.job_id for event in JobEvent.objects.filter(kind="purged")] == [gone.pk]
    sweep_jobs.Command()._tidy()
    assert "purge_overdue" not in caplog.text


def test_and_goes_once_a_seal_says_that_it_is_old(media: Media, monkeypatch: pytest.MonkeyPatch) -> None:
    old(reported(delivered(behind(monkeypatch, uploaded))))
    run_purge()
    assert media() == []


def test_what_was_stored_anew_by_such_a_clock_is_kept(media: Media, monkeypatch: pytest.MonkeyPatch) -> None:
    old(filed())
    run_purge()
    behind(monkeypatch, uploaded)
    run_purge()
    assert len(media()) == 1
    assert Receipt.objects.get().purged_at is None


def test_a_later_job_makes_no_file_younger(media: Media) -> None:
    old(filed())
    reported(delivered(uploaded(again=True)))
    run_purge()
    assert media() == []


def test_where_nothing_is_sealed_nothing_is_known_to_be_old(media: Media, monkeypatch: pytest.MonkeyPatch) -> None:
    reported(delivered(behind(monkeypatch, uploaded)))
    run_purge()
    assert len(media()) == 1


# -- a clock that was ahead


def test_half_an_hour_of_a_clock_that_is_days_ahead_makes_nothing_old(settings: LazySettings) -> None:
    settings.RETENTION_DAYS = 1
    filed()
    now = database_now()
    ahead = now + timedelta(days=4)
    assert seal_finished_hours(now) == 1
    assert seal_finished_hours(ahead) > 3 * 24
    assert not retention.purgeable(retention.last_day(ahead)).exists()
    Seal.objects.update(made_at=F("hour") + HOUR)
    assert retention.purgeable(retention.last_day(ahead)).exists()


@pytest.mark.parametrize("does_sweep", [False, True], ids=["before it was swept by", "after it was swept by"])
def test_a_clock_that_stays_ahead_makes_nothing_old_and_it_is_said_why(
    does_sweep: bool, media: Media, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RETENTION_DAYS = 2
    filed()
    assert seal_finished_hours(database_now()) == 1
    ahead = database_now() + timedelta(days=8)
    for _ in range(2 if does_sweep else 0):
        seal_finished_hours(ahead)
    monkeypatch.setattr(purge_receipts, "database_now", lambda: ahead)
    monkeypatch.setattr(purge_receipts, "doubt_clocks", lambda now: None)  # it is the only one of this machine
    told = run_purge()
    assert told[0].startswith("Files of receipts, 0,")
    assert told[1].startswith("Nothing was sealed for 8 days: no sweep ran, or the clock has jumped.")
    assert len(media()) == 1


def test_a_service_that_rested_keeps_files_for_as_much_longer_and_no_longer(settings: LazySettings) -> None:
    settings.RETENTION_DAYS = 3
    filed()
    begin = database_now()
    for day in (0, 1, 3, 4, 5, 6, 7):  # none on day 2: no sweep ran for two days
        seal_finished_hours(begin + timedelta(days=day))
    assert not _is_old_by(begin + timedelta(days=3 + 1))
    assert not _is_old_by(begin + timedelta(days=3 + 1 + 1))
    assert _is_old_by(begin + timedelta(days=3 + 1 + 2))


def test_nor_is_a_purge_called_overdue_that_keeps_them(settings: LazySettings) -> None:
    settings.RETENTION_DAYS = 2
    filed()
    midnight = (database_now() + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    for hours in (1, 24, 46):  # then none any more
        seal_finished_hours(midnight + timedelta(hours=hours))
    moment = midnight + timedelta(days=4, hours=5)
    assert not _is_old_by(moment)
    assert _is_old_by(moment - retention.UNPURGED_FOR_LONG)
    assert not retention.is_overdue(moment)


def _is_old_by(moment: datetime) -> bool:
    return retention.purgeable(retention.last_day(moment)).exists()


def test_the_latest_of_several_old_seals_counts(media: Media) -> None:
    old(filed_by("One"), DAYS + 5)
    old(filed_by("Another"), DAYS + 2)
    run_purge()
    assert media() == []
