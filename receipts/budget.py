"""Lets as many look at pictures at once as fit into the memory set aside for it; the others wait."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

LOOK_BYTES = 280_000_000  # for all looks together: with what the web process is anyway it stays below 400 MB
PATIENCE_SECONDS = 10.0


class Crowded(Exception):
    """There was not enough memory left for too long."""


class MemoryBudget:
    """A number of bytes from which each look draws what it may need, and waits where there is not enough left.

    Args:
        size: bytes in all.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._left = size
        self._changed = threading.Condition()
        self._turn = threading.Lock()  # one waits at a time, the others behind it: small ones starve no large one

    @contextmanager
    def draw(self, amount: float) -> Iterator[None]:
        """Take that many bytes (at the most all there are) for as long as the block runs.

        Raises:
            Crowded: they were not to be had within `PATIENCE_SECONDS`.
        """
        taken = min(int(amount), self.size)
        self._take(taken)
        try:
            yield
        finally:
            with self._changed:
                self._left += taken
                self._changed.notify()

    def _take(self, amount: int) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        if not self._turn.acquire(timeout=PATIENCE_SECONDS):
            raise Crowded
        try:
            with self._changed:
                if not self._changed.wait_for(lambda: self._left >= amount, end - time.monotonic()):
                    raise Crowded
                self._left -= amount
        finally:
            self._turn.release()


looks_budget = MemoryBudget(LOOK_BYTES)
