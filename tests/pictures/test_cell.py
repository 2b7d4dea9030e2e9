"""A cell ends whatever becomes of it, takes nobody along, and knows no secret."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.core.files.base import ContentFile
from structlog.testing import capture_logs

from receipts import cell
from receipts.cell import Bounds, Crashed, Refused, TooMuch, TooSlow, in_cell
from tests.support.bombs import BOMBS
from tests.support.installation import wait_for
from tests.support.outages import cells_of
from tests.support.pictures import heic, pdf, webp

PLENTY = Bounds(memory=200_000_000, cpu_seconds=20.0, seconds=60.0)
LOOK = """
import sys
from django.core.files.base import File
from receipts.cell import Bounds, in_cell
bounds = Bounds(memory=200_000_000, cpu_seconds=20.0, seconds=60.0)
with open(sys.argv[1], "rb") as file, in_cell("look", File(file), bounds, form="pdf"):
    pass
"""
ENDED = """
import os, signal
signal.{0} != signal.SIGKILL and signal.signal(signal.{0}, signal.SIG_DFL)  # nohup ignores SIGHUP, a shell's & SIGINT
os.kill(os.getpid(), signal.{0})
"""


def look(content: bytes, form: str, bounds: Bounds = PLENTY) -> dict[str, Any]:
    with in_cell("look", ContentFile(content), bounds, form=form) as (found, _):
        return found


@pytest.mark.parametrize(("content", "form"), [(webp(), "webp"), (heic(), "heic"), (pdf(), "pdf")])
def test_it_tells_what_it_found(content: bytes, form: str) -> None:
    assert set(look(content, form)) == {"width", "height", "pages"}


def test_it_refuses_what_it_cannot_read() -> None:
    with pytest.raises(Refused, match="broken"):
        look(webp()[:100], "webp")


def test_processor_time_is_bounded() -> None:
    bounds = Bounds(memory=200_000_000, cpu_seconds=0.5, seconds=60.0)
    with pytest.raises(TooMuch):
        look(BOMBS["PDF of tiny tiles"](), "pdf", bounds)


def test_time_is_bounded() -> None:
    bounds = Bounds(memory=200_000_000, cpu_seconds=20.0, seconds=0.001)
    with pytest.raises(TooSlow):
        look(pdf(), "pdf", bounds)


def test_memory_is_bounded() -> None:
    content = BOMBS["WebP of 34 bytes and 15 megapixels"]()
    assert look(content, "webp", Bounds(memory=240_000_000, cpu_seconds=20.0, seconds=60.0))
    with pytest.raises((TooMuch, Refused)):  # some libraries say that memory is short, others that the file is broken
        look(content, "webp", Bounds(memory=120_000_000, cpu_seconds=20.0, seconds=60.0))


def test_a_decoder_that_crashes_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell, "INSIDE", ("/bin/sh", "-c", "kill -SEGV $$"))
    with pytest.raises(Crashed):
        look(pdf(), "pdf")


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"])
def test_one_that_is_ended_from_outside_says_nothing_of_its_file(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(cell, "INSIDE", (sys.executable, "-c", ENDED.format(name)))
    with pytest.raises(TooSlow):
        look(pdf(), "pdf")


def test_so_does_one_that_never_gets_to_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shutil.copytree(cell.ROOT / "receipts", tmp_path / "receipts")
    (tmp_path / "receipts" / "cell" / "tasks.py").write_text("import a_library_that_is_just_being_replaced\n")
    monkeypatch.setattr(cell, "ROOT", tmp_path)
    with capture_logs() as lines, pytest.raises(TooSlow):
        look(pdf(), "pdf")
    assert lines == [{"event": "cell_failed", "returncode": 1, "log_level": "error"}]


@contextmanager
def busy_cell(folder: Path) -> Iterator[psutil.Process]:
    """Lend a cell that is at work for long, in a parent of its own that is killed at the end."""
    (folder / "endless.pdf").write_bytes(BOMBS["PDF of tiny tiles"]())
    with subprocess.Popen([sys.executable, "-c", LOOK, folder / "endless.pdf"]) as parent:
        try:
            yield wait_for(lambda: cells_of(parent.pid), "the cell to be at work")[0]
        finally:
            parent.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no child is told that its parent is gone")
def test_it_hears_no_polite_stop_and_does_not_outlive_its_parent(tmp_path: Path) -> None:
    with busy_cell(tmp_path) as inside:
        wait_for(lambda: inside.rlimit(psutil.RLIMIT_NPROC) == (0, 0), "the last of its bounds")
        assert inside.rlimit(psutil.RLIMIT_NOFILE) == (32, 32)
        inside.terminate()
        assert inside.is_running()
    psutil.wait_procs([inside], timeout=5)
    assert not inside.is_running()


def test_no_secret_goes_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "canary")
    environment = cell._environment()
    assert "PATH" in environment
    assert set(environment) <= {*cell.PASSED_ON, "MALLOC_ARENA_MAX"}
