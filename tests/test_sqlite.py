"""SQLite as this service has it: the threads of a process that are to write wait in line."""

import threading
from collections.abc import Callable

import pytest
from django.db import OperationalError, connection, transaction

from receipts.models import Client

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("config.getoption('--database') != 'sqlite'", reason="it is SQLite's: --database=sqlite"),
]


def commit() -> None:
    with transaction.atomic():
        Client.objects.create(name="committed")


def roll_back() -> None:
    with transaction.atomic():
        Client.objects.create(name="rolled back")
        transaction.set_rollback(True)


def close() -> None:
    with transaction.atomic():
        connection.close()


def fail_to_commit() -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        raise RuntimeError


def write(name: str, refusals: list[str]) -> None:
    """Write in a thread of its own."""
    try:
        with transaction.atomic():
            Client.objects.create(name=name)
    except OperationalError as error:
        refusals.append(str(error))
    finally:
        connection.close()


def writer(name: str, refusals: list[str]) -> threading.Thread:
    """Start another thread that writes."""
    thread = threading.Thread(target=write, args=(name, refusals))
    thread.start()
    return thread


@pytest.mark.parametrize("end", [commit, roll_back, close, fail_to_commit])
def test_however_a_transaction_ends_the_next_writer_has_its_turn(end: Callable[[], None]) -> None:
    end()
    writer("next", []).join()
    assert Client.objects.filter(name="next").exists()


def test_a_writer_goes_on_once_the_one_before_is_done() -> None:
    with transaction.atomic():
        Client.objects.create(name="first")
        waiting = writer("second", [])
        waiting.join(0.2)
        assert waiting.is_alive()
    waiting.join()
    assert set(Client.objects.values_list("name", flat=True)) >= {"first", "second"}


def test_a_writer_whose_turn_does_not_come_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.1)
    refusals: list[str] = []
    with transaction.atomic():
        writer("second", refusals).join()
    assert refusals == ["database is locked"]
    assert not Client.objects.filter(name="second").exists()
