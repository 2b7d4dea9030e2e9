"""Threads take memory from one place, and what is loaded is no garbage."""

import subprocess
import sys

import pytest

# each of eight threads, one after the other, takes 40 MB in pieces, gives back all but the last one, and lives on
THREADS_WITH_LARGE_PICTURES = """
import resource, threading
from pathlib import Path
from accounting.memory import share_memory_among_threads

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 1_000_000

def look(done):
    pieces = [bytearray(100_000) for _ in range(400)]
    kept = pieces.pop()
    pieces.clear()
    done.set()
    may_end.wait()

share_memory_among_threads()
before, may_end = resident(), threading.Event()
for _ in range(8):
    done = threading.Event()
    threading.Thread(target=look, args=[done]).start()
    done.wait()
print(resident() - before)
may_end.set()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it counts as Linux does, and glibc is meant")
def test_what_one_thread_gave_back_is_there_for_the_next() -> None:
    command = [sys.executable, "-c", THREADS_WITH_LARGE_PICTURES]
    grown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert int(grown) < 100


def test_garbage_is_looked_for_once_all_is_loaded_and_among_what_came_later() -> None:
    command = [sys.executable, "manage.py", "shell", "--no-imports", "--command"]
    code = "import gc; print(gc.isenabled(), gc.get_freeze_count() > len(gc.get_objects()))"
    told = subprocess.run([*command, code], capture_output=True, text=True, timeout=60, check=True).stdout
    assert told == "True True\n"
