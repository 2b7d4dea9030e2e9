"""Rows of a large table, a few at a time, whatever is in them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, DataError, InterfaceError
from django.db.models import F, Model, QuerySet, Value
from django.db.models.lookups import GreaterThan

from .stored import OTHER_FORM, AsStored, is_own_key, key_in_words

NO_TEXT = "Could not decode"  # what sqlite3 says of a text that is none; it has no code for it
# the database's, the machine's, or that the row is gone
NO_ROWS = (DatabaseError, InterfaceError, OSError, MemoryError, BrokenExecutor, ObjectDoesNotExist)

Keys = Sequence[Any]
Look = Callable[[Keys], Iterable[str]]


def look_at_rows(rows: QuerySet[Any], size: int, look: Look) -> Iterator[tuple[int, list[str]]]:
    """Look at rows that have UUIDs batch by batch; one that cannot be read is named, and hides no other.

    Args:
        look: reads the rows with these keys, and returns a sentence for each thing that is broken.

    Yields:
        For each batch how many rows it had, and those sentences.
    """
    for keys in keys_in_batches(rows, size):
        strange = [key for key in keys if not is_own_key(key)]  # by which Django would ask for another
        told = [f"{_named(rows.model, key)}: its {rows.model._meta.pk.attname} {OTHER_FORM}." for key in strange]
        own = [key for key in keys if key not in strange] if strange else keys
        yield len(keys), told + _sentences(rows.model, own, look)


def keys_in_batches(rows: QuerySet[Any], size: int) -> Iterator[Keys]:
    """Return rows' primary keys as they are stored, so many at a time, each time in a query of its own.

    As they are stored they are in order; after what Django makes of one the next batch might begin anywhere.
    """
    rows = rows.order_by("pk")
    batch = _keys(rows, size)
    while batch:
        yield batch
        batch = _keys(rows.filter(GreaterThan(F("pk"), Value(batch[-1]))), size) if len(batch) == size else []


def why_unreadable(error: Exception) -> str:
    """Return what to say of a row that raises this when it is looked at.

    Raises:
        Exception: this one, where it is no row's.
    """
    is_a_rows = isinstance(error, DataError) or str(error).startswith(NO_TEXT)
    if isinstance(error, NO_ROWS) and not is_a_rows:
        raise error
    return f"cannot be read ({type(error).__name__})"


def _keys(rows: QuerySet[Any], size: int) -> list[Any]:
    return list(rows.values_list(AsStored("pk"), flat=True)[:size])


def _sentences(model: type[Model], keys: Keys, look: Look) -> list[str]:
    """Return what is broken of all of them at once; one by one, where one cannot be read."""
    try:
        return list(look(keys))
    except Exception as error:
        why = why_unreadable(error)
    if len(keys) == 1:
        return [f"{_named(model, keys[0])}: it {why}."]
    return [sentence for key in keys for sentence in _sentences(model, [key], look)]


def _named(model: type[Model], key: Any) -> str:
    return f"{str(model._meta.verbose_name).capitalize()} {key_in_words(key)}"
