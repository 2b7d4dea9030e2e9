"""`manage.py purge_receipts`: files that were kept for long enough go, and what became of the receipts stays."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock, patch

import pytest
from django.conf import LazySettings
from django.core.management import CommandError
from django.db import OperationalError
from django.utils import timezone

from accounting import clock
from accounting.clock import database_now
from jobs import retention, services
from jobs.management.commands import purge_receipts, sweep_jobs
from jobs.models import JobEvent, JobLog
from jobs.proof.audit import verify_job
from receipts.models import Receipt, Rendition
from receipts.storage import PrivateFileStorage, StorageAway
from receipts.thumbnails import find_thumbnail
from tests.factories import JobFactory, ReceiptFactory, job_in
from tests.support.job_lifecycle import filed, uploaded
from tests.support.old_receipts import DAYS, let_age, old, rendition_of, run_purge, stored_ago
from tests.support.query_plans import multiply, plan

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("retention")]

Media = Callable[[], list[Path]]

SPARED = "kept, since a job of theirs is open or no seal says that they are so old."


# -- what goes, and what stays


def test_files_older_than_the_rule_go_and_rows_and_younger_files_stay(media: Media) -> None:
    gone, kept = old(filed()), JobFactory.create(success=True)
    before = JobEvent.objects.count()
    lines = run_purge()
    assert lines[0] == f"Files of receipts, 1, {gone.receipt.size / 1e6:.1f} MB: deleted."
    assert media() == [Path(kept.receipt.file.path)]
    receipt = Receipt.objects.get(pk=gone.receipt_id)
    assert receipt.purged_at is not None
    assert (JobLog.objects.count(), JobEvent.objects.count()) == (2, before + 1)
    assert verify_job(gone).ok
    event = gone.events.latest("id")
    assert (event.kind, event.source, event.actor) == ("purged", "sweep", "purge_receipts")
    assert event.detail == {"kept_days": DAYS}


def test_how_many_were_never_filed_is_said_before_and_when_they_go() -> None:
    old(JobFactory.create(failure=True))
    old(JobFactory.create(success=True))
    again = old(JobFactory.create(failure=True))
    JobFactory.create(success=True, receipt=again.receipt, client=again.client)
    size = sum(Receipt.objects.values_list("size", flat=True)) / 1e6
    line = f"Files of receipts, 3, {size:.1f} MB: {{}}, 1 of them of receipts that were never filed."
    assert run_purge(dry_run=True)[0] == line.format("would be deleted")
    assert run_purge()[0] == line.format("deleted")


@pytest.mark.parametrize(("days", "stays"), [(DAYS - 1, True), (DAYS, True), (DAYS + 1, False)])
def test_nothing_is_deleted_a_day_too_early(media: Media, days: int, stays: bool) -> None:
    old(JobFactory.create(success=True), days)
    run_purge()
    assert bool(media()) is stays


def test_a_file_that_was_stored_anew_since_it_was_listed_stays(media: Media) -> None:
    job = filed()
    assert services.purge_receipt(job.receipt_id, before=retention.last_day(timezone.now())) is None
    assert len(media()) == 1


@pytest.mark.parametrize("status", ["queued", "sending", "processing"])
def test_a_receipt_with_an_open_job_is_spared(media: Media, status: str) -> None:
    job = old(job_in(JobLog.Status(status)))
    JobFactory.create(success=True, receipt=job.receipt, client=job.client)
    assert run_purge()[0] == f"Files of receipts, 0, 0.0 MB: deleted; 1 {SPARED}"
    assert len(media()) == 1
    assert Receipt.objects.get().purged_at is None


@pytest.mark.parametrize("status", ["success", "failure"])
def test_every_job_of_the_receipt_gets_an_event(status: str) -> None:
    job = old(job_in(JobLog.Status(status)))
    again = JobFactory.create(success=True, receipt=job.receipt, client=job.client)
    run_purge()
    assert {event.job_id for event in JobEvent.objects.filter(kind="purged")} == {job.pk, again.pk}


def test_what_was_made_of_a_receipt_goes_with_it(media: Media) -> None:
    job = old(JobFactory.create(success=True))
    rendition_of(job.receipt)
    others = rendition_of(JobFactory.create(success=True).receipt)
    assert find_thumbnail(job.receipt)
    assert len(media()) == 5
    run_purge()
    assert media() == sorted(Path(row.file.path) for row in (others.receipt, others))
    assert Rendition.objects.get() == others


def test_without_a_rule_nothing_is_purged(media: Media, settings: LazySettings) -> None:
    settings.RETENTION_DAYS = 0
    old(JobFactory.create(success=True), 10_000)
    assert run_purge()[0] == "RETENTION_DAYS is not set: all receipts are kept."
    assert len(media()) == 1


def test_a_rehearsal_tells_the_same_and_deletes_nothing(media: Media) -> None:
    rendition_of(old(JobFactory.create(success=True)).receipt)
    old(JobFactory.create())
    orphan = media()[0].with_name("orphan.jpg")
    orphan.write_bytes(b"x")
    let_age(orphan, 2)
    foreseen = run_purge(dry_run=True)
    assert len(media()) == 4
    assert JobEvent.objects.count() == 0
    assert [line.replace("would be deleted", "deleted") for line in foreseen] == run_purge()
    assert len(media()) == 1


# -- beside everything else


def test_the_same_bytes_may_come_again_and_are_kept_as_long_as_any(media: Media) -> None:
    job = old(filed())
    run_purge()
    assert media() == []
    assert uploaded().pk == job.pk
    receipt = Receipt.objects.get()
    assert (receipt.purged_at, len(media())) == (None, 1)
    run_purge()
    assert len(media()) == 1
    stored_ago(receipt, DAYS + 1)
    run_purge()
    assert media() == []
    assert job.events.filter(kind="purged").count() == 2
    assert verify_job(job).ok


def test_a_job_that_was_reopened_since_the_look_is_spared(monkeypatch: pytest.MonkeyPatch) -> None:
    job = old(JobFactory.create(failure=True))
    first_look = retention.oldest_first

    def reopened(before: str) -> Any:
        for receipt_id in list(first_look(before)):
            services.retry_job(job.pk, actor="anna", reason="again")
            yield receipt_id

    monkeypatch.setattr(retention, "oldest_first", reopened)
    run_purge()
    assert Receipt.objects.get().purged_at is None


# -- how it runs


def test_it_asks_by_an_index_however_many_receipts_there_are() -> None:
    multiply(
        ReceiptFactory.create(),
        ({"file": f"receipts/{2000 + one % 40}/01/01/{one}.jpg", "sha256": f"{one:064}"} for one in range(2_000)),
    )
    before, after = "receipts/2026/01/01", "receipts/2025/01/01/one.jpg"
    sql = str(
        retention.purgeable(before, after=after).order_by("file").values_list("pk", "file")[: retention.BATCH].query
    )
    assert sql.count('"file" > ') == 1  # of two lower bounds SQLite takes the first, and reads up to the second
    for value in (before, after, "restored"):
        sql = sql.replace(value, f"'{value}'", 1)
    assert "receipt_file" in plan(sql)


def test_many_are_read_in_batches(monkeypatch: pytest.MonkeyPatch, media: Media) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    for _ in range(5):
        old(JobFactory.create(success=True))
    assert run_purge()[0].startswith("Files of receipts, 5")
    assert media() == []


def test_an_interruption_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    old(JobFactory.create(success=True))

    def interrupted(*_: Any, **__: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(purge_receipts, "purge_receipt", interrupted)
    with pytest.raises(CommandError, match=r"^Interrupted; what was done is done") as stop:
        run_purge()
    assert stop.value.returncode == 130


@pytest.mark.django_db(transaction=True)  # the command looks on a new connection what is the matter
def test_a_database_that_goes_away_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    old(JobFactory.create(success=True))
    away = Mock(side_effect=OperationalError("the server closed the connection"))
    monkeypatch.setattr(purge_receipts, "purge_receipt", away)
    with pytest.raises(CommandError, match=r"^The database was away\. What was done is done"):
        run_purge()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (StorageAway(), "The storage is away"),
        (PermissionError(1, "Not permitted"), r"The storage refuses \(Not permitted"),
    ],
)
def test_where_no_file_can_be_deleted_no_other_row_lets_go_of_its_file(
    media: Media, error: OSError, sentence: str
) -> None:
    for _ in range(3):
        old(JobFactory.create(success=True))
    with (
        patch.object(PrivateFileStorage, "delete", side_effect=error),
        pytest.raises(CommandError, match=f"^{sentence}.* what was done is done"),
    ):
        run_purge()
    assert (len(media()), Receipt.objects.exclude(purged_at=None).count()) == (3, 1)


def test_where_the_storage_has_no_file_at_all_no_row_lets_go_of_one(settings: LazySettings, tmp_path: Path) -> None:
    old(JobFactory.create(success=True))
    settings.MEDIA_ROOT = str(tmp_path / "not-mounted")
    with pytest.raises(CommandError, match="Receipts are due, 1, and the storage has no file at all"):
        run_purge()
    assert not Receipt.objects.exclude(purged_at=None).exists()


def test_below_a_volume_that_is_not_mounted_no_row_lets_go_of_its_file(
    media: Media, settings: LazySettings, tmp_path: Path
) -> None:
    old(JobFactory.create(success=True))
    beneath = Path(settings.MEDIA_ROOT)
    beneath.rename(tmp_path / "volume")
    stray = beneath / Receipt.FOLDER / "2026" / "stray.jpg"  # as uploads have left that were taken there
    stray.parent.mkdir(parents=True)
    stray.touch()
    with pytest.raises(CommandError, match=r"not the storage in which receipts are kept: .+ Nothing was deleted"):
        run_purge()
    assert media() == [stray]
    assert not Receipt.objects.exclude(purged_at=None).exists()


def test_how_long_a_file_is_kept_goes_by_the_databases_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    long_ago = timezone.now() - timedelta(days=2 * DAYS)
    monkeypatch.setattr("receipts.models.timezone.now", lambda: long_ago)
    job = uploaded()
    assert not retention.expired(retention.last_day(database_now())).filter(pk=job.receipt_id).exists()


@pytest.mark.parametrize("days", [-400, 400], ids=["this machine's is behind", "this machine's is ahead"])
def test_where_one_of_two_clocks_must_be_wrong_nothing_goes(
    media: Media, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    old(JobFactory.create(success=True))
    by_this_machine = SimpleNamespace(now=lambda: timezone.now() + timedelta(days=days))
    monkeypatch.setattr(clock, "timezone", by_this_machine)
    with pytest.raises(CommandError, match=r"are (399|400) days apart: set the wrong one right\. Nothing was deleted"):
        run_purge()
    assert len(media()) == 1
    assert not Receipt.objects.exclude(purged_at=None).exists()


@pytest.mark.parametrize(("days", "warned"), [(DAYS + 1, False), (DAYS + 3, True)])
def test_the_sweep_warns_where_nobody_runs_it(caplog: pytest.LogCaptureFixture, days: int, warned: bool) -> None:
    old(JobFactory.create(success=True), days)
    sweep_jobs.Command()._tidy()
    assert ("purge_overdue" in caplog.text) is warned
