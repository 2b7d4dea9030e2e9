"""Writes many rows at once as the database takes them fastest: by COPY into PostgreSQL, by executemany into SQLite."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Field, Model

Row = bytes | tuple[Any, ...]
NULL = "\\N"


def encoded(rows: Sequence[Model], *, leave_out: str = "") -> list[Row]:
    """Return rows as `write` takes them. This may be done in another process.

    Args:
        leave_out: a column that whoever writes puts before the others (`numbered`).
    """
    if not rows:
        return []
    names = [field.attname for field in columns(type(rows[0])) if field.attname != leave_out]
    plain = ([_plain(getattr(row, name)) for name in names] for row in rows)
    return [_line(row) if _copies() else tuple(row) for row in plain]


def numbered(number: int, row: Row) -> Row:
    """Return the row with its key before it."""
    return b"%d\t%b" % (number, row) if isinstance(row, bytes) else (number, *row)


def write(model: type[Model], rows: Sequence[Row]) -> None:
    """Add the rows to the model's table."""
    quote = connection.ops.quote_name
    names = [quote(str(field.column)) for field in columns(model)]
    table = f"{quote(model._meta.db_table)} ({', '.join(names)})"
    with connection.cursor() as cursor:
        if _copies():
            with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                copy.write(b"".join(rows))  # type: ignore[arg-type] # lines, where it copies
        else:
            places = ", ".join(["%s"] * len(names))
            cursor.executemany(f"INSERT INTO {table} VALUES ({places})", rows)  # noqa: S608 - our models' own names # nosec B608


@contextmanager
def without_indexes(*models: type[Model]) -> Iterator[None]:
    """Make the models' indexes afterwards: filled row by row, they take most of the time."""
    indexes = [(model, index) for model in models for index in model._meta.indexes]
    _each(indexes, lambda editor: editor.remove_index)
    try:
        yield
    finally:
        _each(indexes, lambda editor: editor.add_index)


def _each(indexes: Iterable[tuple[type[Model], Any]], change: Callable[[Any], Callable[..., None]]) -> None:
    with connection.schema_editor() as editor:
        for model, index in indexes:
            change(editor)(model, index)


def columns(model: type[Model]) -> list[Field[Any, Any]]:
    """Return what `encoded` and `write` agree on; the key comes first."""
    return list(model._meta.concrete_fields)


def _copies() -> bool:
    return connection.vendor == "postgresql"


def _plain(value: Any) -> Any:
    """Return the value as both databases take it for a column of its type."""
    if isinstance(value, UUID):
        return value.hex  # PostgreSQL reads it, too
    if isinstance(value, datetime):
        return str(value.astimezone(UTC) if _copies() else value.astimezone(UTC).replace(tzinfo=None))
    if isinstance(value, dict):
        return json.dumps(value)
    return value if value is None or isinstance(value, int) else str(value)


def _line(row: Iterable[Any]) -> bytes:
    """Return a line of COPY's text format (https://www.postgresql.org/docs/current/sql-copy.html)."""
    return ("\t".join(_cell(value) for value in row) + "\n").encode()


def _cell(value: Any) -> str:
    if value is None:
        return NULL
    text = str(value)
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
