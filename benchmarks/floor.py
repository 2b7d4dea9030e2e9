"""`python -m benchmarks.floor`: what Django, DRF, RQ, waitress and Pillow reach before any promise is kept.

Beside the plain service and this one, in one run, in turn: the packages that this service is asked to be made of, and
next to nothing else (`benchmarks.bare`). No service that is made of them can be quicker.
"""

import argparse
import os
import sys

from .compared import Bench, journeys_of, opened, rates_of
from .stacks import Bare, Ours, Plain

STACKS = (Plain, Bare, Ours)


def main() -> int:
    """Print a row for each measurement and database."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=0.5, help="of the full size of each measurement (0.5)")
    share = parser.parse_args().share
    print(f"Load {os.getloadavg()[0]:.1f} at the beginning.\n", flush=True)
    print("| what | on | plain | bare | times | this | times |", "|---|---|---|---|---|---|---|", sep="\n", flush=True)
    for database in ("sqlite", "postgresql"):
        with opened(database, share) as bench:
            _print("uploads of 220 KB a second, 8 clients", database, rates_of(bench, *STACKS))
            _print("receipts a minute, upload to success, one worker", database, _journeys(bench))
    return 0


def _journeys(bench: Bench) -> list[float]:
    return [journeys_of(bench, kind) for kind in STACKS]


def _print(name: str, database: str, found: list[float]) -> None:
    plain, bare, ours = found
    cells = f"{plain:,.4g} | {bare:,.4g} | {bare / plain:.3g} | {ours:,.4g} | {ours / plain:.3g}"
    print(f"| {name} | {database} | {cells} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
