"""The dates that the list of jobs may be narrowed by: lately, a year, a month or a day, and from one day to another."""

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.admin import DateFieldListFilter, ListFilter, SimpleListFilter
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from jobs.models import JobLog

DAY = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")
DATES = ("on", "from", "to", "created_at__gte", "created_at__lt")  # whichever is chosen replaces the others


class LatelyFilter(DateFieldListFilter):
    """Today, this month and the like."""

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Yield the choices; with days that were chosen elsewhere it is none of them."""
        elsewhere = not self.date_params and any(changelist.params.get(name) for name in DATES)
        for choice, (_, dates) in zip(super().choices(changelist), self.links, strict=True):
            link = changelist.get_query_string(dates, remove=DATES)
            yield choice | {"query_string": link, "selected": choice["selected"] and not elsewhere}


@dataclass(frozen=True)
class CalendarPeriod:
    """A year, a month or a day (UTC)."""

    name: str

    @cached_property
    def parts(self) -> list[int]:
        """Year, month and day, as far as they are given."""
        found = DAY.fullmatch(self.name)
        return [int(part) for part in found.groups() if part] if found else []

    @cached_property
    def start(self) -> datetime:
        """When it begins.

        Raises:
            ValueError: there is no such day.
        """
        if not self.parts:
            raise ValueError("It is no date.")
        year, month, day = [*self.parts, 1, 1, 1][:3]
        return datetime(year, month, day, tzinfo=UTC)

    @cached_property
    def end(self) -> datetime:
        """When the next one begins."""
        match len(self.parts):
            case 1:
                return self.start.replace(year=self.start.year + 1)
            case 2:
                return (self.start + timedelta(days=32)).replace(day=1)
        return self.start + timedelta(days=1)

    @property
    def label(self) -> str:
        """Return its name in words."""
        return self.start.strftime(["", "%Y", "%B %Y", "%-d %B %Y"][len(self.parts)])

    @property
    def short(self) -> str:
        """Return its name where that of its year, or of its month, stands beside it."""
        return self.start.strftime(["", "%Y", "%B", "%-d %b"][len(self.parts)])

    @property
    def above(self) -> "CalendarPeriod | None":
        """The month of a day, or the year of a month."""
        return CalendarPeriod(self.name.rpartition("-")[0]) if len(self.parts) > 1 else None

    def within(self) -> list["CalendarPeriod"]:
        """Return a year's months, or a month's days."""
        match self.parts:
            case [_]:
                last = 12
            case [year, month]:
                last = monthrange(year, month)[1]
            case _:
                last = 0
        return [CalendarPeriod(f"{self.name}-{number:02}") for number in range(1, last + 1)]


class DayFilter(SimpleListFilter):
    """From years to months to days: the periods between the first job and the last one, whether or not they had any.

    Django's own drill-down reads the whole table for those that had some.
    """

    title = "day"
    template = "admin/jobs/joblog/days.html"
    parameter_name = "on"
    is_drill_down = True

    def has_output(self) -> bool:
        """Tell whether there is anything to choose."""
        return True

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return none: `choices` has its own."""
        return []

    def queryset(self, request: HttpRequest, queryset: QuerySet[JobLog]) -> QuerySet[JobLog]:
        """Return the jobs that came in meanwhile.

        Raises:
            ValueError, OverflowError: there is no such day; `OperationsSite` leads to the whole list.
        """
        period = self._chosen
        return queryset.filter(created_at__gte=period.start, created_at__lt=period.end) if period else queryset

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Yield what leads up, what is chosen, and then what leads down."""
        if self._chosen:
            if above := self._chosen.above:
                yield self._choice(changelist, above, label=f"‹ {above.label}")
            yield {"query_string": changelist.get_query_string(remove=DATES), "display": "‹ All dates"}
            yield self._choice(changelist, self._chosen, label=self._chosen.label)
        for period in self.periods():
            if period != self._chosen:
                yield self._choice(changelist, period, label=period.short)

    def _choice(self, changelist: ChangeList, period: CalendarPeriod, *, label: str) -> dict[str, Any]:
        link = changelist.get_query_string({self.parameter_name: period.name}, remove=DATES)
        return {"query_string": link, "display": label, "selected": period.name == self.value()}

    @cached_property
    def _chosen(self) -> CalendarPeriod | None:
        return CalendarPeriod(self.value() or "") if self.value() else None

    def periods(self) -> list[CalendarPeriod]:
        """Return the periods to choose from."""
        first, last = _edge("created_at"), _edge("-created_at")
        if first is None or last is None:
            return []
        wide = self._chosen or _narrowest(first, last)
        if wide is None:
            return [CalendarPeriod(f"{year:04}") for year in range(first.year, last.year + 1)]
        if len(wide.parts) == 3:
            return [wide]
        return [period for period in wide.within() if period.end > first and period.start <= last]


class SpanFilter(ListFilter):
    """From one day to another, both of them included (UTC)."""

    title = "dates"
    is_span = True
    parameter_names = ("from", "to")
    replaces = DATES

    def __init__(self, request: HttpRequest, params: dict[str, list[str]], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.used_parameters = {name: params.pop(name)[-1] for name in self.parameter_names if name in params}

    def expected_parameters(self) -> list[str | None]:
        """Return the names that it has in an address."""
        return list(self.parameter_names)

    def has_output(self) -> bool:
        """Tell whether there is anything to choose."""
        return True

    @property
    def first(self) -> str:
        """The day from which on, or ""."""
        return str(self.used_parameters.get("from", ""))

    @property
    def last(self) -> str:
        """The day up to which, or ""."""
        return str(self.used_parameters.get("to", ""))

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Yield any date, and the days that were chosen."""
        yield {"display": "Any date"}
        if self.first or self.last:
            days = {"from": self.first, "to": self.last}
            yield {"display": " ".join(f"{way} {day}" for way, day in days.items() if day), "selected": True}

    @property
    def is_backwards(self) -> bool:
        """Whether no day can be meant."""
        return bool(self.first and self.last) and self.first > self.last

    def queryset(self, request: HttpRequest, queryset: QuerySet[JobLog]) -> QuerySet[JobLog]:
        """Return the jobs that came in meanwhile.

        Raises:
            ValueError, OverflowError: there is no such day; `OperationsSite` leads to the whole list.
        """
        if self.first:
            queryset = queryset.filter(created_at__gte=_day(self.first).start)
        if self.last:
            queryset = queryset.filter(created_at__lt=_day(self.last).end)
        return queryset


def _day(name: str) -> CalendarPeriod:
    day = CalendarPeriod(name)
    if len(day.parts) != 3:
        raise ValueError("It is no day.")
    return day


def _edge(order: str) -> datetime | None:
    return JobLog.objects.order_by(order).values_list("created_at", flat=True).first()


def _narrowest(first: datetime, last: datetime) -> CalendarPeriod | None:
    """Return the month or the year in which everything happened, if there is one."""
    if first.year != last.year:
        return None
    return CalendarPeriod(f"{first:%Y-%m}") if first.month == last.month else CalendarPeriod(f"{first:%Y}")
