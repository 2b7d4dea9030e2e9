"""Cells of the database, changed to what the service would never write."""

from typing import Any
from uuid import UUID

from django.db import connection


def store(table: str, column: str, expression: str, where: str = "", *values: Any) -> None:
    """Let a column of a table's rows hold what an expression of SQL makes; of those rows that a condition is met by."""
    statement = f"UPDATE {table} SET {column} = {expression} {where and 'WHERE ' + where}"  # noqa: S608 # a test's own
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def store_id(table: str, column: str, was: UUID, to: Any) -> None:
    """Let an id be written in another way."""
    store(table, column, "%s", f"{column} = %s", to, key_of(was))


def key_of(own: UUID) -> Any:
    """Return an id as this database has it."""
    return own if connection.vendor == "postgresql" else own.hex
