"""Rollups: what the sweep writes down of spans that are over, so that a page costs the same whatever was done in them.

Hours are counted from events, which never change, so neither does an hour's row. Six hours and days are sums of hours.
The hour that is not closed yet is written down in pieces of five minutes, which go once its own row is there. Several
sweeps may do all of it at once: they find the same, and the first to write a row has written it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import NamedTuple

from django.db.models import Q, QuerySet

from .models import HourlyFigures, JobEvent, SpanFigures
from .stats import GRACE, HOUR, Figures, added_up, begin_of, begins, counted, hour_of

MINUTE = timedelta(minutes=1)
PIECE = 5 * MINUTE
LONGER = (24 * HOUR, 6 * HOUR)
# in one pass, so that catching up delays no sweep by much
CLOSED_AT_ONCE = 12  # hours
SUMMED_AT_ONCE = 40  # days, and as many spans of six hours
COLUMNS = [field.name for field in fields(Figures)]  # as the rows have them


class Span(NamedTuple):
    """A span of time of which there may be a row."""

    length: timedelta
    begin: datetime

    @property
    def hours(self) -> list["Span"]:
        """The hours of it."""
        return [Span(HOUR, hour) for hour in begins(self.begin, self.begin + self.length, HOUR)]


def write_rollups(now: datetime) -> None:
    """Write down whatever is over and is not written yet, a bounded number at each pass.

    Args:
        now: by the database's clock.
    """
    _forget_what_is_not_over(now)
    close_hours(now)
    sum_up_hours()
    close_pieces(now)


# -- writing


def _forget_what_is_not_over(now: datetime) -> None:
    """Delete the rows of spans that were over by a clock that was ahead: what happens in them would not be counted."""
    hours = HourlyFigures.objects.filter(hour__gt=now - HOUR)
    for rows in (hours, *(_rows(length).filter(begin__gt=now - length) for length in (*LONGER, PIECE))):
        if rows.exists():
            rows.delete()


def close_hours(now: datetime) -> int:
    """Write down the figures of the hours that are over since the last one written; return how many."""
    begin, end = first_open_hour(), hour_of(now - GRACE)
    hours = list(islice(begins(begin, end, HOUR), CLOSED_AT_ONCE)) if begin else []
    rows = [HourlyFigures(hour=hour, **vars(counted(hour, hour + HOUR))) for hour in hours]
    HourlyFigures.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def sum_up_hours() -> int:
    """Write down the sums of those days and six hours all of whose hours are closed; return how many."""
    end = first_open_hour()
    return sum(_sum_up(length, end) for length in LONGER) if end else 0


def _sum_up(length: timedelta, end: datetime) -> int:
    begin = _first_open(length) or end
    spans = list(islice(begins(begin, begin_of(length, end), length), SUMMED_AT_ONCE))
    if spans:
        parts = defaultdict(list)
        for hour, figures in _closed_hours(Q(hour__gte=spans[0], hour__lt=spans[-1] + length)):
            parts[begin_of(length, hour)].append(figures)
        _keep(length, {begin: added_up(parts[begin]) for begin in spans})
    return len(spans)


def close_pieces(now: datetime) -> int:
    """Write down the pieces of the hour that will be closed next; return how many. Those of closed hours go."""
    settled = now - GRACE
    hour = hour_of(settled)
    begin = max(_first_open(PIECE) or hour, hour)
    pieces = list(begins(begin, begin_of(PIECE, settled), PIECE))
    if pieces:
        _keep(PIECE, {piece: counted(piece, piece + PIECE) for piece in pieces})
        _rows(PIECE).filter(begin__lt=hour).delete()
    return len(pieces)


def _keep(length: timedelta, figures: dict[datetime, Figures]) -> None:
    minutes = length // MINUTE
    rows = [SpanFigures(minutes=minutes, begin=begin, **vars(each)) for begin, each in figures.items()]
    SpanFigures.objects.bulk_create(rows, ignore_conflicts=True)


def figures_of(received: int, succeeded: int, failed: dict[str, int], latencies: dict[str, int]) -> Figures:
    """Return the figures that a row keeps."""
    return Figures(received, succeeded, Counter(failed), Counter(latencies))


# -- how far it came


def first_open_hour() -> datetime | None:
    """Return the first hour without figures: after the last that has some, or else that of the very first event."""
    if (closed := HourlyFigures.objects.order_by("-hour").values_list("hour", flat=True).first()) is not None:
        return closed + HOUR
    began: datetime | None = JobEvent.objects.order_by("at").values_list("at", flat=True).first()
    return hour_of(began) if began else None


def first_closed_hour() -> datetime | None:
    """Return the first hour that has figures."""
    return HourlyFigures.objects.order_by("hour").values_list("hour", flat=True).first()


def _first_open(length: timedelta) -> datetime | None:
    """Return the first span of that length without a row, among those of which there are hours."""
    if (last := _rows(length).order_by("-begin").values_list("begin", flat=True).first()) is not None:
        return last + length
    began = first_closed_hour()
    return begin_of(length, began) if began else None


# -- reading


def kept_of(spans: Iterable[Span]) -> dict[Span, Figures]:
    """Return the figures of those spans, hours or longer, that have a row."""
    wanted = defaultdict(list)
    for span in spans:
        wanted[span.length].append(span.begin)
    hours = _closed_hours(Q(hour__in=wanted.pop(HOUR, [])))
    found = {Span(HOUR, hour): figures for hour, figures in hours}
    for length, begins_wanted in wanted.items():
        found |= _kept(length, Q(begin__in=begins_wanted))
    return found


def so_far(hour: datetime) -> Figures:
    """Return the figures of an hour that is not closed: from its pieces up to the first missing, then from events."""
    end = hour + HOUR
    kept = _kept(PIECE, Q(begin__gte=hour, begin__lt=end))
    pieces = list(takewhile(kept.__contains__, (Span(PIECE, begin) for begin in begins(hour, end, PIECE))))
    return added_up([*(kept[piece] for piece in pieces), counted(hour + len(pieces) * PIECE, end)])


def _rows(length: timedelta) -> QuerySet[SpanFigures]:
    return SpanFigures.objects.filter(minutes=length // MINUTE)


def _kept(length: timedelta, which: Q) -> dict[Span, Figures]:
    rows = _rows(length).filter(which).values_list("begin", *COLUMNS)
    return {Span(length, begin): figures_of(*columns) for begin, *columns in rows}


def _closed_hours(which: Q) -> Iterable[tuple[datetime, Figures]]:
    rows = HourlyFigures.objects.filter(which).values_list("hour", *COLUMNS)
    return ((hour, figures_of(*columns)) for hour, *columns in rows)
