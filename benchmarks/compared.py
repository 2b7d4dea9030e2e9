"""`python -m benchmarks.compared`: this service beside the plain one (`benchmarks/plain`), and beside its own limit.

Each measurement is made of every stack in turn, in one run, so that whatever else the machine does slows all of them;
the same number of processes (one web, one worker), the same files, the same clients. It prints a table and fails where
a target is missed.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

import redis

from . import load
from .receipts import receipt_of
from .servers import postgresql
from .stacks import TOKEN, Limit, Ours, Plain, Stack, StandIn, running, stand_in, wait_for

SAMPLED_EVERY_SECONDS = 0.1
SOON_SECONDS = 600
FIRST = 16  # callbacks
TURNS = 3  # of which the median counts
Clients = ProcessPoolExecutor


class Figure(NamedTuple):
    """One row of the table: what was measured of the plain service, of this one, and what is aimed at."""

    name: str
    unit: str
    plain: float
    ours: float
    target: float
    more_is_better: bool = False

    @property
    def times(self) -> float:
        """How many times the plain service's it is."""
        return self.ours / self.plain

    @property
    def holds(self) -> bool:
        """Whether the target is met."""
        return self.times >= self.target if self.more_is_better else self.times <= self.target


class Bench(NamedTuple):
    """What measurements need.

    Attributes:
        postgres: a server's address; SQLite is used where it is empty.
        clients: processes in which clients run.
        share: of the full size of each measurement.
    """

    folder: Path
    postgres: str
    clients: Clients
    share: float

    def many(self, number: int) -> int:
        """Return how many of something that are by default so many."""
        return max(8, round(number * self.share))

    @contextmanager
    def run(self, kind: type[Stack], standin: StandIn | None = None) -> Iterator[Stack]:
        """Run a stack, with a worker where there is a stand-in for N8N that takes its deliveries."""
        webhook = {"webhook": standin.webhook} if standin else {}
        with running(kind, self.folder, self.postgres, worker=standin is not None, **webhook) as stack:
            yield stack

    def upload(self, stack: Stack, receipt: bytes, **how: Any) -> "Future[load.Outcome]":
        """Let clients upload in a process of their own."""
        return self.clients.submit(load.upload, stack.target, receipt, **how)


def main() -> int:
    """Print the table; 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite", help="of all stacks (sqlite)")
    parser.add_argument("--only", default="", help=f"some of: {', '.join(MEASUREMENTS)}")
    parser.add_argument("--share", type=float, default=1.0, help="of the full size of each measurement (1)")
    options = parser.parse_args()
    with opened(options.database, options.share) as bench:
        print(f"On {options.database}; load {os.getloadavg()[0]:.1f} at the beginning.\n", flush=True)
        wanted = [name for name in MEASUREMENTS if not options.only or name in options.only]
        figures = [figure for name in wanted for figure in MEASUREMENTS[name](bench)]
    return _show(figures)


@contextmanager
def opened(database: str, share: float) -> Iterator[Bench]:
    """Prepare what measurements need, on `sqlite` or `postgresql`."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="receipts-benchmark-")))
        folder.chmod(0o755)
        postgres = stack.enter_context(postgresql(folder / "server")) if database == "postgresql" else ""
        clients = stack.enter_context(Clients(2, mp_context=get_context("spawn")))
        yield Bench(folder, postgres, clients, share)


# -- what is measured


def uploads(bench: Bench) -> list[Figure]:
    """Uploads a second by 8 clients, while nothing else runs; and how far that is from the limit."""
    plain, ours, limit = rates_of(bench, Plain, Ours, Limit)
    return [
        Figure("uploads of 220 KB a second, 8 clients", "", plain, ours, 4, more_is_better=True),
        Figure("the same beside the limit (write, sync, commit)", "", limit, ours, 0.25, more_is_better=True),
    ]


def journeys(bench: Bench) -> list[Figure]:
    """Receipts a minute from upload to success: one worker, an N8N that answers and calls back at once."""
    plain, ours = (journeys_of(bench, kind) for kind in (Plain, Ours))
    return [Figure("receipts a minute, upload to success, one worker", "", plain, ours, 8, more_is_better=True)]


def memory(bench: Bench) -> list[Figure]:
    """Most memory of web and worker while 100 receipts of 8 MB are in flight: the median of three turns."""
    receipt, count = receipt_of("8 MB"), bench.many(100)
    peaks = [[_peak(bench, kind, receipt, count) for kind in (Plain, Ours)] for _ in range(TURNS)]
    plain, ours = map(median, zip(*peaks, strict=True))
    return [Figure(f"most memory of web and worker, {count} receipts of 8 MB in flight", "MB", plain, ours, 1 / 4)]


def waiting(bench: Bench) -> list[Figure]:
    """What Redis has in memory while 1,000 receipts of 2 MB wait for a worker."""
    count = bench.many(1000)
    plain, ours = (_redis_memory(bench, kind, receipt_of("2 MB"), count) for kind in (Plain, Ours))
    return [Figure(f"Redis with {count:,} receipts of 2 MB waiting", "MB", plain, ours, 1 / 1000)]


def callbacks(bench: Bench) -> list[Figure]:
    """How long callbacks take, one after the other, while 8 clients upload as fast as they can."""
    plain, ours = (_callback_p99(bench, kind) for kind in (Plain, Ours))
    return [Figure("a callback at p99 while 8 clients upload", "ms", plain, ours, 1 / 2)]


MEASUREMENTS: dict[str, Callable[[Bench], list[Figure]]] = {
    "uploads": uploads,
    "journeys": journeys,
    "memory": memory,
    "waiting": waiting,
    "callbacks": callbacks,
}


def rates_of(bench: Bench, *kinds: type[Stack]) -> list[float]:
    """Return how many uploads a second each of these stacks takes from 8 clients: the median of three turns."""
    rates: dict[type[Stack], list[float]] = {kind: [] for kind in kinds}
    receipt = receipt_of("220 KB")
    with ExitStack() as running_now:
        stacks = {kind: running_now.enter_context(bench.run(kind)) for kind in kinds}
        for stack in stacks.values():
            _all_taken(bench.upload(stack, receipt, clients=8, count=16))  # finds everything cold
        for _ in range(TURNS):
            for kind, stack in stacks.items():
                outcome = bench.upload(stack, receipt, clients=8, until=time.time() + 8 * bench.share)
                rates[kind].append(_rate(_all_taken(outcome)))
    return [median(found) for found in rates.values()]


def journeys_of(bench: Bench, kind: type[Stack]) -> float:
    """Return how many receipts a minute go from upload to success."""
    receipt = receipt_of("220 KB")
    with stand_in() as standin, bench.run(kind, standin) as stack:
        _go_through(bench, stack, standin, receipt, 8)
        before, started = standin.stats()["succeeded"], time.time()
        _go_through(bench, stack, standin, receipt, bench.many(300))
        stats = standin.stats()
        return float(60 * (stats["succeeded"] - before) / (stats["last"] - started))


def _go_through(bench: Bench, stack: Stack, standin: StandIn, receipt: bytes, count: int) -> None:
    """Upload so many receipts, and wait until N8N has reported on all of them."""
    before = standin.stats()["succeeded"]
    _all_taken(bench.upload(stack, receipt, clients=8, count=count))
    wait_for(lambda: standin.stats()["succeeded"] >= before + count, SOON_SECONDS)


def _peak(bench: Bench, kind: type[Stack], receipt: bytes, count: int) -> float:
    with stand_in() as standin, bench.run(kind, standin) as stack, _watched(stack) as peak:
        _all_taken(bench.upload(stack, receipt, clients=count, count=count))
        wait_for(lambda: standin.stats()["succeeded"] >= count, SOON_SECONDS)
    return peak[0] / 1e6


@contextmanager
def _watched(stack: Stack) -> Iterator[list[float]]:
    """Look at the memory of a stack again and again; the list holds the most that was seen."""
    peak, stop = [0.0], threading.Event()

    def watch() -> None:
        while not stop.wait(SAMPLED_EVERY_SECONDS):
            peak[0] = max(peak[0], stack.memory())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def _redis_memory(bench: Bench, kind: type[Stack], receipt: bytes, count: int) -> float:
    with bench.run(kind) as stack, redis.Redis.from_url(stack.redis) as connection:
        _all_taken(bench.upload(stack, receipt, clients=1, count=1))
        before = connection.info("memory")["used_memory"]
        _all_taken(bench.upload(stack, receipt, clients=4, count=count))
        return float(connection.info("memory")["used_memory"] - before) / 1e6


def _callback_p99(bench: Bench, kind: type[Stack]) -> float:
    receipt, count = receipt_of("220 KB"), bench.many(400)
    with bench.run(kind) as stack:
        jobs = _all_taken(bench.upload(stack, receipt, clients=8, count=count + FIRST)).jobs
        soon = time.time() + SOON_SECONDS
        # the first find everything cold
        _all_taken(bench.clients.submit(load.call_back, stack.target, TOKEN, jobs[:FIRST], until=soon))
        end = time.time() + 25 * bench.share
        uploading = bench.upload(stack, receipt, clients=8, until=end)
        load_result = _all_taken(bench.clients.submit(load.call_back, stack.target, TOKEN, jobs[FIRST:], until=end))
        _all_taken(uploading)
    return quantiles(load_result.milliseconds, n=100)[98]


def _all_taken(uploading: "Future[load.Outcome]") -> load.Outcome:
    """Return what clients were told, once they are done; a single refusal spoils a measurement."""
    outcome = uploading.result()
    if outcome.refused or outcome.broken:
        raise RuntimeError(f"refused: {sorted(set(outcome.refused))}, broken: {sorted(set(outcome.broken))}")
    return outcome


def _rate(outcome: load.Outcome) -> float:
    return len(outcome.jobs) / outcome.seconds


def _show(figures: list[Figure]) -> int:
    """Print a row for each figure; return 1 where one misses its target."""
    print("| what | plain | this | times | target | |", "|---|---|---|---|---|---|", sep="\n")
    for figure in figures:
        aim = f"{'≥' if figure.more_is_better else '≤'} {figure.target:g}"
        verdict = "holds" if figure.holds else "**missed**"
        unit = f" {figure.unit}" if figure.unit else ""
        cells = (
            figure.name,
            f"{figure.plain:,.4g}{unit}",
            f"{figure.ours:,.4g}{unit}",
            f"{figure.times:.3g}",
            aim,
            verdict,
        )
        print("|", " | ".join(cells), "|")
    return not all(figure.holds for figure in figures)


if __name__ == "__main__":
    sys.exit(main())
