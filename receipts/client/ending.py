"""How the client ends before it is done, from whatever it was started."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from .refusals import Misused

MISUSED, INTERRUPTED = 2, 130


class Ended(Exception):
    """The client ends before it is done; with an exit code, and a sentence for people."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


@contextmanager
def ending_in_a_sentence() -> Iterator[None]:
    """Make one exception of what ends the client early.

    Raises:
        Ended: it was told something that cannot be done, or was interrupted.
    """
    try:
        yield
    except Misused as misused:
        raise Ended(MISUSED, str(misused)) from None
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends already; a second one would be a traceback
        raise Ended(INTERRUPTED, "Interrupted; the same command goes on from there.") from None
