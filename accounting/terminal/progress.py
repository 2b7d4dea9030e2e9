"""How commands tell what they are at: a bar where somebody watches, and lines that leave it whole."""

import os
import select
import sys
from io import StringIO
from typing import TYPE_CHECKING, NoReturn, TextIO

import click

from .printable import printable

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar
    from django.core.management.base import OutputWrapper

ERASE_LINE = "\r\033[K"
UNHEARD = 141  # as shells have it: 128 and the number of SIGPIPE
UNWRITTEN = 74  # EX_IOERR of sysexits(3), which no command of ours has another meaning for


def bar(label: str, total: int) -> "ProgressBar[int]":
    """Return a bar of so many steps; it is drawn on a terminal only."""
    # `hidden` is unknown to the click of Debian 12, and without a terminal its label would be written
    return click.progressbar(length=total, label=label, file=sys.stderr if _is_watched() else StringIO())


def say(out: "OutputWrapper | TextIO", line: str) -> None:
    """Write a line, at once, though it quote a row that somebody changed; the bar is drawn anew below it.

    Raises:
        SystemExit: whoever read the lines has left, as `head` does, or they cannot be written, as on a full disk.
    """
    if _is_watched():
        click.echo(ERASE_LINE, nl=False, err=True)
    try:
        out.write(f"{printable(line)}\n")
        out.flush()
    except BrokenPipeError:
        stop_unheard()
    except OSError as error:
        write_no_more()
        click.echo(f"Standard output cannot be written ({error.strerror}).", err=True)
        sys.exit(UNWRITTEN)


def is_unheard() -> bool:
    """Tell whether whoever read our lines has left."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)  # an error is told unasked
    return any(event & select.POLLERR for _, event in poll.poll(0))


def stop_unheard() -> NoReturn:
    """End, since nobody reads our lines; without a word, as other commands do."""
    write_no_more()
    sys.exit(UNHEARD)


def write_no_more() -> None:
    """Forget what standard output does not take: Python would try again at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_watched() -> bool:
    return sys.stderr.isatty()
