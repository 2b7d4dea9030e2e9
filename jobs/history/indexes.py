"""Puts off what a database keeps and checks for each row, until all rows are there: that takes most of the time."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.db import connection, transaction
from django.db.models import Model

# How to remove each, and how to make it again, in PostgreSQL's own words.
CONSTRAINTS = """
    SELECT format('ALTER TABLE %%s DROP CONSTRAINT %%I', conrelid::regclass, conname),
           format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', conrelid::regclass, conname, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE contype IN ('f', 'u') AND conrelid::regclass::text = ANY(%s)
"""
INDEXES = """
    SELECT format('DROP INDEX %%s', indexrelid::regclass), pg_get_indexdef(indexrelid)
    FROM pg_index WHERE NOT indisprimary AND indrelid::regclass::text = ANY(%s)
"""


@contextmanager
def without_indexes(*models: type[Model]) -> Iterator[None]:
    """Make the models' indexes afterwards; in PostgreSQL their foreign keys and what is unique, too."""
    with (_postgresql if connection.vendor == "postgresql" else _sqlite)(models):
        yield


@contextmanager
def _postgresql(models: Iterable[type[Model]]) -> Iterator[None]:
    """Do it in one transaction, so that whoever is stopped has changed nothing."""
    tables = [model._meta.db_table for model in models]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")  # a busy machine is long at the next rows
        made_again = []
        for question in (CONSTRAINTS, INDEXES):  # those of constraints go with them
            cursor.execute(question, [tables])
            for remove, make in cursor.fetchall():
                cursor.execute(remove)
                made_again.append(make)
        yield
        for make in reversed(made_again):
            cursor.execute(make)


@contextmanager
def _sqlite(models: Iterable[type[Model]]) -> Iterator[None]:
    indexes = [(model, index) for model in models for index in model._meta.indexes]
    with connection.schema_editor() as editor:
        for model, index in indexes:
            editor.remove_index(model, index)
    try:
        yield
    finally:
        with connection.schema_editor() as editor:
            for model, index in indexes:
                editor.add_index(model, index)
