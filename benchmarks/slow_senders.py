"""Uploads and health checks while 500 clients send a byte a second: `.venv/bin/python -m benchmarks.slow_senders`.

It starts a web process of its own, on SQLite, and ends with 1 where the 99th percentile is over the limit.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import django

if TYPE_CHECKING:
    from tests.corpus.wire import Answer

SENDERS = 500
SAMPLES = 250
LIMIT_MILLISECONDS = 250


def main() -> int:
    """Measure, print, and return the exit code."""
    with tempfile.TemporaryDirectory(prefix="receipts-benchmark-") as name:
        folder = Path(name)
        _prepare(folder)
        return _measure(folder)


def _prepare(folder: Path) -> None:
    """Set what Django asks for at its import, as the tests do."""
    from tests.support.servers import SETTINGS

    made_up = {"MEDIA_ROOT": str(folder / "template" / "media"), "DATABASE_URL": f"sqlite:///{folder}/template.sqlite3"}
    os.environ |= SETTINGS | made_up | {"DJANGO_SETTINGS_MODULE": "accounting.settings"}
    (folder / "template").mkdir()
    django.setup()


def _measure(folder: Path) -> int:
    from tests.corpus.wire import Row, Site, send
    from tests.support.installation import Installation
    from tests.support.slow_senders import SlowSenders

    with Installation(folder, "http://127.0.0.1:9/webhook", LOG_LEVEL="ERROR") as installation:
        installation.start_web()
        site = Site(installation.port, installation.key, open_job=UUID(int=0), ended_job=UUID(int=0))
        requests = {
            "upload": [site.upload() for _ in range(SAMPLES)],
            "health": [site.message("GET", "/health")] * SAMPLES,
        }
        with SlowSenders(site.port, SENDERS) as senders:
            answers = {
                name: [send(Row(name, one, ""), site.port, "127.0.0.1") for one in ones]
                for name, ones in requests.items()
            }
            sys.stdout.write(f"{senders.connected()} of {SENDERS} slow senders still connected\n")
    return max(_tell(name, found) for name, found in answers.items())


def _tell(name: str, answers: "list[Answer]") -> int:
    """Print one line, and return 1 where an answer is missing or the limit is not kept."""
    milliseconds = sorted(answer.seconds * 1000 for answer in answers)
    outcomes = ", ".join(sorted({answer.outcome for answer in answers}))
    p99 = _at(milliseconds, 0.99)
    median = _at(milliseconds, 0.5)
    sys.stdout.write(f"{name:7} {len(answers)} times, {outcomes}: median {median:.0f} ms, p99 {p99:.0f} ms\n")
    return int(outcomes not in ("200", "202") or p99 > LIMIT_MILLISECONDS)


def _at(values: list[float], share: float) -> float:
    """Return the smallest value that this share of them does not exceed."""
    return values[max(0, -int(-share * len(values) // 1) - 1)]


if __name__ == "__main__":
    sys.exit(main())
