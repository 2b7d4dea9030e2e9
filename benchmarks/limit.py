"""What this design cannot beat: `python -m benchmarks.limit PORT FOLDER`, behind the web server of the service.

Each body, whatever is in it, is written to a file of its own and synced, and a row is committed, synced, too: no look
at the picture, no parsing, no authentication, no framework.
"""

import os
import sqlite3
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from threading import Lock, local
from uuid import uuid4
from wsgiref.types import StartResponse, WSGIEnvironment

import django
import psycopg

PIECE = 65_536
TABLE = "CREATE TABLE IF NOT EXISTS uploads (id text PRIMARY KEY, file text)"


class Limit:
    """The application.

    Args:
        folder: for the files.
        database: an address of PostgreSQL, or SQLite in the folder where it is empty.
    """

    def __init__(self, folder: Path, database: str) -> None:
        self._folder = folder
        self._database = database
        self._thread = local()
        self._turn = Lock()
        self._connected().execute(TABLE)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Keep a body; any other request is answered as well."""
        if environ["REQUEST_METHOD"] == "POST":
            name = str(uuid4())
            self._write(name, environ)
            self._insert(name)
        start_response("202 Accepted", [("Content-Length", "0")])
        return []

    def _write(self, name: str, environ: WSGIEnvironment) -> None:
        descriptor = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            while piece := environ["wsgi.input"].read(PIECE):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        folder = os.open(self._folder, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def _insert(self, name: str) -> None:
        """Commit a row; with SQLite one at a time, or threads would wait by its own ever longer pauses."""
        place = "%s" if self._database else "?"
        with nullcontext() if self._database else self._turn:
            self._connected().execute(f"INSERT INTO uploads VALUES ({place}, {place})", (name, name))  # noqa: S608 - a mark

    def _connected(self) -> "sqlite3.Connection | psycopg.Connection":
        """Return this thread's connection, which commits each statement."""
        if not hasattr(self._thread, "connection"):
            self._thread.connection = self._connect()
        connection: sqlite3.Connection | psycopg.Connection = self._thread.connection
        return connection

    def _connect(self) -> "sqlite3.Connection | psycopg.Connection":
        if self._database:
            return psycopg.connect(self._database, autocommit=True)
        connection = sqlite3.connect(self._folder / "limit.sqlite3", isolation_level=None, timeout=30)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        return connection


def main() -> None:
    """Serve until told to end."""
    django.setup()  # the server asks the settings how much it may take
    from django.conf import settings

    from accounting.web_server.lanes import Lanes
    from accounting.web_server.listening import listen
    from accounting.web_server.server import Server

    port, folder, database = int(sys.argv[1]), Path(sys.argv[2]), os.environ.get("LIMIT_DATABASE_URL", "")
    lanes = Lanes(pictures=settings.PICTURE_THREADS, all_else=1)
    Server(Limit(folder, database), listen("127.0.0.1", port), lanes).run()


if __name__ == "__main__":
    main()
