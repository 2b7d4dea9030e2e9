"""How it shows that the database is away for a while, or not ready for this service."""

import re
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import structlog
from django.apps import apps
from django.db import DatabaseError, InterfaceError, InternalError, OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils.module_loading import module_has_submodule

logger = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0

# What PostgreSQL says instead of letting somebody in: psycopg has its words then, and no code
# (https://www.postgresql.org/docs/current/errcodes-appendix.html)
SIGNS = {
    r"password authentication failed|no password supplied": "28P01",
    r"no pg_hba\.conf entry|not permitted to log in|authentication failed for|FATAL: +role .* does not exist": "28000",
    r"FATAL: +database .* does not exist": "3D000",
    r"too many (clients|connections)|remaining connection slots": "53300",
    r"invalid connection option|bad value for|invalid \w+ value|certificate|does not support SSL": "08001",
    r"unrecognized configuration parameter": "42704",
    r"invalid value for parameter": "22023",
    r"permission denied for": "42501",
    r"the database system is (starting up|shutting down|in recovery mode|not yet accepting)": "57P03",
}

# PostgreSQL calls it internal that it may only be read (a standby) and that it has ended an idle transaction
# (https://www.postgresql.org/docs/current/errcodes-appendix.html, class 25)
DATABASE_AWAY = (OperationalError, InterfaceError, InternalError)

# What others would be told as well: there is no room, or no disk, or it may not be written to, or a lock was waited for
# too long.
# The sweep passes over a row that is locked, so that it was a table's: for each job it would wait as long again.
OF_ALL = (
    "53", "55P03", "58", "SQLITE_BUSY", "SQLITE_CANTOPEN", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_NOMEM",
    "SQLITE_NOTADB", "SQLITE_READONLY",
)  # fmt: skip


def tells_of_absence(error: Exception) -> bool:
    """Tell whether an error says that the database is away for a while.

    SQLite calls operational, too, what it cannot understand; the same another time would end no better.
    """
    return isinstance(error, DATABASE_AWAY) and code_of(error) != "SQLITE_ERROR"


def unapplied_migrations() -> list[str]:
    """Return the names of migrations that this database still needs, app by app.

    They go by the names of their files: to load them all, as `migrate` does, takes over 1 MB of each process for good.

    Raises:
        DatabaseError, InterfaceError: it cannot be reached.
    """
    applied = MigrationRecorder(connection).applied_migrations()
    return [f"{app}.{name}" for app, name in migrations() if (app, name) not in applied]


def migrations() -> Iterator[tuple[str, str]]:
    """Yield each migration's app and name, which is its module's (Django's writing-migrations page)."""
    for app in apps.get_app_configs():
        if app.module and module_has_submodule(app.module, "migrations"):
            package = import_module(f"{app.name}.migrations")
            names = (module.name for module in iter_modules(package.__path__))
            yield from ((app.label, name) for name in names if name[0] not in "_~")


def why_no_writes() -> str:
    """Return in a few words why the database, which answers, takes no writes by this connection; "" where it does.

    Raises:
        DatabaseError, InterfaceError: it does not say.
    """
    ours: Any = connection  # one of accounting.postgresql or accounting.sqlite3
    if ours.is_read_only():
        return "read only"
    return "waits for a standby" if ours.is_held_up() else ""  # commits have waited for it for seconds


def is_locked(error: Exception) -> bool:
    """Tell whether the database answers, and a row's lock was waited for in vain (lock_not_available, class 55)."""
    return getattr(error.__cause__, "sqlstate", None) == "55P03"


def spares_others(error: Exception) -> bool:
    """Tell whether it is only what was asked that the database cannot do, as where a page of an index is damaged.

    What has no code was not said by it, but of the connection. To be asked outside of the transaction that it broke.
    """
    code = code_of(error)
    return bool(code) and not code.startswith(OF_ALL) and connection.is_usable()


def code_of(error: BaseException) -> str:
    """Return PostgreSQL's SQLSTATE or SQLite's name of an error, which hold no secret; "" where there is none."""
    cause = error.__cause__
    code: str | None = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)
    return code or next((code for sign, code in SIGNS.items() if re.search(sign, str(cause))), "")


def error_fields(error: BaseException) -> dict[str, str]:
    """Return what a line of the log may tell of an error of the database."""
    code = code_of(error)
    return {"error": type(error).__name__} | ({"code": code} if code else {})


def unreachable(error: BaseException) -> str:
    """Return a sentence for people."""
    return f"The database cannot be reached{in_brackets(code_of(error))}: look at DATABASE_URL, and whether it runs."


def in_brackets(code: str) -> str:
    """Return a code as it stands behind the words of a sentence; "" where there is none."""
    return f" ({code})" if code else ""


def why_no_database() -> str:
    """Return a sentence with the cure where the database cannot be used now; "" where it can."""
    try:
        missing = unapplied_migrations()
    except (DatabaseError, InterfaceError) as error:
        return unreachable(error)
    finally:
        connection.close()
    return f"The database lacks {len(missing)} migrations: run `manage.py migrate`." if missing else ""


def wait_for_database(is_over: Callable[[], bool]) -> None:
    """Wait until the database is there and migrated, or nobody waits any more.

    Args:
        is_over: whether to give up; asked once a second.
    """
    last_logged = ""
    while not is_over() and (why := why_no_database()):
        if why != last_logged:
            logger.warning("waits_for_database", why=why)
        last_logged = why
        time.sleep(LOOK_SECONDS)
