"""Real processes are killed, and Redis forgets everything; every accepted receipt still ends well, by itself."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from redis import Redis

from jobs.sandbox import Sandbox, running_sandbox

from .installation import SWEEP, WORKER, Installation, wait_for

pytestmark = pytest.mark.processes


@pytest.fixture
def n8n() -> Iterator[Sandbox]:
    """Return a sandbox that calls back at once."""
    with running_sandbox(delay=0.05) as sandbox:
        yield sandbox


@pytest.fixture
def service(n8n: Sandbox, tmp_path: Path) -> Iterator[Installation]:
    """Return an installation of which nothing runs yet."""
    with Installation(tmp_path, f"{n8n.url}/webhook/receipts") as installation:
        yield installation


def test_a_web_server_killed_between_commit_and_bell_loses_nothing(n8n: Sandbox, service: Installation) -> None:
    service.start_web(crash_at="jobs.queue.RQService.ring")
    with pytest.raises(requests.ConnectionError):
        service.upload()
    service.start_all()
    wait_for(lambda: n8n.stats()["callbacks_accepted"], "the delivery of what nobody was told of")
    repeated = service.upload()
    assert repeated.status_code == 200
    assert service.wait_for_status(repeated.json()["job_id"], "success")["attempts"] == 1


@pytest.mark.parametrize(
    ("crash_at", "deliveries"), [("jobs.n8n.send_receipt", 1), ("jobs.services.mark_delivered", 2)]
)
def test_a_worker_killed_before_or_after_its_post_is_taken_over(
    n8n: Sandbox, service: Installation, crash_at: str, deliveries: int
) -> None:
    service.env["N8N_WEBHOOK_URL"] += "?behaviour=silent" if deliveries == 2 else ""
    service.start_web()
    worker = service.start(*WORKER, crash_at=crash_at)
    job_id = service.upload().json()["job_id"]
    assert worker.wait(30) == -signal.SIGKILL
    assert service.job(job_id)["status"] == "sending"
    service.env["N8N_WEBHOOK_URL"] = f"{n8n.url}/webhook/receipts"
    service.start(*WORKER)
    service.start(*SWEEP)
    assert service.wait_for_status(job_id, "success")["attempts"] == 2
    assert n8n.stats()["deliveries"] == {job_id: deliveries}


def test_a_worker_killed_in_mid_post_is_taken_over(tmp_path: Path) -> None:
    with (
        running_sandbox(delay=1.0) as n8n,
        Installation(tmp_path, f"{n8n.url}/webhook/receipts?behaviour=slow") as service,
    ):
        service.start_web()
        worker = service.start(*WORKER)
        job_id = service.upload().json()["job_id"]
        wait_for(lambda: n8n.stats()["deliveries"], "the post")
        service.kill(worker)
        service.start(*WORKER)
        service.start(*SWEEP)
        # N8N works on although nobody listens: its callback may end the job before the lease does
        assert service.wait_for_status(job_id, "success")["attempts"] in (1, 2)


def test_a_flushed_redis_is_rung_again(n8n: Sandbox, service: Installation) -> None:
    service.start_web()
    jobs = [service.upload(number).json()["job_id"] for number in range(5)]
    with Redis.from_url(service.valkey.connection_url) as client:
        assert client.llen("rq:queue:default") == 5
        client.flushall()
    service.start(*WORKER)
    service.start(*SWEEP)
    for job_id in jobs:
        assert service.wait_for_status(job_id, "success")["attempts"] == 1
    assert n8n.stats()["webhooks"] == 5


def test_without_redis_uploads_are_taken_within_two_seconds_and_delivered_once_it_is_back(
    n8n: Sandbox, service: Installation
) -> None:
    service.start_all()
    service.valkey.stop()
    jobs = []
    for number in range(3):
        started = time.monotonic()
        uploaded = service.upload(number)
        assert time.monotonic() - started < 2
        assert uploaded.status_code == 202
        jobs.append(uploaded.json()["job_id"])
    service.valkey.start()
    service.start(*WORKER)  # a supervisor would: a worker may give up while Redis is away
    for job_id in jobs:
        assert service.wait_for_status(job_id, "success")["attempts"] == 1
    assert n8n.stats()["webhooks"] == 3


def test_a_sweep_killed_at_any_time_is_replaced_by_another(n8n: Sandbox, service: Installation) -> None:
    service.start_web()
    service.kill(service.start(*SWEEP))
    service.start(*SWEEP)
    service.start(*SWEEP)
    service.start(*WORKER)
    job_id = service.upload().json()["job_id"]
    assert service.wait_for_status(job_id, "success")["attempts"] == 1
    assert n8n.stats()["deliveries"] == {job_id: 1}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_polite_stop_ends_every_process_and_loses_nothing(service: Installation, number: int) -> None:
    web, worker, sweep = service.start_web(), service.start(*WORKER), service.start(*SWEEP)
    job_id = service.upload().json()["job_id"]
    service.wait_for_status(job_id, "success")
    for process in (worker, sweep, web):
        service.kill(process, number)
        assert process.returncode == 0


@pytest.mark.parametrize(
    ("behaviour", "status", "code"),
    [
        ("failure", "failure", "workflow_failed"),
        ("answer-500", "failure", "workflow_failed"),
        ("silent", "failure", "callback_timeout"),
        ("double", "success", ""),
        ("slow", "success", ""),
    ],
)
def test_each_way_of_n8n_ends_the_job(
    n8n: Sandbox, service: Installation, behaviour: str, status: str, code: str
) -> None:
    service.env["N8N_WEBHOOK_URL"] += f"?behaviour={behaviour}"
    service.start_all()
    job_id = service.upload().json()["job_id"]
    job = service.wait_for_status(job_id, "success", "failure")
    assert (job["status"], job["failure_code"]) == (status, code)


@pytest.mark.parametrize("behaviour", ["answer-429", "answer-404", "empty"])
def test_what_n8n_does_not_take_is_sent_again_until_it_does(
    n8n: Sandbox, service: Installation, behaviour: str
) -> None:
    webhook = service.env["N8N_WEBHOOK_URL"]
    service.env["N8N_WEBHOOK_URL"] = f"{webhook}?behaviour={behaviour}"
    service.start_web()
    worker = service.start(*WORKER)
    service.start(*SWEEP)
    job_id = service.upload().json()["job_id"]
    wait_for(lambda: n8n.stats()["deliveries"].get(job_id, 0) >= 2, "a second try")
    service.kill(worker)
    service.env["N8N_WEBHOOK_URL"] = webhook
    service.start(*WORKER)
    assert service.wait_for_status(job_id, "success")["attempts"] >= 2
