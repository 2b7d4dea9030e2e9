"""What a run left behind: the rows of the database by plain SQL, the three ledgers, the logs and the files.

Nothing of the service's own code is asked: it is what is being checked.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from .ledger import Entry, read_ledger

Row = dict[str, Any]

QUERIES = {
    "jobs": "SELECT job_id, receipt_id, status, attempts, due_at, failure_code FROM jobs_joblog",
    "events": "SELECT id, job_id, at, kind, actor, from_status, to_status, attempt FROM jobs_jobevent ORDER BY id",
    "receipts": "SELECT id, client_id, file, sha256 FROM receipts_receipt",
    "keys": "SELECT key, client_id, job_id FROM jobs_idempotencykey",
}
IDS, TIMES = {"job_id", "receipt_id", "id"}, {"at", "due_at"}


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything that the checker looks at; ids are strings with dashes, times are seconds since the epoch."""

    jobs: dict[str, Row]
    events: dict[str, list[Row]]
    receipts: dict[str, Row]
    keys: list[Row]
    answers: list[Entry]
    n8n: list[Entry]
    faults: list[Entry]
    logs: list[tuple[str, str]]
    media: Path
    is_sqlite: bool

    def seen_by_n8n(self, kind: str) -> list[Entry]:
        """Return the entries of N8N's ledger of that kind."""
        return [entry for entry in self.n8n if entry["kind"] == kind]


def gather(folder: Path, database: str) -> Evidence:
    """Read everything that a run left in its folder and in its database."""
    rows = {name: list(select(database, query)) for name, query in QUERIES.items()}
    events = defaultdict(list)
    for event in rows["events"]:
        events[event["job_id"]].append(event)
    return Evidence(
        jobs={job["job_id"]: job for job in rows["jobs"]},
        events=dict(events),
        receipts={receipt["id"]: receipt for receipt in rows["receipts"]},
        keys=rows["keys"],
        answers=read_ledger(folder / "clients.jsonl"),
        n8n=read_ledger(folder / "n8n.jsonl"),
        faults=read_ledger(folder / "faults.jsonl"),
        logs=[(log.stem, log.read_text(errors="replace")) for log in sorted((folder / "logs").glob("*.log"))],
        media=folder / "media",
        is_sqlite=database.startswith("sqlite"),
    )


def select(database: str, query: str) -> Iterator[Row]:
    """Return the rows that a query finds."""
    if database.startswith("sqlite"):
        with closing(sqlite3.connect(database.removeprefix("sqlite:///"), timeout=10)) as file:
            file.row_factory = sqlite3.Row
            rows = [dict(row) for row in file.execute(query)]
    else:
        with psycopg.connect(database, row_factory=dict_row) as server:
            rows = server.execute(query.encode()).fetchall()
    for row in rows:
        yield {name: _plain(name, value) for name, value in row.items()}


def log_lines(text: str) -> Iterator[Entry]:
    """Return the lines of a log; one that is no JSON object becomes one with the key `raw`."""
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        yield entry if isinstance(entry, dict) else {"raw": line}


def _plain(name: str, value: Any) -> Any:
    """Return ids and times alike, however a database keeps them."""
    if name in IDS and isinstance(value, str | UUID):
        return str(UUID(str(value)))
    if name in TIMES and value is not None:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    return value
