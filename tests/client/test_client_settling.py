"""Which files of a folder the client takes for whole."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from receipts.client.settling import QUIET_SECONDS, still_written
from tests.support.client_runs import FILED, NO_JOBS, pictures, run_client, scripted
from tests.support.stub_server import stub_server

pytestmark = [pytest.mark.processes, pytest.mark.any_database]


@contextmanager
def growing(file: Path, clock_is_off: float = 0.0) -> Iterator[None]:
    """Write on and on, as a slow copy does, upon a share whose clock is so many seconds ahead."""
    enough = Event()

    def write() -> None:
        while not enough.wait(0.05):
            with file.open("ab") as end:
                end.write(b"more")
            now = time.time() + clock_is_off
            os.utime(file, (now, now))

    file.touch()
    writer = Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        enough.set()
        writer.join()


def test_a_file_that_is_still_being_written_is_left_for_the_next_time_and_told_of(tmp_path: Path) -> None:
    pictures(tmp_path, range(1))
    with stub_server(scripted(NO_JOBS, FILED, FILED)) as server, growing(tmp_path / "half.jpg"):
        result = run_client(tmp_path, "--done", tmp_path / ".done", url=server.url)
    assert (result.code, result.words) == (1, ["already filed", "changed"])
    assert "still being written" in json.loads(result.lines[0])["detail"]
    assert [request.method for request in server.requests].count("POST") == 1
    assert (tmp_path / "half.jpg").exists()


def test_a_file_that_is_named_is_taken_as_it_is(tmp_path: Path) -> None:
    pictures(tmp_path, range(1))
    with stub_server(scripted(NO_JOBS, *[FILED] * 4)) as server, growing(tmp_path / "half.jpg"):
        result = run_client(tmp_path, tmp_path / "half.jpg", "--parallel", 1, url=server.url)
    assert (result.code, result.words) == (0, ["already filed"] * 2)


def test_a_folder_that_was_filled_just_now_is_taken_as_a_whole(tmp_path: Path) -> None:
    for path in pictures(tmp_path, range(2)).iterdir():
        os.utime(path)
    with stub_server(scripted(NO_JOBS, *[FILED] * 4)) as server:
        result = run_client(tmp_path, "--parallel", 1, url=server.url)
    assert (result.code, result.words) == (0, ["already filed"] * 2)


def test_a_length_that_is_said_before_the_bytes_come_is_seen_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = tmp_path / "scan.jpg"
    scan.write_bytes(bytes(1000))
    os.utime(scan, (time.time() - QUIET_SECONDS / 2,) * 2)
    monkeypatch.setattr(time, "sleep", lambda _: scan.write_bytes(b"x" * 1000))
    assert still_written([scan]) == {scan}
    assert still_written([pictures(tmp_path, range(1)) / "000.jpg"]) == set()


@pytest.mark.parametrize("minutes", [-125, -1, 1, 125])
def test_so_it_is_where_the_clock_of_a_share_is_another_one(tmp_path: Path, minutes: int) -> None:
    with growing(tmp_path / "half.webp", clock_is_off=60.0 * minutes):
        assert still_written([tmp_path / "half.webp"]) == {tmp_path / "half.webp"}


@pytest.mark.parametrize("years", [-10, 10])
def test_a_file_of_another_year_is_not_waited_for(tmp_path: Path, years: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: seconds and pytest.fail(f"it waits {seconds} s"))
    file = pictures(tmp_path, range(1)) / "000.jpg"
    then = time.time() + years * 365 * 86_400
    os.utime(file, (then, then))
    assert still_written([file, tmp_path, tmp_path / "gone.jpg"]) == set()
