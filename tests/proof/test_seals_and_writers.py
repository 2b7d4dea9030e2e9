"""A clock that jumps ahead passes over the minutes in which transactions end: a seal waits for those that write."""

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import pytest
from django.db import connection, transaction

from accounting.clock import database_now
from jobs.models import JobEvent, Seal
from jobs.proof import writers
from jobs.proof.sealing import seal_finished_hours
from jobs.stats import HOUR
from receipts.models import Client
from tests.support.job_lifecycle import uploaded

from .sealed_hours import due, wrong

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("config.getoption('--database') != 'postgresql'", reason="SQLite has one writer at a time"),
]


@contextmanager
def open_transaction(does: Callable[[], object]) -> Iterator[None]:
    """Let another connection have done that, and keep its transaction open within."""
    done, over = Event(), Event()

    def stay() -> None:
        try:
            with transaction.atomic():
                does()
                done.set()
                assert over.wait(30)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        staying = pool.submit(stay)
        try:
            assert done.wait(10)
            yield
        finally:
            over.set()
        staying.result()


def test_no_hour_is_sealed_before_an_event_of_a_smaller_id_is_seen() -> None:
    first, second = (Client.objects.create(name=name) for name in ("First", "Second"))
    jumped = due(database_now() + HOUR)
    with open_transaction(lambda: uploaded(first)):
        uploaded(second)
        assert seal_finished_hours(jumped) == 0
    assert seal_finished_hours(jumped) == 1
    assert Seal.objects.get().events == 2
    assert wrong(jumped) == []


def test_those_that_come_meanwhile_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = itertools.count()
    monkeypatch.setattr(writers, "_writers", lambda: {str(next(numbers))})
    assert writers.all_is_seen()


def test_a_back_up_that_takes_long_keeps_no_hour_from_its_seal() -> None:
    uploaded()
    with open_transaction(JobEvent.objects.exists):
        assert seal_finished_hours(due(database_now() + HOUR)) == 1
