"""Rows of a large table, a few at a time."""

from collections.abc import Iterator
from typing import TypeVar

from django.db.models import Model, QuerySet

T = TypeVar("T", bound=Model)


def in_batches(rows: QuerySet[T], size: int) -> Iterator[list[T]]:
    """Return rows by their primary keys, so many at a time, each time in a query of its own."""
    rows = rows.order_by("pk")
    batch = list(rows[:size])
    while batch:
        yield batch
        batch = list(rows.filter(pk__gt=batch[-1].pk)[:size])
