"""How the C library hands out memory in this process."""

import ctypes
from contextlib import suppress

M_ARENA_MAX = -8  # <malloc.h>


def share_memory_among_threads() -> None:
    """Let all threads take memory from one place; before there are threads.

    glibc has a place for each thread (mallopt(3), M_ARENA_MAX), and what a thread gives back stays in its own, where
    no other finds it: eight threads that have each looked at a large picture keep eight times as much. Another C
    library has no such places, and nothing is done.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
