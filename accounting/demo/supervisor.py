"""Keeps a handful of processes running on one machine: what dies is started again, and none is left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Self

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 5.0
STEADY_SECONDS = 10.0  # who has lived as long is started again without having to wait for it
STOP_SECONDS = 10.0
LOOK_EVERY_SECONDS = 0.1

# On Linux a child asks for a SIGTERM when its parent is gone, however that ended: prctl(PR_SET_PDEATHSIG, SIGTERM).
# It asks in a small program that then becomes the command: beside threads, no Python is safe between fork and exec.
WITH_PARENT = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 15); os.execvp(sys.argv[1], sys.argv[1:])"
DIE_WITH_PARENT = [sys.executable, "-ISc", WITH_PARENT] if sys.platform == "linux" else []


@dataclass(frozen=True, kw_only=True)
class Process:
    """What to run: a name for people and for the log's file, the command, and its whole environment."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]


class Supervisor:
    """Runs processes, each in a process group of its own with a log file of its own.

    For one thread, which calls `watch` instead of sleeping. Leaving the context stops them all.

    Args:
        logs: the folder of the log files, `<name>.log`.
        report: takes a sentence for people whenever a process has died.
    """

    def __init__(self, *, logs: Path, report: Callable[[str], object]) -> None:
        self.stopping = False
        self._logs = logs
        self._report = report
        self._kept: list[_Kept] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, process: Process) -> None:
        """Start a process and keep it running from now on."""
        self._kept.append(_Kept(process, self._logs / f"{process.name}.log"))

    def watch(self, *, seconds: float = inf, until: Callable[[], bool] = lambda: False) -> bool:
        """Start again what dies, until something is so, the time is up, or the end was asked for.

        Returns:
            Whether it is so.
        """
        end = time.monotonic() + seconds
        while not self.stopping and time.monotonic() < end:
            for kept in self._kept:
                kept.look(self._report)
            if until():
                return True
            time.sleep(LOOK_EVERY_SECONDS)
        return False

    def ask_to_stop(self, *_: object) -> None:
        """Let `watch` return; a signal handler."""
        self.stopping = True

    def stop(self) -> None:
        """Tell all to stop, wait for at most `STOP_SECONDS`, and kill what is left, with whatever it has started."""
        for kept in self._kept:
            kept.child.terminate()
        end = time.monotonic() + STOP_SECONDS
        while any(kept.child.poll() is None for kept in self._kept) and time.monotonic() < end:
            time.sleep(LOOK_EVERY_SECONDS)
        for kept in self._kept:
            kept.kill()
        self._kept.clear()


class _Kept:
    """A process that is started again whenever it dies, after a pause that grows while it keeps dying."""

    def __init__(self, process: Process, log: Path) -> None:
        self._process = process
        self._log = log
        self._pause = FIRST_PAUSE_SECONDS
        self._start()

    def look(self, report: Callable[[str], object]) -> None:
        """Notice its death, or start it again once the pause is over."""
        if self._again_at is not None:
            if time.monotonic() >= self._again_at:
                self._start()
        elif (code := self.child.poll()) is not None:
            self.kill()
            report(f"{self._process.name} ended ({_in_words(code)}); it starts again in {self._schedule():g} s.")

    def kill(self) -> None:
        """End it, and whatever it has started and left behind; once it is dead, its id may be another's."""
        if self._again_at is None:
            with suppress(ProcessLookupError, PermissionError):  # nobody is left (macOS says it the second way)
                os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()

    def _start(self) -> None:
        self._started_at = time.monotonic()
        self._again_at: float | None = None
        with self._log.open("ab") as log:
            self.child = subprocess.Popen(  # noqa: S603 - the command is the caller's own
                [*DIE_WITH_PARENT, *self._process.command],
                env=self._process.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _schedule(self) -> float:
        """Set when to start again; return in how many seconds that is."""
        now = time.monotonic()
        if now - self._started_at >= STEADY_SECONDS:
            self._pause = FIRST_PAUSE_SECONDS
        pause = self._pause
        self._again_at = now + pause
        self._pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        return pause


def _in_words(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
