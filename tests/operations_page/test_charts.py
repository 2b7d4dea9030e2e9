"""Charts: numbers in, shapes and a table of the same numbers out, which can be read without a script or a picture."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from django.template.loader import render_to_string

from jobs.durations import format_duration, format_milliseconds
from jobs.operations.charts import Chart, ChartKind, Series, next_span, nice_ceiling

SUCCESS = Series(name="success", tone="good", values=[4, 0, 8])
FAILURE = Series(name="failure", tone="bad", values=[1, 0, 2])
RATE = Series(name="rate", tone="good", values=[100, None, 50])


def chart(*series: Series, kind: ChartKind = ChartKind.BARS, **changes: Any) -> Chart:
    fields: dict[str, Any] = {
        "name": "throughput",
        "title": "Throughput",
        "unit": "jobs an hour",
        "description": "12 succeeded.",
        "kind": kind,
        "series": series or (SUCCESS, FAILURE),
        "steps": ["9:00", "10:00", "11:00"],
        "axis": ["9:00", "10:00", "11:00"],
        "high": 10.0,
        "formatter": "{:.0f}".format,
    }
    return Chart(**fields | changes)


def drawn(chart: Chart) -> str:
    return render_to_string("admin/operations/chart.html", {"chart": chart})


class Cells(HTMLParser):
    """Collects the text of a page's table cells."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a cell."""
        if tag in ("td", "th"):
            self.found.append("")

    def handle_data(self, data: str) -> None:
        """Take what stands in it."""
        if self.found:
            self.found[-1] += data.strip()


# -- shapes


def test_bars_stand_upon_one_another_and_reach_as_high_as_their_numbers() -> None:
    bars = [(bar.tone, bar.y, bar.height) for bar in chart().bars]
    assert bars == [("good", 60, 40), ("good", 20, 80), ("bad", 50, 10), ("bad", 0, 20)]


def test_a_line_has_a_gap_where_there_is_no_number() -> None:
    first, second = chart(RATE, kind=ChartKind.AREA, low=0.0, high=100.0).lines
    assert (first.points, second.points) == ("2.5,0.00 7.5,0.00", "22.5,50.00 27.5,50.00")
    (whole,) = chart(SUCCESS, kind=ChartKind.LINES).lines
    assert whole.points == "5,60.00 15,100.00 25,20.00"
    assert whole.area == "5,100.00 5,60.00 15,100.00 25,20.00 25,100.00"


def test_an_axis_may_begin_above_nothing_and_says_so() -> None:
    rates = chart(RATE, kind=ChartKind.AREA, low=50.0, high=100.0)
    assert rates.ticks == ["100", "75", "50"]
    assert rates.lines[1].points == "22.5,100.00 27.5,100.00"


@pytest.mark.parametrize(
    ("value", "end"), [(0, 1), (0.3, 0.3), (1, 1), (1.1, 1.2), (7, 8), (10, 10), (11, 12), (107, 120), (9001, 10_000)]
)
def test_the_end_of_an_axis_reads_well(value: float, end: float) -> None:
    assert nice_ceiling(value) == pytest.approx(end)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0 s"),
        (0, "0 s"),
        (0.01, "0 s"),
        (9.96, "10 s"),
        (3.84, "3.8 s"),
        (47.3, "47 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7200, "2 h"),
        (3e5, "3 d"),
    ],
)
def test_spans_are_told_in_the_unit_that_fits(seconds: float, words: str) -> None:
    assert format_duration(seconds) == words


@pytest.mark.parametrize(("ms", "words"), [(0, "0 ms"), (2022, "2,022 ms"), (9999, "9,999 ms"), (12_345, "12 s")])
def test_milliseconds_are_told_as_such_while_somebody_counts_them(ms: int, words: str) -> None:
    assert format_milliseconds(ms) == words


@pytest.mark.parametrize("seconds", [0, 0.3, 1.5, 9, 33, 61, 299, 300, 1199, 7201, 90_000, 500_000])
def test_an_axis_of_time_tells_its_end_and_its_half_exactly(seconds: float) -> None:
    end = next_span(seconds)
    assert end >= seconds
    sizes = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
    for exact in (end, end / 2):
        number, unit = format_duration(exact).split()
        assert float(number) * sizes[unit] == exact


# -- what is read


def test_the_drawing_has_a_title_and_a_description() -> None:
    html = drawn(chart())
    ids = re.search(r'<svg role="img" aria-labelledby="(\S+) (\S+)"', html)
    assert ids is not None
    assert f'<title id="{ids[1]}">Throughput, jobs an hour</title>' in html
    assert f'<desc id="{ids[2]}">12 succeeded.</desc>' in html


def test_a_table_tells_the_same_numbers() -> None:
    assert Cells(drawn(chart(SUCCESS, RATE))).found == [
        "From", "success", "rate", "9:00", "4", "100", "10:00", "0", "–", "11:00", "8", "50",
    ]  # fmt: skip


def test_series_are_told_apart_by_name_and_not_by_colour_alone() -> None:
    assert re.findall(r'<li class="tone-(\w+)">(\w+)</li>', drawn(chart())) == [("good", "success"), ("bad", "failure")]


def test_what_a_number_or_a_name_holds_is_never_markup() -> None:
    html = drawn(chart(title="<i>", formatter=lambda _: "<b>"))
    assert {"&lt;i&gt;", "&lt;b&gt;"} <= set(re.findall("&lt;[ib]&gt;", html))
    assert "<i>" not in html
    assert "<b>" not in html


def test_a_rate_of_nothing_is_drawn() -> None:
    none = Series(name="rate", tone="good", values=[None, 0, 0])
    assert not chart(none, kind=ChartKind.AREA, low=0.0, high=100.0).is_empty


def test_where_there_is_nothing_to_draw_it_says_so() -> None:
    nothing = chart(Series(name="success", tone="good", values=[None, 0, None]))
    assert nothing.is_empty
    assert "Nothing in this time." in drawn(nothing)
    assert "<svg" not in drawn(nothing)
