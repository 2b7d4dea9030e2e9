"""The charts of the operations page."""

from datetime import datetime

from jobs.durations import format_duration
from jobs.periods import PeriodFigures
from jobs.stats import Figures

from .charts import Chart, ChartKind, Series, next_span, nice_ceiling

SHARES_OF_AXIS = {"24h": 6, "7d": 7, "30d": 6}


def charts(figures: PeriodFigures) -> list[Chart]:
    """Return throughput, success rate and latency over the period."""
    return [_throughput_chart(figures), _success_rate_chart(figures), _latency_chart(figures)]


def _throughput_chart(figures: PeriodFigures) -> Chart:
    steps = _by_step(figures)
    highest = max(each.succeeded + each.failures for each in steps)
    total, each_step = figures.total, _each_step(figures)
    return Chart(
        name="throughput",
        title="Throughput",
        unit=f"jobs ended {each_step}",
        description=f"{total.succeeded:,} succeeded, {total.failures:,} failed; {highest:,} {each_step} at most.",
        kind=ChartKind.BARS,
        series=[
            Series(name="success", tone="good", values=[each.succeeded for each in steps]),
            Series(name="failure", tone="bad", values=[each.failures for each in steps]),
        ],
        steps=_step_labels(figures),
        axis=_axis_labels(figures),
        high=_end_of_axis(highest),
        formatter="{:,.0f}".format,
    )


def _success_rate_chart(figures: PeriodFigures) -> Chart:
    rates = [None if each.success_rate is None else each.success_rate * 100 for each in _by_step(figures)]
    known = [rate for rate in rates if rate is not None]
    lowest = min(known, default=100.0)
    return Chart(
        name="success-rate",
        title="Success rate",
        unit=f"% of jobs ended {_each_step(figures)}",
        description=f"Lowest {lowest:.1f} %." if known else "Nothing ended.",
        kind=ChartKind.AREA,
        series=[Series(name="success rate", tone="good", values=rates)],
        steps=_step_labels(figures),
        axis=_axis_labels(figures),
        low=next(floor for floor in (90.0, 50.0, 0.0) if lowest >= floor),
        high=100.0,
        formatter="{:.0f} %".format,
    )


def _latency_chart(figures: PeriodFigures) -> Chart:
    steps = _by_step(figures)
    slow = [each.seconds(0.95) for each in steps]
    highest = max((seconds for seconds in slow if seconds), default=0.0)
    return Chart(
        name="latency",
        title="Latency",
        unit="from upload to success",
        description=f"The slowest p95 was {format_duration(highest)}; half were done within the line p50.",
        kind=ChartKind.LINES,
        series=[
            Series(name="p95", tone="warn", values=slow),
            Series(name="p50", tone="info", values=[each.seconds(0.5) for each in steps]),
        ],
        steps=_step_labels(figures),
        axis=_axis_labels(figures),
        high=next_span(highest),
        formatter=format_duration,
    )


def _by_step(figures: PeriodFigures) -> list[Figures]:
    return [step for _, step in figures.steps]


def _each_step(figures: PeriodFigures) -> str:
    hours = figures.period.step
    return "per hour" if hours == 1 else "per day" if hours == 24 else f"per {hours} hours"


def _step_labels(figures: PeriodFigures) -> list[str]:
    form = "%b" if figures.period.step == 24 else "%b %H:%M"
    return [f"{start.day} {start:{form}}" for start, _ in figures.steps]


def _axis_labels(figures: PeriodFigures) -> list[str]:
    """Return what stands below a chart: hours, or days with the month below them where it is another."""
    starts = [start for start, _ in figures.steps]
    starts = starts[:: len(starts) // SHARES_OF_AXIS[figures.period.name]]
    if figures.period.step == 1:
        return [f"{start:%H:%M}" for start in starts]
    before = [None, *starts]
    return [_day_label(start, former) for start, former in zip(starts, before, strict=False)]


def _day_label(start: datetime, former: datetime | None) -> str:
    same_month = former is not None and former.month == start.month
    return str(start.day) if same_month else f"{start.day}\n{start:%b}"


def _end_of_axis(highest: int) -> float:
    """Return a number whose half is a whole number, too."""
    return max(highest + highest % 2, 2.0) if highest < 10 else nice_ceiling(highest)
