"""The one clock that counts: the database's, so that machines need not agree on the time; and named moments.

Beside it `seconds_since_boot`, for what a process may do within the lease that the database's clock gave it.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.functions import Now
from django.db.models.sql.compiler import SQLCompiler
from django.template.defaultfilters import pluralize
from django.utils import timezone
from django.utils.dateparse import parse_datetime

CLOCK_SLACK = timedelta(minutes=1)  # what is later than now by more than that was written by a clock that was ahead
CLOCKS_APART = timedelta(days=1)  # which no time zone and no drift explains
# Linux' monotonic clock stands still while the machine sleeps; elsewhere, as on a Mac, it does not, and is the only one
BOOT_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
CLOCKS = {
    "sqlite": "SELECT STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')",
    "postgresql": "SELECT STATEMENT_TIMESTAMP()",
}


class ClocksApart(Exception):
    """One of two clocks must be wrong, the database's or this machine's."""


class DatabaseNow(Now):
    """The time at which the statement runs, comparable with stored times on SQLite too.

    SQLite compares times as text, and Django's `Now` writes three digits of a second where stored times have six: a job
    due this very millisecond would not be due yet.
    """

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any) -> tuple[str, Any]:
        """Return the expression with six digits."""
        return self.as_sql(
            compiler, connection, template="STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f', 'NOW') || '000'", **extra
        )


def database_now() -> datetime:
    """Return what that clock says."""
    with connection.cursor() as cursor:
        cursor.execute(CLOCKS[connection.vendor])
        (now,) = cursor.fetchone()
    return now if isinstance(now, datetime) else datetime.fromisoformat(now).replace(tzinfo=UTC)  # SQLite tells a text


def seconds_since_boot() -> float:
    """Return for how long this machine has run, or slept; nobody sets this clock.

    For what others do not wait for: a lease, a connection that somebody else keeps open. `time.monotonic` does for the
    patience and the pauses of a process of its own, which may begin anew once the machine wakes.
    """
    return time.clock_gettime(BOOT_CLOCK)


def doubt_clocks(now: datetime) -> None:
    """Let nothing be deleted by a clock that may have jumped: what is gone is gone.

    Args:
        now: by the database's clock.

    Raises:
        ClocksApart: this machine's says something else.
    """
    apart = abs(timezone.now() - now)
    if apart > CLOCKS_APART:
        days = f"{apart.days} day{pluralize(apart.days)}"
        raise ClocksApart(f"The clocks of the database and of this machine are {days} apart: set the wrong one right.")


def moment_in(text: str) -> datetime | None:
    """Return the moment that a text in ISO 8601 names, in UTC, or None where it names none or leaves its offset out.

    In UTC, for PostgreSQL takes no offset of 16 hours or more, and ISO 8601 knows them.
    """
    try:
        named = parse_datetime(text)
        return named.astimezone(UTC) if named and named.tzinfo else None
    except (ValueError, OverflowError):
        return None
