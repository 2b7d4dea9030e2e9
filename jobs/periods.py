"""The figures of a period that ends now, against those of the period before it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import NamedTuple

from .rollups import LONGER, Span, first_closed_hour, first_open_hour, kept_of, so_far
from .stats import HOUR, Figures, added_up, begin_of, begins, hour_of

LIVE_HOURS = 2  # the present hour, and for the time of grace the one before


class Period(NamedTuple):
    """A span of time that ends now, as the page offers it.

    Attributes:
        name: in the address.
        label: for people.
        hours: how long it is, the step in which now is counted as a whole.
        step: how many hours one point of a chart stands for; a step begins where a day does, or a whole part of it.
    """

    name: str
    label: str
    hours: int
    step: int


PERIODS = (Period("24h", "24 hours", 24, 1), Period("7d", "7 days", 7 * 24, 6), Period("30d", "30 days", 30 * 24, 24))


@dataclass(frozen=True, kw_only=True)
class PeriodFigures:
    """A period's figures.

    Attributes:
        steps: when each step began, and what happened in it; the last is not over yet.
        total: the whole period.
        before: the same hours, shifted by the period's length.
        missing_from: the first hour whose figures the sweep still owes; None where it owes none.
    """

    period: Period
    steps: list[tuple[datetime, Figures]]
    total: Figures
    before: Figures
    missing_from: datetime | None


def period_figures(period: Period, now: datetime) -> PeriodFigures:
    """Return a period's figures, from what the sweep wrote down and from the last events.

    Args:
        now: by the database's clock.
    """
    length, step, end = period.hours * HOUR, period.step * HOUR, hour_of(now) + HOUR
    begin = begin_of(step, now) + step - length
    starts = list(begins(begin, end, step))
    open_from = first_open_hour()
    live_from = max(open_from or end, end - LIVE_HOURS * HOUR)
    spans = [(begin - length, end - length), *((start, min(start + step, end)) for start in starts)]
    before, *steps = _sums(spans, live_from, end)
    return PeriodFigures(
        period=period,
        steps=list(zip(starts, steps, strict=True)),
        total=added_up(steps),
        before=before,
        missing_from=open_from if open_from and open_from < live_from else None,
    )


def _sums(spans: list[tuple[datetime, datetime]], live_from: datetime, end: datetime) -> list[Figures]:
    """Return the figures of each span of whole hours: of the longest rows that there are, and of hours still open."""
    began = first_closed_hour() or live_from  # so that nobody asks for the hours before it
    tiles = [list(tiled(max(begin, began), end)) for begin, end in spans]
    known = kept_of(tile for tile in chain(*tiles) if tile.length > HOUR)
    without_row = [tile for tile in chain(*tiles) if tile not in known]
    known |= kept_of(hour for tile in without_row for hour in tile.hours)
    known |= {Span(HOUR, hour): so_far(hour) for hour in begins(live_from, end, HOUR)}
    return [added_up(_figures_of(each, known)) for each in tiles]


def _figures_of(tiles: Iterable[Span], known: Mapping[Span, Figures]) -> Iterator[Figures]:
    """Yield the figures of each tile, or of its hours where it has no row of its own, as far as they are known."""
    for tile in tiles:
        parts = [tile] if tile in known else tile.hours
        yield from (known[part] for part in parts if part in known)


def tiled(begin: datetime, end: datetime) -> Iterator[Span]:
    """Cover whole hours with the longest spans of which there may be rows."""
    while begin < end:
        lengths = (length for length in LONGER if begin == begin_of(length, begin) and begin + length <= end)
        yield (span := Span(next(lengths, HOUR), begin))
        begin += span.length
