"""SQLite as this service has it: a process has one transaction at a time, and the others wait for their turn."""

import gc
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, close_old_connections, connection, transaction
from django.db.backends.sqlite3 import base
from django.test import Client as Browser

from receipts.models import ApiKey, Client
from tests.support.installation import wait_for

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("config.getoption('--database') != 'sqlite'", reason="it is SQLite's: --database=sqlite"),
]


class BrokenOff(Exception):
    """What a signal's handler may raise at any line, as RQ's time-out does."""


def commit() -> None:
    with transaction.atomic():
        Client.objects.create(name="committed")


def roll_back() -> None:
    with transaction.atomic():
        Client.objects.create(name="rolled back")
        transaction.set_rollback(True)


def raise_inside() -> None:
    with pytest.raises(BrokenOff), transaction.atomic():
        raise BrokenOff


def close() -> None:
    with transaction.atomic():
        connection.close()


def fail_to_commit() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiKey.objects.create(id="nobody's", prefix="nobody's", client_id=0)  # SQLite looks for its client at the end


def break_off_commit() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base.DatabaseWrapper, "commit", raising(BrokenOff, after=base.DatabaseWrapper.commit))
        with pytest.raises(BrokenOff), transaction.atomic():
            Client.objects.create(name="committed")


def raising(error: type[Exception], *, after: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return a function that does something and raises then."""

    def do_and_raise(wrapper: Any) -> None:
        after(wrapper)
        raise error

    return do_and_raise


class Writer(threading.Thread):
    """Writes in a transaction.

    Attributes:
        asked: what it has asked SQLite so far.
        refusals: what it was told instead of its turn.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.refusals: list[str] = []
        self._client = name
        self.start()

    def run(self) -> None:
        connection.ensure_connection()
        try:
            with connection.execute_wrapper(self._note), transaction.atomic():
                Client.objects.create(name=self._client)
        except OperationalError as error:
            self.refusals.append(str(error))
        finally:
            connection.close()

    def _note(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        self.asked.append(sql)
        return execute(sql, *rest)


@pytest.mark.parametrize("end", [commit, roll_back, raise_inside, close, fail_to_commit, break_off_commit])
def test_however_a_transaction_ends_the_next_writer_has_its_turn(end: Callable[[], None]) -> None:
    end()
    Writer("next").join()
    assert Client.objects.filter(name="next").exists()


def test_a_writer_asks_sqlite_only_once_the_one_before_is_done() -> None:
    with transaction.atomic():
        second = Writer("second")
        second.join(0.3)
        assert second.is_alive()
        assert second.asked == []
    second.join()
    assert second.asked[0] == "BEGIN IMMEDIATE"
    assert Client.objects.filter(name="second").exists()


def test_a_writer_asks_again_soon_while_another_process_writes() -> None:
    with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as another:
        another.execute("BEGIN IMMEDIATE")
        second = Writer("second")
        wait_for(lambda: second.asked.count("BEGIN IMMEDIATE") > 20, "it to ask many times")
        another.execute("ROLLBACK")
    second.join()
    assert Client.objects.filter(name="second").exists()


@pytest.mark.parametrize("code", [sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_RECOVERY, sqlite3.SQLITE_BUSY_SNAPSHOT])
def test_whatever_another_process_is_busy_with_is_waited_for(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    begin, refusals = base.DatabaseWrapper._start_transaction_under_autocommit, [code]  # type: ignore[attr-defined] # private

    def begin_late(wrapper: Any) -> None:
        if refusals:
            cause = sqlite3.OperationalError("database is locked")
            cause.sqlite_errorcode = refusals.pop()
            raise OperationalError(*cause.args) from cause
        begin(wrapper)

    monkeypatch.setattr(base.DatabaseWrapper, "_start_transaction_under_autocommit", begin_late)
    commit()
    assert Client.objects.filter(name="committed").exists()


def test_another_process_that_writes_for_too_long_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.1)
    with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as another:
        another.execute("BEGIN IMMEDIATE")
        second = Writer("second")
        second.join()
    assert second.refusals == ["database is locked"]


def test_whoever_waits_for_a_writer_keeps_him_waiting_by_no_cursor_that_is_garbage() -> None:
    told: list[str] = []

    def write() -> None:
        cursor = connection.cursor()
        cursor.execute("SELECT 1 UNION SELECT 2")  # of which it has not seen the end
        garbage: list[object] = [cursor]
        garbage.append(garbage)
        del cursor, garbage
        told.append("begins")
        try:
            Client.objects.update(name="written")
        except OperationalError as error:
            told.append(str(error))
        finally:
            connection.close()

    waiting = threading.Thread(target=write)
    with transaction.atomic():
        Client.objects.create(name="before")
        waiting.start()
        wait_for(lambda: told, "it to begin")
        waiting.join(0.3)
        assert [[] for _ in range(1_000_000)]  # so many that Python would look for garbage
    waiting.join()
    assert told == ["begins"]
    assert Client.objects.get().name == "written"


@pytest.mark.parametrize("end", [commit, roll_back, raise_inside, close, fail_to_commit, break_off_commit])
def test_however_a_transaction_ends_garbage_is_collected_again(end: Callable[[], None]) -> None:
    end()
    assert gc.isenabled()


def test_what_was_written_while_somebody_read_takes_no_room_in_the_log_once_he_has_left() -> None:
    log, cursor = Path(f"{connection.settings_dict['NAME']}-wal"), connection.cursor()
    cursor.execute("CREATE TABLE large (content BLOB)")
    try:
        with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM receipts_client").fetchall()
            cursor.execute("INSERT INTO large VALUES (zeroblob(30000000))")
            assert log.stat().st_size > 30_000_000
        for name in ("takes it into the database", "begins the log anew"):
            Client.objects.create(name=name)
        assert log.stat().st_size < 20_000_000
    finally:
        cursor.execute("DROP TABLE large")


def test_statements_outside_of_transactions_wait_as_ever() -> None:
    commit()
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA busy_timeout").fetchone() == (10_000,)


def test_a_writer_whose_turn_does_not_come_is_told_what_sqlite_would_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.1)
    with transaction.atomic():
        second = Writer("second")
        second.join()
    assert second.refusals == ["database is locked"]
    assert second.asked == []
    assert not Client.objects.filter(name="second").exists()


def commit_to_what_may_only_be_read() -> None:
    with transaction.atomic():
        let_only_be_read()  # SQLite finds out at the first write
        Client.objects.create(name="committed")


def readiness() -> tuple[int, str]:
    answer = Browser().get("/health/ready")
    return answer.status_code, answer.json()["checks"]["database"]


def let_only_be_read() -> None:
    """Let this connection be as one to a file that could not be written when it was opened."""
    connection.cursor().execute("PRAGMA query_only = ON")


def test_a_database_that_may_only_be_read_is_not_ready_until_it_is_opened_anew() -> None:
    let_only_be_read()
    assert readiness() == (503, "read only")
    close_old_connections()  # as after each request
    assert readiness() == (200, "ok")


def test_who_may_not_write_has_a_new_connection_with_the_next_request() -> None:
    with pytest.raises(OperationalError, match="readonly"):
        commit_to_what_may_only_be_read()
    close_old_connections()
    commit()
    assert Client.objects.filter(name="committed").exists()


def test_a_connection_that_met_no_error_is_kept() -> None:
    commit()
    kept = connection.connection
    close_old_connections()
    roll_back()
    assert connection.connection is kept


def test_a_database_in_which_somebody_writes_is_ready_and_nobody_waits_for_him() -> None:
    with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as another:
        another.execute("BEGIN IMMEDIATE")
        assert readiness() == (200, "ok")
    assert connection.cursor().execute("PRAGMA busy_timeout").fetchone() == (10_000,)
