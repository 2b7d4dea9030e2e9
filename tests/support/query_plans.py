"""How the database would find what a query asks for, in tables as full as in production."""

from collections.abc import Iterable
from typing import Any

from django.db import connection
from django.db.models import Model

EXPLAIN = {"postgresql": "EXPLAIN", "sqlite": "EXPLAIN QUERY PLAN"}


def multiply(row: Model, differences: Iterable[dict[str, Any]]) -> None:
    """Add one row like that for each of the differences, so that reading all of the table is out of the question."""
    model = type(row)
    same = {
        field.attname: getattr(row, field.attname) for field in model._meta.concrete_fields if not field.primary_key
    }
    model._default_manager.bulk_create(model(**{**same, **different}) for different in differences)


def plan(sql: str) -> str:
    """Return its plan, made for what is in the tables now.

    A database that has not looked at them since they were filled plans for what other tests once left there.
    """
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute(f"{EXPLAIN[connection.vendor]} {sql}")
        return "\n".join(str(row) for row in cursor.fetchall())
