"""The folder of the receipts is full, read only or gone: a clear answer, nothing left behind, and a way back."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
import requests

from jobs.sandbox import Sandbox
from receipts.storage_mark import MARK
from tests.support.installation import SWEEP, WORKER, Installation, wait_for
from tests.support.outages import CAN_MOUNT, SmallDisk, frozen, small_disk
from tests.support.pictures import heic
from tests.support.s3_server import S3Server

pytestmark = [pytest.mark.processes, pytest.mark.faults, pytest.mark.any_database]
needs_mount = pytest.mark.skipif(not CAN_MOUNT, reason="only root on Linux can mount a small disk")


class OnDisk(NamedTuple):
    """An installation, and the small disk on which it keeps one thing."""

    service: Installation
    disk: SmallDisk


@pytest.fixture
def media(n8n: Sandbox, tmp_path: Path) -> Iterator[OnDisk]:
    """Return an installation that keeps its receipts on a disk of a megabyte."""
    with (
        Installation(tmp_path, f"{n8n.url}/webhook/receipts") as service,
        small_disk(tmp_path / "media") as disk,
    ):
        yield OnDisk(service, disk)


def is_problem(answer: requests.Response, status: int, code: str) -> bool:
    problem = (answer.status_code, answer.headers["Content-Type"], answer.json()["code"])
    return problem == (status, "application/problem+json", code) and int(answer.headers["Retry-After"]) > 0


def number_of_jobs(service: Installation) -> int:
    return int(service.query("SELECT count(*) FROM jobs_joblog")[0][0])


@needs_mount
@pytest.mark.parametrize("leave", [0, 4096], ids=["no room at all", "room for the beginning"])
def test_a_full_disk_is_507_leaves_nothing_and_takes_the_next_upload_once_there_is_room(
    media: OnDisk, leave: int
) -> None:
    service, disk = media
    service.start_all()
    first = service.upload(1).json()["job_id"]
    before = service.files()
    disk.fill(leave=leave)
    assert is_problem(service.upload(2), 507, "storage_full")
    disk.clear()
    assert (service.files(), number_of_jobs(service)) == (before, 1)
    for job_id in (first, service.upload(2).json()["job_id"]):
        assert service.wait_for_status(job_id, "success")["attempts"] == 1


@needs_mount
def test_a_read_only_storage_is_503_and_what_was_taken_is_delivered_all_the_same(media: OnDisk) -> None:
    service, disk = media
    service.start_web()
    first = service.upload(1).json()["job_id"]
    with disk.read_only():
        assert is_problem(service.upload(2), 503, "storage_unavailable")
        ready = service.ask("/health/ready")
        assert (ready.status_code, ready.json()["checks"]["storage"]) == (503, "unavailable")
        service.start(*WORKER)
        service.start(*SWEEP)  # it has orphans to look for
        service.wait_for_status(first, "success")
    assert number_of_jobs(service) == 1
    service.wait_for_status(service.upload(2).json()["job_id"], "success")


@needs_mount
def test_without_room_for_what_comes_in_nothing_is_taken_and_the_server_lives(media: OnDisk, tmp_path: Path) -> None:
    service, _ = media
    with small_disk(tmp_path / "incoming") as incoming:
        service.env["TMPDIR"] = str(incoming.folder)
        web = service.start_web()
        assert service.upload_bytes(bytes(900_000)).status_code == 415  # Python looks for a folder with room once
        wait_for(incoming.is_empty, "the web process to let go of what came in")
        incoming.fill()
        assert is_problem(service.upload_bytes(bytes(900_000)), 507, "storage_full")
        assert service.ask("/health").status_code == 200
        incoming.clear()
        assert service.upload(1).status_code == 202
        assert web.poll() is None


@needs_mount
def test_what_needs_no_room_for_temporary_files_is_taken_and_delivered_without_any(
    media: OnDisk, tmp_path: Path
) -> None:
    service, _ = media
    with small_disk(tmp_path / "temporary") as temporary:
        service.env["TMPDIR"] = str(temporary.folder)
        service.env.pop("SQLITE_TMPDIR", None)  # of this process, by its own settings
        service.start_all()
        temporary.fill()
        service.wait_for_status(service.upload(1).json()["job_id"], "success")


@needs_mount
def test_without_room_for_a_cells_files_an_upload_is_507_and_no_picture_is_called_damaged(
    media: OnDisk, tmp_path: Path
) -> None:
    service, _ = media
    with small_disk(tmp_path / "temporary") as temporary:
        service.env["TMPDIR"] = str(temporary.folder)
        service.start_web()
        assert service.upload_bytes(heic(1)).status_code == 202
        wait_for(temporary.is_empty, "the cell to let go of its files")
        temporary.fill()
        assert is_problem(service.upload_bytes(heic(2)), 507, "storage_full")
        temporary.clear()
        assert service.upload_bytes(heic(2)).status_code == 202


@needs_mount
def test_a_volume_that_is_not_mounted_takes_nothing_and_nothing_on_it_is_called_lost(
    n8n: Sandbox, tmp_path: Path
) -> None:
    with Installation(tmp_path, f"{n8n.url}/webhook/receipts") as service, small_disk(tmp_path / "media", 16) as disk:
        service.start_web()
        taken = service.upload(1).json()["job_id"]
        with disk.unmounted():
            assert is_problem(service.upload(2), 503, "storage_unavailable")
            assert is_problem(service.upload(1), 503, "storage_unavailable")  # would heal what is not ill
            ready = service.ask("/health/ready")
            assert (ready.status_code, ready.json()["checks"]["storage"]) == (503, "not mounted")
            service.start(*WORKER)
            service.start(*SWEEP)
            wait_for(lambda: errors_of(service) == [("storage_unavailable",)], "a delivery that was put off", 60)
            assert list((tmp_path / "media").iterdir()) == []
        assert '"event": "storage_not_mounted"' in service.log()
        assert number_of_jobs(service) == 1
        again = service.upload(2).json()["job_id"]
        for job_id in (taken, again):
            service.wait_for_status(job_id, "success")
        assert service.ask("/health/ready").json()["checks"]["storage"] == "ok"


def test_a_storage_that_was_lost_is_told_of_loudly_and_healed_by_uploading_again(
    n8n: Sandbox, service: Installation
) -> None:
    service.start_web()
    job_id = service.upload(1).json()["job_id"]
    shutil.rmtree(service.env["MEDIA_ROOT"])
    assert is_problem(service.upload(1), 503, "storage_unavailable")
    Path(service.env["MEDIA_ROOT"]).mkdir()
    Path(service.env["MEDIA_ROOT"], MARK).touch()  # somebody knows that it is lost
    service.start(*WORKER)
    service.start(*SWEEP)
    wait_for(lambda: service.events(job_id).count("refused"), "the worker to look for the file")
    assert service.job(job_id)["status"] in ("queued", "sending")
    assert '"code": "file_missing"' in service.log()
    assert n8n.stats()["webhooks"] == 0
    repeated = service.upload(1)
    assert (repeated.status_code, repeated.json()["job_id"]) == (200, job_id)
    service.wait_for_status(job_id, "success")


def test_a_bucket_that_is_away_is_503_loses_nothing_and_is_waited_for(n8n: Sandbox, tmp_path: Path) -> None:
    with S3Server() as s3, Installation(tmp_path, f"{n8n.url}/webhook/receipts", **s3.settings) as service:
        service.start_web()
        taken = service.upload(1).json()["job_id"]
        with frozen(s3.pid):  # connections are taken, and nothing is answered: worse than one that refuses
            assert is_problem(service.upload(2), 503, "storage_unavailable")
            refused_at_once = service.upload(2)  # by then all know
            assert is_problem(refused_at_once, 503, "storage_unavailable")
            assert refused_at_once.elapsed < timedelta(seconds=1.5)
            assert service.ask("/health").status_code == 200
            ready = service.ask("/health/ready")
            assert (ready.status_code, ready.json()["checks"]["storage"]) == (503, "unavailable")
            service.start(*WORKER)
            service.start(*SWEEP)
            wait_for(lambda: errors_of(service) == [("storage_unavailable",)], "a delivery that was put off", 60)
            assert service.job(taken)["status"] in ("queued", "sending")
        assert number_of_jobs(service) == 1
        wait_for(lambda: service.ask("/health/ready").ok, "the web process to find out by itself")
        again = service.upload(2).json()["job_id"]
        for job_id in (taken, again):
            service.wait_for_status(job_id, "success")
        assert len([name for name in s3.objects() if name.startswith("receipts/")]) == 2


def errors_of(service: Installation) -> list[tuple[str]]:
    return [tuple(row) for row in service.query("SELECT DISTINCT last_error FROM jobs_joblog WHERE last_error <> ''")]
