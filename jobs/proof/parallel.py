"""Several processes share the look at all jobs: signing again, not reading, is what takes the time."""

import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from uuid import UUID

import django
from django.db.models import QuerySet
from django.db.models.sql import Query

from jobs.models import JobLog
from receipts.search import uuids_from

from .audit import verify_jobs

Looked = tuple[int, list[str]]

# Ids are random, so that each has as many jobs. The first and the last are open: on SQLite an id may be any text.
BETWEEN = [uuids_from(f"{number:02x}")[0] for number in range(1, 256)]
SHARES: list[tuple[UUID | None, UUID | None]] = list(zip([None, *BETWEEN], [*BETWEEN, None], strict=True))


def verify_jobs_in(processes: int, jobs: QuerySet[JobLog]) -> Iterator[Looked]:
    """Look at many jobs as `verify_jobs` does, in so many processes; each holds one batch at a time.

    Whoever stops early, as by Ctrl-C, waits only for the shares that have begun.
    """
    with ProcessPoolExecutor(processes, get_context("spawn"), initializer=django.setup) as pool:
        try:
            with _processes_deaf_to_interrupts():
                shares = [pool.submit(_verify_share, jobs.query, *bounds) for bounds in SHARES]
            # one after the other: `as_completed` locks all of them at once, and an interrupt there would leave them so
            yield from (share.result() for share in shares)
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _processes_deaf_to_interrupts() -> Iterator[None]:
    """Let processes that are started meanwhile leave Ctrl-C to this one, which hears it afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _verify_share(query: Query, begin: UUID | None, end: UUID | None) -> Looked:
    jobs = JobLog.objects.all()
    jobs.query = query  # which travels between processes; a QuerySet would bring its rows along
    if begin:
        jobs = jobs.filter(pk__gte=begin)
    if end:
        jobs = jobs.filter(pk__lt=end)
    looked = list(verify_jobs(jobs))
    return sum(number for number, _ in looked), [sentence for _, sentences in looked for sentence in sentences]
