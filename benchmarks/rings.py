"""`python -m benchmarks.rings`: what a ring takes of Redis' memory while it waits, once answered, once it failed."""

import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import django
from redis import Redis

from tests.support.servers import SETTINGS

from .servers import valkey

RINGS = 1500


def main() -> int:
    """Print a row for each of them."""
    with tempfile.TemporaryDirectory(prefix="receipts-benchmark-") as folder, valkey() as address:
        own = {"DATABASE_URL": f"sqlite:///{folder}/db.sqlite3", "MEDIA_ROOT": folder, "REDIS_URL": address}
        os.environ |= SETTINGS | own | {"DJANGO_SETTINGS_MODULE": "accounting.settings", "LOG_LEVEL": "ERROR"}
        django.setup()
        logging.disable()  # of thousands of errors on purpose
        with Redis.from_url(address) as redis:
            _print_rows(redis)
    return 0


def _print_rows(redis: Any) -> None:
    from django.core.management import call_command
    from django.db import connection

    from jobs.queue import ANSWERED_KEPT_SECONDS
    from tests.support.workers import work

    call_command("migrate", verbosity=0)
    _ring()
    work()  # what there is but once, is there now
    time.sleep(2 * ANSWERED_KEPT_SECONDS)
    before = _used(redis)
    _ring()
    print(f"| of {redis.llen('rq:queue:default')} rings | bytes each |", "|---|---|", sep="\n")
    print(f"| that wait | {(_used(redis) - before) / RINGS:.0f} |")
    work()
    time.sleep(2 * ANSWERED_KEPT_SECONDS)
    print(f"| that were answered | {(_used(redis) - before) / RINGS:.0f} |")
    before = _used(redis)
    _ring()
    with connection.execute_wrapper(_refuse_jobs):
        work()
    kept = redis.zcard("rq:failed:default")
    print(f"| that failed, of which {kept} are kept | {(_used(redis) - before) / kept:.0f} |")


def _ring() -> None:
    from jobs.queue import queue_service

    queue_service().ring([uuid4() for _ in range(RINGS)], request_id=uuid4().hex)


def _used(redis: Any) -> int:
    return int(redis.info("memory")["used_memory"])


def _refuse_jobs(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
    """Refuse as a database in which a migration is missing does."""
    from django.db import ProgrammingError

    if "jobs_joblog" in sql:
        raise ProgrammingError('column "x" does not exist')
    return execute(sql, *rest)


if __name__ == "__main__":
    sys.exit(main())
