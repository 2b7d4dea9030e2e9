"""Processes that die are started again, and none is left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from accounting.demo.supervisor import Process, Supervisor

pytestmark = [pytest.mark.processes, pytest.mark.any_database]

# writes its id where the test finds it, then waits to be told to stop
WAIT = "import os, signal, sys; open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); signal.pause()"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + WAIT
DIE = "import os, sys; open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); sys.exit(7)"
# has a child of its own, which outlives it unless somebody looks after the whole group
PARENT = (
    "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[2], sys.argv[1] + '.child']); " + WAIT
)


@pytest.fixture
def reports() -> list[str]:
    """Return what the supervisor had to say."""
    return []


@pytest.fixture
def supervisor(tmp_path: Path, reports: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    """Return a supervisor in a hurry."""
    monkeypatch.setattr("accounting.demo.supervisor.FIRST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr("accounting.demo.supervisor.LOOK_EVERY_SECONDS", 0.01)
    with Supervisor(logs=tmp_path, report=reports.append) as running:
        yield running


@pytest.fixture
def start(supervisor: Supervisor, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that starts a program and returns the file in which it writes its ids."""

    def start(program: str, *arguments: str, name: str = "waiter") -> Path:
        ids = tmp_path / f"{name}.ids"
        command = [sys.executable, "-c", program, str(ids), *arguments]
        supervisor.start(Process(name=name, command=command, env=os.environ))
        return ids

    return start


def written(*files: Path) -> list[int]:
    return [int(line) for ids in files if ids.exists() for line in ids.read_text().splitlines()]


def of_child(ids: Path) -> Path:
    return ids.with_name(f"{ids.name}.child")


def is_running(pid: int) -> bool:
    """Tell whether the process lives; one that has ended and that nobody has asked about yet does not."""
    try:
        os.kill(pid, 0)
        return sys.platform != "linux" or ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.01)


def test_one_that_was_killed_is_started_again(
    supervisor: Supervisor, start: Callable[..., Path], reports: list[str]
) -> None:
    ids = start(WAIT)
    assert supervisor.watch(until=lambda: len(written(ids)) == 1, seconds=20)
    os.kill(written(ids)[0], signal.SIGKILL)

    assert supervisor.watch(until=lambda: len(written(ids)) == 2, seconds=20)
    assert reports == ["waiter ended (signal 9); it starts again in 0.05 s."]


def test_one_that_keeps_dying_is_started_ever_more_slowly_up_to_a_bound(
    supervisor: Supervisor, start: Callable[..., Path], reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounting.demo.supervisor.LONGEST_PAUSE_SECONDS", 0.1)
    start(DIE)

    assert supervisor.watch(until=lambda: len(reports) == 3, seconds=20)
    assert [report.rpartition(" in ")[2] for report in reports] == ["0.05 s.", "0.1 s.", "0.1 s."]
    assert "exit code 7" in reports[0]


def test_one_that_has_lived_for_a_while_is_started_as_quickly_as_the_first_time(
    supervisor: Supervisor, start: Callable[..., Path], reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounting.demo.supervisor.STEADY_SECONDS", 0.0)
    start(DIE)

    assert supervisor.watch(until=lambda: len(reports) == 3, seconds=20)
    assert {report.rpartition(" in ")[2] for report in reports} == {"0.05 s."}


def test_stop_ends_all_of_them_and_what_they_have_started(supervisor: Supervisor, start: Callable[..., Path]) -> None:
    first, second = start(WAIT, name="first"), start(PARENT, DEAF, name="second")
    assert supervisor.watch(until=lambda: len(written(first, second, of_child(second))) == 3, seconds=20)
    supervisor.stop()

    wait_until(lambda: not any(is_running(pid) for pid in written(first, second, of_child(second))))


def test_what_a_dead_one_has_left_behind_ends_with_it(supervisor: Supervisor, start: Callable[..., Path]) -> None:
    ids = start(PARENT, DEAF)
    assert supervisor.watch(until=lambda: len(written(ids, of_child(ids))) == 2, seconds=20)
    (parent,), (child,) = written(ids), written(of_child(ids))
    os.kill(parent, signal.SIGKILL)

    assert supervisor.watch(until=lambda: not is_running(child), seconds=20)


def test_one_that_does_not_listen_is_killed(
    supervisor: Supervisor, start: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounting.demo.supervisor.STOP_SECONDS", 0.2)
    ids = start(DEAF)
    assert supervisor.watch(until=lambda: len(written(ids)) == 1, seconds=20)
    supervisor.stop()

    assert not is_running(written(ids)[0])


def test_watch_returns_when_the_end_is_asked_for(supervisor: Supervisor) -> None:
    def ask() -> bool:
        supervisor.ask_to_stop()
        return False

    assert not supervisor.watch(until=ask)


def test_output_is_kept_in_a_log_for_each(supervisor: Supervisor, start: Callable[..., Path], tmp_path: Path) -> None:
    start("import sys; print('out', flush=True); print('err', file=sys.stderr, flush=True); " + WAIT, name="talker")

    log = tmp_path / "talker.log"
    assert supervisor.watch(until=lambda: log.read_text().split() == ["out", "err"], seconds=20)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent is gone")
def test_they_end_even_where_the_supervisor_is_killed(tmp_path: Path) -> None:
    ids = tmp_path / "waiter.ids"
    supervise = (
        "import os, sys; from pathlib import Path; from accounting.demo.supervisor import Process, Supervisor; "
        "supervisor = Supervisor(logs=Path(sys.argv[1]), report=print); "
        "supervisor.start(Process(name='waiter', command=[sys.executable, '-c', *sys.argv[2:]], env=os.environ)); "
        "supervisor.watch()"
    )
    with subprocess.Popen([sys.executable, "-c", supervise, str(tmp_path), WAIT, str(ids)]) as supervisor:
        wait_until(lambda: len(written(ids)) == 1)
        supervisor.kill()

    wait_until(lambda: not is_running(written(ids)[0]))
