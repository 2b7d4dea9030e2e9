"""Files that are swapped or gone are found and named; one that was purged or healed is not missed."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from django.conf import LazySettings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection

from jobs.models import JobLog
from receipts import evidence, storage
from receipts.models import Receipt
from receipts.storage import PrivateFileStorage, StorageAway
from tests.factories import RenditionFactory
from tests.support.audit_runs import WELL, path_of, verify
from tests.support.job_lifecycle import filed_by
from tests.support.old_receipts import purge

pytestmark = pytest.mark.django_db


def of_files() -> list[str]:
    """Return what is said of files that are broken."""
    return [line for line in verify() if line.startswith(("Receipt ", "Rendition "))]


def test_a_swapped_file_is_named() -> None:
    job = filed_by("One")
    path_of(job.receipt).write_bytes(b"another")
    assert of_files() == [f"Receipt {job.receipt_id}: its file holds other bytes than those that came."]


def test_a_swapped_file_whose_row_was_adjusted_is_named_by_the_job() -> None:
    job = filed_by("One")
    rendition = RenditionFactory.create(receipt=job.receipt)
    path_of(job.receipt).write_bytes(path_of(rendition).read_bytes())
    Receipt.objects.update(sha256=rendition.sha256)
    assert f"Job {job.pk}: its receipt.sha256 is not what event 1 wrote." in verify()


def test_a_file_that_is_gone_is_named() -> None:
    job = filed_by("One")
    path_of(job.receipt).unlink()
    assert of_files() == [f"Receipt {job.receipt_id}: its file is gone."]


@pytest.mark.parametrize("name", ["../../etc/passwd", "receipts", "receipts/\0"], ids=repr)
def test_a_file_that_cannot_be_one_is_named(name: str) -> None:
    if "\0" in name and connection.vendor == "postgresql":
        name = ".."  # PostgreSQL keeps no NUL
    job = filed_by("One")
    Receipt.objects.update(file=name)
    assert of_files()[0].startswith(f"Receipt {job.receipt_id}: its file cannot be read (")


@pytest.mark.parametrize("has_room", [True, False])
def test_a_file_that_alone_cannot_be_read_is_named_with_the_reason(
    has_room: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = filed_by("One")
    monkeypatch.setattr(storage, "_has_room", lambda _: has_room)
    monkeypatch.setattr(PrivateFileStorage, "_open", Mock(side_effect=StorageAway("PermissionError")))
    assert of_files() == [f"Receipt {job.receipt_id}: its file cannot be read (PermissionError)."]


def test_a_folder_that_nobody_may_look_into_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    filed_by("One")
    monkeypatch.setattr(PrivateFileStorage, "_open", Mock(side_effect=StorageAway("PermissionError")))
    monkeypatch.setattr(PrivateFileStorage, "path", Mock(side_effect=PermissionError))
    with pytest.raises(CommandError, match=r"^The storage is away \(PermissionError\)"):
        call_command("verify_audit", stdout=StringIO())


def unmount(media_root: str, tmp_path: Path) -> None:
    """Leave an empty folder where the files were, as below a volume that is not mounted."""
    Path(media_root).rename(tmp_path / "volume")
    Path(media_root).mkdir()


def test_a_storage_that_is_away_is_one_sentence_after_all_else_was_looked_at(
    settings: LazySettings, tmp_path: Path
) -> None:
    for shop in ("One", "Two"):
        filed_by(shop)
    unmount(settings.MEDIA_ROOT, tmp_path)
    out = StringIO()
    with pytest.raises(CommandError, match=r"^The storage is away \(not mounted\): ") as stop:
        call_command("verify_audit", stdout=out)
    assert stop.value.returncode == 2
    assert out.getvalue().splitlines()[-1] == "Seals kept elsewhere: 0 looked at, 0 broken"


def test_what_is_broken_counts_even_where_the_storage_is_away(settings: LazySettings, tmp_path: Path) -> None:
    JobLog.objects.filter(pk=filed_by("One").pk).update(filename="other.jpg")
    unmount(settings.MEDIA_ROOT, tmp_path)
    with pytest.raises(CommandError, match=r"^1 thing is broken\. The storage is away \(not mounted\): ") as stop:
        call_command("verify_audit", stdout=StringIO())
    assert stop.value.returncode == 1


def test_a_swapped_rendition_is_named() -> None:
    job = filed_by("One")
    path_of(RenditionFactory.create(receipt=job.receipt)).write_bytes(b"another")
    assert of_files() == [f"Rendition {job.receipt_id}: its file holds other bytes than those that came."]


def test_a_purged_file_is_not_missed(django_capture_on_commit_callbacks: Any) -> None:
    job = filed_by("One")
    rendition = RenditionFactory.create(receipt=job.receipt)
    with django_capture_on_commit_callbacks(execute=True):
        purge(job.receipt)
    assert not any(path_of(row).exists() for row in (job.receipt, rendition))
    assert verify()[-1] == WELL


def test_a_file_that_is_healed_between_two_looks_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    job = filed_by("One")
    content = path_of(job.receipt).read_bytes()
    path_of(job.receipt).unlink()
    look = evidence._fault

    def heal_after(row: Any, read: Any) -> str:
        fault = look(row, read)
        Receipt.objects.update(file=default_storage.save("receipts/healed.jpg", ContentFile(content)))
        return fault

    monkeypatch.setattr(evidence, "_fault", heal_after)
    assert verify()[-1] == WELL


def test_files_need_not_be_read() -> None:
    path_of(filed_by("One").receipt).unlink()
    assert verify(no_files=True)[-1] == WELL


def test_a_file_that_was_stored_anew_is_looked_at_by_the_day_of_that() -> None:
    old, moved = filed_by("Old"), filed_by("Moved")
    for job, day in ((old, "2031/05/05"), (moved, "2031/05/06")):
        name = default_storage.save(f"receipts/{day}/{job.receipt_id.hex}.jpg", ContentFile(b"another"))
        Receipt.objects.filter(pk=job.receipt_id).update(file=name)
    lines = verify(since=datetime(2031, 5, 6, 8, tzinfo=UTC))
    assert f"Receipt {moved.receipt_id}: its file holds other bytes than those that came." in lines
    assert "Files of receipts: 1 looked at, 1 broken" in lines


def test_a_file_that_is_purged_while_those_of_late_are_looked_at_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    job = filed_by("One")
    day = job.receipt.created_at - timedelta(days=1)
    Receipt.objects.filter(pk=job.receipt_id).update(created_at=day - timedelta(days=400))  # stored anew since
    look = evidence._fault

    def purge_before(row: Any, read: Any) -> str:
        if not Receipt.objects.exclude(purged_at=None).exists():
            purge(job.receipt)
        return look(row, read)

    monkeypatch.setattr(evidence, "_fault", purge_before)
    assert "Files of receipts: 1 looked at, 0 broken" in verify(since=day)
