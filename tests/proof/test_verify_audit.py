"""`manage.py verify_audit`: names what is broken and exits with 1, in any installation, while it runs."""

import os
import pty
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from pathlib import Path
from threading import Event, Thread
from time import sleep
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from accounting.batches import Keys
from jobs.models import JobEvent, JobLog, Seal
from jobs.proof import audit, parallel
from jobs.proof.parallel import SHARES, _verify_share
from jobs.proof.sealing import seal_finished_hours
from jobs.stats import GRACE, HOUR
from jobs.transitions import lock_job, note
from receipts.models import Receipt
from tests.factories import JobFactory, RenditionFactory
from tests.support.audit_runs import WELL, verify
from tests.support.installation import Installation, wait_for
from tests.support.job_lifecycle import filed_by, uploaded

pytestmark = pytest.mark.django_db


def test_nothing_at_all_is_well() -> None:
    assert verify()[-1] == WELL


def test_what_went_well_is_well() -> None:
    RenditionFactory.create(receipt=filed_by("One").receipt)
    filed_by("Two")
    assert verify() == [
        "Jobs: 2 looked at, 0 broken",
        "Rows whose other half is gone: 0 broken",
        "Seals: 0 looked at, 0 broken",
        "Seals kept elsewhere: 0 looked at, 0 broken",
        "Files of receipts: 2 looked at, 0 broken",
        "Files made for N8N: 1 looked at, 0 broken",
        WELL,
    ]


def test_jobs_that_are_well_are_read_in_as_many_queries_however_many_they_are(django_assert_num_queries: Any) -> None:
    for number in range(5):
        filed_by(f"Shop {number}")
        with django_assert_num_queries(3):  # the jobs' ids, the jobs, and their events
            assert list(audit.verify_jobs(JobLog.objects.all())) == [(number + 1, [])]


def test_each_broken_thing_is_a_sentence_and_their_number_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "BATCH", 2)  # so that there are several
    jobs = [filed_by(f"Shop {number}") for number in range(5)]
    JobLog.objects.filter(pk=jobs[1].pk).update(filename="other.jpg")
    JobEvent.objects.filter(job=jobs[4], number=3).update(actor="nobody")
    lines = verify(no_files=True)
    assert sorted(lines[:2]) == sorted(
        [
            f"Job {jobs[1].pk}: its filename is not what event 1 wrote.",
            f"Job {jobs[4].pk}: event 3 (delivered) is not as it was written.",
        ]
    )
    assert lines[2] == "Jobs: 5 looked at, 2 broken"
    assert lines[-1] == "2 things are broken."


# -- rows that are gone


def test_a_job_whose_events_are_gone_is_named() -> None:
    job = filed_by("One")
    JobEvent.objects.filter(job=job).delete()
    assert f"Job {job.pk}: no event says how it began." in verify()


def test_what_a_changed_row_holds_is_not_obeyed_by_the_terminal() -> None:
    job = uploaded()
    JobEvent.objects.filter(job=job).update(kind="\x1b[2J\n")
    found = [line for line in verify() if "is not as it was written" in line]
    assert found == [rf"Job {job.pk}: event 1 (\x1b[2J\n) is not as it was written."]


def test_a_receipt_whose_job_is_gone_is_named() -> None:
    job = filed_by("One")
    JobEvent.objects.filter(job=job).delete()
    JobLog.objects.filter(pk=job.pk).delete()
    assert f"Receipt {job.receipt_id} has no job: it is gone." in verify()


def test_events_whose_job_is_gone_are_named() -> None:
    job = uploaded()
    event = JobEvent.objects.get()
    JobLog.objects.filter(pk=job.pk).update(job_id=UUID(int=7))
    assert f"Event {event.pk} belongs to job {job.pk}, which is gone." in verify()
    JobLog.objects.update(job_id=job.pk)  # the database looks once the test is over


def test_a_job_whose_receipts_row_is_gone_is_named() -> None:
    job = uploaded()
    receipt = job.receipt_id
    JobLog.objects.filter(pk=job.pk).update(receipt_id=UUID(int=7))
    assert f"Job {job.pk}: the row of its receipt is gone." in verify()
    JobLog.objects.update(receipt_id=receipt)


def test_a_job_deleted_with_all_that_names_it_is_missed_by_its_seal() -> None:
    job = filed_by("One")
    filed_by("Two")
    seal_finished_hours(timezone.now() + HOUR + GRACE)
    for rows in (JobEvent.objects.filter(job=job), JobLog.objects.filter(pk=job.pk), Receipt.objects.filter(jobs=None)):
        rows.delete()
    lines = verify(no_files=True)
    assert lines[-3].startswith("Seals: 1 looked at, 1 broken")
    assert "it covers 8 events (jobs: 2), and 4 of them are there." in lines[-4]


def test_a_seal_whose_digest_was_kept_elsewhere_must_be_there() -> None:
    filed_by("One")
    now = timezone.now() + HOUR + GRACE
    seal_finished_hours(now)
    digest = Seal.objects.get().digest
    assert verify(sealed=[digest])[-1] == WELL
    JobEvent.objects.filter(number=4).delete()
    Seal.objects.all().delete()
    seal_finished_hours(now)  # a sweep makes it anew, of what was left
    assert f"The seal with the digest {digest} is gone." in verify(sealed=[digest])


# -- less than everything


def test_one_job_may_be_looked_at() -> None:
    job, other = filed_by("One"), filed_by("Two")
    JobLog.objects.filter(pk=other.pk).update(filename="other.jpg")
    only_seals_tell = "Whether its last events are missing, only seals tell: verify_audit without --job looks at them."
    assert verify(job=job.pk)[-1] == f"This job's events and files are as they were written. {only_seals_tell}"
    assert verify(job=job.pk, no_files=True)[-1] == f"This job's events are as they were written. {only_seals_tell}"
    assert verify(job=other.pk)[-1] == "1 thing is broken."
    with pytest.raises(CommandError, match="There is no job "):
        call_command("verify_audit", job=UUID(int=7))


def test_jobs_since_a_moment_may_be_looked_at() -> None:
    job = filed_by("One")
    JobLog.objects.update(created_at=F("created_at") - timedelta(days=2))
    assert verify()[-1] == "1 thing is broken."
    assert verify(since=timezone.now() - timedelta(days=1))[0] == "Jobs: 0 looked at, 0 broken"
    assert verify(job=job.pk, since=timezone.now() - timedelta(days=3))[-1] == "1 thing is broken."


# -- while it runs


def test_a_job_that_changes_between_two_looks_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    filed_by("One")

    read = audit._jobs

    def and_then_change(keys: Keys) -> list[JobLog]:
        jobs = read(keys)
        for job in jobs:
            with transaction.atomic():
                note(lock_job(job.pk), kind=JobEvent.Kind.REPEATED, source=JobEvent.Source.API)
        return jobs

    monkeypatch.setattr(audit, "_jobs", and_then_change)
    assert verify()[-1] == WELL
    assert JobEvent.objects.count() == 5


@pytest.mark.django_db(transaction=True)
def test_while_others_write_there_is_no_false_alarm() -> None:
    enough = Event()

    def write() -> None:
        for number in count():
            if enough.is_set():
                break
            filed_by(f"Shop {number}")
        connection.close()

    writer = Thread(target=write)
    writer.start()
    looks: list[str] = []
    try:
        for _ in range(5):
            wait_for_another_job()
            looks.append(verify()[-1])
    finally:
        enough.set()
        writer.join()
    assert looks == [WELL] * 5
    assert verify()[0] == f"Jobs: {JobLog.objects.count()} looked at, 0 broken"


def wait_for_another_job() -> None:
    before = JobLog.objects.count()
    wait_for(lambda: JobLog.objects.count() > before, "another job")


@pytest.mark.processes
def test_on_a_terminal_there_is_a_bar_and_the_exit_code_says_whether_all_is_well(tmp_path: Path) -> None:
    with Installation(tmp_path, "http://127.0.0.1:9/webhook/receipts") as installation:
        installation.start_web()
        installation.upload()
        assert run_in_a_terminal(installation.env)[:2] == (0, WELL)
        installation.execute("UPDATE jobs_joblog SET filename = 'other.jpg'")
        code, last, shown = run_in_a_terminal(installation.env)
        assert (code, "100%" in shown, "1 thing is broken." in shown) == (1, True, True)
        assert last == "Files made for N8N: 0 looked at, 0 broken"


def test_the_shares_of_several_processes_leave_no_job_out() -> None:
    for beginning in ("00", "7f", "80", "ff"):
        JobFactory.create(job_id=UUID(beginning + "0198c1f2" * 3 + "123456"))
    assert [_verify_share(JobLog.objects.all().query, *share)[0] for share in SHARES].count(1) == 4


@pytest.mark.faults
@pytest.mark.processes
def test_several_processes_find_what_one_finds(tmp_path: Path) -> None:
    with Installation(tmp_path, "http://127.0.0.1:9/webhook/receipts") as installation:
        installation.start_web()
        for number in range(3):
            installation.upload(number)
        installation.execute("UPDATE jobs_joblog SET filename = 'other.jpg'")
        for options, looked_at in (["--no-files"], 3), (["--no-files", "--since", "2031-01-01"], 0):
            one, two = [verified(installation.env, *options, "--processes", count) for count in "12"]
            assert one == two
            assert f"Jobs: {looked_at} looked at, {looked_at} broken" in one


@pytest.mark.processes
def test_an_interrupt_ends_all_processes_without_a_traceback_even_as_they_start(tmp_path: Path) -> None:
    with Installation(tmp_path, "http://127.0.0.1:9/webhook/receipts") as installation:
        command = [sys.executable, "manage.py", "verify_audit", "--processes", "2"]
        with subprocess.Popen(
            command, env=installation.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        ) as audit_run:
            wait_for(lambda: sum(map(minds_interrupts, children_of(audit_run.pid))) == 2, "both processes")
            os.killpg(audit_run.pid, signal.SIGINT)  # as a terminal's Ctrl-C
            printed, _ = audit_run.communicate(timeout=60)
    assert (audit_run.returncode, b"KeyboardInterrupt" in printed) == (130, False)


def children_of(process: int) -> list[str]:
    return Path(f"/proc/{process}/task/{process}/children").read_text().split()


def minds_interrupts(process: str) -> bool:
    """Tell whether it is a Python that has begun: that has a handler, which may be blocked."""
    caught = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{process}/status").read_text())
    return bool(caught and int(caught[1], 16) & 1 << signal.SIGINT - 1)


def test_whoever_stops_early_waits_for_no_share_that_has_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []

    def look_at(_: Any, *bounds: UUID) -> tuple[int, list[str]]:
        begun.append(bounds)
        sleep(0.05)
        return 1, []

    monkeypatch.setattr(parallel, "_verify_share", look_at)
    monkeypatch.setattr(parallel, "ProcessPoolExecutor", lambda number, *_, **__: ThreadPoolExecutor(number))
    looks = parallel.verify_jobs_in(1, JobLog.objects.all())
    next(looks)
    looks.close()  # type: ignore[attr-defined] # it is a generator; an interrupt ends it likewise
    assert len(begun) < len(SHARES)


def verified(env: dict[str, str], *options: str) -> list[str]:
    command = [sys.executable, "manage.py", "verify_audit", *options]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, check=False, text=True)
    return sorted(done.stdout.splitlines())


def run_in_a_terminal(env: dict[str, str]) -> tuple[int, str, str]:
    """Return the exit code, the last line printed, and what the terminal was shown beside."""
    ours, its = pty.openpty()
    command = [sys.executable, "manage.py", "verify_audit"]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=its, check=False, text=True)
    os.close(its)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    return done.returncode, done.stdout.splitlines()[-1], shown
