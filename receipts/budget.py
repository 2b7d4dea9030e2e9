"""Lets as many look at pictures at once as fit into the memory set aside for it, and leaves threads for all else."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

SMALL_SHARE = 1 / 16  # of the budget; a phone's JPEG draws less


class Crowded(Exception):
    """So many look or wait to look that one more would leave no thread for anything else."""


class MemoryBudget:
    """A number of bytes from which each look draws what it may need, and waits where there is not enough left.

    Who draws little and gets it at once is done soon. Everybody else needs one of the places, to wait and to look.

    Args:
        size: bytes in all.
        places: for how many.
    """

    def __init__(self, size: int, *, places: int) -> None:
        self.size = size
        self._left = size
        self._changed = threading.Condition()
        self._turn = threading.Lock()  # one waits at a time, the others behind it: small ones starve no large one
        self._places = threading.BoundedSemaphore(places)

    @contextmanager
    def draw(self, amount: float) -> Iterator[None]:
        """Take that many bytes (at the most all there are) for as long as the block runs.

        Raises:
            Crowded: there is no place left.
        """
        taken = min(int(amount), self.size)
        if self._is_had_at_once(taken):
            with self._given_back(taken):
                yield
        else:
            with self._place():
                self._wait_for(taken)
                with self._given_back(taken):
                    yield

    def _is_had_at_once(self, taken: int) -> bool:
        """Take little, unless somebody waits for his turn."""
        if taken > self.size * SMALL_SHARE or not self._turn.acquire(blocking=False):
            return False
        try:
            return self._is_taken(taken)
        finally:
            self._turn.release()

    def _is_taken(self, taken: int) -> bool:
        with self._changed:
            if self._left < taken:
                return False
            self._left -= taken
            return True

    def _wait_for(self, taken: int) -> None:
        with self._turn, self._changed:
            self._changed.wait_for(lambda: self._left >= taken)
            self._left -= taken

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise Crowded
        try:
            yield
        finally:
            self._places.release()

    @contextmanager
    def _given_back(self, taken: int) -> Iterator[None]:
        try:
            yield
        finally:
            with self._changed:
                self._left += taken
                self._changed.notify()
