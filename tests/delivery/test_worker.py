"""The worker: what plain `manage.py rqworker` runs, on a real Valkey, and how it answers rings."""

import json
import os
import re
import subprocess
import sys

import django_rq
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from redis import Redis
from rq.serializers import JSONSerializer

from accounting.redis.shared import SharedRedis
from accounting.stopping import StopSign
from jobs import queue
from jobs import worker as worker_module
from jobs.management.commands import rqworker
from jobs.models import Heartbeat, JobLog
from jobs.queue import TASK, RQService
from jobs.worker import DeliveryWorker
from tests.factories import JobFactory
from tests.support.deliveries import WEBHOOK, n8n_at
from tests.support.installation import wait_for
from tests.support.outages import closed_port
from tests.support.stub_server import StubServer, Visit, response, stub_server
from tests.support.workers import ring, status_of, work

Status = JobLog.Status
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_database]


# -- as an operator starts it


def test_plain_rqworker_delivers_what_was_rung_for_and_logs_json(n8n: StubServer) -> None:
    job = JobFactory.create()
    ring(job, request_id="r-1")
    stderr, printed = manage("rqworker", "--burst", N8N_WEBHOOK_URL=n8n.url + WEBHOOK)
    assert (status_of(job), len(n8n.requests)) == (Status.PROCESSING, 1)

    logged = [json.loads(line) for line in stderr.splitlines()]  # every line is JSON
    (ended,) = [line for line in logged if line["event"] == "delivery_ended"]
    name = job.events.get(kind="claimed").actor
    assert (ended["request_id"], ended["job_id"], ended["worker"]) == ("r-1", str(job.pk), name)
    assert Heartbeat.objects.get(name=name).kind == Heartbeat.Kind.WORKER
    assert {line["logger"] for line in logged} <= {"jobs.tasks", "jobs.transitions"}
    assert "canary" not in stderr + printed


@pytest.mark.parametrize("command", [("rqworker", "--burst"), ("sweep_jobs", "--once")])
def test_neither_worker_nor_sweep_loads_what_only_the_web_has_a_use_for(
    command: tuple[str, ...], n8n: StubServer
) -> None:
    ring(JobFactory.create())
    stderr, _ = manage(*command, N8N_WEBHOOK_URL=n8n.url + WEBHOOK, PYTHONPROFILEIMPORTTIME="1")
    loaded = {line.rpartition("|")[2].strip() for line in stderr.splitlines() if line.startswith("import time:")}
    assert "jobs.heartbeats" in loaded
    pages = {"accounting.urls", "accounting.problems", "jobs.admin", "jobs.views", "receipts.validators"}
    libraries = {"rest_framework.views", "drf_spectacular.openapi", "waitress", "charset_normalizer.api"}
    assert not loaded & (pages | libraries)
    assert ("jobs.sweep" in loaded) == (command[0] == "sweep_jobs")


def test_a_worker_that_has_not_been_rung_has_its_task_loaded_so_that_an_upgrade_beside_it_changes_nothing() -> None:
    stderr, _ = manage("rqworker", "--burst", PYTHONPROFILEIMPORTTIME="1")
    assert re.search(r"import time: .*\| +jobs\.n8n\n", stderr)  # which only the task asks for


def test_a_worker_for_a_queue_that_there_is_none_of_says_so() -> None:
    with pytest.raises(CommandError, match=r"There is no queue nosuch; there is default\."):
        call_command("rqworker", "default", "nosuch")


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--max-jobs", "0", r"--max-jobs: it takes a whole number from 1 to"),
        ("--max-jobs", "-1", r"--max-jobs: it takes a whole number from 1 to"),
        ("--max-idle-time", "0", r"--max-idle-time: it takes a whole number from 1 to"),
    ],
)
def test_a_worker_that_is_told_what_cannot_be_says_so(option: str, value: str, sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command("rqworker", "--burst", option, value)


def test_a_bounded_worker_without_redis_says_where_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    with closed_port() as port:
        away = RQService(SharedRedis(f"redis://127.0.0.1:{port}/0"))
        monkeypatch.setattr(rqworker, "queue_service", lambda: away)
        with pytest.raises(CommandError, match=r"Redis cannot be reached, or takes no writes: look at REDIS_URL"):
            call_command("rqworker", "--burst")


def test_a_name_that_another_worker_has_is_refused_in_a_sentence(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    redis.hset("rq:worker:till", "state", "busy")  # and does not age
    monkeypatch.setattr(worker_module, "LOOK_AT_NAME_EVERY_SECONDS", 0.05)
    with pytest.raises(CommandError, match=r"--name: a worker named till runs"):
        call_command("rqworker", "--burst", "--name", "till")


def test_the_name_of_a_worker_that_was_killed_is_waited_for(
    redis: Redis, n8n: StubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis.hset("rq:worker:till", "state", "busy")
    redis.expire("rq:worker:till", 1)
    monkeypatch.setattr(worker_module, "LOOK_AT_NAME_EVERY_SECONDS", 0.05)
    ring(job := JobFactory.create())
    call_command("rqworker", "--burst", "--name", "till")
    assert status_of(job) == Status.PROCESSING


def test_a_worker_that_waits_for_its_name_stops_when_told_to(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    redis.hset("rq:worker:till", "state", "busy")
    redis.expire("rq:worker:till", 60)
    monkeypatch.setattr(worker_module, "told_to_stop", StopSign())
    worker_module.told_to_stop.set()
    call_command("rqworker", "--burst", "--name", "till")
    assert not redis.hexists("rq:worker:till", "birth")


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


def test_a_job_rung_for_twice_is_sent_once(n8n: StubServer) -> None:
    job = JobFactory.create()
    ring(job)
    ring(job)
    work()
    assert (status_of(job), len(n8n.requests)) == (Status.PROCESSING, 1)


def test_whoever_rang_may_have_had_a_shorter_time_out() -> None:
    def answer_late(visit: Visit) -> None:
        visit.read()
        visit.pause(1.5)
        visit.send(response())

    job = JobFactory.create()
    django_rq.get_queue("default").enqueue(TASK, str(job.pk), job_timeout=1)
    with stub_server(answer_late) as server, n8n_at(server.url):
        work()
    assert (status_of(job), len(server.visits)) == (Status.PROCESSING, 1)


def test_answered_rings_are_soon_gone_from_redis(n8n: StubServer, redis: "Redis") -> None:
    jobs = JobFactory.create_batch(3)
    for job in [*jobs, *jobs]:
        ring(job)
    work()
    assert {status_of(job) for job in jobs} == {Status.PROCESSING}
    kept = ("rq:job:*", "rq:results:*", "rq:wip:*", "rq:queue:*")
    wait_for(lambda: not any(redis.keys(keys) for keys in kept), "Redis to forget them", 10)


def test_a_ring_that_redis_forgot_while_it_was_answered_has_not_failed(
    redis: "Redis", caplog: pytest.LogCaptureFixture
) -> None:
    job = JobFactory.create()
    ring(job)

    def forget_and_answer(visit: Visit) -> None:
        visit.read()
        redis.flushall()
        visit.send(response())

    with stub_server(forget_and_answer) as server, n8n_at(server.url):
        work()
    assert status_of(job) == Status.PROCESSING
    assert "task_failed" not in caplog.text


def test_where_too_many_wait_nobody_is_rung_for_until_a_worker_has_answered(
    n8n: StubServer, redis: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "WAITING_AT_MOST", 3)
    ids = [job.pk for job in JobFactory.create_batch(3)]
    rung = [queue.queue_service().ring(ids[:2]) for _ in range(3)]
    assert (rung, redis.llen("rq:queue:default")) == ([2, 2, 0], 4)
    assert queue.queue_service().ring(ids[:1], in_front=True) == 1  # of the sweep, which keeps within its own bound
    work()
    assert queue.queue_service().ring(ids[2:]) == 1
    work()
    assert len(n8n.requests) == 3
