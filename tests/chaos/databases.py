"""The database of a run: SQLite's file, or a PostgreSQL server of its own that may be restarted under everybody."""

from pathlib import Path

from tests.support.postgres import PostgresServer


class SqliteDatabase:
    """A file."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder}/db.sqlite3"

    def stop(self) -> None:
        """Leave the file where it is."""


class PostgresDatabase:
    """A server of its own, with its data below the folder."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o755)  # PostgreSQL refuses to run as root, so the package may start it as somebody else
        (folder / "locks").mkdir(mode=0o700)
        self._server = PostgresServer(folder / "postgres", locks=folder / "locks", keeps_data=True)
        self.url = self._server.url

    def restart(self) -> None:
        """Restart it at once, as after a crash: what was committed is there again, connections are not."""
        self._server.stop()
        self._server.start()

    def end_connections(self) -> None:
        """End every connection but our own, in whatever they are."""
        self._server.cut_connections(self.url)

    def stop(self) -> None:
        """Stop the server; its data stays."""
        self._server.remove()


def start_database(kind: str, folder: Path) -> SqliteDatabase | PostgresDatabase:
    """Start a database of that kind, and keep its data in the folder."""
    return PostgresDatabase(folder) if kind == "postgresql" else SqliteDatabase(folder)
