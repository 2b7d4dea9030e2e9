"""What a worker outlives: rings that are none, a database that is away, and a time-out wherever it comes."""

import logging
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import pytest
from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, connections, transaction
from django.db.transaction import Atomic
from redis import Redis
from redis import exceptions as redis_errors
from rq import Callback, Queue
from rq.job import Job
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer
from rq.timeouts import JobTimeoutException

from accounting import every
from accounting.every import SAID_EVERY_SECONDS, Every
from jobs import services, tasks
from jobs import worker as worker_module
from jobs.models import JobLog
from jobs.queue import TASK
from jobs.rings import NoRing
from tests.factories import JobFactory
from tests.support.deliveries import n8n_at
from tests.support.outages import Clock, closed_port
from tests.support.stub_server import StubServer, Visit, response, stub_server
from tests.support.workers import lines, ring, status_of, work

Status = JobLog.Status
pytestmark = pytest.mark.django_db(transaction=True)


def poison(redis: "Redis", *arguments: object) -> Job:
    """Ring with something else than a job's id."""
    queue = Queue("default", connection=redis, serializer=JSONSerializer)
    return queue.enqueue("jobs.tasks.trigger_n8n_workflow", *arguments)


@pytest.mark.parametrize("arguments", [("no-id",), (), (1,), (str(uuid4()), "two")])
def test_a_task_that_raises_is_told_of_and_the_next_ring_is_answered(
    n8n: StubServer, redis: "Redis", caplog: pytest.LogCaptureFixture, arguments: tuple[object, ...]
) -> None:
    poisoned, job = poison(redis, *arguments), JobFactory.create()
    ring(job)
    work()
    assert status_of(job) == Status.PROCESSING
    (line,) = lines(caplog, "task_failed")
    assert (line["rq_job_id"], line["level"]) == (poisoned.id, "error")
    assert line["job_id"] == (str(arguments[0]) if arguments else "")
    assert line["exc_info"]
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1
    registry = FailedJobRegistry("default", connection=redis, serializer=JSONSerializer)
    assert registry.get_job_ids() == [poisoned.id]


def test_of_rings_that_fail_no_more_are_kept_than_redis_has_room_for(
    redis: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "FAILED_KEPT", 2)
    poisoned = [poison(redis, "no-id") for _ in range(5)]
    work()
    kept = FailedJobRegistry("default", connection=redis, serializer=JSONSerializer).get_job_ids()
    assert len(kept) == 2  # of those of one second, whichever
    for each in poisoned:
        assert redis.exists(each.key, f"rq:results:{each.id}") == (2 if each.id in kept else 0)


calls: list[object] = []


def be_called(*arguments: object) -> None:
    calls.append(arguments)


def test_whoever_writes_to_redis_may_ring_and_have_nothing_else_called(
    n8n: StubServer, redis: "Redis", caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    job, queue = JobFactory.create(), Queue("default", connection=redis, serializer=JSONSerializer)
    queue.enqueue("os.mkdir", str(tmp_path / "made"))
    queue.enqueue(TASK, str(job.pk), on_success=Callback(be_called))
    work()
    assert status_of(job) == Status.PROCESSING
    assert not (tmp_path / "made").exists()
    assert calls == []
    (line,) = lines(caplog, "task_failed")
    assert line["exc_info"][0] is NoRing


def leave_a_transaction_unnoted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let RQ's time-out arrive once, when the claim's transaction has begun and Django has not noted it yet."""
    name = "_start_transaction_under_autocommit" if connection.vendor == "sqlite" else "_set_autocommit"
    wrapper = type(connections[DEFAULT_DB_ALIAS])
    begin = getattr(wrapper, name)

    def begin_and_be_stopped(*args: Any) -> None:
        begin(*args)
        monkeypatch.setattr(wrapper, name, begin)
        raise JobTimeoutException

    monkeypatch.setattr(wrapper, name, begin_and_be_stopped)


def leave_a_transaction_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it arrive once, when the claim's transaction is about to end."""
    end = Atomic.__exit__

    def be_stopped(self: Atomic, *args: Any) -> None:
        monkeypatch.setattr(Atomic, "__exit__", end)
        raise JobTimeoutException

    monkeypatch.setattr(Atomic, "__exit__", be_stopped)


def write_to_all() -> int:
    try:
        with transaction.atomic():
            return JobLog.objects.update(last_error="")
    finally:
        connection.close()


@pytest.mark.parametrize("arrives", [leave_a_transaction_unnoted, leave_a_transaction_open])
def test_whenever_rqs_time_out_arrives_the_next_ring_is_answered_and_nobody_is_locked_out(
    n8n: StubServer, monkeypatch: pytest.MonkeyPatch, arrives: Callable[[pytest.MonkeyPatch], None]
) -> None:
    claim, (first, second) = services.claim_job, JobFactory.create_batch(2)

    def claim_in_vain(*args: Any, **kwargs: Any) -> JobLog | None:
        monkeypatch.setattr(services, "claim_job", claim)
        arrives(monkeypatch)
        return claim(*args, **kwargs)

    monkeypatch.setattr(services, "claim_job", claim_in_vain)
    ring(first)
    ring(second)
    work()
    assert (status_of(first), status_of(second)) == (Status.QUEUED, Status.PROCESSING)
    with ThreadPoolExecutor(1) as another:
        assert another.submit(write_to_all).result() == 2


def test_while_the_database_is_away_a_ring_costs_a_pause_and_a_line(
    n8n: StubServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(tasks, "time", SimpleNamespace(sleep=pauses.append))
    monkeypatch.setattr("jobs.services.claim_job", Mock(side_effect=OperationalError("the database is away")))
    job = JobFactory.create()
    ring(job)
    work()
    assert (pauses, status_of(job)) == ([tasks.AWAY_SECONDS], Status.QUEUED)
    assert lines(caplog, "database_unavailable")[0]["error"] == "OperationalError"
    assert not lines(caplog, "task_failed")


def test_a_task_that_raises_while_the_database_is_away_costs_no_worker(
    n8n: StubServer, redis: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(redis, "no-id")
    renew = worker_module._renew_connection

    def renew_while_it_is_away() -> None:
        with closed_port() as port, monkeypatch.context() as away:
            place = {"NAME": "/nowhere/db"} if connection.vendor == "sqlite" else {"HOST": "127.0.0.1", "PORT": port}
            for name, value in place.items():
                away.setitem(connection.settings_dict, name, value)
            renew()

    monkeypatch.setattr(worker_module, "_renew_connection", renew_while_it_is_away)
    job = JobFactory.create()
    ring(job)
    work()
    assert status_of(job) == Status.PROCESSING


def test_a_ring_that_is_not_even_json_is_survived(n8n: StubServer, redis: "Redis") -> None:
    poisoned, job = poison(redis, "no-id"), JobFactory.create()
    redis.hset(poisoned.key, mapping={"data": pickle.dumps("made by something else")})
    ring(job)
    work()
    assert status_of(job) == Status.PROCESSING


def test_no_command_is_listened_to_that_comes_by_redis(redis: "Redis") -> None:
    channels: list[Any] = []

    def look(visit: Visit) -> None:
        visit.read()
        channels.append(redis.pubsub_channels())
        visit.send(response())

    ring(job := JobFactory.create())
    with stub_server(look) as server, n8n_at(server.url):
        work()
    assert (status_of(job), channels) == (Status.PROCESSING, [[]])


def test_while_redis_is_away_rq_says_so_once_a_minute_and_as_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock, tries = Clock(), 100

    def be_away(*_: object, **__: object) -> None:
        nonlocal tries
        tries -= 1
        if tries:
            raise redis_errors.ConnectionError("nobody answers")

    def sleep(seconds: float) -> None:
        clock.now += seconds

    monkeypatch.setattr(Queue, "dequeue_any", be_away)
    monkeypatch.setattr("rq.worker.base.time", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(worker_module, "time", clock)
    monkeypatch.setattr(every, "time", clock)
    monkeypatch.setattr(worker_module.away_now_and_then, "_away", Every(SAID_EVERY_SECONDS))
    began = clock.now
    work()
    said = [record for record in caplog.records if record.name == "rq.worker"]
    assert {record.levelno for record in said} == {logging.WARNING}
    assert 0 <= len(said) - (clock.now - began) // 60 <= 1
