"""Standard output, made fit for whatever a command is to say."""

import os
import sys
from io import TextIOWrapper


def take_any_line() -> None:
    """Let standard output refuse no letter, and be there though it was closed.

    A letter that its encoding does not have is written as `printable` writes what cannot be seen.
    """
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - none is there where it was closed
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
