"""Runs of the client, and what they are answered."""

import io
import json
import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from receipts.client.options import add_options, read_options
from receipts.client.run import run
from receipts.sample import draw_receipt
from tests.factories import DATABASE_ID, SMALL

from .servers import made_up
from .stub_server import Behaviour, Visit, response

NOBODY = "http://127.0.0.1:9"
NO_JOBS = response(body=b'{"next": null, "previous": null, "results": []}')
JOB = b'{"job_id": "j1", "receipt_id": "r1", "status": "%s", "notion_page_url": "https://www.notion.so/1"}'
TAKEN, FILED = response(202, JOB % b"queued"), response(200, JOB % b"success")
KEY = made_up("key of a client")
LONG_AGO = 1_700_000_000


class ClientRun(NamedTuple):
    """What a run came to."""

    code: int
    lines: list[str]
    summary: str

    @property
    def words(self) -> list[str]:
        """What became of each file, in the order of their names."""
        outcomes = [json.loads(line) for line in self.lines]
        return [one["outcome"] for one in sorted(outcomes, key=lambda one: str(one["file"]))]


def run_client(*arguments: object, url: str, api_key: str = KEY, database: str = DATABASE_ID) -> ClientRun:
    """Run the client in this process; each line is JSON."""
    parser = ArgumentParser()
    add_options(parser)
    options = ["--url", url, "--api-key", api_key, "--database", database, "--json"]
    told = vars(parser.parse_args([*map(str, arguments), *options]))
    lines: list[str] = []
    summary, stderr = io.StringIO(), sys.stderr
    sys.stderr = summary
    try:
        code = run(read_options(told), lines.append)
    finally:
        sys.stderr = stderr
    return ClientRun(code, lines, summary.getvalue())


def pictures(folder: Path, numbers: range) -> Path:
    """Put some receipts into the folder, each number another one; they have lain there for a while."""
    for number in numbers:
        path = folder / f"{number:03}.jpg"
        path.write_bytes(draw_receipt(number, size=SMALL))
        os.utime(path, (LONG_AGO, LONG_AGO))  # nobody takes it for one that is still being written
    return folder


def scripted(*answers: bytes) -> Behaviour:
    """Return a behaviour that gives one answer after the other, on however many connections."""
    script = iter(answers)

    def behave(visit: Visit) -> None:
        while visit.read():
            visit.send(next(script))

    return behave


@contextmanager
def nobody() -> Iterator[None]:
    """Let root be refused what others are refused."""
    was = os.geteuid()
    os.seteuid(65534 if was == 0 else was)
    try:
        yield
    finally:
        os.seteuid(was)
