"""Summaries of what the workflow read from receipts: the few words by which somebody knows one again."""

import json
from collections.abc import Iterable
from itertools import chain
from typing import Any, NamedTuple
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import ExpressionWrapper, F, JSONField, QuerySet
from django.utils.html import format_html_join

from accounting.filenames import visible

from .models import JobLog

AMOUNTS = ("amount", "total", "subtotal", "tax", "vat", "net", "gross", "price", "tip", "discount")
LONGEST = 60  # letters of each
PLACES = ("result", "result__receipt", "result__data")
SHOPS = ("vendor", "merchant", "shop", "store", "supplier")
TOTALS = ("total", "total_amount", "amount", "gross")
USUAL = [
    [f"{place}__{name}" for place in PLACES for name in part] for part in (SHOPS, ("date",), TOTALS, ("currency",))
]
COLUMNS = {path: f"read_{number}" for number, path in enumerate(chain.from_iterable(USUAL))}


class _Value(JSONField):
    """What is read from within JSON, where SQLite tells texts without their quotes.

    Django would read such a text as JSON again: a number where it looks like one, and an error where it is endless.
    """

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Any:
        """Return the value; of what is neither text nor number, on SQLite, None."""
        if connection.vendor != "sqlite":
            return super().from_db_value(value, expression, connection)
        return value if not isinstance(value, str) or _is_text(value) else None


class Read(NamedTuple):
    """What the workflow read, as far as it gave it a usual name."""

    shop: str
    receipt_date: str
    total: str
    currency: str


def with_what_was_read(jobs: QuerySet[JobLog]) -> QuerySet[JobLog]:
    """Return the jobs with what `read_from` asks for, and without the rest of what was read."""
    values = {column: ExpressionWrapper(F(path), _Value()) for path, column in COLUMNS.items()}
    return jobs.defer("result").annotate(**values)


def read_from(job: JobLog) -> Read:
    """Return what was read of a job that `with_what_was_read` returned."""
    return Read(*(_first(job, paths) for paths in USUAL))


def receipt_summaries(jobs: Iterable[JobLog]) -> dict[UUID, str]:
    """Return shop, day and total, for pages, of each job whose workflow gave them a usual name; no more is read."""
    wanted = [job.pk for job in jobs if not job.is_open]
    of_jobs = with_what_was_read(JobLog.objects.filter(pk__in=wanted)).only("pk").order_by()
    return {job.pk: _summary(*read_from(job)) for job in of_jobs}


def format_amount(name: str, value: Any) -> Any:
    """Return an amount with its cents, of which JSON leaves the last zeros out; a tax rate or a weight is none."""
    is_amount = isinstance(value, float) and name.lower().rpartition("_")[2] in AMOUNTS
    return f"{value:.2f}" if is_amount and round(value, 2) == value else value


def _summary(shop: str, day: str, total: str, currency: str) -> str:
    parts = filter(None, (shop, day, f"{total} {currency}".strip() if total else ""))
    return format_html_join(" · ", "<bdi>{}</bdi>", ((part,) for part in parts))  # Arabic turns round no date after it


def _first(job: JobLog, paths: list[str]) -> str:
    """Return what the first of the paths has that says something."""
    return next(filter(None, (_plain(format_amount(path, getattr(job, COLUMNS[path]))) for path in paths)), "")


def _is_text(value: str) -> bool:
    try:
        return not isinstance(json.loads(value), dict | list | bool | None)
    except (ValueError, RecursionError):
        return True


def _plain(value: Any) -> str:
    """Return a text or a number, without what would turn round its neighbours, cut where it is long; else nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    text = visible(str(value)).strip()
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
