"""Processes are frozen, or told to stop: what was begun is finished or given back; who comes late writes nothing."""

import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from jobs.sandbox import Sandbox, running_sandbox
from tests.support.installation import SWEEP, WORKER, Installation, wait_for
from tests.support.outages import cells_of, go_on, is_stopped, stop_all_of
from tests.support.pictures import heic

pytestmark = [pytest.mark.processes, pytest.mark.faults]

GRACE_SECONDS = 10.0


@cache
def photo() -> bytes:
    """Return what is half a second's work to look at."""
    return heic(size=(2400, 3200))


@pytest.fixture
def slow_service(tmp_path: Path) -> Iterator[Installation]:
    """Return an installation whose N8N takes a second and a half to answer."""
    with (
        running_sandbox(delay=1.5) as n8n,
        Installation(tmp_path, f"{n8n.url}/webhook/receipts?behaviour=slow") as installation,
    ):
        yield installation


def wake(service: Installation, sleeper: subprocess.Popen[Any]) -> None:
    """Let a worker go on, and wait until it has seen that it is late: by the fence, or by RQ's own time-out."""
    go_on(sleeper.pid)
    wait_for(lambda: any(event in service.log() for event in ("answer_overtaken", "task_failed")), "the sleeper's end")


# -- frozen: a virtual machine that is moved, a laptop that sleeps, a process that swaps


def test_a_worker_that_wakes_after_its_lease_has_passed_on_writes_nothing(n8n: Sandbox, service: Installation) -> None:
    service.start_web()
    sleeper = service.start(*WORKER, stop_at="jobs.services.mark_delivered")
    job_id = service.upload().json()["job_id"]
    wait_for(lambda: is_stopped(sleeper.pid), "the worker to fall asleep with N8N's answer in its hand")
    wait_for(lambda: service.job(job_id)["status"] == "success", "N8N's callback")
    before = service.events(job_id)
    wake(service, sleeper)
    assert (service.events(job_id), service.job(job_id)["attempts"]) == (before, 1)


def test_a_worker_that_wakes_while_another_has_its_job_leaves_it_alone(n8n: Sandbox, service: Installation) -> None:
    service.env["N8N_WEBHOOK_URL"] += "?behaviour=silent"
    service.start_web()
    sleeper = service.start(*WORKER, stop_at="jobs.services.mark_delivered")
    job_id = service.upload().json()["job_id"]
    wait_for(lambda: is_stopped(sleeper.pid), "the worker to fall asleep")
    service.env["N8N_WEBHOOK_URL"] = f"{n8n.url}/webhook/receipts"
    service.start(*WORKER)
    service.start(*SWEEP)
    assert service.wait_for_status(job_id, "success")["attempts"] == 2
    before = service.events(job_id)
    wake(service, sleeper)
    assert service.events(job_id) == before
    assert n8n.stats()["deliveries"] == {job_id: 2}  # under one id, by which N8N can tell


def test_a_worker_that_wakes_before_it_has_posted_posts_no_more(n8n: Sandbox, service: Installation) -> None:
    service.start_web()
    sleeper = service.start(*WORKER, stop_at="jobs.n8n.send_receipt")
    job_id = service.upload().json()["job_id"]
    wait_for(lambda: is_stopped(sleeper.pid), "the worker to fall asleep")
    service.start(*WORKER)
    service.start(*SWEEP)
    service.wait_for_status(job_id, "success")
    wake(service, sleeper)
    assert n8n.stats()["deliveries"] == {job_id: 1}
    assert service.events(job_id).count("succeeded") == 1
    assert service.job(job_id)["status"] == "success"


def test_a_sweep_that_sleeps_within_its_pass_is_no_hindrance_to_another(n8n: Sandbox, service: Installation) -> None:
    service.start_web()
    worker = service.start(*WORKER, crash_at="jobs.n8n.send_receipt")
    job_id = service.upload().json()["job_id"]
    worker.wait(30)
    sleeper = service.start(*SWEEP, stop_at="jobs.sweep._act_once")  # it has seen what is overdue
    wait_for(lambda: is_stopped(sleeper.pid), "the sweep to fall asleep")
    service.start(*SWEEP)
    service.start(*WORKER)
    service.wait_for_status(job_id, "success")
    go_on(sleeper.pid)
    service.kill(sleeper, signal.SIGTERM)
    assert sleeper.returncode == 0
    assert service.events(job_id).count("lease_ended") == service.events(job_id).count("succeeded") == 1


# -- told to stop


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_polite_stop_ends_every_process_and_loses_nothing(service: Installation, number: int) -> None:
    web, worker, sweep = service.start_all()
    job_id = service.upload().json()["job_id"]
    service.wait_for_status(job_id, "success")
    wait_for(lambda: service.query("SELECT 1 FROM jobs_heartbeat WHERE kind = 'sweep'"), "the sweep's first pass")
    for process in (worker, sweep, web):
        service.kill(process, number)
        assert process.returncode == 0


def test_a_worker_told_to_stop_in_mid_delivery_finishes_it(slow_service: Installation) -> None:
    slow_service.start_web()
    worker = slow_service.start(*WORKER)
    job_id = slow_service.upload().json()["job_id"]
    slow_service.wait_for_event(job_id, "claimed")
    worker.send_signal(signal.SIGTERM)
    waiting = slow_service.upload(2).json()["job_id"]
    worker.wait(GRACE_SECONDS)
    assert worker.returncode == 0
    assert slow_service.events(job_id)[:3] == ["received", "claimed", "delivered"]
    assert slow_service.events(waiting) == ["received"]  # it has begun nothing new


def test_a_worker_told_twice_gives_up_and_its_job_is_sent_again(n8n: Sandbox, slow_service: Installation) -> None:
    slow_service.env["N8N_DEADLINE_SECONDS"] = "3"
    slow_service.start_web()
    worker = slow_service.start(*WORKER, stop_at="jobs.services.mark_delivered")
    job_id = slow_service.upload().json()["job_id"]
    slow_service.wait_for_event(job_id, "claimed")
    worker.send_signal(signal.SIGTERM)
    wait_for(lambda: is_stopped(worker.pid), "the end of the post")
    stopped_at = time.monotonic()  # by when it has heard the first
    wait_for(lambda: time.monotonic() > stopped_at + 1.1, "a second to pass, before which RQ takes both for one")
    worker.send_signal(signal.SIGTERM)
    go_on(worker.pid)
    worker.wait(GRACE_SECONDS)
    assert "delivered" not in slow_service.events(job_id)  # though N8N has answered, and may have reported since
    slow_service.start(*WORKER)
    slow_service.start(*SWEEP)
    slow_service.wait_for_status(job_id, "success")
    assert slow_service.events(job_id).count("succeeded") == 1


def test_a_sweep_told_to_stop_finishes_what_it_does(service: Installation) -> None:
    service.start_web()
    job_id = service.upload().json()["job_id"]
    sweep = service.start(*SWEEP, stop_at="jobs.heartbeats.beat")
    wait_for(lambda: is_stopped(sweep.pid), "the sweep to be in mid-pass")
    service.kill(sweep, signal.SIGTERM)
    assert sweep.returncode == 0
    assert service.query("SELECT kind FROM jobs_heartbeat") == [("sweep",)]
    assert service.job(job_id)["status"] == "queued"


def test_a_web_server_told_to_stop_in_mid_upload_answers_it(service: Installation) -> None:
    web = service.start_web(stop_at="jobs.services.submission._submit")
    answers: list[int] = []
    upload = threading.Thread(target=lambda: answers.append(service.upload().status_code))
    upload.start()
    wait_for(lambda: is_stopped(web.pid), "the upload to be on its way")
    web.send_signal(signal.SIGTERM)
    go_on(web.pid)
    upload.join()
    web.wait(GRACE_SECONDS)
    assert (answers, web.returncode) == ([202], 0)


# what a control group is told, a cell is told, too


def test_a_stop_of_all_while_a_picture_is_prepared_lets_it_be_sent(service: Installation) -> None:
    service.env |= {"N8N_PREPARATION_SECONDS": "20"}
    service.env["N8N_WEBHOOK_URL"] += "?behaviour=silent"
    service.start_web()
    job_id = service.upload_bytes(photo()).json()["job_id"]
    worker = service.start(*WORKER)
    wait_for(lambda: cells_of(worker.pid), "the cell to be at work")
    stop_all_of(worker.pid)
    worker.wait(GRACE_SECONDS)
    assert worker.returncode == 0
    assert service.events(job_id) == ["received", "claimed", "delivered"]


def test_a_stop_of_all_while_a_picture_is_looked_at_lets_it_be_taken(service: Installation) -> None:
    web = service.start_web()
    answers: list[int] = []
    upload = threading.Thread(target=lambda: answers.append(service.upload_bytes(photo()).status_code))
    upload.start()
    wait_for(lambda: cells_of(web.pid), "the cell to be at work")
    stop_all_of(web.pid)
    upload.join()
    web.wait(GRACE_SECONDS)
    assert (answers, web.returncode) == ([202], 0)
