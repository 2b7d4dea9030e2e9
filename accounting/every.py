"""What is done now and then, by a process' own clock."""

import time

SAID_EVERY_SECONDS = 60  # what lasts is said at once and then so often: whoever meets it all the time reports it too


class Every:
    """Tells when it is time again: at once, and then whenever so many seconds are over."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next_at = 0.0

    def is_due(self) -> bool:
        """Tell whether it is time now; then it is not for as long."""
        if time.monotonic() < self._next_at:
            return False
        self._next_at = time.monotonic() + self._seconds
        return True
