"""`LOG_FORMAT=console`: a terminal is shown what others chose, and obeys none of it."""

import logging
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
import structlog

from accounting.logging import PROCESSORS, _formatter

CLEAR = "\x1b[2J\x1b]0;title\x07\x9b31m\u202e"
SHOWN = r"\x1b[2J\x1b]0;title\x07\x9b31m\u202e"


@pytest.fixture
def terminal() -> Iterator[StringIO]:
    """Lend what a logger of its own writes to."""
    out = StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(_formatter("console"))
    logger = logging.getLogger("console")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield out
    logger.removeHandler(handler)


def ours() -> Any:
    wrapper = structlog.make_filtering_bound_logger(logging.INFO)
    return structlog.wrap_logger(logging.getLogger("console"), processors=PROCESSORS, wrapper_class=wrapper)


def fail() -> None:
    try:
        raise ValueError(f"one\n{CLEAR}")
    except ValueError:
        ours().exception("failed")


@pytest.mark.parametrize(
    "log",
    [
        lambda: ours().info("request", path=f"/{CLEAR}"),
        lambda: ours().info("request", paths=[f"/{CLEAR}"], path=f"a b{CLEAR}"),
        lambda: logging.getLogger("console").warning("Not found: %s", CLEAR),
        fail,
    ],
)
def test_what_somebody_sent_is_written_and_not_obeyed(terminal: StringIO, log: Callable[[], None]) -> None:
    log()
    written = terminal.getvalue()
    assert SHOWN in written.replace(r"\\", "\\")
    assert not [each for each in ("\x1b[2J", "\x1b]", "\x07", "\x9b", "\u202e") if each in written]
