"""Receipts on the disk: what was answered with 202 is there by its name after a power cut."""

import errno
import os
from pathlib import Path

import pytest
from django.core.files.base import ContentFile

from receipts import storage
from receipts.storage import PrivateFileStorage
from receipts.storage_mark import MARK

NAME = "receipts/2026/11/27/a.jpg"


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return a list that gets each folder that is synced, as a process meets them that has just begun."""
    folders: list[Path] = []
    sync = storage._sync_folder

    def note(folder: Path) -> None:
        sync(folder)
        folders.append(folder)

    monkeypatch.setattr(storage, "_sync_folder", note)
    monkeypatch.setattr(storage, "_synced", set())
    return folders


@pytest.mark.parametrize("was_made", [False, True], ids=["new folders", "folders that another process made"])
def test_the_name_of_each_folder_is_synced_by_every_process_once(
    tmp_path: Path, synced: list[Path], was_made: bool
) -> None:
    if was_made:
        (tmp_path / NAME).parent.mkdir(parents=True)
    day = (tmp_path / NAME).parent
    (tmp_path / MARK).touch()
    kept = PrivateFileStorage(location=tmp_path)
    kept.save(NAME, ContentFile(b"first"))
    assert synced == [tmp_path, *list(day.parents)[2::-1], day]
    synced.clear()
    kept.save("receipts/2026/11/27/b.jpg", ContentFile(b"second"))
    assert synced == [day]


def test_a_files_bytes_are_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / MARK).touch()
    final, sync = tmp_path / NAME, os.fsync
    seen: list[tuple[int, int, bool]] = []

    def note(descriptor: int) -> None:
        sync(descriptor)
        synced = os.fstat(descriptor)
        seen.append((synced.st_ino, synced.st_size, final.exists()))

    monkeypatch.setattr(os, "fsync", note)
    PrivateFileStorage(location=tmp_path).save(NAME, ContentFile(b"first"))
    assert (final.stat().st_ino, len(b"first"), False) in seen


def test_a_file_whose_folder_could_not_be_synced_is_not_left_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / MARK).touch()
    kept = PrivateFileStorage(location=tmp_path)
    kept.save(NAME, ContentFile(b"first"))

    def fail(folder: Path) -> None:
        raise OSError(errno.EIO, "")

    monkeypatch.setattr(storage, "_sync_folder", fail)
    with pytest.raises(OSError, match=str(errno.EIO)):
        kept.save("receipts/2026/11/27/b.jpg", ContentFile(b"second"))
    assert list(kept.files_in("receipts/2026/11/27")) == ["a.jpg"]


def test_a_file_that_was_deleted_stays_so(tmp_path: Path, synced: list[Path]) -> None:
    (tmp_path / MARK).touch()
    kept = PrivateFileStorage(location=tmp_path)
    kept.save(NAME, ContentFile(b"first"))
    synced.clear()
    kept.delete(NAME)
    kept.delete("receipts/2026/11/28/of-no-folder.jpg")
    assert synced == [(tmp_path / NAME).parent]
