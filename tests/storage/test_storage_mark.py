"""A folder in the place of the storage, as below a volume that is not mounted, is known from the storage."""

import errno
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage
from django.core.management import call_command
from django.test import Client as Browser
from rest_framework.test import APIClient

from jobs.models import JobLog
from receipts import storage_mark
from receipts.models import Receipt
from receipts.storage import StorageAway, can_store
from receipts.storage_mark import MARK, WHY
from tests.factories import ReceiptFactory
from tests.support.uploads import content, post

pytestmark = pytest.mark.django_db


@pytest.fixture
def mark(settings: LazySettings) -> Path:
    """Return where the mark lies, if there is one."""
    return Path(settings.MEDIA_ROOT) / MARK


@pytest.fixture
def elsewhere(settings: LazySettings, tmp_path: Path) -> Path:
    """Return a receipt's folder, in the place of which another one has come."""
    ReceiptFactory.create()
    media = Path(settings.MEDIA_ROOT)
    volume = tmp_path / "volume"
    media.rename(volume)
    media.mkdir()
    return volume


def code_of(answer: object) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]  # type: ignore[attr-defined] # of the client for tests


def refuse(*_: object) -> None:
    """Refuse as a folder of somebody else does, or one whose mount has lost its rights; root is refused nothing."""
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def test_the_first_upload_leaves_a_mark(api: APIClient, mark: Path) -> None:
    assert can_store()
    assert not mark.exists()
    assert post(api).status_code == 202
    assert mark.read_text().startswith("Receipts are kept in this folder.")


def test_where_no_mark_can_be_left_receipts_are_taken_all_the_same(
    api: APIClient, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "of the folder itself, which belongs to somebody else")

    monkeypatch.setattr(storage_mark, "open", refuse, raising=False)  # root, as in CI, may write everywhere
    assert [post(api, number).status_code for number in (1, 2)] == [202, 202]
    assert not mark.exists()


@pytest.mark.usefixtures("elsewhere")
def test_in_a_folder_without_any_receipt_nothing_is_stored(
    api: APIClient, settings: LazySettings, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = post(api)
    assert code_of(answer) == (503, "storage_unavailable")
    assert int(answer["Retry-After"]) > 0
    assert WHY in caplog.text
    assert not JobLog.objects.exists()
    assert list(Path(settings.MEDIA_ROOT).iterdir()) == []


@pytest.mark.usefixtures("elsewhere")
def test_what_is_not_there_is_not_called_lost() -> None:
    name = Receipt.objects.get().file.name or ""
    for look in (default_storage.open, default_storage.size):
        with pytest.raises(StorageAway):
            look(name)


def test_a_folder_that_may_not_be_looked_into_is_not_called_unmounted(
    api: APIClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Path, "lstat", refuse)
    with caplog.at_level(logging.ERROR):
        assert code_of(post(api)) == (503, "storage_unavailable")
    assert WHY not in caplog.text
    assert "PermissionError" in caplog.text


def test_readiness_outlives_a_mount_that_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "exists", refuse)  # so does it where a folder above may not be looked into
    answer = Browser().get("/health/ready")
    assert (answer.status_code, answer.json()["checks"]["storage"]) == (503, "unavailable")


@pytest.mark.parametrize(
    "number",
    [errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE],
    ids=errno.errorcode.get,
)
def test_a_file_that_cannot_be_opened_is_not_called_lost(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = OSError(number, os.strerror(number))

    def fail(*_: object) -> None:
        raise fault

    name = ReceiptFactory.create().file.name or ""
    for method, look in (("_open", default_storage.open), ("size", default_storage.size)):
        monkeypatch.setattr(FileSystemStorage, method, fail)
        with pytest.raises(StorageAway, match=type(fault).__name__):
            look(name)


@pytest.mark.usefixtures("elsewhere")
def test_readiness_says_that_it_is_not_mounted() -> None:
    answer = Browser().get("/health/ready")
    assert (answer.status_code, answer.json()["checks"]["storage"]) == (503, "not mounted")


def test_as_soon_as_it_is_mounted_it_goes_on(api: APIClient, settings: LazySettings, elsewhere: Path) -> None:
    assert post(api).status_code == 503
    Path(settings.MEDIA_ROOT).rmdir()
    elsewhere.rename(settings.MEDIA_ROOT)
    assert post(api).status_code == 202


@pytest.mark.usefixtures("elsewhere")
def test_whoever_has_lost_the_files_says_so_by_the_mark(api: APIClient, mark: Path) -> None:
    mark.touch()
    assert can_store()
    with pytest.raises(FileNotFoundError):
        default_storage.open(Receipt.objects.get().file.name or "")
    assert post(api).status_code == 202


def test_files_that_are_older_than_the_mark_are_known_by_any_receipt(api: APIClient, mark: Path) -> None:
    lost, _ = ReceiptFactory.create_batch(2)
    lost.file.delete(save=False)
    mark.unlink()
    with pytest.raises(FileNotFoundError):
        default_storage.open(lost.file.name or f"receipts/{lost.pk}")
    assert post(api).status_code == 202
    assert mark.exists()


def test_receipts_that_were_purged_are_not_looked_for(api: APIClient, settings: LazySettings, elsewhere: Path) -> None:
    Receipt.objects.update(purged_at="2026-01-01T00:00Z", file="")
    assert can_store()
    assert post(api).status_code == 202


def test_a_restored_folder_needs_no_mark(settings: LazySettings, mark: Path, tmp_path: Path) -> None:
    receipt = ReceiptFactory.create(content=content())
    shutil.copytree(settings.MEDIA_ROOT, tmp_path / "backup", ignore=shutil.ignore_patterns(MARK))
    settings.MEDIA_ROOT = str(tmp_path / "backup")
    with default_storage.open(receipt.file.name or "") as file:
        assert file.read() == content()
    assert can_store()


def test_the_mark_costs_an_upload_no_question_to_the_database(
    mark: Path, django_assert_num_queries: Callable[[int], object]
) -> None:
    default_storage.save("receipts/one", ContentFile(b"x"))
    with django_assert_num_queries(0):  # type: ignore[attr-defined] # pytest-django's own
        default_storage.save("receipts/two", ContentFile(b"x"))


def test_a_made_up_history_has_no_files_and_takes_uploads_all_the_same(api: APIClient) -> None:
    call_command("make_history", jobs=20, days=2, processes=1, force=True)
    assert post(api).status_code == 202
