"""`python -m benchmarks.growth`: what uploads, scrapes and the sweep cost with 1,000,000 jobs and with few or none.

On PostgreSQL. Both sizes are asked in turn, so that whatever else the machine does slows both. It fails where something
takes more than 1.2 times as long at the larger size.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

import requests

from .installations import ROOT, SMALL, Env, installation_with, manage, run_task
from .load import Target, upload
from .receipts import receipt_of
from .servers import postgresql, valkey
from .stacks import answers, wait_for

MAX_TIMES = 1.2
ROUNDS = 10
Measure = Callable[[Env], list[float]]


class Row(NamedTuple):
    """What something took at the smaller size, and at the larger one, in milliseconds."""

    name: str
    fewer: int
    small: float
    large: float


def main() -> int:
    """Print the table; 1 where something is over the bound."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1_000_000, help="the larger size (1000000)")
    parser.add_argument("--folder", type=Path, help="keeps the databases there for the next time")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server, redis = stack.enter_context(postgresql(folder)), stack.enter_context(valkey())
        none, few, many = (installation_with(jobs, folder, server, redis) for jobs in (0, SMALL, options.jobs))
        print(f"Load {os.getloadavg()[0]:.0f} at the beginning.\n", flush=True)
        rows = [
            Row("a pass of the sweep, median", SMALL, *(median(took) for took in _in_turn(_passes, few, many))),
            Row("a scrape of /metrics, median", SMALL, *(median(took) for took in _served(_scrapes, few, many))),
            Row("an upload, p95", 0, *(quantiles(took, n=20)[-1] for took in _served(_uploads, none, many))),
        ]
    return _show(rows, options.jobs)


def _in_turn(measure: Measure, *sites: Env) -> list[list[float]]:
    """Return all that was measured of each site, some of it in each round."""
    found: list[list[float]] = [[] for _ in sites]
    for number in range(ROUNDS + 1):
        for env, took in zip(sites, found, strict=True):
            some = measure(env)
            if number:  # the first finds everything cold
                took += some
    return found


def _served(measure: Measure, *sites: Env) -> list[list[float]]:
    """Return the same of sites that are served meanwhile."""
    with ExitStack() as stack:
        for env in sites:
            stack.enter_context(serving(env))
        return _in_turn(measure, *sites)


@contextmanager
def serving(env: Env) -> "Iterator[subprocess.Popen[bytes]]":
    """Run a web process of that installation, which answers already."""
    process = subprocess.Popen([sys.executable, "manage.py", "serve", "--port", env["PORT"]], cwd=ROOT, env=env)
    try:
        wait_for(lambda: answers(env["PUBLIC_BASE_URL"] + "/health"))
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _passes(env: Env) -> list[float]:
    times: list[float] = run_task(env, "passes")
    return times


def _scrapes(env: Env) -> list[float]:
    headers = {"Authorization": f"Bearer {env['METRICS_TOKEN']}"}
    times = []
    for _ in range(10):
        started = time.perf_counter()
        requests.get(env["PUBLIC_BASE_URL"] + "/metrics", headers=headers, timeout=60).raise_for_status()
        times.append((time.perf_counter() - started) * 1000)
    return times


def _uploads(env: Env) -> list[float]:
    if "KEY" not in env:
        env["KEY"] = manage(env, "create_api_key", "Bakery")
    target = Target(int(env["PORT"]), {"Authorization": f"Api-Key {env['KEY']}"})
    outcome = upload(target, receipt_of("220 KB"), clients=1, count=30)
    if outcome.refused or outcome.broken:
        raise RuntimeError(f"uploads were refused: {outcome.refused}, {outcome.broken}")
    return outcome.milliseconds


def _show(rows: list[Row], jobs: int) -> int:
    """Print a row for each; return 1 where one is over the bound."""
    print(f"| what | jobs | ms | with {jobs:,} jobs: ms | times |", "|---" * 5 + "|", sep="\n")
    for row in rows:
        print(f"| {row.name} | {row.fewer:,} | {row.small:.1f} | {row.large:.1f} | {row.large / row.small:.2f} |")
    return any(row.large > MAX_TIMES * row.small for row in rows)


if __name__ == "__main__":
    sys.exit(main())
