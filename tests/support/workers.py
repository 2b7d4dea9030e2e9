"""A worker in this process, and an N8N for it: it is rung, let work, and what came of it is looked at."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django_rq
import pytest

from jobs.models import JobLog
from jobs.queue import queue_service
from jobs.worker import DeliveryWorker

from .deliveries import n8n_at
from .stub_server import StubServer, answering, stub_server


@contextmanager
def accepting_n8n() -> Iterator[StubServer]:
    """Run an N8N that accepts everything, and to which the worker delivers."""
    with stub_server(answering()) as server, n8n_at(server.url):
        yield server


def work() -> DeliveryWorker:
    """Let a worker answer all rings that wait, and return it."""
    worker = django_rq.get_worker()
    assert isinstance(worker, DeliveryWorker)
    with _own_signals():
        worker.work(burst=True)
    return worker


@contextmanager
def _own_signals() -> Iterator[None]:
    """Give back the signals that a worker takes."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def ring(job: JobLog, request_id: str = "") -> None:
    """Ring for a job."""
    assert queue_service().ring([job.pk], request_id=request_id) == 1


def status_of(job: JobLog) -> str:
    """Return the status that a job has now."""
    job.refresh_from_db()
    return job.status


def lines(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    """Return the lines of the log that tell of such an event."""
    logged: list[Any] = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return [line for line in logged if line["event"] == event]
