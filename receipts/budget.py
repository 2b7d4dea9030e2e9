"""Lets as many look at pictures at once as fit into the memory set aside for it; the others wait."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


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
        """Take that many bytes (at the most all there are) for as long as the block runs."""
        taken = min(int(amount), self.size)
        with self._turn, self._changed:
            self._changed.wait_for(lambda: self._left >= taken)
            self._left -= taken
        try:
            yield
        finally:
            with self._changed:
                self._left += taken
                self._changed.notify()
