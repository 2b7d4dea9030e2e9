"""Purges that are killed, that meet each other, and that meet uploads of the same bytes; with real processes."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from receipts.models import Receipt
from receipts.sample import draw_receipt
from tests.factories import SMALL
from tests.support.installation import Installation, wait_for

pytestmark = [pytest.mark.processes, pytest.mark.faults]

LONG_AGO = f"{Receipt.FOLDER}/2020/01/31"
PURGE = ("purge_receipts",)


@pytest.fixture
def rule(service: Installation) -> Installation:
    """Return a running web server whose rule is thirty days."""
    service.env["RETENTION_DAYS"] = "30"
    service.start_web()
    return service


def filed(service: Installation, number: int) -> str:
    """Upload a receipt, let N8N report its success, and return the job's id."""
    job_id: str = service.upload(number).json()["job_id"]
    assert service.call_back(job_id).ok
    return job_id


def let_all_be_old(service: Installation) -> None:
    """Let every file that is there have been stored long ago."""
    media = Path(service.env["MEDIA_ROOT"])
    (media / LONG_AGO).mkdir(parents=True, exist_ok=True)
    for (name,) in service.query("SELECT file FROM receipts_receipt WHERE purged_at IS NULL"):
        old = f"{LONG_AGO}/{Path(name).name}"
        (media / name).rename(media / old)
        os.utime(media / old, (time.time() - 40 * 86_400,) * 2)
        service.execute(f"UPDATE receipts_receipt SET file = '{old}' WHERE file = '{name}'")  # noqa: S608 - names of ours
    service.execute(
        "INSERT INTO jobs_seal (number, hour, last_event, events, jobs, digest)"
        " SELECT 1, '2020-01-31 00:00:00+00:00', max(id), 0, 0, '' FROM jobs_jobevent"
    )


def verify(service: Installation) -> None:
    """Verify all but the seal, which was made up."""
    service.execute("DELETE FROM jobs_seal")
    service.manage("verify_audit")


def purges(service: Installation) -> list[int]:
    """Return for each job how often it was purged."""
    return [
        number
        for (number,) in service.query("SELECT count(*) FROM jobs_jobevent WHERE kind = 'purged' GROUP BY job_id")
    ]


@pytest.mark.parametrize(
    ("crash_at", "files", "events"),
    [
        pytest.param("jobs.services.purging.note", 3, 0, id="within the first transaction"),
        pytest.param("receipts.storage.PrivateFileStorage.delete", 3, 1, id="between the commit and the file"),
        pytest.param("jobs.services.purging.forget_thumbnail", 2, 1, id="between the file and its thumbnail"),
    ],
)
def test_a_purge_killed_anywhere_is_finished_by_the_next(
    rule: Installation, crash_at: str, files: int, events: int
) -> None:
    for number in range(3):
        filed(rule, number)
    let_all_be_old(rule)
    killed = rule.start(*PURGE, crash_at=crash_at)
    assert killed.wait(60) == -signal.SIGKILL
    assert (len(rule.files()), len(purges(rule))) == (files, events)
    rule.manage(*PURGE)
    assert (rule.files(), purges(rule)) == ([], [1, 1, 1])
    verify(rule)


def test_several_at_once_purge_each_receipt_once(rule: Installation) -> None:
    for number in range(40):
        filed(rule, number)
    let_all_be_old(rule)
    at_once = [rule.start(*PURGE) for _ in range(3)]
    assert [process.wait(120) for process in at_once] == [0, 0, 0]
    assert (rule.files(), purges(rule)) == ([], [1] * 40)
    verify(rule)


def test_uploads_of_the_bytes_that_are_purged_always_have_their_file(rule: Installation) -> None:
    pictures = [draw_receipt(number, size=SMALL) for number in range(12)]
    for number in range(12):
        filed(rule, number)
    let_all_be_old(rule)
    purge = rule.start(*PURGE)
    wait_for(lambda: purges(rule), "the first purge")
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(rule.upload_bytes, pictures))
    assert {answer.status_code for answer in answers} == {200}
    assert purge.wait(120) == 0
    kept = rule.query("SELECT file, size FROM receipts_receipt WHERE purged_at IS NULL")
    media = Path(rule.env["MEDIA_ROOT"])
    assert sorted(media / name for name, _ in kept) == rule.files()
    verify(rule)


def test_a_purge_that_is_interrupted_says_that_it_may_go_on(rule: Installation) -> None:
    filed(rule, 1)
    let_all_be_old(rule)
    purge = rule.start(*PURGE, stop_at="jobs.services.purging.lock_job")
    wait_for(lambda: Path(f"/proc/{purge.pid}/stat").read_text().split(") ")[1].startswith("T"), "the stop")
    purge.send_signal(signal.SIGINT)
    purge.send_signal(signal.SIGCONT)
    assert purge.wait(60) == 130
    assert "Interrupted; what was done is done" in rule.log()
    rule.manage(*PURGE)
    assert rule.files() == []
