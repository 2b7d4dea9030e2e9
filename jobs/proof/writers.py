"""Events that are written and not seen yet: an id is drawn before its transaction ends."""

import time

from django.db import connection

from jobs.models import JobEvent

WAIT_SECONDS = 1.0  # most are over in milliseconds; the next pass of the sweep is soon enough for the others
LOOK_EVERY_SECONDS = 0.02
# Whoever writes to a table locks it so before the id is drawn, until all can see what was written. A back-up does not.
WRITERS = """
    SELECT virtualtransaction FROM pg_locks
    WHERE locktype = 'relation' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND relation = %s::regclass AND mode = 'RowExclusiveLock' AND granted AND pid IS DISTINCT FROM pg_backend_pid()
"""


def all_is_seen() -> bool:
    """Wait a while for those who are writing events; tell whether each event is seen that had its id before."""
    unseen = _writers()
    end = time.monotonic() + WAIT_SECONDS
    while unseen and time.monotonic() < end:
        time.sleep(LOOK_EVERY_SECONDS)
        unseen &= _writers()
    return not unseen


def _writers() -> set[str]:
    """Return the transactions of others that have written events; on SQLite ids are drawn one transaction at a time."""
    if connection.vendor == "sqlite":
        return set()
    with connection.cursor() as cursor:
        cursor.execute(WRITERS, [JobEvent._meta.db_table])
        return {transaction for (transaction,) in cursor.fetchall()}
