"""SQLite's own faults: somebody else's lock, and no room left for the database itself."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import requests

from jobs.sandbox import Sandbox
from tests.support.installation import SWEEP, WORKER, Installation, wait_for
from tests.support.outages import CAN_MOUNT, read_only_file, small_disk

pytestmark = [
    pytest.mark.processes,
    pytest.mark.faults,
    pytest.mark.skipif("config.getoption('--database') != 'sqlite'", reason="SQLite's faults: --database=sqlite"),
]


def is_unavailable(answer: requests.Response) -> bool:
    problem = (answer.status_code, answer.headers["Content-Type"], answer.json()["code"])
    return problem == (503, "application/problem+json", "database_unavailable") and "Retry-After" in answer.headers


def test_a_file_locked_for_longer_than_anybody_waits_is_503_and_all_go_on_afterwards(service: Installation) -> None:
    processes = service.start_all()
    job_id = service.upload(1).json()["job_id"]
    service.wait_for_status(job_id, "success")
    with closing(sqlite3.connect(service.folder / "db.sqlite3", isolation_level=None)) as somebody:
        somebody.execute("BEGIN EXCLUSIVE")
        assert is_unavailable(service.upload(2))  # after the 10 s that a writer waits
        assert service.job(job_id)["status"] == "success"
        somebody.execute("ROLLBACK")
    assert service.wait_for_status(service.upload(2).json()["job_id"], "success")["attempts"] == 1
    assert [process.poll() for process in processes] == [None] * 3


@pytest.mark.skipif(not CAN_MOUNT, reason="only root on Linux can mount a small disk")
def test_a_full_disk_under_the_database_is_503_until_there_is_room_again(n8n: Sandbox, tmp_path: Path) -> None:
    with (
        Installation(tmp_path, f"{n8n.url}/webhook/receipts") as service,
        small_disk(tmp_path / "disk", megabytes=2) as disk,
    ):
        shutil.move(tmp_path / "db.sqlite3", disk.folder / "db.sqlite3")
        service.env["DATABASE_URL"] = f"sqlite:///{disk.folder}/db.sqlite3"
        processes = service.start_all()
        first = service.upload(1).json()["job_id"]
        service.wait_for_status(first, "success")
        disk.fill()
        answers = [service.upload(number) for number in range(2, 5)]  # the log may have room for one or two
        assert is_unavailable(answers[-1])
        assert service.job(first)["status"] == "success"
        disk.clear()
        accepted = [answer.json()["job_id"] for answer in [*answers, service.upload(5)] if answer.ok]
        assert accepted
        for job_id in accepted:
            service.wait_for_status(job_id, "success")
        assert [process.poll() for process in processes] == [None] * 3


@pytest.mark.skipif(not CAN_MOUNT, reason="only root on Linux can mount")
def test_a_file_that_may_only_be_read_is_503_and_written_again_as_soon_as_it_may_be(service: Installation) -> None:
    with read_only_file(service.folder / "db.sqlite3"):
        service.start_web()
        ready = service.ask("/health/ready")
        assert (ready.status_code, ready.json()["checks"]["database"]) == (503, "read only")
        assert all(is_unavailable(service.upload(number)) for number in range(8))  # each of its threads has met it
        processes = [service.start(*command) for command in (WORKER, SWEEP)]
        wait_for(lambda: "sweep_failed" in service.log(), "the sweep to meet it")
    wait_for(lambda: service.ask("/health/ready").json()["status"] == "ok", "worker and sweep")
    assert service.wait_for_status(service.upload(1).json()["job_id"], "success")["attempts"] == 1
    assert [process.poll() for process in processes] == [None] * 2
