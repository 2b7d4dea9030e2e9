"""How commands tell what they are at: a bar where somebody watches, and lines that leave it whole."""

import os
import sys
from io import StringIO
from typing import TYPE_CHECKING, TextIO

import click

from .printable import printable

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar
    from django.core.management.base import OutputWrapper

ERASE_LINE = "\r\033[K"
UNHEARD = 141  # as shells have it: 128 and the number of SIGPIPE


def bar(label: str, total: int) -> "ProgressBar[int]":
    """Return a bar of so many steps; it is drawn on a terminal only."""
    # `hidden` is unknown to the click of Debian 12, and without a terminal its label would be written
    return click.progressbar(length=total, label=label, file=sys.stderr if _is_watched() else StringIO())


def say(out: "OutputWrapper | TextIO", line: str) -> None:
    """Write a line, at once, though it quote a row that somebody changed; the bar is drawn anew below it.

    Raises:
        SystemExit: whoever read the lines has left, as `head` does.
    """
    if _is_watched():
        click.echo(ERASE_LINE, nl=False, err=True)
    try:
        out.write(f"{printable(line)}\n")
        out.flush()
    except BrokenPipeError:
        # or Python, at its end, would try again and complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(UNHEARD)


def _is_watched() -> bool:
    return sys.stderr.isatty()
