"""`python -m benchmarks.idle`: how much memory web, worker and sweep have while there is nothing to do."""

import sys
import tempfile
import time
from pathlib import Path

from .servers import postgresql
from .stacks import Ours, running

SETTLED_SECONDS = 10


def main() -> int:
    """Print a row for each database."""
    print("| MB when idle | web | worker | sweep |", "|---|---|---|---|", sep="\n")
    with tempfile.TemporaryDirectory(prefix="receipts-benchmark-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with postgresql(folder / "server") as server:
            for database, address in (("SQLite", ""), ("PostgreSQL", server)):
                with running(Ours, folder, address, worker=True) as stack:
                    time.sleep(SETTLED_SECONDS)
                    found = stack.resident()
                web, sweep, worker = (f"{size / 1e6:.0f}" for size in found)
                print("|", " | ".join((database, web, worker, sweep)), "|", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
