"""The worker: what plain `manage.py rqworker` runs, on a real Valkey."""

import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import django_rq
import pytest
import structlog
from django.conf import LazySettings, settings
from django.db import OperationalError, connection
from django.utils import timezone
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from rq import Queue
from rq.job import Job
from rq.registry import FailedJobRegistry, FinishedJobRegistry
from rq.serializers import JSONSerializer

from accounting.health import ALIVE_WITHIN
from accounting.identity import PROCESS
from jobs import worker as worker_module
from jobs.models import Heartbeat, JobLog
from jobs.queue import queue_service
from jobs.worker import DeliveryWorker

from .deliveries import WEBHOOK, n8n_at
from .factories import JobFactory, job_in
from .installation import wait_for
from .outages import Clock, closed_port
from .stub_server import StubServer, Visit, answering, response, stub_server

Status = JobLog.Status
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def n8n() -> Iterator[StubServer]:
    """Return an N8N that accepts everything."""
    with stub_server(answering()) as server, n8n_at(server.url):
        yield server


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    """Give back the signals that a worker takes."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def work() -> DeliveryWorker:
    """Let a worker answer all rings that wait, and return it."""
    worker = django_rq.get_worker()
    assert isinstance(worker, DeliveryWorker)
    worker.work(burst=True)
    return worker


def ring(job: JobLog, request_id: str = "") -> None:
    assert queue_service().ring([job.pk], request_id=request_id) == 1


def status_of(job: JobLog) -> str:
    job.refresh_from_db()
    return job.status


def lines(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    logged: list[Any] = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return [line for line in logged if line["event"] == event]


# -- as an operator starts it


def test_plain_rqworker_delivers_what_was_rung_for_and_logs_json(n8n: StubServer) -> None:
    job = JobFactory.create()
    ring(job, request_id="r-1")
    environment = os.environ | {
        "DATABASE_URL": database_url(),
        "MEDIA_ROOT": settings.MEDIA_ROOT,
        "N8N_WEBHOOK_URL": n8n.url + WEBHOOK,
    }
    command = [sys.executable, "manage.py", "rqworker", "--burst"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert (status_of(job), len(n8n.requests)) == (Status.PROCESSING, 1)

    logged = [json.loads(line) for line in done.stderr.splitlines()]  # every line is JSON
    (ended,) = [line for line in logged if line["event"] == "delivery_ended"]
    name = job.events.get(kind="claimed").actor
    assert (ended["request_id"], ended["job_id"], ended["worker"]) == ("r-1", str(job.pk), name)
    assert Heartbeat.objects.get(name=name).kind == Heartbeat.Kind.WORKER
    assert {line["logger"] for line in logged} <= {"jobs.tasks", "jobs.transitions"}
    assert "canary" not in done.stderr + done.stdout


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


# -- signs of life


def test_a_worker_writes_down_that_it_lives(n8n: StubServer) -> None:
    work()
    heartbeat = Heartbeat.objects.get()
    assert (heartbeat.name, heartbeat.kind) == (PROCESS, Heartbeat.Kind.WORKER)
    assert abs(timezone.now() - heartbeat.at) < timedelta(seconds=30)


def test_it_does_so_now_and_then_and_not_at_every_step(n8n: StubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    beats: list[str] = []
    monkeypatch.setattr(worker_module, "beat", lambda name, kind: beats.append(name))
    for _ in range(3):
        ring(JobFactory.create())
    work()
    assert len(beats) == 1
    monkeypatch.setattr(worker_module, "BEAT_EVERY_SECONDS", 0.001)
    ring(JobFactory.create())
    work()
    assert len(beats) > 2


def beats_on(seconds: float = 5) -> bool:
    """Tell whether the heart beats once more."""
    before = Heartbeat.objects.get().at
    try:
        return bool(wait_for(lambda: Heartbeat.objects.get().at > before, "a beat", seconds))
    except AssertionError:
        return False
    finally:
        connection.close()


def test_its_heart_beats_on_while_n8n_keeps_it_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    beats: list[bool] = []

    def answer_after_two_beats(visit: Visit) -> None:
        visit.read()
        beats.extend([beats_on(), beats_on()])
        visit.send(response())

    monkeypatch.setattr(worker_module, "BEAT_EVERY_SECONDS", 0.2)
    job = JobFactory.create()
    ring(job)
    with stub_server(answer_after_two_beats) as server, n8n_at(server.url):
        work()
    assert beats == [True, True]
    assert status_of(job) == Status.PROCESSING


def test_a_worker_that_hangs_for_longer_than_it_may_does_not_pass_for_alive(
    monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    beats: list[bool] = []

    def answer_when_the_heart_is_still(visit: Visit) -> None:
        visit.read()
        while beats_on(seconds=0.5):
            beats.append(True)
        visit.send(response())

    monkeypatch.setattr(worker_module, "BEAT_EVERY_SECONDS", 0.1)
    settings.RQ_TIMEOUT_SECONDS = 1
    job = JobFactory.create()
    ring(job)
    with stub_server(answer_when_the_heart_is_still) as server, n8n_at(server.url):
        work()
    assert 0 < len(beats) < 15
    assert status_of(job) == Status.PROCESSING


class Delivery(Clock):
    """Passes while somebody waits for its end, for two minutes."""

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return self.now > 1120


@pytest.fixture
def delivery(monkeypatch: pytest.MonkeyPatch) -> Delivery:
    """Return a long delivery, by whose clock the worker's heart beats."""
    delivery = Delivery()
    monkeypatch.setattr(worker_module, "time", delivery)
    return delivery


def beat_during(delivery: Any, *, phase: float) -> None:
    """Let a worker beat, and its thread, which has a phase of its own, go on doing so."""
    worker = django_rq.get_worker()
    assert isinstance(worker, DeliveryWorker)
    worker._busy_until = delivery.now + 120
    worker._beat_if_due()
    delivery.now += phase
    worker._beat_while_busy(delivery)


@pytest.mark.parametrize("phase", [0, 0.1, 4.9, 14.9])
def test_a_busy_worker_that_loses_one_beat_still_counts_as_alive(
    monkeypatch: pytest.MonkeyPatch, delivery: Delivery, phase: float
) -> None:
    beats: list[float] = []
    lost: list[float] = []

    def beat(name: str, kind: str) -> None:
        if beats and not lost:
            lost.append(delivery.now)
            delivery.now += 3
            raise OperationalError
        beats.append(delivery.now)

    monkeypatch.setattr(worker_module, "beat", beat)
    beat_during(delivery, phase=phase)
    assert beats[0] < lost[0] < beats[1]
    assert beats[1] - beats[0] < ALIVE_WITHIN[Heartbeat.Kind.WORKER].total_seconds()


def test_what_nobody_expected_costs_a_beat_and_not_the_heart(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, delivery: Delivery
) -> None:
    beats: list[float] = []

    def beat(name: str, kind: str) -> None:
        beats.append(delivery.now)
        if len(beats) == 2:
            raise RuntimeError

    monkeypatch.setattr(worker_module, "beat", beat)
    beat_during(delivery, phase=0)
    assert len(beats) > 5
    (line,) = lines(caplog, "heartbeat_failed")
    assert (line["level"], bool(line["exc_info"])) == ("error", True)


def test_it_beats_in_redis_no_more_often_than_serves(redis: Redis, delivery: Delivery) -> None:
    worker = django_rq.get_worker()
    worker.heartbeat()
    first = redis.hget(worker.key, "last_heartbeat")
    redis.delete(worker.key)
    delivery.now += 0.9
    worker.heartbeat()
    assert first
    assert not redis.exists(worker.key)
    delivery.now += 0.2
    worker.heartbeat()
    assert redis.exists(worker.key)


def test_a_delivery_lengthens_at_once_how_long_it_passes_for_alive(redis: Redis, delivery: Delivery) -> None:
    worker = django_rq.get_worker()
    worker.heartbeat()
    worker.heartbeat(500)
    assert int(str(redis.ttl(worker.key))) > 400


def test_it_lives_while_redis_is_away(n8n: StubServer) -> None:
    worker = work()
    Heartbeat.objects.all().delete()
    with closed_port() as port, Redis(port=port) as away:
        worker.connection = away
        worker._next_beat = worker._next_in_redis = 0.0
        with pytest.raises(RedisConnectionError):
            worker.heartbeat()
    assert Heartbeat.objects.get().name == PROCESS


def test_a_database_that_is_away_costs_a_heartbeat_and_not_the_worker(
    n8n: StubServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(name: str, kind: str) -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr(worker_module, "beat", away)
    job = JobFactory.create()
    ring(job)
    work()
    assert status_of(job) == Status.PROCESSING
    assert lines(caplog, "heartbeat_failed")[0]["error"] == "OperationalError"
