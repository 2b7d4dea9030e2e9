"""`python -m benchmarks.proof`: what the chain costs each transition, and how fast all of it is verified.

On each database jobs are received, claimed, delivered and filed, in transactions as in production: each is committed
and synced. Of each transition the whole time is measured, and within it what the chain takes: making fingerprints and
signatures and, of an event that changes no status, the UPDATE that keeps the chain's head. Medians, on the clock.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

from tests.support.servers import SETTINGS

from .installations import ROOT
from .servers import postgresql

MAX_PERCENT = 10.0
ROUNDS = 200
LIFE = ("received", "claimed", "delivered", "succeeded")
NOTES = ("callback repeated",)  # its one UPDATE is for the chain alone
Spent = list[tuple[str, float]]


def main() -> int:
    """Print a line for each kind of transition and each database; 1 where the chain costs a job more than it may."""
    if len(sys.argv) > 1:
        return measure(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder, postgresql(Path(folder)) as server:
        codes = [run("SQLite", f"sqlite:///{folder}/db.sqlite3"), run("PostgreSQL", server)]
    return max(codes)


def run(name: str, url: str) -> int:
    """Measure in a process of its own, which has that database."""
    own = {"DATABASE_URL": url, "LOG_LEVEL": "ERROR", "DJANGO_SETTINGS_MODULE": "accounting.settings"}
    own |= {"N8N_MAX_IN_FLIGHT": "1000000", "REDIS_URL": "redis://127.0.0.1:9/0"}
    with tempfile.TemporaryDirectory() as media:
        env = os.environ | SETTINGS | own | {"MEDIA_ROOT": media}
        return subprocess.run(
            [sys.executable, "-m", "benchmarks.proof", name], cwd=ROOT, env=env, check=False
        ).returncode


def measure(database: str) -> int:
    """Migrate, let jobs live, and print."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    with watched() as chain:
        times = lives(ROUNDS, chain)
    typical = {verb: tuple(median(each) * 1000 for each in zip(*both, strict=True)) for verb, both in times.items()}
    for verb, (whole, chain_ms) in typical.items():
        show(database, verb, whole, chain_ms)
    life = [sum(each) for each in zip(*(typical[verb] for verb in LIFE), strict=True)]
    percent = show(database, "all of a job's life", *life)
    verify(database)
    return percent > MAX_PERCENT


def show(database: str, what: str, whole: float, chain: float) -> float:
    """Print both, in milliseconds; return the chain's part in percent."""
    percent = 100 * chain / whole
    print(f"{database}, {what}: {whole:.2f} ms, of them the chain {chain:.2f} ms: {percent:.1f} %", flush=True)
    return percent


@contextmanager
def watched() -> Iterator[Spent]:
    """Let what the chain does be timed; yields a list that takes the seconds of each piece, by its name."""
    from django.db.models import QuerySet

    from jobs.proof.chain import extend, facts_of

    spent: Spent = []

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                spent.append((function.__name__, time.perf_counter() - started))

        return call

    with (
        patch("jobs.transitions.extend", timed(extend)),
        patch("jobs.transitions.facts_of", timed(facts_of)),
        patch.object(QuerySet, "update", timed(QuerySet.update)),
    ):
        yield spent


def lives(number: int, chain: Spent) -> dict[str, list[tuple[float, float]]]:
    """Let so many jobs go all the way; return the seconds of each verb, and those of the chain within."""
    from jobs import services
    from jobs.callbacks import Report
    from jobs.models import JobLog
    from receipts.models import Client
    from tests.support.job_actions import ANSWERS, upload_request

    client = Client.objects.create(name="Shop")
    report = Report(
        status=JobLog.Status.SUCCESS, message="Filed.", notion_page_url="https://www.notion.so/0123", execution_id="17",
        data={"vendor": "Shop", "total": 12.5, "lines": [{"price": 1.0}] * 10},
    )  # fmt: skip
    times: dict[str, list[tuple[float, float]]] = {}

    def timed(verb: str, act: Callable[[], Any]) -> Any:
        chain.clear()
        started = time.perf_counter()
        done = act()
        whole = time.perf_counter() - started
        part = sum(seconds for name, seconds in chain if name != "update" or verb in NOTES)
        times.setdefault(verb, []).append((whole, part))
        return done

    for _ in range(number):
        request = upload_request(client, "0123abcd-4567-89ab-cdef-0123456789ab", "", allow_duplicate=True)
        pk = timed("received", partial(services.submit_receipt, request)).job.pk
        timed("claimed", partial(services.claim_job, pk, worker="w1"))
        timed("delivered", partial(services.mark_delivered, pk, attempt=1, answer=ANSWERS[0][0], worker="w1"))
        timed("succeeded", partial(services.complete_job, pk, report, actor="job token"))
        timed("callback repeated", partial(services.complete_job, pk, report, actor="job token"))
    return times


def verify(database: str) -> None:
    """Print how fast all that is verified, but for files; of the processor without what the database takes."""
    from jobs.models import JobEvent, JobLog
    from jobs.proof.audit import verify_jobs

    started, spent = time.perf_counter(), time.process_time()
    wrong = [sentence for _, sentences in verify_jobs(JobLog.objects.all()) for sentence in sentences]
    seconds, spent, events = time.perf_counter() - started, time.process_time() - spent, JobEvent.objects.count()
    print(
        f"{database}, verified: {events / seconds:.0f} events/s on the clock, {events / spent:.0f} in a second of the "
        f"processor, {len(wrong)} broken",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
