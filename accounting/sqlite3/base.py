"""A database backend: Django's own for SQLite, but that writers wait for each other without sleeping long.

SQLite lets whoever finds the write lock taken look again after ever longer pauses, up to 100 ms
(`sqliteDefaultBusyCallback` in its main.c), while others that come later take it: of eight threads that upload, some
waited for seconds, and a worker beside them for even longer. Here a process has one transaction at a time; its next one
is woken when that is done, and asks SQLite every millisecond while another process writes. Statements outside of any
transaction wait as SQLite does.

A connection by which nothing could be written is not kept: it opened the file while that might only be read, and would
never write, whoever the file belongs to since.
"""

import gc
import threading
import time
from contextlib import suppress
from sqlite3 import SQLITE_BUSY, SQLITE_READONLY
from typing import Any

from django.db import OperationalError
from django.db.backends.sqlite3 import base
from django.db.utils import DatabaseErrorWrapper
from django.utils.functional import cached_property

PAUSE_SECONDS = 0.001


class _Turn:
    """What a thread has while its transaction is open; while anybody has it, nobody collects garbage.

    A writer that did might free another thread's cursor. SQLite lets it wait for whoever uses that cursor's connection
    (https://www.sqlite.org/threadsafe.html), who may in turn be waiting for the writer, until SQLite's time-out.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # knows itself which thread has it, whatever a signal's exception broke off
        self._keeps_garbage = False

    def take(self, patience: float) -> bool:
        """Wait for it for so many seconds; tell whether the thread has it now."""
        if not self._lock.acquire(timeout=patience):
            return False
        if gc.isenabled():  # somebody else may have reasons of his own to keep it
            self._keeps_garbage = True
            gc.disable()
        return True

    def pass_on(self) -> None:
        """Let go of it if this thread has it, as often as it was taken: a signal may have kept it from that."""
        if not self._lock.acquire(blocking=False):
            return
        if self._keeps_garbage:
            gc.enable()
            self._keeps_garbage = False
        with suppress(RuntimeError):
            while True:
                self._lock.release()


_turn = _Turn()


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection; its thread has the turn while its transaction is open."""

    was_read_only = False  # since it was opened

    def _start_transaction_under_autocommit(self) -> None:
        end = time.monotonic() + self._patience
        self.ensure_connection()
        self._let_sqlite_wait(0)  # before it has the turn, which others wait for
        try:
            self._take_turn()
            self._begin(end)
        except BaseException:
            _turn.pass_on()
            raise
        finally:
            self._let_sqlite_wait(self._patience)

    def _take_turn(self) -> None:
        if not _turn.take(self._patience):
            raise OperationalError("database is locked")  # as SQLite says it

    def _begin(self, end: float) -> None:
        """Begin as soon as no other process has a transaction, or say at the end what SQLite says."""
        while not self._has_begun(is_last=time.monotonic() > end):
            time.sleep(PAUSE_SECONDS)

    def _has_begun(self, *, is_last: bool) -> bool:
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc] # django-stubs leaves out what is private
        except OperationalError as error:
            if is_last or _code(error.__cause__) != SQLITE_BUSY:
                raise
            return False
        return True

    def _let_sqlite_wait(self, seconds: float) -> None:
        self.connection.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")

    @property
    def _patience(self) -> float:
        seconds: float = self.settings_dict["OPTIONS"]["timeout"]
        return seconds

    def commit(self) -> None:
        try:
            super().commit()
        finally:
            _turn.pass_on()

    def rollback(self) -> None:
        try:
            super().rollback()
        finally:
            _turn.pass_on()

    def close(self) -> None:
        try:
            super().close()
        finally:
            _turn.pass_on()

    @cached_property
    def wrap_database_errors(self) -> "_Watching":
        """Return what every statement runs within."""
        return _Watching(self)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Open the file."""
        self.was_read_only = False
        return super().get_new_connection(conn_params)

    def is_usable(self) -> bool:
        """Tell whether the connection lives, and was never refused to write by it."""
        return not self.was_read_only and super().is_usable()

    def is_read_only(self) -> bool:
        """Tell whether SQLite takes no writes by this connection.

        Raises:
            OperationalError: it says neither.
        """
        self.ensure_connection()
        self._let_sqlite_wait(0)  # whoever has the lock could write
        try:
            with self.cursor() as cursor:
                cursor.execute("DELETE FROM django_migrations WHERE 0")  # asks to write, and writes nothing
        except OperationalError as error:
            if _code(error.__cause__) not in (SQLITE_READONLY, SQLITE_BUSY):
                raise
        finally:
            self._let_sqlite_wait(self._patience)
        return self.was_read_only

    def is_held_up(self) -> bool:
        """Tell that no commit waits for another machine: there is none."""
        return False


class _Watching(DatabaseErrorWrapper):
    """Sees what SQLite refuses: Django forgets that a connection met an error as soon as it has rolled back."""

    wrapper: DatabaseWrapper

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        self.wrapper.was_read_only |= _code(exc_value) == SQLITE_READONLY
        super().__exit__(exc_type, exc_value, traceback)


def _code(error: BaseException | None) -> int:
    """Return what SQLite calls an error of its own, 0 for others; the rest of its number tells kinds of it apart."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF
