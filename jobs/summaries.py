"""Summaries of what the workflow read from receipts: the few words by which somebody knows one again."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from .models import JobLog

AMOUNTS = ("amount", "total", "subtotal", "tax", "net", "gross", "price", "tip", "discount")
LONGEST = 60  # letters of each


def receipt_summaries(jobs: Iterable[JobLog]) -> dict[UUID, str]:
    """Return shop, day and total for each job whose workflow named them so, as ours do; of the rest nothing is read."""
    wanted = [job.pk for job in jobs if not job.is_open]
    fields = ("result__vendor", "result__date", "result__total", "result__currency")
    rows = JobLog.objects.filter(pk__in=wanted).order_by().values_list("pk", *fields)
    return {pk: _summary(*read) for pk, *read in rows}


def format_amount(name: str, value: Any) -> Any:
    """Return an amount with its cents, of which JSON leaves the last zeros out; a tax rate or a weight is none."""
    is_amount = isinstance(value, float) and name.lower().rpartition("_")[2] in AMOUNTS
    return f"{value:.2f}" if is_amount and round(value, 2) == value else value


def _summary(vendor: Any, day: Any, total: Any, currency: Any) -> str:
    price = _plain(format_amount("total", total))
    parts = (_plain(vendor), _plain(day), f"{price} {_plain(currency)}".strip() if price else "")
    return " · ".join(filter(None, parts))


def _plain(value: Any) -> str:
    """Return a text or a number, cut where it is long; nothing of what holds more."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    text = str(value).strip()
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
