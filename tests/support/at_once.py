"""Two that do something at once, on PostgreSQL, which locks rows."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection, transaction

from .installation import wait_for

# for this transaction: tests that run beside this one wait for locks of their own, on the same server
IS_ONE_WAITING = """
SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))
"""


def beside(one: Callable[[], Any], other: Callable[[], Any]) -> Any:
    """Do one, and let another process do the other before that is committed, or wait for it; return what that got."""

    def do_and_leave() -> Any:
        try:
            return other()
        finally:
            connection.close()

    def is_done_or_waits() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(IS_ONE_WAITING)
            return came.done() or bool(cursor.fetchone()[0])

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            one()
            came = pool.submit(do_and_leave)
            wait_for(is_done_or_waits, "the other, done or waiting")
        return came.result()
