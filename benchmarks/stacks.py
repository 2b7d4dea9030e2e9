"""What is compared: the plain service, this one, what its packages alone reach, and what disk and server allow."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import requests

from tests.support.migrated import create_postgres_database
from tests.support.servers import SETTINGS, free_port, made_up

from .installations import ROOT, Env, manage
from .load import Target
from .servers import valkey

PLAIN = ROOT / "benchmarks" / "plain"
PLAIN_BIN = ROOT / "benchmarks" / ".venv" / "bin"
OURS_BIN = ROOT / "benchmarks" / ".venv-ours" / "bin"  # with what is installed in production, and no more
TOKEN = made_up("callback token")
PATIENCE_SECONDS = 60


class Stack:
    """One of them, its processes running.

    Attributes:
        redis: the address of its Redis.
        target: where to upload.
    """

    def __init__(self, folder: Path, redis: str, webhook: str, database: str) -> None:
        self.folder, self.redis, self.port = folder, redis, free_port()
        self.target = Target(self.port, {})
        self.env = self.environment(webhook, database)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._others: list[subprocess.Popen[bytes]] = []

    def environment(self, webhook: str, database: str) -> Env:
        """Return the settings of its processes."""
        raise NotImplementedError

    def start(self, *, worker: bool) -> None:
        """Start the web process, and a worker where there is to be one; wait until uploads are taken."""
        raise NotImplementedError

    def stop(self) -> None:
        """End all of its processes."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(PATIENCE_SECONDS)
        self._processes.clear()
        self._others.clear()

    def memory(self) -> int:
        """Return the bytes that web and worker have in memory now, those that they share counted once."""
        return sum(_memory(process.pid) for process in self._processes if process not in self._others)

    def resident(self) -> list[int]:
        """Return the bytes that each of its processes has in memory now, in the order they were started in."""
        return [psutil.Process(process.pid).memory_info().rss for process in self._processes]

    def run(self, *command: str, cwd: Path = ROOT) -> None:
        """Start a process whose output goes to a file."""
        with (self.folder / "log").open("ab") as log:
            self._processes.append(subprocess.Popen(command, cwd=cwd, env=self.env, stdout=log, stderr=log))

    def wait(self) -> None:
        """Wait until the web process answers."""
        wait_for(lambda: answers(f"http://127.0.0.1:{self.port}/health"))


class Plain(Stack):
    """`benchmarks/plain`, as its authors would start it."""

    def environment(self, webhook: str, database: str) -> Env:
        """Return the settings of its processes."""
        sqlalchemy = database.replace("postgresql://", "postgresql+psycopg://")
        return os.environ | {
            "PLAIN_DATABASE_URL": sqlalchemy or f"sqlite:///{self.folder}/plain.db", "REDIS_URL": self.redis,
            "N8N_WEBHOOK_URL": webhook, "N8N_API_KEY": made_up("key of N8N"), "CALLBACK_SECRET_TOKEN": TOKEN,
            "PUBLIC_BASE_URL": f"http://127.0.0.1:{self.port}", "PYTHONPATH": str(PLAIN),
        }  # fmt: skip

    def start(self, *, worker: bool) -> None:
        """Start uvicorn, and RQ's worker."""
        self.run(str(PLAIN_BIN / "uvicorn"), "app:app", "--port", str(self.port), cwd=PLAIN)
        if worker:
            self.run(str(PLAIN_BIN / "rq"), "worker", "--url", self.redis, cwd=PLAIN)
        self.wait()


class Ours(Stack):
    """This project, with the settings it comes with but for the rate of uploads."""

    def environment(self, webhook: str, database: str) -> Env:
        """Return the settings of its processes."""
        url = f"http://127.0.0.1:{self.port}"
        env = os.environ | SETTINGS | {
            "PUBLIC_BASE_URL": url, "N8N_WEBHOOK_URL": webhook, "REDIS_URL": self.redis, "CALLBACK_SECRET_TOKEN": TOKEN,
            "DATABASE_URL": database or f"sqlite:///{self.folder}/db.sqlite3", "MEDIA_ROOT": str(self.folder / "media"),
            "UPLOAD_RATE": "99999/minute",
        }  # fmt: skip
        manage(env, "migrate", "--verbosity", "0")
        self.target = Target(self.port, {"Authorization": f"Api-Key {manage(env, 'create_api_key', 'Shop')}"})
        return env

    def start(self, *, worker: bool) -> None:
        """Start web and sweep, and a worker."""
        python = str(OURS_BIN / "python")
        self.run(python, "manage.py", "serve", "--port", str(self.port))
        self.run(python, "manage.py", "sweep_jobs")
        self._others.append(self._processes[-1])  # the plain service has none
        if worker:
            self.run(python, "manage.py", "rqworker")
        self.wait()


class Bare(Stack):
    """`benchmarks/bare`."""

    def environment(self, webhook: str, database: str) -> Env:
        """Return the settings of its processes."""
        media = self.folder / "media"
        media.mkdir()
        return os.environ | SETTINGS | {
            "PUBLIC_BASE_URL": f"http://127.0.0.1:{self.port}", "N8N_WEBHOOK_URL": webhook, "REDIS_URL": self.redis,
            "CALLBACK_SECRET_TOKEN": TOKEN, "DATABASE_URL": database or f"sqlite:///{self.folder}/db.sqlite3",
            "MEDIA_ROOT": str(media), "DJANGO_SETTINGS_MODULE": "benchmarks.bare.settings",
        }  # fmt: skip

    def start(self, *, worker: bool) -> None:
        """Start waitress, and RQ's worker."""
        command = str(OURS_BIN / "python"), "-m", "benchmarks.bare"
        subprocess.run([*command, "table"], cwd=ROOT, env=self.env, check=True)
        self.run(*command, "web", str(self.port))
        if worker:
            self.run(*command, "worker")
        self.wait()


class Limit(Stack):
    """`benchmarks/limit.py`."""

    def environment(self, webhook: str, database: str) -> Env:
        """Return the settings of its process."""
        return os.environ | SETTINGS | {"DJANGO_SETTINGS_MODULE": "accounting.settings", "LIMIT_DATABASE_URL": database}

    def start(self, *, worker: bool) -> None:
        """Start the web process; there is no worker."""
        self.run(sys.executable, "-m", "benchmarks.limit", str(self.port), str(self.folder))
        self.wait()


class StandIn(NamedTuple):
    """A running `benchmarks/standin.py`."""

    port: int

    @property
    def webhook(self) -> str:
        """Return where it takes deliveries."""
        return f"http://127.0.0.1:{self.port}/webhook/receipts"

    def stats(self) -> dict[str, Any]:
        """Return what came so far."""
        stats: dict[str, Any] = requests.get(f"http://127.0.0.1:{self.port}/stats", timeout=30).json()
        return stats


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """Run a stand-in for N8N that calls back at once after a delivery."""
    standin = StandIn(free_port())
    command = [str(PLAIN_BIN / "python"), str(ROOT / "benchmarks" / "standin.py"), str(standin.port)]
    env = os.environ | {"CALLBACK_SECRET_TOKEN": TOKEN}
    process = subprocess.Popen(command, env=env)
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{standin.port}/stats"))
        yield standin
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


@contextmanager
def running(
    kind: type[Stack], folder: Path, postgres: str, webhook: str = "http://127.0.0.1:9/webhook", *, worker: bool = False
) -> Iterator[Stack]:
    """Run a stack with a folder, a database and a Redis of its own.

    Args:
        postgres: a server's address; SQLite is used where it is empty.
    """
    home = folder / f"{kind.__name__.lower()}-{time.time_ns()}"
    home.mkdir()
    with valkey() as redis:
        stack = kind(home, redis, webhook, create_postgres_database(postgres) if postgres else "")
        try:
            stack.start(worker=worker)
            yield stack
        finally:
            stack.stop()


def wait_for(condition: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until it is true."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("what was waited for did not happen")
        time.sleep(0.05)


def answers(url: str) -> bool:
    """Tell whether somebody answers there."""
    try:
        return requests.get(url, timeout=1).status_code < 500
    except requests.RequestException:
        return False


def _memory(pid: int) -> int:
    """Return the bytes of a process and of all that it started."""
    try:
        process = psutil.Process(pid)
        return sum(each.memory_full_info().pss for each in [process, *process.children(recursive=True)])
    except psutil.NoSuchProcess:
        return 0
