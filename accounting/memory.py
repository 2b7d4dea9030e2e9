"""What keeps a process small, and quick to begin."""

import ctypes
import gc
import sys
import warnings
from contextlib import suppress
from importlib import import_module

M_ARENA_MAX = -8  # <malloc.h>


def collect_nothing_while_loading() -> None:
    """Look for no garbage while modules load: Python would do so again and again, among what stays."""
    gc.disable()


def keep_what_is_loaded() -> None:
    """Look for garbage once, and from now on among what comes later only, also at the end of the process."""
    gc.collect()
    gc.freeze()
    gc.enable()


def share_memory_among_threads() -> None:
    """Let all threads take memory from one place; before there are threads.

    glibc has a place for each thread (mallopt(3), M_ARENA_MAX), and what a thread gives back stays in its own, where
    no other finds it: eight threads that have each looked at a large picture keep eight times as much. Another C
    library has no such places, and nothing is done.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def load_requests_without_guessing() -> None:
    """Load requests without charset_normalizer, which guesses how texts are encoded: nobody here asks it to.

    That is 3 MB of each process. Requests does without where it is not installed, and warns; for Python it is not
    where None stands for it (https://docs.python.org/3/reference/import.html#the-module-cache).
    """
    if "requests" in sys.modules:
        return
    sys.modules["charset_normalizer"] = None  # type: ignore[assignment]  # typeshed knows modules only
    with warnings.catch_warnings(action="ignore"):
        import_module("requests")
    del sys.modules["charset_normalizer"]
