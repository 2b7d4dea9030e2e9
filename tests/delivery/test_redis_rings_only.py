"""Whoever writes to Redis may ring, and have nothing called, made or asked for: not by workers, nor by who looks."""

import json
import pickle
import time
from collections.abc import Callable

import pytest
from django.test import Client as Browser
from redis import Redis
from rq import Queue
from rq.executions import Execution
from rq.job import Job, JobStatus
from rq.registry import StartedJobRegistry
from rq.serializers import JSONSerializer

from jobs.models import JobLog
from tests.factories import JobFactory
from tests.support.admin_pages import QUEUE
from tests.support.stub_server import StubServer, answering, stub_server
from tests.support.workers import ring, status_of, work

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_database]

calls: list[object] = []


@pytest.fixture(autouse=True)
def nothing_called() -> None:
    """Begin each test with no calls."""
    calls.clear()


def be_called(*arguments: object) -> None:
    calls.append(arguments)


class Called:
    """Calls a function of ours as it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return be_called, ("unpickled",)


def plant(redis: "Redis", score: float, **fields: bytes) -> Job:
    """Leave a ring in Redis that passes for being worked on until `score`, in seconds since 1970."""
    ring = Queue("default", connection=redis, serializer=JSONSerializer).enqueue("os.getcwd")
    ring.set_status(JobStatus.STARTED)
    redis.hset(ring.key, mapping=fields)
    redis.zadd(StartedJobRegistry("default", connection=redis).key, {f"{ring.id}:e": score})
    execution = Execution("e", ring.id, connection=redis)
    redis.hset(execution.key, mapping=execution.serialize())
    return ring


def work_once(browser: Browser) -> None:
    work()


def look_at_details(browser: Browser) -> None:
    assert browser.get(f"{QUEUE}queues/0/details/").status_code == 200


def look_at_what_runs(browser: Browser) -> None:
    assert browser.get(f"{QUEUE}queues/0/started/").status_code == 200


@pytest.mark.parametrize("meet", [work_once, look_at_details, look_at_what_runs])
def test_a_ring_that_was_abandoned_has_nothing_called(
    admin_client: Browser, redis: "Redis", meet: Callable[[Browser], None]
) -> None:
    plant(redis, 1, failure_callback_name=f"{__name__}.be_called".encode())
    meet(admin_client)
    assert calls == []


@pytest.mark.parametrize("meet", [work_once, look_at_details, look_at_what_runs])
@pytest.mark.parametrize("abandoned", [True, False])
def test_nothing_is_unpickled(
    admin_client: Browser, redis: "Redis", meet: Callable[[Browser], None], abandoned: bool
) -> None:
    plant(redis, 1 if abandoned else time.time() + 60, meta=pickle.dumps(Called()))
    meet(admin_client)
    assert calls == []


def test_no_address_is_asked_that_a_ring_brings(n8n: StubServer, redis: "Redis") -> None:
    job = JobFactory.create()
    ring(job)
    [rung] = Queue("default", connection=redis, serializer=JSONSerializer).get_job_ids()
    with stub_server(answering()) as elsewhere:
        webhook = {"url": elsewhere.url, "job_status": "finished", "method": "POST", "headers": {}, "timeout": 5}
        redis.hset(f"rq:job:{rung}", "webhooks", json.dumps([webhook]))
        work()
        assert elsewhere.requests == []
    assert status_of(job) == JobLog.Status.PROCESSING
