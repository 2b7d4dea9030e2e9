"""What a database holds of a row, before Django makes a value of it.

SQLite keeps any text in any column, and Django reads many texts as one value: an id with dashes, a day without its
zeros, JSON with a key twice. Whoever asks SQLite goes by the text. PostgreSQL's types have one form for each value.
"""

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Field, Func, Model, QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.db.models.fields.files import FieldFile
from django.db.models.sql.compiler import SQLCompiler

M = TypeVar("M", bound=Model)

OTHER_FORM = "is stored in another form than this service writes"
PREFIX = "stored_"
# a clock of SQLite's writes three digits of a second or six, Django six or none; all of them are in order as texts
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{3}|\.\d{6})?", re.ASCII)


class AsStored(Func):
    """A column's value, of which nothing is made: SQLite tells by the column's type what to make of it."""

    template, arity = "%(expressions)s", 1
    output_field: Any = Field()

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any) -> tuple[str, Any]:
        """Return an expression that is no column."""
        return self.as_sql(compiler, connection, template="+%(expressions)s", **extra)


class Column(NamedTuple):
    """A column whose form is looked at."""

    name: str
    is_own: Callable[[Any, Any], bool]  # of a value, and of what is stored
    is_made_of: bool  # whether the value is not what is stored


def with_stored(rows: QuerySet[M], *paths: str) -> QuerySet[M]:
    """Let rows bring along what is stored of them, on SQLite.

    Args:
        paths: to further rows that they bring along, such as "receipt".
    """
    if connection.vendor != "sqlite":
        return rows
    names = [name for path in ("", *paths) for name in _stored_names(rows.model, path)]
    annotated: QuerySet[M] = rows.annotate(**{PREFIX + name: AsStored(F(name)) for name in names})
    return annotated


def columns_of_other_form(row: Model, bearer: Model | None = None, path: str = "") -> Iterator[str]:
    """Yield the columns that this service would have written otherwise; none on PostgreSQL.

    Args:
        bearer: the row that brought along what is stored of this one, under that path.
    """
    if connection.vendor != "sqlite":
        return
    there, values, prefix = vars(bearer or row), vars(row), PREFIX + _joined(path)
    for name, is_own, is_made_of in _columns(type(row)):
        value = values[name]
        stored = there[prefix + name] if is_made_of else value
        if stored is not None and not is_own(value, stored):
            yield name


def is_own_key(stored: Any) -> bool:
    """Tell whether an id is one as this service writes it; any is, on PostgreSQL."""
    return connection.vendor != "sqlite" or (isinstance(stored, str) and UUID_FORM.fullmatch(stored) is not None)


def key_in_words(stored: Any) -> str:
    """Return an id as people know it."""
    return str(UUID(stored)) if isinstance(stored, str) and UUID_FORM.fullmatch(stored) else str(stored)


def _stored_names(model: type[Model], path: str) -> list[str]:
    for step in filter(None, path.split(LOOKUP_SEP)):
        related: Any = model._meta.get_field(step).related_model
        model = related
    return [_joined(path) + column.name for column in _columns(model) if column.is_made_of]


def _joined(path: str) -> str:
    return path and path + LOOKUP_SEP


@cache
def _columns(model: type[Model]) -> list[Column]:
    return [_column(field) for field in model._meta.concrete_fields]


def _column(field: Any) -> Column:
    kept = field
    while kept.remote_field:
        kept = kept.target_field
    made_of = MADE_OF.get(kept.get_internal_type())
    plain = _is_number if "Integer" in kept.get_internal_type() or "Auto" in kept.get_internal_type() else _is_text
    return Column(field.attname, made_of or plain, made_of is not None)


def _is_number(_: Any, stored: Any) -> bool:
    return type(stored) is int


def _is_text(_: Any, stored: Any) -> bool:
    return isinstance(stored, str | FieldFile)


def _is_json(value: Any, stored: Any) -> bool:
    """Tell whether it is the value's own text; what is stored of None is nothing at all."""
    return value is not None and bool(stored == json.dumps(value))


UUID_FORM = re.compile("[0-9a-f]{32}")
MADE_OF: dict[str, Callable[[Any, Any], bool]] = {
    "UUIDField": lambda value, stored: bool(stored == value.hex),
    "DateTimeField": lambda _, stored: isinstance(stored, str) and TIME.fullmatch(stored) is not None,
    "BooleanField": lambda _, stored: type(stored) is int and stored in (0, 1),
    "JSONField": _is_json,
}
