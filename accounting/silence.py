"""A server that failed a moment ago is left alone for a while: nobody waits for it each time anew."""

import threading
import time

SILENCE_SECONDS = 5


class Silence:
    """Whether a server is thought to be away; what one thread of a process learns counts for all.

    After a failure nobody asks for `SILENCE_SECONDS`; then one asks whether it is back, and the others go on without it
    until that one knows, or the same time is over again.
    """

    def __init__(self) -> None:
        self._until = 0.0
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Let nobody ask: the server failed just now."""
        self._until = time.monotonic() + SILENCE_SECONDS

    def end(self) -> None:
        """Let everybody ask: the server answered."""
        self._until = 0.0

    @property
    def is_on(self) -> bool:
        """Whether the server has not answered since it failed."""
        return self._until > 0

    @property
    def is_fresh(self) -> bool:
        """Whether nobody is to ask yet."""
        return time.monotonic() < self._until

    def may_ask(self) -> bool:
        """Tell whether this caller may ask; where the time is over, it is the one that finds out."""
        with self._lock:
            if self.is_fresh:
                return False
            if self.is_on:
                self._until = time.monotonic() + SILENCE_SECONDS
            return True
