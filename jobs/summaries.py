"""Summaries of what the workflow read from receipts: the few words by which somebody knows one again."""

from collections.abc import Iterable
from itertools import chain
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import F, QuerySet

from .models import JobLog

AMOUNTS = ("amount", "total", "subtotal", "tax", "net", "gross", "price", "tip", "discount")
LONGEST = 60  # letters of each
PLACES = ("result", "result__receipt", "result__data")
SHOPS = ("vendor", "merchant", "shop", "store", "supplier")
TOTALS = ("total", "total_amount", "amount", "gross")
USUAL = [
    [f"{place}__{name}" for place in PLACES for name in part] for part in (SHOPS, ("date",), TOTALS, ("currency",))
]
COLUMNS = {path: f"read_{number}" for number, path in enumerate(chain.from_iterable(USUAL))}


class Read(NamedTuple):
    """What the workflow read, as far as it gave it a usual name."""

    shop: str
    receipt_date: str
    total: str
    currency: str


def with_what_was_read(jobs: QuerySet[JobLog]) -> QuerySet[JobLog]:
    """Return the jobs with what `read_from` asks for, and without the rest of what was read."""
    return jobs.defer("result").annotate(**{column: F(path) for path, column in COLUMNS.items()})


def read_from(job: JobLog) -> Read:
    """Return what was read of a job that `with_what_was_read` returned."""
    return _read({path: getattr(job, column) for path, column in COLUMNS.items()})


def receipt_summaries(jobs: Iterable[JobLog]) -> dict[UUID, str]:
    """Return shop, day and total of each job whose workflow gave them a usual name; of the rest nothing is read."""
    wanted = [job.pk for job in jobs if not job.is_open]
    rows = JobLog.objects.filter(pk__in=wanted).order_by().values("pk", *COLUMNS)
    return {row["pk"]: _summary(*_read(row)) for row in rows}


def format_amount(name: str, value: Any) -> Any:
    """Return an amount with its cents, of which JSON leaves the last zeros out; a tax rate or a weight is none."""
    is_amount = isinstance(value, float) and name.lower().rpartition("_")[2] in AMOUNTS
    return f"{value:.2f}" if is_amount and round(value, 2) == value else value


def _summary(shop: str, day: str, total: str, currency: str) -> str:
    return " · ".join(filter(None, (shop, day, f"{total} {currency}".strip() if total else "")))


def _read(row: dict[str, Any]) -> Read:
    return Read(*(_first(row, names) for names in USUAL))


def _first(row: dict[str, Any], names: list[str]) -> str:
    """Return what the first of the names has that says something."""
    return next(filter(None, (_plain(format_amount(name, row[name])) for name in names)), "")


def _plain(value: Any) -> str:
    """Return a text or a number, cut where it is long; nothing of what holds more."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    text = str(value).strip()
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
