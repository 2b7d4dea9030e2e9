"""The worker: what plain `manage.py rqworker` runs, on a real Valkey, and how it answers rings."""

import json
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import django_rq
import pytest
import structlog
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, connections, transaction
from django.db.transaction import Atomic
from redis import Redis
from rq import Callback, Queue
from rq.exceptions import StopRequested
from rq.job import Job
from rq.registry import FailedJobRegistry, FinishedJobRegistry
from rq.serializers import JSONSerializer
from rq.timeouts import JobTimeoutException
from rq.worker import WorkerStatus

from jobs import services, tasks
from jobs import worker as worker_module
from jobs.models import Heartbeat, JobLog
from jobs.queue import TASK
from jobs.worker import DeliveryWorker

from .deliveries import WEBHOOK
from .factories import JobFactory, job_in
from .stub_server import StubServer
from .workers import accepting_n8n, lines, ring, status_of, work

Status = JobLog.Status
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def n8n() -> Iterator[StubServer]:
    """Return an N8N that accepts everything."""
    with accepting_n8n() as server:
        yield server


# -- as an operator starts it


def test_plain_rqworker_delivers_what_was_rung_for_and_logs_json(n8n: StubServer) -> None:
    job = JobFactory.create()
    ring(job, request_id="r-1")
    told, printed = manage("rqworker", "--burst", N8N_WEBHOOK_URL=n8n.url + WEBHOOK)
    assert (status_of(job), len(n8n.requests)) == (Status.PROCESSING, 1)

    logged = [json.loads(line) for line in told.splitlines()]  # every line is JSON
    (ended,) = [line for line in logged if line["event"] == "delivery_ended"]
    name = job.events.get(kind="claimed").actor
    assert (ended["request_id"], ended["job_id"], ended["worker"]) == ("r-1", str(job.pk), name)
    assert Heartbeat.objects.get(name=name).kind == Heartbeat.Kind.WORKER
    assert {line["logger"] for line in logged} <= {"jobs.tasks", "jobs.transitions"}
    assert "canary" not in told + printed


@pytest.mark.parametrize("command", [("rqworker", "--burst"), ("sweep_jobs", "--once")])
def test_neither_worker_nor_sweep_loads_what_only_the_web_has_a_use_for(
    command: tuple[str, ...], n8n: StubServer
) -> None:
    ring(JobFactory.create())
    told, _ = manage(*command, N8N_WEBHOOK_URL=n8n.url + WEBHOOK, PYTHONPROFILEIMPORTTIME="1")
    loaded = {line.rpartition("|")[2].strip() for line in told.splitlines() if line.startswith("import time:")}
    assert "jobs.sweep" in loaded
    pages = {"accounting.urls", "accounting.problems", "jobs.admin", "jobs.views", "receipts.validators"}
    libraries = {"rest_framework.views", "drf_spectacular.openapi", "waitress", "charset_normalizer.api"}
    assert not loaded & (pages | libraries)


def test_a_worker_for_a_queue_that_there_is_none_of_says_so() -> None:
    with pytest.raises(CommandError, match=r"There is no queue nosuch; there is default\."):
        call_command("rqworker", "default", "nosuch")


def manage(*command: str, **further: str) -> tuple[str, str]:
    """Run a management command on this test's database; return what it told and printed."""
    environment = os.environ | {"DATABASE_URL": database_url(), "MEDIA_ROOT": settings.MEDIA_ROOT} | further
    done = subprocess.run(
        [sys.executable, "manage.py", *command], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stderr, done.stdout


def database_url() -> str:
    """Return the address of this test's database, for another process."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    address, _, options = os.environ["DATABASE_URL"].partition("?")
    return f"{address.rpartition('/')[0]}/{name}?{options}"


def test_whatever_rqworker_is_told_it_reads_json_and_keeps_its_tuning() -> None:
    worker = django_rq.get_worker(serializer="rq.serializers.DefaultSerializer", worker_ttl=420)
    assert isinstance(worker, DeliveryWorker)
    assert worker.serializer is JSONSerializer
    assert (worker.worker_ttl, worker.maintenance_interval, worker.max_connection_wait_time) == (20, 30, 5.0)
    assert worker.queue_names() == ["default"]


# -- rings


def test_rings_are_answered_one_after_the_other_on_one_connection(n8n: StubServer) -> None:
    jobs = JobFactory.create_batch(3)
    for job in jobs:
        ring(job)
    work()
    assert [status_of(job) for job in jobs] == [Status.PROCESSING] * 3
    assert [request.headers["Idempotency-Key"] for request in n8n.requests] == [str(job.pk) for job in jobs]
    assert len(n8n.visits) == 1


@pytest.mark.parametrize("status", [status for status in Status if status != Status.QUEUED])
def test_a_ring_for_a_job_that_does_not_wait_does_nothing(n8n: StubServer, status: JobLog.Status) -> None:
    job = job_in(status)
    ring(job)
    work()
    assert (status_of(job), n8n.visits) == (status, [])


def test_a_job_rung_for_twice_is_sent_once(n8n: StubServer) -> None:
    job = JobFactory.create()
    ring(job)
    ring(job)
    work()
    assert (status_of(job), len(n8n.requests)) == (Status.PROCESSING, 1)


def test_an_answered_ring_leaves_redis_after_ten_minutes(n8n: StubServer, redis: "Redis") -> None:
    ring(JobFactory.create())
    work()
    (ring_id,) = FinishedJobRegistry("default", connection=redis, serializer=JSONSerializer).get_job_ids()
    answered = Job.fetch(ring_id, connection=redis, serializer=JSONSerializer)
    assert answered.return_value() == "processing"
    assert 0 < redis.ttl(answered.key) <= 600


# -- what goes wrong


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
    assert line["exc_info"]
    registry = FailedJobRegistry("default", connection=redis, serializer=JSONSerializer)
    assert registry.get_job_ids() == [poisoned.id]


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
    assert line["exc_info"][0] is worker_module.NoRing


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
    def away(*_: object, **__: object) -> None:
        raise OperationalError("the database is away")

    pauses: list[float] = []
    monkeypatch.setattr(tasks, "time", SimpleNamespace(sleep=pauses.append, monotonic=time.monotonic))
    monkeypatch.setattr("jobs.services.claim_job", away)
    job = JobFactory.create()
    ring(job)
    work()
    assert (pauses, status_of(job)) == ([tasks.AWAY_SECONDS], Status.QUEUED)
    assert lines(caplog, "database_unavailable")[0]["error"] == "OperationalError"
    assert not lines(caplog, "task_failed")


def test_a_ring_that_is_not_even_json_is_survived(n8n: StubServer, redis: "Redis") -> None:
    poisoned, job = poison(redis, "no-id"), JobFactory.create()
    redis.hset(poisoned.key, "data", pickle.dumps("made by something else"))
    ring(job)
    work()
    assert status_of(job) == Status.PROCESSING


def test_the_id_of_whoever_rang_is_on_every_line_of_that_ring_and_on_no_other(
    n8n: StubServer, redis: "Redis", caplog: pytest.LogCaptureFixture
) -> None:
    first, second = JobFactory.create_batch(2)
    ring(first, request_id="r-1")
    ring(second)
    (_, ring_id) = Queue("default", connection=redis, serializer=JSONSerializer).job_ids
    work()
    begun = lines(caplog, "delivery_begun")
    assert [(line["job_id"], line["request_id"]) for line in begun] == [
        (str(first.pk), "r-1"),
        (str(second.pk), ring_id),
    ]
    assert n8n.requests[0].headers["X-Request-ID"] == "r-1"
    assert "request_id" not in structlog.contextvars.get_contextvars()


# -- told to stop


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a signal have come, and what it raised have been lost."""
    event = threading.Event()
    event.set()
    monkeypatch.setattr(worker_module, "told_to_stop", event)


def test_one_that_was_told_to_stop_while_it_was_made_answers_no_ring(n8n: StubServer, told: None) -> None:
    job = JobFactory.create()
    ring(job)
    work()
    assert (status_of(job), n8n.requests) == (Status.QUEUED, [])


def test_where_what_the_signal_raised_was_lost_it_stops_at_its_next_beat_but_in_no_delivery(told: None) -> None:
    worker = django_rq.get_worker()
    assert isinstance(worker, DeliveryWorker)
    worker.set_state(WorkerStatus.BUSY)
    worker.heartbeat()
    worker.set_state(WorkerStatus.IDLE)
    with pytest.raises(StopRequested):
        worker.heartbeat()
