"""A worker's signs of life: written down now and then, also while N8N keeps it waiting, and not once it hangs."""

from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import django_rq
import pytest
from django.conf import LazySettings
from django.db import OperationalError, connection
from django.utils import timezone
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from rq.timeouts import BaseDeathPenalty

from accounting import every
from jobs import worker as worker_module
from jobs.heartbeats import ALIVE_WITHIN
from jobs.identity import PROCESS_NAME
from jobs.models import Heartbeat, JobLog
from jobs.worker import DeliveryWorker
from tests.factories import JobFactory
from tests.support.deliveries import n8n_at
from tests.support.installation import wait_for
from tests.support.outages import Clock, closed_port
from tests.support.stub_server import StubServer, Visit, response, stub_server
from tests.support.workers import lines, ring, status_of, work

Status = JobLog.Status
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_database]


def test_a_worker_writes_down_that_it_lives(n8n: StubServer) -> None:
    work()
    heartbeat = Heartbeat.objects.get()
    assert (heartbeat.name, heartbeat.kind) == (PROCESS_NAME, Heartbeat.Kind.WORKER)
    assert abs(timezone.now() - heartbeat.at) < timedelta(seconds=30)


def test_it_does_so_now_and_then_and_not_at_every_step(n8n: StubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    beats: list[str] = []
    monkeypatch.setattr(worker_module, "beat", lambda name, kind: beats.append(name))
    monkeypatch.setattr(worker_module, "BEAT_EVERY_SECONDS", 600)
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


class NoAlarm(BaseDeathPenalty):
    """RQ's time-out where it is not heard: while a library waits without end in C."""

    def setup_death_penalty(self) -> None:
        """Set none."""

    cancel_death_penalty = setup_death_penalty


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
    monkeypatch.setattr(DeliveryWorker, "death_penalty_class", NoAlarm)
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
    for module in (worker_module, every):
        monkeypatch.setattr(module, "time", delivery)
    return delivery


def beat_during(delivery: Any, *, phase: float) -> None:
    """Let a worker beat, and its thread, which has a phase of its own, go on doing so."""
    worker = django_rq.get_worker()
    assert isinstance(worker, DeliveryWorker)
    worker._busy_until = delivery.now + 120
    worker.heartbeat_timer.beat_if_due()
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
        worker.heartbeat_timer, worker._next_in_redis = worker_module.HeartbeatTimer(), 0.0
        with pytest.raises(RedisConnectionError):
            worker.heartbeat()
    assert Heartbeat.objects.get().name == PROCESS_NAME


def test_a_database_that_is_away_costs_a_heartbeat_and_not_the_worker(
    n8n: StubServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker_module, "beat", Mock(side_effect=OperationalError("the database is away")))
    job = JobFactory.create()
    ring(job)
    work()
    assert status_of(job) == Status.PROCESSING
    assert lines(caplog, "heartbeat_failed")[0]["error"] == "OperationalError"
