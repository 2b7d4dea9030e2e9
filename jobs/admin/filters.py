"""What the list of jobs may be narrowed by besides dates; every one has an index, but for what only a link leads to."""

from collections.abc import Callable, Iterator
from typing import Any

from django.contrib.admin import ChoicesFieldListFilter, SimpleListFilter
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

from accounting.clock import database_now
from jobs.causes import cause_of_delay
from jobs.models import JobLog
from jobs.operations.attention import failed_earlier, failed_lately

Narrow = Callable[[QuerySet[JobLog]], QuerySet[JobLog]]
PROGRESS: dict[str, tuple[str, Narrow]] = {
    "open": ("Open", lambda jobs: jobs.filter(due_at__isnull=False)),
    "overdue": ("Overdue", lambda jobs: jobs.filter(JobLog.overdue(database_now()))),
    "ended": ("Ended", lambda jobs: jobs.filter(due_at__isnull=True)),
    "failed": ("Failed since yesterday", lambda jobs: jobs & failed_lately(database_now())),
    "failed-earlier": ("Failed in the month before", lambda jobs: jobs & failed_earlier(database_now())),
}


class ProgressFilter(SimpleListFilter):
    """Open, overdue, over, or what failed of late and nobody has seen to."""

    title = "progress"
    parameter_name = "progress"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices."""
        return [(name, label) for name, (label, _) in PROGRESS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[JobLog]) -> QuerySet[JobLog]:
        """Return the jobs that are so far."""
        chosen = PROGRESS.get(self.value() or "")
        return chosen[1](queryset) if chosen else queryset


class DelayFilter(SimpleListFilter):
    """Why the latest delivery did not arrive; only groups of jobs that wait for a setting lead to it."""

    title = "last try"
    parameter_name = "last_error__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the one choice that was made, if any: without it there is nothing to see."""
        chosen = self.value()
        return [(chosen, cause_of_delay(chosen).sentence.rstrip("."))] if chosen else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[JobLog]) -> QuerySet[JobLog]:
        """Return the jobs that were delayed so."""
        return queryset.filter(last_error=self.value()) if self.value() else queryset


class FoldedChoicesFilter(ChoicesFieldListFilter):
    """Choices that are too many to stand open all the time."""

    template = "admin/jobs/joblog/folded_filter.html"


class CanaryFilter(SimpleListFilter):
    """Leaves canaries out, unless they are what is asked for."""

    title = "canaries"
    parameter_name = "canaries"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices."""
        return [("only", "Only canaries")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[JobLog]) -> QuerySet[JobLog]:
        """Return the canaries, or everything else."""
        return queryset.filter(is_canary=self.value() == "only")

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Yield the choices; that of no filter is not all there is."""
        without, *others = super().choices(changelist)
        yield without | {"display": "Left out"}
        yield from others
