"""The inside of a cell: `python -m receipts.cell TASK ARGUMENTS`, a file on standard input.

It prints JSON, what it found or `{"refused": reason}`, and writes what it made to the descriptor that it was given.
"""

import ctypes
import json
import math
import os
import resource
import signal
import sys
from typing import Any

NEED_THREADS = frozenset({"heic"})  # libde265 decodes in one of its own
MAX_FILES = 32  # to import libraries takes a handful
MAX_WRITTEN = 256 * 1024 * 1024

POLITE = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PR_SET_PDEATHSIG = 1  # prctl(2)


def stay_with(parent: int) -> None:
    """Live exactly as long as the parent wants.

    A stop that is told to all processes of a service at once is the parent's to answer: it may finish what it is at.
    """
    for number in POLITE:
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":  # elsewhere the bound of processor time has to do
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("The parent is gone.")


def confine(memory: int, cpu_seconds: float) -> None:
    """Bound what this process may use, before anything is read."""
    for kind, most in (
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_CPU, math.ceil(cpu_seconds) + 1),
        (resource.RLIMIT_FSIZE, MAX_WRITTEN),
        (resource.RLIMIT_NOFILE, MAX_FILES),
        (resource.RLIMIT_CORE, 0),  # it would write somebody's receipt to the disk
    ):
        resource.setrlimit(kind, (most, most))
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)  # RLIMIT_CPU counts whole seconds only


def main() -> None:
    """Do one task."""
    task, options = sys.argv[1], json.loads(sys.argv[2])
    stay_with(options.pop("parent"))
    confine(options.pop("memory"), options.pop("cpu_seconds"))
    if options["form"] not in NEED_THREADS:
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))  # neither a thread nor a process; root is not bound by it
    out = options.pop("made")
    found, made = _do(task, os.pread(0, os.fstat(0).st_size, 0), options)
    print(json.dumps(found if _is_written(made, out) else {"refused": "no_room"}))  # noqa: T201 - this is how it answers


def _is_written(made: bytes, out: int) -> bool:
    try:
        with os.fdopen(out, "wb") as file:
            file.write(made)
    except OSError:
        return False
    return True


def _do(task: str, data: bytes, options: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    from . import Refused, tasks  # after the bounds, so that they hold for what their libraries do, too

    try:
        return tasks.TASKS[task](data, **options)
    except MemoryError:
        return {"refused": "too_much"}, b""
    except Refused as refusal:
        return {"refused": str(refusal)}, b""
    except Exception:  # decoders raise whatever they like
        return {"refused": "broken"}, b""


if __name__ == "__main__":
    main()
