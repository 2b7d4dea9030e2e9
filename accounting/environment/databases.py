"""What the setting `DATABASE_URL` comes to: by which backend the database is reached, and what connections are told."""

import os
import sys
from pathlib import Path
from typing import Any

from . import make_folder
from .values import IN_MEMORY

KEPT = {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}

# What SQLite leaves of its write-ahead log once all of it is in the database. That grows for as long as anybody reads,
# by a VACUUM as large as the database, and with connections that are kept it would never shrink.
SQLITE_LOG_BYTES = 16 * 2**20

# IMMEDIATE takes the write lock at BEGIN, so that two writers wait for each other instead of failing;
# FULL syncs each commit to the disk: what was answered with 202 survives a power cut.
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 10,
    "init_command": (
        f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA journal_size_limit={SQLITE_LOG_BYTES};"
    ),
}

# Nobody waits for ever: not for a server that is away, nor for one whose machine vanishes: 10 s, where the kernel would
# try for a quarter of an hour. How long anybody waits for a lock, the sessions say (accounting/postgresql/base.py).
POSTGRESQL_OPTIONS = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def kept_connections(address: dict[str, Any], base: Path) -> dict[str, Any]:
    """Return Django's settings of a database whose connections are kept from one request to the next.

    Args:
        address: what its URL says, as Django's settings.
        base: the folder that a file's path is counted from, wherever a process is started.

    Raises:
        ImproperlyConfigured: the folder of its file cannot be made.
    """
    is_file = address["ENGINE"].endswith("sqlite3")
    return address | KEPT | (_sqlite(address["NAME"], base) if is_file else _postgresql(address.get("OPTIONS", {})))


def _sqlite(name: str, base: Path) -> dict[str, Any]:
    # DRF tries to import PostgreSQL's fields, and their driver with them: 9 MB that nobody has a use for here
    sys.modules.setdefault("django.contrib.postgres.fields", None)  # type: ignore[arg-type] # None: cannot be imported
    return {
        "ENGINE": "accounting.sqlite3",
        "NAME": name if name == IN_MEMORY else _file(base / name),
        "OPTIONS": SQLITE_OPTIONS,
    }


def _file(path: Path) -> str:
    make_folder("DATABASE_URL", path.parent)  # it holds sessions
    # What SQLite puts aside while it writes lies beside the database, where there is room for it or for nothing: in a
    # TMPDIR without room it found none, and took no write. SQLite reads this once, when Python first loads it.
    os.environ.setdefault("SQLITE_TMPDIR", str(path.parent))
    return str(path)


def _postgresql(options: dict[str, Any]) -> dict[str, Any]:
    return {"ENGINE": "accounting.postgresql", "OPTIONS": POSTGRESQL_OPTIONS | options}
