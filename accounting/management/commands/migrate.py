"""`manage.py migrate`: Django's own, in one process at a time, and with its reason where it fails."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import DatabaseError, InterfaceError, connection

from accounting.outages import code_of, in_brackets

LOCK = 0x72656365697074  # "receipt": whoever else takes locks of this kind in our database takes another number
LOOK_SECONDS = 0.2


class Command(migrate.Command):
    """Applies migrations. Of several processes at once one does, and the others find nothing left to do."""

    def handle(self, *args: Any, **options: Any) -> str | None:
        """Migrate.

        Returns:
            what Django's own returns.

        Raises:
            CommandError: a migration failed.
            DatabaseError, InterfaceError: the database cannot be reached.
        """
        connection.ensure_connection()
        with _alone(lambda: self.stdout.write("Another process migrates this database: waiting for its end.")):
            try:
                return super().handle(*args, **options)
            except (DatabaseError, InterfaceError) as error:
                raise CommandError(failure(error)) from error


@contextmanager
def _alone(tell_that_it_waits: Callable[[], object]) -> Iterator[None]:
    """Keep others from migrating for as long as the block lasts; who dies in it keeps nobody waiting."""
    lock = _lock_of_database if connection.vendor == "postgresql" else _lock_of_folder
    with lock() as try_to_take:
        if not try_to_take():
            tell_that_it_waits()
            while not try_to_take():  # again and again: who waits within a statement keeps an index from being made
                time.sleep(LOOK_SECONDS)
        yield


@contextmanager
def _lock_of_database() -> Iterator[Callable[[], bool]]:
    """Lend what tries to take a lock of PostgreSQL's, which goes with the connection."""
    with connection.cursor() as cursor:

        def try_to_take() -> bool:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
            return bool(cursor.fetchone()[0])

        yield try_to_take
        cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


@contextmanager
def _lock_of_folder() -> Iterator[Callable[[], bool]]:
    """Lend what tries to lock the folder of SQLite's file: a lock on the file itself would end SQLite's own with it."""
    ours: Any = connection
    if ours.is_in_memory_db():
        yield lambda: True
        return
    folder = os.open(Path(connection.settings_dict["NAME"]).parent, os.O_RDONLY)

    def try_to_take() -> bool:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    try:
        yield try_to_take
    finally:
        os.close(folder)


def failure(error: BaseException) -> str:
    """Return a sentence for people: that it failed, and where to look up why."""
    code = code_of(error) or code_of(error.__context__ or error)
    return (
        f"The database cannot be migrated{in_brackets(code)}: look up its code in docs/operations.md; "
        "--traceback shows what it said."
    )
