"""What a chaos run might have left behind, made up for tests of the checker."""

import hashlib
import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from uuid import UUID

from .checker import check
from .evidence import gather

SCHEMA = """
CREATE TABLE jobs_joblog (job_id, receipt_id, status, attempts, due_at, failure_code);
CREATE TABLE jobs_jobevent (id INTEGER PRIMARY KEY, job_id, at, kind, actor, from_status, to_status, attempt);
CREATE TABLE receipts_receipt (id, client_id, file, sha256);
CREATE TABLE jobs_idempotencykey (key, client_id, job_id);
"""
STARTED = 1_800_000_000.0
JOB, OTHER = str(UUID(int=1)), str(UUID(int=2))
BYTES = b"a receipt"
SHA256 = hashlib.sha256(BYTES).hexdigest()


def at(second: float) -> datetime:
    """Return a moment of the run."""
    return datetime.fromtimestamp(STARTED + second, UTC)


class FakeRun:
    """What a run left: one receipt, which N8N refused at first and then filed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = sqlite3.connect(folder / "db.sqlite3", isolation_level=None)
        self.database.executescript(SCHEMA)
        self.answers = [
            {"at": 0, "client": "till", "key": "k1", "sha256": SHA256, "status": 202, "job_id": JOB, "error": ""}
        ]
        self.n8n: list[dict[str, Any]] = []
        self.faults: list[dict[str, Any]] = [{"at": STARTED + 20, "kind": "calm"}]
        self.log = '{"event": "request", "method": "POST", "path": "/", "status": 503}\n'
        (folder / "media").mkdir()
        (folder / "media" / "one.jpg").write_bytes(BYTES)
        self.sql("INSERT INTO receipts_receipt VALUES (?, 1, 'one.jpg', ?)", UUID(int=9).hex, SHA256)
        self.sql("INSERT INTO jobs_idempotencykey VALUES ('k1', 1, ?)", UUID(JOB).hex)
        self.sql("INSERT INTO jobs_joblog VALUES (?, ?, 'success', 2, NULL, '')", UUID(JOB).hex, UUID(int=9).hex)
        self.event(0, "received", attempt=0)
        self.event(1, "claimed", "queued", "sending", attempt=1)
        self.event(2, "refused", "sending", "queued", attempt=1)
        self.event(3, "claimed", "queued", "sending", attempt=2)
        self.event(4, "delivered", "sending", "processing", attempt=2)
        self.event(5, "succeeded", "processing", "success", attempt=2)
        self.post(1.1, attempt=1, means="refused")
        self.post(3.1, attempt=2, means="taken")
        self.callback("success")

    def sql(self, statement: str, *values: object) -> None:
        self.database.execute(statement, values)

    def event(self, second: float, kind: str, was: str = "", to: str = "", *, attempt: int) -> Self:
        when = at(second).strftime("%Y-%m-%d %H:%M:%S.%f")
        values = (UUID(JOB).hex, when, kind, f"host:{100 + attempt}-ab", was, to, attempt)
        self.sql("INSERT INTO jobs_jobevent VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", *values)
        return self

    def post(self, second: float, *, attempt: int, means: str) -> None:
        known = {"at": STARTED + second, "job_id": JOB, "attempt": attempt}
        self.n8n.append({**known, "kind": "post", "way": means, "means": means, "sha256": SHA256})
        self.n8n.append({**known, "kind": "answered", "sent": True})

    def callback(self, outcome: str, *, status: int = 200, duplicate: bool = False) -> None:
        known = {"at": STARTED + 5, "job_id": JOB, "attempt": 2, "kind": "callback"}
        self.n8n.append({**known, "reported": outcome, "status": status, "duplicate": duplicate})

    def fault(self, second: float, kind: str, name: str = "worker-1", pid: int = 101) -> Self:
        self.faults.append({"at": STARTED + second, "kind": kind, "name": name, "pid": pid})
        return self

    def let_first_post_be_taken_in_silence(self) -> None:
        """N8N took the first post and said so, but nobody wrote it down: the second one needs another reason."""
        self.n8n[0] |= {"means": "taken"}
        self.sql("UPDATE jobs_jobevent SET kind = 'lease_ended' WHERE kind = 'refused'")

    def wrong(self) -> list[str]:
        self.database.close()
        ledgers = {"clients": self.answers, "n8n": self.n8n, "faults": self.faults}
        for name, entries in ledgers.items():
            (self.folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))
        (self.folder / "logs").mkdir()
        (self.folder / "logs" / "web.log").write_text(self.log)
        return check(gather(self.folder, f"sqlite:///{self.folder}/db.sqlite3"))
