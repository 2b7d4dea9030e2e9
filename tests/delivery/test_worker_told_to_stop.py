"""A worker that is told to stop, at whatever moment."""

import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

import django_rq
import pytest
from rq.exceptions import StopRequested
from rq.worker import WorkerStatus

from accounting.stopping import StopSign
from jobs import worker as worker_module
from jobs.models import JobLog
from jobs.worker import DeliveryWorker
from tests.factories import JobFactory
from tests.support.stub_server import StubServer
from tests.support.workers import ring, status_of, work

Status = JobLog.Status
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def told_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a signal have come, and what it raised have been lost."""
    sign = StopSign()
    sign.set()
    monkeypatch.setattr(worker_module, "told_to_stop", sign)


def test_one_that_was_told_to_stop_while_it_was_made_answers_no_ring(n8n: StubServer, told_to_stop: None) -> None:
    job = JobFactory.create()
    ring(job)
    work()
    assert (status_of(job), n8n.requests) == (Status.QUEUED, [])


def test_where_what_the_signal_raised_was_lost_it_stops_at_its_next_beat_but_in_no_delivery(told_to_stop: None) -> None:
    worker = django_rq.get_worker()
    assert isinstance(worker, DeliveryWorker)
    worker.set_state(WorkerStatus.BUSY)
    worker.heartbeat()
    worker.set_state(WorkerStatus.IDLE)
    with pytest.raises(StopRequested):
        worker.heartbeat()


@pytest.fixture
def _handlers_put_back() -> Iterator[None]:
    """Let what a test does with signals end with it."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGALRM)}
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_handlers_put_back")
@pytest.mark.parametrize("moment", range(20))
def test_one_that_waits_hears_a_signal_at_whatever_moment_it_comes(moment: int) -> None:
    def give_up(*_: object) -> None:
        raise TimeoutError

    def strike(frame: FrameType, event: str, argument: object) -> Any:
        if next(steps, None) == moment:
            signal.raise_signal(signal.SIGTERM)
        return strike

    steps = iter(range(moment + 1))  # the calls, lines and returns of which the wait is made
    told_to_stop = type(worker_module.told_to_stop)()
    signal.signal(signal.SIGTERM, lambda *_: told_to_stop.set())
    signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, 5)
    traced = sys.gettrace()
    sys.settrace(strike)
    try:
        while not told_to_stop.wait(0.01):
            pass
    finally:
        sys.settrace(traced)
