"""What this machine lacks while it looks at an upload is told as ours: nobody's picture is called damaged for it."""

import errno
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient
from structlog.testing import capture_logs

from accounting.problems import Problem
from receipts import cell, validators
from receipts.budget import LOOK_BYTES
from receipts.containers import HEIC_COST, WEBP_COST
from receipts.validators import check_upload
from tests.support.pictures import heic, jpeg, pdf
from tests.support.uploads import post

pytestmark = pytest.mark.django_db


def is_ours(answer: Any, status: int, code: str) -> bool:
    """Tell whether it is that problem, and says when to come again."""
    found = answer.status_code, answer.json()["code"]
    return found == (status, code) and int(answer["Retry-After"]) > 0


@pytest.mark.parametrize("content", [heic(), pdf()], ids=["HEIC", "PDF"])
@pytest.mark.parametrize(
    ("number", "status", "code"),
    [
        (errno.ENOSPC, 507, "storage_full"),
        (errno.EROFS, 503, "storage_unavailable"),
        (errno.EMFILE, 503, "busy"),
    ],
)
def test_no_temporary_file(
    api: APIClient, monkeypatch: pytest.MonkeyPatch, content: bytes, number: int, status: int, code: str
) -> None:
    monkeypatch.setattr("receipts.cell.tempfile.TemporaryFile", Mock(side_effect=OSError(number, "no file")))
    assert is_ours(post(api, file=SimpleUploadedFile("receipt", content)), status, code)


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM])
def test_no_further_process(api: APIClient, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr("receipts.cell.subprocess.run", Mock(side_effect=OSError(number, "no process")))
    assert is_ours(post(api, file=SimpleUploadedFile("receipt", heic())), 503, "busy")


def test_no_time(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validators, "CELL_SECONDS", 0.001)
    assert is_ours(post(api, file=SimpleUploadedFile("receipt", heic())), 503, "busy")


def test_no_memory(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validators, "_decode", Mock(side_effect=MemoryError()))
    assert is_ours(post(api, file=SimpleUploadedFile("receipt", jpeg())), 503, "busy")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a file that is always full")
def test_no_room_for_what_a_cell_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    bounds = cell.Bounds(memory=200_000_000, cpu_seconds=20.0, seconds=60.0)
    with tempfile.TemporaryFile() as given, Path("/dev/full").open("r+b", buffering=0) as full:
        files = iter([given, full])
        monkeypatch.setattr("receipts.cell.tempfile.TemporaryFile", lambda: next(files))
        with pytest.raises(OSError, match="No space"):
            cell.in_cell("render", ContentFile(heic()), bounds, form="heic", most_bytes=10**6).__enter__()


def test_a_picture_that_its_pixels_let_through_is_never_refused_for_the_time_it_takes() -> None:
    most = validators.LOOK_NANOSECONDS / 1_000_000_000
    assert 3 * most <= validators.CELL_CPU_SECONDS
    room = LOOK_BYTES - cell.OWN_BYTES
    for cost in (HEIC_COST, WEBP_COST):
        assert room / cost["bytes_per_pixel"] * cost["nanoseconds_per_pixel"] <= validators.LOOK_NANOSECONDS


# -- what is told in the log


def test_a_decoder_that_crashes_is_logged_without_anything_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell, "INSIDE", ("/bin/sh", "-c", "kill -SEGV $$"))
    with capture_logs() as lines, pytest.raises(Problem, match="damaged"):
        check_upload(ContentFile(heic(), name="secret"))
    assert lines == [{"event": "decoder_crashed", "form": "heic", "returncode": -11, "log_level": "warning"}]


def test_what_nobody_expected_of_a_decoder_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validators, "_decode", Mock(side_effect=ZeroDivisionError("secret")))
    with capture_logs() as lines, pytest.raises(Problem, match="damaged"):
        check_upload(ContentFile(jpeg(), name="secret"))
    assert lines == [{"event": "look_failed", "form": "jpeg", "error": "ZeroDivisionError", "log_level": "warning"}]


def test_a_damaged_picture_is_nothing_to_log() -> None:
    with capture_logs() as lines, pytest.raises(Problem, match="damaged"):
        check_upload(ContentFile(jpeg()[:-500], name="secret"))
    assert lines == []
