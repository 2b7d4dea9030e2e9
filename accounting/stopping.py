"""How a loop is told by a signal to stop."""

import time

LOOK_SECONDS = 0.2  # a signal cuts no sleep short


class StopSign:
    """Set by a signal, and waited for in the loop that the signal interrupts.

    It is no `threading.Event`, whose `wait` holds a lock at moments: a signal then would wait for that lock in the same
    thread, and so for ever.
    """

    def __init__(self) -> None:
        self._is_set = False

    def set(self, *_: object) -> None:
        """Tell to stop; a signal handler."""
        self._is_set = True

    def is_set(self) -> bool:
        """Tell whether to stop."""
        return self._is_set

    def wait(self, seconds: float) -> bool:
        """Wait for so long, unless told to stop; return whether to stop."""
        end = time.monotonic() + seconds
        while not self._is_set and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, LOOK_SECONDS))
        return self._is_set
