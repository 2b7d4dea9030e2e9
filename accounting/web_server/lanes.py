"""The web process's threads, in two lanes: what has to do with pictures waits for its like, and nobody waits for it."""

import time
from typing import Any

from waitress.task import ThreadedTaskDispatcher


class Lanes(ThreadedTaskDispatcher):
    """waitress' own threads with their queue, and a second set of both for uploads and thumbnails.

    Whoever is answered shares Python's lock with all who are answered at the same time, and pictures need it longest
    (docs/decisions/0074-pictures-in-a-lane-of-their-own.md).

    Args:
        pictures: how many threads are for requests that have to do with a picture.
        all_else: how many are for the rest.
    """

    def __init__(self, *, pictures: int, all_else: int) -> None:
        super().__init__()
        self._pictures = ThreadedTaskDispatcher()
        self._pictures.set_thread_count(pictures)
        self.set_thread_count(all_else)

    def add_task(self, task: Any) -> None:
        """Let the next request of a connection wait for a thread of its lane."""
        request = task.requests[0]
        request.waits_since = time.monotonic()
        if request.is_about_a_picture and not request.error:  # what is refused already has not to be looked at
            self._pictures.add_task(task)
        else:
            super().add_task(task)

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:
        """End all threads within so many seconds, and drop the requests that wait for one if they are to be dropped."""
        self._pictures.set_thread_count(0)  # they end while the others are waited for
        half: Any = timeout / 2  # the stubs take whole seconds only
        is_dropped = super().shutdown(cancel_pending, half)
        return self._pictures.shutdown(cancel_pending, half) and is_dropped
