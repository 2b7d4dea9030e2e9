"""`manage.py migrate`: Django's own, beside others that migrate too, and with its reason where it fails."""

import time
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import DatabaseError, InterfaceError, connection

from accounting.outages import code_of, unapplied_migrations

PATIENCE_SECONDS = 3.0
LOOK_SECONDS = 0.2


class Command(migrate.Command):
    """Applies migrations. Of two at once one fails in the midst of a migration that the other has made, and goes on."""

    def handle(self, *args: Any, **options: Any) -> str | None:
        """Migrate.

        Returns:
            what Django's own returns.

        Raises:
            CommandError: a migration failed.
            DatabaseError, InterfaceError: the database cannot be reached.
        """
        left: int | None = None
        while True:
            try:
                return super().handle(*args, **options)
            except (DatabaseError, InterfaceError) as error:
                connection.close()
                before, left = left, self._left_by_others()
                if left is None or left == before:
                    raise CommandError(failure(error)) from error

    def _left_by_others(self) -> int | None:
        """Return how many migrations are left once others have made one; None where nobody makes any."""
        first = len(unapplied_migrations())
        end = time.monotonic() + PATIENCE_SECONDS
        while (left := len(unapplied_migrations())) == first and left:
            if time.monotonic() > end:
                return None
            time.sleep(LOOK_SECONDS)
        return left


def failure(error: BaseException) -> str:
    """Return a sentence for people: that it failed, and where to look up why."""
    code = code_of(error) or code_of(error.__context__ or error)
    return (
        f"The database cannot be migrated{code and f' ({code})'}: look up its code in docs/operations.md; "
        "--traceback shows what it said."
    )
