"""Writes many rows at once as the database takes them fastest: by COPY into PostgreSQL, by executemany into SQLite."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Field, Model

Row = bytes | tuple[Any, ...]


def encoded(rows: Sequence[Model], *, leave_out: str = "") -> list[Row]:
    """Return rows as `write` takes them. This may be done in another process.

    Args:
        leave_out: a column that whoever writes puts before the others (`numbered`).
    """
    if not rows:
        return []
    values = attrgetter(*(field.attname for field in columns(type(rows[0])) if field.attname != leave_out))
    encode = _line if _copies() else _plain
    return [encode(values(row)) for row in rows]


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
            # our models' own names; in one string, for bandit asks a nosec of each piece of an f-string
            cursor.executemany("INSERT INTO %s VALUES (%s)" % (table, places), rows)  # noqa: S608, UP031 # nosec B608


def columns(model: type[Model]) -> "list[Field[Any, Any]]":
    """Return what `encoded` and `write` agree on; the key comes first."""
    return list(model._meta.concrete_fields)


def _copies() -> bool:
    return connection.vendor == "postgresql"


def _line(row: Iterable[Any]) -> bytes:
    """Return a line of COPY's text format (https://www.postgresql.org/docs/current/sql-copy.html)."""
    return ("\t".join([CELLS.get(type(value), _text)(value) for value in row]) + "\n").encode()


def _text(value: Any) -> str:
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


CELLS: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: "\\N",
    bool: str,
    int: str,
    datetime: str,
    UUID: str,
    dict: lambda value: _text(json.dumps(value)),
}


def _plain(row: Iterable[Any]) -> tuple[Any, ...]:
    """Return the row as SQLite takes it."""
    return tuple([PLAIN.get(type(value), str)(value) for value in row])


def _as_it_is(value: Any) -> Any:
    return value


PLAIN: dict[type, Callable[[Any], Any]] = {
    type(None): _as_it_is,
    bool: _as_it_is,
    int: _as_it_is,
    datetime: lambda moment: str(moment.astimezone(UTC).replace(tzinfo=None)),
    UUID: lambda key: key.hex,
    dict: json.dumps,
}
