"""Real processes are killed at the lines that matter; every accepted receipt still ends well, by itself."""

import os
import signal
import time
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
import requests
from redis import Redis

from jobs.sandbox import Sandbox, running_sandbox
from receipts.storage import PARTIAL_PREFIX
from tests.support.installation import SWEEP, WORKER, Installation, wait_for

pytestmark = pytest.mark.processes
faults = pytest.mark.faults

DAYS = 86_400
# -- web


def test_a_web_server_killed_between_commit_and_bell_loses_nothing(n8n: Sandbox, service: Installation) -> None:
    service.start_web(crash_at="jobs.queue.RQService.ring")
    with pytest.raises(requests.ConnectionError):
        service.upload()
    service.start_all()
    wait_for(lambda: n8n.stats()["callbacks_accepted"], "the delivery of what nobody was told of")
    repeated = service.upload()
    assert repeated.status_code == 200
    assert service.wait_for_status(repeated.json()["job_id"], "success")["attempts"] == 1


@faults
@pytest.mark.parametrize(
    ("crash_at", "has_its_name"),
    [
        # before those it syncs the names of four folders
        pytest.param("receipts.storage.os.fsync#5", False, id="before the file is synced"),
        pytest.param("receipts.storage._sync_folder#5", True, id="between the file's rename and its folder's sync"),
        pytest.param("jobs.services.submission._submit", True, id="between the file and its row"),
        pytest.param("jobs.transitions._save", True, id="within the transaction"),
    ],
)
def test_a_web_server_killed_before_the_commit_has_taken_nothing_and_the_sweep_tidies_up(
    service: Installation, crash_at: str, has_its_name: bool
) -> None:
    service.start_web(crash_at=crash_at)
    _make_todays_folder(service)
    with pytest.raises(requests.ConnectionError):
        service.upload()
    assert service.query("SELECT 1 FROM jobs_joblog") == []
    assert [not path.name.startswith(PARTIAL_PREFIX) for path in service.files()] == [has_its_name]

    service.start_web()
    job_id = service.upload().json()["job_id"]
    assert service.events(job_id) == ["received"]
    _let_be_of(time.time() - 7 * DAYS, service)
    service.manage("sweep_jobs", "--once")
    assert [
        f"{service.env['MEDIA_ROOT']}/{name}" for (name,) in service.query("SELECT file FROM receipts_receipt")
    ] == [str(path) for path in service.files()]


@faults
def test_a_web_server_killed_before_its_answer_left_names_the_same_job_again(
    n8n: Sandbox, service: Installation
) -> None:
    service.start_web(crash_at="receipts.views._answer")
    with pytest.raises(requests.ConnectionError):
        service.upload(headers={"Idempotency-Key": "till-1"})
    service.start_all()
    repeated = service.upload(headers={"Idempotency-Key": "till-1"})
    assert repeated.status_code == 200
    assert service.wait_for_status(repeated.json()["job_id"], "success")["attempts"] == 1
    assert service.query("SELECT count(*) FROM jobs_joblog") == [(1,)]


@faults
def test_a_callback_that_finds_no_web_server_ends_the_job_when_n8n_repeats_it(tmp_path: Path) -> None:
    with (
        running_sandbox(delay=0, retry_delay=4.0) as n8n,
        Installation(tmp_path, f"{n8n.url}/webhook/receipts", CALLBACK_TIMEOUT_SECONDS="600") as service,
    ):
        web = service.start_web(crash_at="jobs.services.complete_job")
        service.start(*WORKER)
        job_id = service.upload().json()["job_id"]
        assert web.wait(30) == -signal.SIGKILL
        wait_for(lambda: n8n.stats()["callbacks_failed"], "a callback to nobody")
        service.start_web()
        assert service.wait_for_status(job_id, "success")["attempts"] == 1


# -- worker


@faults
def test_a_worker_killed_in_its_claim_has_claimed_nothing(n8n: Sandbox, service: Installation) -> None:
    service.start_web()
    worker = service.start(*WORKER, crash_at="jobs.transitions._save")
    job_id = service.upload().json()["job_id"]
    assert worker.wait(30) == -signal.SIGKILL
    assert (service.job(job_id)["status"], service.events(job_id)) == ("queued", ["received"])
    service.start(*WORKER)
    service.start(*SWEEP)
    assert service.wait_for_status(job_id, "success")["attempts"] == 1


@pytest.mark.parametrize(
    ("crash_at", "deliveries"),
    [("jobs.n8n.send_receipt", 1), pytest.param("jobs.services.mark_delivered", 2, marks=faults)],
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


# -- sweep


@faults
def test_a_sweep_killed_at_any_time_is_replaced_by_another(n8n: Sandbox, service: Installation) -> None:
    service.start_web()
    service.kill(service.start(*SWEEP))
    service.start(*SWEEP)
    service.start(*SWEEP)
    service.start(*WORKER)
    job_id = service.upload().json()["job_id"]
    assert service.wait_for_status(job_id, "success")["attempts"] == 1
    assert n8n.stats()["deliveries"] == {job_id: 1}


@faults
def test_a_sweep_killed_in_mid_pass_has_done_each_thing_whole_or_not_at_all(
    n8n: Sandbox, service: Installation
) -> None:
    service.start_web()
    worker = service.start(*WORKER, crash_at="jobs.n8n.send_receipt")
    job_id = service.upload().json()["job_id"]
    worker.wait(30)
    sweep = service.start(*SWEEP, crash_at="jobs.transitions._save")
    assert sweep.wait(30) == -signal.SIGKILL  # when it takes the lease back
    assert (service.job(job_id)["status"], service.events(job_id)) == ("sending", ["received", "claimed"])
    service.start(*SWEEP)
    service.start(*WORKER)
    service.wait_for_status(job_id, "success")
    assert service.events(job_id).count("lease_ended") == 1


@faults
def test_a_sweep_that_is_gone_is_missed(service: Installation) -> None:
    _, _, sweep = service.start_all()
    wait_for(lambda: service.ask("/health/ready").json()["status"] == "ok", "signs of life")
    service.kill(sweep)
    service.execute("UPDATE jobs_heartbeat SET at = '2020-01-01 00:00:00' WHERE kind = 'sweep'")  # time flies
    ready = service.ask("/health/ready")
    assert (ready.status_code, ready.json()["status"], ready.json()["checks"]["sweep"]) == (200, "degraded", 0)


# -- all at once


@faults
def test_two_of_each_who_race_for_jobs_rung_for_thrice_send_each_once(n8n: Sandbox, service: Installation) -> None:
    service.start_web()
    jobs = [service.upload(number).json()["job_id"] for number in range(12)]
    with Redis.from_url(service.valkey.connection_url) as client:
        rings = client.lrange("rq:queue:default", 0, -1)
        for ring in rings * 2:
            client.rpush("rq:queue:default", ring)
    for command in (WORKER, SWEEP) * 2:
        service.start(*command)
    for job_id in jobs:
        assert service.wait_for_status(job_id, "success")["attempts"] == 1
        assert service.events(job_id).count("succeeded") == 1
    assert n8n.stats()["deliveries"] == dict.fromkeys(jobs, 1)


@faults
def test_all_killed_at_once_go_on_where_they_were(n8n: Sandbox, service: Installation) -> None:
    processes = service.start_all()
    jobs = [service.upload(number).json()["job_id"] for number in range(8)]
    for process in processes:
        process.kill()
    service.valkey.terminate()
    service.valkey.start()
    service.start_all()
    for job_id in jobs:
        service.wait_for_status(job_id, "success")
        assert service.events(job_id).count("succeeded") == 1
    # the client's next answer is what it was: nothing was made twice
    assert [service.upload(number).json()["job_id"] for number in range(8)] == jobs


def _make_todays_folder(service: Installation) -> None:
    """So that the first folder that is synced is the one of the new file, be it stored after midnight."""
    for at in (time.time(), time.time() + DAYS):
        day = Path(service.env["MEDIA_ROOT"], time.strftime("receipts/%Y/%m/%d", time.gmtime(at)))
        day.mkdir(parents=True, exist_ok=True)


def _let_be_of(day: float, service: Installation) -> None:
    """Let all that was stored have been stored on that day."""
    then = time.strftime("receipts/%Y/%m/%d", time.gmtime(day))
    folder = Path(service.env["MEDIA_ROOT"], then)
    folder.mkdir(parents=True)
    for path in service.files():
        os.utime(path, (day, day))
        path.rename(folder / path.name)
        moved = f"file = '{then}/{path.name}' WHERE file LIKE '%/{path.name}'"
        service.execute(f"UPDATE receipts_receipt SET {moved}")  # noqa: S608 - names of ours


# -- canaries


@faults
@pytest.mark.parametrize("crash_at", ["jobs.services.submission._submit", "jobs.transitions._save"])
def test_a_sweep_killed_while_it_sends_a_canary_leaves_the_turn_to_the_others_who_send_one_each_interval(
    service: Installation, crash_at: str
) -> None:
    service.env["CANARY_INTERVAL_SECONDS"] = "2"
    service.start(*SWEEP, crash_at=crash_at).wait(30)
    assert service.query("SELECT 1 FROM jobs_joblog") == []

    service.start_all()
    for _ in range(2):
        service.start(*SWEEP)
    back = "SELECT created_at FROM jobs_joblog WHERE status = 'success' ORDER BY created_at"
    wait_for(lambda: len(service.query(back)) >= 4, "four canaries that are back", seconds=60)
    sent = [datetime.fromisoformat(str(at)) for (at,) in service.query(back)]
    assert all((later - former).total_seconds() >= 2 for former, later in pairwise(sent))
    assert service.query("SELECT 1 FROM jobs_jobevent WHERE kind = 'repeated'") == []
