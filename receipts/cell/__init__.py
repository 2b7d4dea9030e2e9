"""A cell: a short-lived process in which a decoder may crash, hang or swell, and takes nobody along.

libwebp, libheif and pdfium are large, written in C and C++, and fed with what strangers send; pdfium knows no bounds at
all. They run here only: with a bound on memory, on processor time and on time, without a secret in the environment, and
without Django. This module is the outside; `python -m receipts.cell` is the inside.
"""

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from django.core.files.base import File

ROOT = Path(__file__).resolve().parent.parent.parent
INSIDE = (sys.executable, "-E", "-s", "-W", "ignore", "-m", "receipts.cell")
PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "TMPDIR")
# pdfium aborts where it gets no memory
STARVED = frozenset({-signal.SIGPROF, -signal.SIGXCPU, -signal.SIGXFSZ, -signal.SIGABRT})
# the kernel, where memory is short; whoever stops the service, in the moment before the inside turns a deaf ear
ENDED_FROM_OUTSIDE = frozenset({-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP})
OWN_BYTES = 40_000_000  # Python, Pillow and the decoders themselves, before they have opened anything


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What a cell may use.

    Attributes:
        memory: bytes, beyond what its programs themselves take.
        cpu_seconds: of processor time; the bound that is meant to be met first.
        seconds: in all, however busy the machine is.
    """

    memory: int
    cpu_seconds: float
    seconds: float


class Refused(Exception):
    """The cell looked at the file and will not have it; its argument says why: `broken`, `animated`, `encrypted`."""


class TooMuch(Exception):
    """The file needs more memory or processor time than there is for it."""


class TooSlow(Exception):
    """The time was up, or the cell was ended from outside, or never began: it may go better another time."""


class Crashed(Exception):
    """The decoder fell over the file; its argument is the process' return code."""


@contextmanager
def in_cell(
    task: str, file: "File[bytes]", bounds: Bounds, **arguments: Any
) -> Iterator[tuple[dict[str, Any], IO[bytes]]]:
    """Run a task of `receipts.cell.__main__` on a file.

    Yields:
        What it found, and a file with what it made.

    Raises:
        Refused, TooMuch, TooSlow, Crashed: nothing was found.
        OSError: there is no room for the files or for the process.
    """
    with _on_disk(file) as given, tempfile.TemporaryFile() as made:
        options = {
            "parent": os.getpid(),
            "memory": bounds.memory + OWN_BYTES,
            "cpu_seconds": bounds.cpu_seconds,
            "made": made.fileno(),
        }
        found = _found(_run([*INSIDE, task, json.dumps(options | arguments)], given, made, bounds.seconds))
        made.seek(0)
        yield found, made


def _run(command: list[str], given: IO[bytes], made: IO[bytes], seconds: float) -> bytes:
    """Return what the inside prints."""
    try:
        ended = subprocess.run(  # noqa: S603 - our own program
            command, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, pass_fds=[made.fileno()],
            cwd=ROOT, env=_environment(), timeout=seconds, start_new_session=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise TooSlow from None
    if ended.returncode in STARVED:
        raise TooMuch
    if ended.returncode in ENDED_FROM_OUTSIDE:
        raise TooSlow
    if ended.returncode > 0:
        _tell_of_failure(ended.returncode)
        raise TooSlow
    if ended.returncode < 0:
        raise Crashed(ended.returncode)
    return ended.stdout


def _tell_of_failure(returncode: int) -> None:
    """Log that the inside did not get to its file, as while a library is being replaced."""
    import structlog  # here, for the inside imports this module as well, and is to begin quickly

    structlog.get_logger(__name__).error("cell_failed", returncode=returncode)


def _found(printed: bytes) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(printed.splitlines()[-1])  # what libraries print comes before
    except (IndexError, ValueError):  # or behind
        raise Crashed(0) from None
    match found.get("refused"):
        case None:
            return found
        case "too_much":
            raise TooMuch
        case "no_room":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        case reason:
            raise Refused(reason)


@contextmanager
def _on_disk(file: "File[bytes]") -> Iterator[IO[bytes]]:
    """Give the file as one that another process can read; the position of its own stays where it is."""
    with tempfile.TemporaryFile() as copy:
        file.seek(0)
        for chunk in file.chunks():
            copy.write(chunk)
        copy.seek(0)
        yield copy


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return kept | {"MALLOC_ARENA_MAX": "1"}  # glibc would set 128 MB of addresses aside for every thread
