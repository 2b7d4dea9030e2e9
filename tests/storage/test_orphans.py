"""Files that no row names: they go once they are a day old, but for those that no kill can have left behind."""

import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import LazySettings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import BaseCommand, CommandError, call_command
from django.utils import timezone

from jobs.management.commands import purge_receipts, sweep_jobs
from receipts import orphans as looking
from receipts import thumbnails
from receipts.models import Receipt, day_folder
from receipts.orphans import FEW
from receipts.storage import PrivateFileStorage, StorageAway
from receipts.thumbnails import find_thumbnail
from tests.factories import JobFactory, ReceiptFactory
from tests.support.old_receipts import DAYS, let_age, old, purge, rendition_of, run_purge, stored_ago
from tests.support.outages import Clock

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("retention")]

Media = Callable[[], list[Path]]


def test_orphans_of_any_day_go_once_they_are_a_day_old(media: Media) -> None:
    path = stored_ago(ReceiptFactory.create(), DAYS - 1)
    thumbnail = Path(default_storage.path(thumbnails.thumbnail_name(Receipt.objects.get().pk)))
    thumbnail.parent.mkdir(parents=True)
    kept = [path, path.with_name("young.jpg"), thumbnail]
    gone = [
        path.with_name("orphan.jpg"),
        path.with_name(".partial-x"),
        *(thumbnail.with_name(f"{n}.jpg") for n in "ab"),
    ]
    made = path.parents[4] / "renditions/2020/01/31/orphan.jpg"
    made.parent.mkdir(parents=True)
    for file in [*kept[1:], *gone, made]:
        file.write_bytes(b"x")
        let_age(file, 1.1)
    let_age(kept[1], 0.9)
    assert run_purge()[1] == "Files that no row names, 5: deleted."
    assert media() == sorted(kept)


def test_a_purge_that_was_killed_before_the_files_went_is_finished_by_the_next(media: Media) -> None:
    job = old(JobFactory.create(success=True))
    rendition_of(job.receipt)
    assert find_thumbnail(job.receipt)
    for file in media():
        let_age(file, 2)
    with patch.object(PrivateFileStorage, "delete", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        purge(job.receipt)
    assert len(media()) == 3
    assert run_purge()[1] == "Files that no row names, 3: deleted."
    assert media() == []


def orphans(number: int) -> None:
    """Let so many files be there that no row names, stored long ago and a week ago."""
    for day in (timezone.now() - timedelta(days=7), timezone.now() - timedelta(days=400)):
        for _ in range(number):
            name = default_storage.save(f"{day_folder(Receipt, day)}/one.jpg", ContentFile(b"x"))
            let_age(Path(default_storage.path(name)), 2)


@pytest.mark.parametrize("day", [0, 1], ids=["today", "yesterday"])
def test_what_was_stored_lately_is_none_whatever_the_clock_says_of_the_machine_of_the_files(
    media: Media, day: int
) -> None:
    stored = stored_ago(ReceiptFactory.create(), day)
    Receipt.objects.update(file="receipts/2020/01/01/another.jpg")  # the row of this one is not committed yet
    let_age(stored, 400)
    run_purge()
    run_purge(orphans=True)
    call_command("sweep_jobs", once=True)
    assert media() == [stored]


@pytest.mark.parametrize("days", [-4, 4], ids=["the database's is behind", "the database's is ahead"])
def test_where_one_of_two_clocks_must_be_wrong_the_sweep_takes_no_file_for_one(
    media: Media, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, days: int
) -> None:
    stored = stored_ago(ReceiptFactory.create(), 0)
    Receipt.objects.update(file="receipts/2020/01/01/another.jpg")
    monkeypatch.setattr(sweep_jobs, "database_now", lambda: timezone.now() + timedelta(days=days))
    sweep_jobs.Command()._look_for_orphans()
    assert media() == [stored]
    assert "set the wrong one right" in caplog.text


@pytest.mark.parametrize("days", [0, DAYS])
@pytest.mark.parametrize(
    ("number", "receipts", "sentence"),
    [(1, 0, "There are files, but no receipt"), (FEW + 1, 1, f"More than {FEW} files have no row")],
)
def test_orphans_that_no_kill_can_have_left_are_kept(
    media: Media, settings: LazySettings, caplog: Any, days: int, number: int, receipts: int, sentence: str
) -> None:
    settings.RETENTION_DAYS = days
    ReceiptFactory.create_batch(receipts)
    orphans(number)
    for options in ({}, {"dry_run": True}):
        with pytest.raises(CommandError, match=rf"^{sentence}.* None of them was deleted"):
            run_purge(**options)
    call_command("sweep_jobs", once=True)
    assert (len(media()), "orphans_kept" in caplog.text) == (2 * number + receipts, True)


def test_whoever_has_looked_lets_them_go(media: Media) -> None:
    orphans(FEW + 1)
    assert run_purge(orphans=True, dry_run=True)[1] == f"Files that no row names, {2 * FEW + 2}: would be deleted."
    assert run_purge(orphans=True)[1] == f"Files that no row names, {2 * FEW + 2}: deleted."
    assert media() == []


def test_the_sweep_looks_for_them_bit_by_bit_and_deletes_none_before_it_has_seen_all(
    media: Media, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "BATCH", 1)
    stored_ago(ReceiptFactory.create(), 7)
    orphans(2)
    monkeypatch.setattr(sweep_jobs, "LOOK_FOR_ORPHANS_SECONDS", 0)
    sweeping = sweep_jobs.Command()
    left = []
    for _ in range(4):  # of this week's folders there is one, of three files
        sweeping._look_for_orphans()
        left.append(len(media()))
    assert left == [5, 5, 5, 3]


@pytest.mark.parametrize(
    ("command", "options"), [(purge_receipts.Command(), {}), (sweep_jobs.Command(), {"once": True})]
)
def test_a_file_whose_row_comes_back_while_others_are_looked_at_is_none(
    media: Media, monkeypatch: pytest.MonkeyPatch, command: BaseCommand, options: dict[str, bool]
) -> None:
    lost = stored_ago(ReceiptFactory.create(), 2)
    rows = list(Receipt.objects.all())
    Receipt.objects.all().delete()
    find = looking.find_orphans

    def find_before_they_come_back(folders: Iterable[str], *, now: datetime) -> Iterator[list[str]]:
        for found in find(folders, now=now):
            if found:
                Receipt.objects.bulk_create(rows)
            yield found

    monkeypatch.setattr(looking, "find_orphans", find_before_they_come_back)
    call_command(command, **options)
    assert Receipt.objects.count() == 1
    assert media() == [lost]


def test_a_storage_that_was_away_is_looked_through_within_the_hour(
    media: Media, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(sweep_jobs, "time", clock)
    ReceiptFactory.create()
    orphans(1)
    sweeping = sweep_jobs.Command()
    with patch.object(PrivateFileStorage, "files_in", side_effect=StorageAway):
        sweeping._look_for_orphans()
    sweeping._look_for_orphans()
    assert len(media()) == 3
    clock.now += 3601
    sweeping._look_for_orphans()
    assert len(media()) == 2


def test_however_many_files_a_folder_has_they_are_listed_in_little_memory(tmp_path: Path) -> None:
    for number in range(20_000):
        (tmp_path / f"{number:032}.jpg").touch()
    storage = PrivateFileStorage(location=tmp_path)
    tracemalloc.start()
    count = sum(1 for _ in storage.files_in("."))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (count, most < 200_000) == (20_000, True)
