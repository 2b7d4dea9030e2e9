"""A database backend: Django's own for SQLite, but that a process has one transaction at a time, and the others wait.

SQLite lets whoever finds the write lock taken look again after ever longer pauses, up to 100 ms
(`sqliteDefaultBusyCallback` in its main.c), while others that come later take it: of eight threads that upload, some
waited for seconds. Here one of them asks SQLite, and the next is woken when it is done. Statements outside of any
transaction wait as SQLite does.
"""

import threading
from typing import Any

from django.db import OperationalError
from django.db.backends.sqlite3 import base

_turn = threading.Lock()


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection; it has the turn while its transaction is open."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._has_turn = False

    def _start_transaction_under_autocommit(self) -> None:
        # it has the turn already where a signal's exception broke off what was to pass it
        if not self._has_turn and not _turn.acquire(timeout=self.settings_dict["OPTIONS"]["timeout"]):
            raise OperationalError("database is locked")  # as SQLite says it
        self._has_turn = True
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc] # django-stubs leaves out what is private
        except BaseException:
            self._pass_turn()
            raise

    def commit(self) -> None:
        try:
            super().commit()
        finally:
            self._pass_turn()

    def rollback(self) -> None:
        try:
            super().rollback()
        finally:
            self._pass_turn()

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._pass_turn()

    def _pass_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            _turn.release()
