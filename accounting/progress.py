"""How commands tell what they are at: a bar where somebody watches, and lines that leave it whole."""

import sys
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar
    from django.core.management.base import OutputWrapper

ERASE_LINE = "\r\033[K"


def bar(label: str, total: int) -> "ProgressBar[int]":
    """Return a bar of so many steps; it is drawn on a terminal only."""
    return click.progressbar(length=total, label=label, file=sys.stderr, hidden=not _is_watched())


def say(out: "OutputWrapper | TextIO", line: str) -> None:
    """Write a line; the bar is drawn anew below it."""
    if _is_watched():
        click.echo(ERASE_LINE, nl=False, err=True)
    out.write(line)


def _is_watched() -> bool:
    return sys.stderr.isatty()
