"""`python -m benchmarks.pages`: what pages cost with 1,000 jobs and with 1,000,000, on PostgreSQL.

Both databases are made by `manage.py make_history`, of as many days; the smaller one with as many jobs of each client
and each end as of any other, so that its pages are as full. Each is served by a `manage.py serve` of its own, and a
browser's session asks both in turn for the same page, so that whatever else the machine does slows both. Times are on
the clock, from the request to the last byte, of the export to the first; beside them is the processor's time, of web
and database together.

Where a list shows fewer rows at the smaller size, what the missing ones would have cost is added: at that size, a full
page costs as much more than one without rows. It fails where a page takes more than 1.5 times as long at the larger
size (medians; but for words), or more than 300 ms (p95).
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

import psutil
import psycopg
import requests

from .growth import serving
from .installations import SMALL, Env, installation_with, run_task
from .servers import postgresql, valkey

MAX_TIMES = 1.5
MAX_MS = 300
EXPORT = "export, first byte"
FULL, EMPTY = "list: first page", "search: words that are nowhere"
LISTS = ("list", "search")
SETTLES_SECONDS = 0.3  # within which a server has noticed that nobody reads an export any more
# Words are looked for among the newest 20,000 jobs: what it costs ends there, and begins with the 1,000 that there are.
BOUNDED = {
    "search: beginning of a file name", "search: words", "search: words that are nowhere",
    "search within a rare client: words",
}  # fmt: skip
BACKENDS = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


class Site(NamedTuple):
    """A running service, and somebody who is logged in."""

    url: str
    process: int
    database: str
    session: requests.Session
    addresses: dict[str, str]

    def open(self, name: str) -> int:
        """Ask for a page and read it, of an export only the beginning; return how many jobs or groups it shows."""
        address = self.url + self.addresses[name]
        if name == EXPORT:
            token = {"csrfmiddlewaretoken": self.session.cookies["csrftoken"]}
            with self.session.post(address, data=token, stream=True, timeout=60) as answer:
                answer.raise_for_status()
                next(answer.iter_content(1))
            return 0
        answer = self.session.get(address, timeout=60, allow_redirects=False)
        if answer.status_code != 200:
            raise RuntimeError(f"{name}: {answer.status_code}")
        return answer.text.count("data-key=") or answer.text.count('<article class="group"')

    def processor_ms(self) -> float:
        """Return what the web process, and the processes of the database that serve it, have taken so far."""
        with psycopg.connect(self.database) as connection:
            pids = [pid for (pid,) in connection.execute(BACKENDS)]
        times = [psutil.Process(pid).cpu_times() for pid in (self.process, *pids)]
        return sum(each.user + each.system for each in times) * 1000


class Taken(NamedTuple):
    """What a page took at one site: milliseconds on the clock, each time, and of the processor, on average."""

    times: list[float]
    processor: float

    @property
    def p95(self) -> float:
        """Within how many milliseconds 95 % were there."""
        return quantiles(self.times, n=20, method="inclusive")[-1]


def main() -> int:
    """Print the table; 1 where a page is over the bounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1_000_000, help="the larger size (1000000)")
    parser.add_argument("--rounds", type=int, default=30, help="how often each page is asked for (30)")
    parser.add_argument("--only", default="", help="pages whose names hold this")
    parser.add_argument("--folder", type=Path, help="keeps the databases there for the next time")
    parser.add_argument("--signed", action="store_true", help="with signatures, which take most of the making's time")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server, redis = stack.enter_context(postgresql(folder)), stack.enter_context(valkey())
        made = [installation_with(jobs, folder, server, redis, signed=options.signed) for jobs in (SMALL, options.jobs)]
        sites = [stack.enter_context(_site(env)) for env in made]
        names = [name for name in sites[0].addresses if options.only in name or name in (FULL, EMPTY)]
        rows = {name: [site.open(name) for site in sites] for name in names}
        print(f"Load {os.getloadavg()[0]:.0f} at the beginning, ", end="", flush=True)
        taken = {name: _measure(name, sites, options.rounds) for name in names}
        print(f"{os.getloadavg()[0]:.0f} at the end.\n")
    return _show(taken, rows, options.jobs)


def _measure(name: str, sites: list[Site], rounds: int) -> list[Taken]:
    """Return what the page takes at each site, asked for in turn; a first time does not count."""
    for site in sites:
        site.open(name)
    before = [site.processor_ms() for site in sites]
    times: list[list[float]] = [[] for _ in sites]
    for number in range(rounds):
        in_turn = list(zip(sites, times, strict=True))
        for site, took in in_turn if number % 2 else reversed(in_turn):
            took.append(_ms(lambda site=site: site.open(name)))  # type: ignore[misc]
            time.sleep(SETTLES_SECONDS if name == EXPORT else 0)
    spent = [site.processor_ms() - ms for site, ms in zip(sites, before, strict=True)]
    return [Taken(took, ms / rounds) for took, ms in zip(times, spent, strict=True)]


def _ms(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1000


def _show(taken: dict[str, list[Taken]], rows: dict[str, list[int]], jobs: int) -> int:
    """Print a row for each page, in milliseconds; return 1 where one is over the bounds."""
    of_a_row = (median(taken[FULL][0].times) - median(taken[EMPTY][0].times)) / rows[FULL][0]
    print(f"A row of a list takes {of_a_row:.2f} ms at {SMALL:,} jobs.\n")
    print(
        f"| page | rows | {SMALL:,} jobs: median | p95 | processor | {jobs:,} jobs: median | p95 | processor | times |",
        "|---" * 9 + "|",
        sep="\n",
    )
    too_slow = []
    for name, (small, large) in taken.items():
        few, many = rows[name]
        missing = max(many - few, 0) * of_a_row if name.startswith(LISTS) else 0.0
        ratio = median(large.times) / (median(small.times) + missing)
        figures = [ms for each in (small, large) for ms in (median(each.times), each.p95, each.processor)]
        shown = "" if few == many == 0 else str(few) if few == many else f"{few}, {many}"
        print("|", " | ".join([name, shown, *(f"{ms:.0f}" if ms else "" for ms in figures), f"{ratio:.2f}"]), "|")
        too_slow += [name] if (ratio > MAX_TIMES and name not in BOUNDED) or large.p95 > MAX_MS else []
    print(f"\nToo slow: {', '.join(too_slow) or 'none'}.")
    return bool(too_slow)


# -- two installations


@contextmanager
def _site(env: Env) -> Iterator[Site]:
    """Serve that installation, and log in."""
    url = env["PUBLIC_BASE_URL"]
    with serving(env) as process, requests.Session() as session:
        _log_in(session, url, env["DJANGO_SUPERUSER_PASSWORD"])
        session.headers["Authorization"] = f"Bearer {env['METRICS_TOKEN']}"
        yield Site(url, process.pid, env["DATABASE_URL"], session, run_task(env, "addresses"))


def _log_in(session: requests.Session, url: str, password: str) -> None:
    session.get(f"{url}/admin/login/", timeout=60).raise_for_status()
    form = {"username": "anna", "password": password, "csrfmiddlewaretoken": session.cookies["csrftoken"]}
    session.post(f"{url}/admin/login/?next=/admin/", data=form, timeout=60).raise_for_status()


if __name__ == "__main__":
    sys.exit(main())
