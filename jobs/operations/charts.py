"""Charts drawn here, as SVG that needs no script: numbers in, shapes and a table of the same numbers out.

The drawing is stretched to the width that there is, so it holds shapes only; whatever is to be read is HTML beside it.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

STEP = 10.0  # the width of one step, in units of the drawing
HEIGHT = 100.0
NICE = (1, 1.2, 1.6, 2, 3, 4, 6, 8, 10)
BAR = 0.7  # the share of a step that its bar fills
# spans that `format_duration` says exactly, and their halves
SECONDS = (1, 2, 4, 10, 20, 40, 60)
MINUTES = (2, 4, 10, 20, 40, 60)
HOURS = (2, 4, 8, 12, 24)


class ChartKind(StrEnum):
    """How a chart is drawn."""

    BARS = "bars"  # one upon another
    LINES = "lines"
    AREA = "area"


@dataclass(frozen=True, kw_only=True)
class Series:
    """One row of numbers.

    Attributes:
        name: for the legend.
        tone: the name of its colour: good, bad, warn or info.
        values: one for each step; None where there is none.
    """

    name: str
    tone: str
    values: Sequence[float | None]


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float
    tone: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line through the steps that have a number, and the area below it."""

    points: str
    area: str
    tone: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """What is to be drawn.

    Attributes:
        name: of the element, for those that refer to it.
        unit: of the numbers, for people.
        description: what it shows, for those who do not see it.
        steps: when each began, as the table says it.
        axis: what stands below, evenly spread: each at the left end of its share.
        low, high: what the lower and the upper edge stand for.
        formatter: writes a number for people.
    """

    name: str
    title: str
    unit: str
    description: str
    kind: ChartKind
    series: Sequence[Series]
    steps: Sequence[str]
    axis: Sequence[str]
    low: float = 0.0
    high: float
    formatter: Callable[[float], str]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be drawn: no number, or nothing but bars of no height."""
        nothing = (None, 0) if self.kind is ChartKind.BARS else (None,)
        return all(value in nothing for series in self.series for value in series.values)

    @property
    def width(self) -> float:
        """The drawing's width."""
        return STEP * len(self.steps)

    @property
    def ticks(self) -> list[str]:
        """What the upper edge, the middle and the lower edge stand for."""
        return [self.formatter(value) for value in (self.high, (self.high + self.low) / 2, self.low)]

    @property
    def bars(self) -> list[Bar]:
        """The rectangles, those of the first series at the bottom."""
        return list(self._bars()) if self.kind is ChartKind.BARS else []

    @property
    def lines(self) -> list[Line]:
        """The lines; a step without a number leaves a gap."""
        if self.kind is ChartKind.BARS:
            return []
        return [_line(run, series.tone) for series in self.series for run in self._runs(series)]

    @property
    def rows(self) -> list[tuple[str, list[str]]]:
        """The table: each step with its numbers."""
        columns = zip(*(series.values for series in self.series), strict=True)
        return [
            (step, ["–" if value is None else self.formatter(value) for value in values])
            for step, values in zip(self.steps, columns, strict=True)
        ]

    def _height(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return HEIGHT * min(max(share, 0.0), 1.0)

    def _bars(self) -> Iterator[Bar]:
        reached = [0.0] * len(self.steps)
        for series in self.series:
            for step, value in enumerate(series.values):
                height = self._height(value or 0)
                reached[step] += height
                if height:
                    x = STEP * (step + (1 - BAR) / 2)
                    yield Bar(x=x, y=HEIGHT - reached[step], width=STEP * BAR, height=height, tone=series.tone)

    def _runs(self, series: Series) -> Iterator[list[tuple[float, float]]]:
        """Yield the points of each unbroken run of steps."""
        run: list[tuple[float, float]] = []
        for step, value in enumerate([*series.values, None]):
            if value is not None:
                run.append((STEP * (step + 0.5), HEIGHT - self._height(value)))
            elif run:
                yield run
                run = []


def nice_ceiling(value: float) -> float:
    """Return the next number that reads well as the end of an axis, and whose half does too."""
    if value <= 0:
        return 1.0
    magnitude = 10.0 ** math.floor(math.log10(value))
    return next(step * magnitude for step in NICE if step * magnitude >= value * (1 - 1e-9))


def next_span(seconds: float) -> float:
    """Return the next number of seconds that reads well as the end of an axis, and whose half does too."""
    spans = [*SECONDS, *(60 * number for number in MINUTES), *(3600 * number for number in HOURS)]
    two_days = 2 * 86_400
    return next((span for span in spans if span >= seconds), two_days * math.ceil(seconds / two_days))


def _line(run: list[tuple[float, float]], tone: str) -> Line:
    if len(run) == 1:  # a point alone is drawn as a short line
        ((x, y),) = run
        run = [(x - STEP / 4, y), (x + STEP / 4, y)]
    points = _points(run)
    area = _points([(run[0][0], HEIGHT), *run, (run[-1][0], HEIGHT)])
    return Line(points=points, area=area, tone=tone)


def _points(run: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:.2f}" for x, y in run)
