"""How the client ends before all is done, as either of its commands."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

from receipts.client.threads import map_unordered
from tests.factories import DATABASE_ID
from tests.support.client_runs import FILED, KEY, NO_JOBS, pictures, scripted
from tests.support.installation import wait_for
from tests.support.stub_server import StubServer, Visit, response, stub_server

pytestmark = [pytest.mark.processes, pytest.mark.any_database]

COMMANDS = [["-m", "receipts.client"], ["manage.py", "upload_receipts"]]
AT_ONCE_SECONDS = 30  # a loaded machine's; an upload that is not answered is waited for for 150


@contextmanager
def client(
    command: list[str], folder: Path, server: StubServer, *, through: Sequence[str] = (), **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """Start the client as a process, and leave none behind."""
    options = {"RECEIPTS_URL": server.url, "RECEIPTS_API_KEY": KEY, "RECEIPTS_DATABASE": DATABASE_ID} | environment
    pipe = subprocess.PIPE
    started = [*through, sys.executable, *command, str(folder)]
    with subprocess.Popen(started, env=os.environ | options, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def uploads_begun(server: StubServer) -> int:
    return sum(head.method == "POST" for visit in server.visits for head in visit.heads)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_interrupted_client_says_that_it_may_go_on(tmp_path: Path, command: list[str]) -> None:
    busy = response(503, b"{}", Retry_After="60")
    with (
        stub_server(scripted(NO_JOBS, *[busy] * 9)) as server,
        client(command, pictures(tmp_path, range(3)), server) as process,
    ):
        wait_for(lambda: uploads_begun(server) == 3, "the first uploads")
        process.send_signal(signal.SIGINT)
        assert "Interrupted; the same command goes on" in process.communicate(timeout=AT_ONCE_SECONDS)[1]
        assert process.returncode == 130


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_interrupted_client_waits_for_no_answer_and_bears_a_second_interruption(
    tmp_path: Path, command: list[str]
) -> None:
    with (
        stub_server(greeting_only) as server,
        client(command, pictures(tmp_path, range(3)), server) as process,
    ):
        wait_for(lambda: uploads_begun(server) == 3, "the first uploads")
        process.send_signal(signal.SIGINT)
        assert process.stderr
        assert "Interrupted" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=AT_ONCE_SECONDS)[1] == ""
        assert process.returncode == 130


def greeting_only(visit: Visit) -> None:
    """Answer whoever asks for jobs, and never who uploads."""
    head = visit.read_head()
    if head and head.method == "GET":
        visit.send(NO_JOBS)
        head = visit.read_head()
    visit.wait_until_left()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_client_whose_lines_nobody_reads_any_more_ends_without_a_word(tmp_path: Path, command: list[str]) -> None:
    may_go_on = Event()

    def answer_later(visit: Visit) -> None:
        while request := visit.read():
            if request.method == "POST" and request.body.count(b"001.jpg"):
                may_go_on.wait(AT_ONCE_SECONDS)
            visit.send(FILED if "/jobs/?" not in request.target else NO_JOBS)

    with (
        stub_server(answer_later) as server,
        client(command, pictures(tmp_path, range(3)), server) as process,
    ):
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline().startswith("already filed")
        process.stdout.close()
        may_go_on.set()
        assert process.stderr.read() == ""
        assert process.wait(AT_ONCE_SECONDS) == 141


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_name_that_standard_output_has_no_letters_for_is_told_all_the_same(
    tmp_path: Path, command: list[str]
) -> None:
    pictures(tmp_path, range(2))
    (tmp_path / "000.jpg").rename(tmp_path / "收据.jpg")
    with (
        stub_server(scripted(NO_JOBS, *[FILED] * 4)) as server,
        client(command, tmp_path, server, PYTHONIOENCODING="latin-1") as process,
    ):
        told, _ = process.communicate(timeout=AT_ONCE_SECONDS)
    assert sorted(Path(line.split()[2]).name for line in told.splitlines()) == ["001.jpg", r"\u6536\u636e.jpg"]
    assert process.returncode == 0


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_client_whose_lines_nobody_wants_goes_on_without_them(tmp_path: Path, command: list[str]) -> None:
    pictures(tmp_path, range(2))
    with (
        stub_server(scripted(NO_JOBS, *[FILED] * 4)) as server,
        client(command, tmp_path, server, through=["/bin/sh", "-c", 'exec "$@" >&-', "sh"]) as process,
    ):
        assert process.communicate(timeout=AT_ONCE_SECONDS) == ("", "2 already filed.\n")
    assert process.returncode == 0


def test_what_nobody_expected_of_one_of_several_is_raised() -> None:
    results = map_unordered(lambda number: 1 / number, [1, 2, 0, 4], threads=1)
    assert [next(results), next(results)] == [1, 1 / 2]
    with pytest.raises(ZeroDivisionError):
        next(results)
