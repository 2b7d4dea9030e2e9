"""A server that failed a moment ago is left alone for a while: nobody waits for it each time anew."""

import threading
import time

OPEN_SECONDS = 5


class CircuitBreaker:
    """Whether a server is thought to be away; what one thread of a process learns counts for all.

    After a failure nobody asks for `OPEN_SECONDS`; then one asks whether it is back, and the others go on without it
    until that one knows, or the same time is over again.
    """

    def __init__(self) -> None:
        self._until = 0.0
        self._lock = threading.Lock()

    def trip(self) -> None:
        """Let nobody ask: the server failed just now."""
        self._until = time.monotonic() + OPEN_SECONDS

    def reset(self) -> None:
        """Let everybody ask: the server answered."""
        self._until = 0.0

    @property
    def has_tripped(self) -> bool:
        """Whether the server has not answered since it failed."""
        return self._until > 0

    @property
    def is_open(self) -> bool:
        """Whether nobody is to ask yet."""
        return time.monotonic() < self._until

    def allow_request(self) -> bool:
        """Tell whether this caller may ask; where the time is over, it is the one that finds out."""
        with self._lock:
            if self.is_open:
                return False
            if self.has_tripped:
                self._until = time.monotonic() + OPEN_SECONDS
            return True
