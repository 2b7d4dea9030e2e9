"""SQLite keeps any text in any column: what Django reads as the same value, and no list finds, is named."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser

from accounting.clock import DatabaseNow
from accounting.stored import TIME, columns_of_other_form, with_stored
from jobs.management.commands import verify_audit
from jobs.models import JobLog
from jobs.proof import parallel
from jobs.proof.audit import verify_job, verify_jobs
from receipts.models import Receipt
from tests.factories import RenditionFactory
from tests.support.audit_runs import path_of, verify
from tests.support.job_lifecycle import filed, filed_by
from tests.support.job_pages import page
from tests.support.raw_cells import store, store_id
from tests.support.staff import auditor, words_of

from .sealed_hours import three_hours

pytestmark = [
    pytest.mark.skipif("config.getoption('--database') != 'sqlite'", reason="PostgreSQL has one form: SQLite's"),
    pytest.mark.django_db,
]

OTHER_FORM = "is stored in another form than this service writes"
LAST_FIGURE_TWICE = """'{"total": 9812.5, ' || substr(result, 2)"""
OF_JOB = [
    ("result", LAST_FIGURE_TWICE),
    ("result", """replace(result, '"vendor"', '"v\\u0065ndor"')"""),
    ("result", "replace(result, '12.5', '125e-1')"),
    ("result", "result || ' '"),
    ("result", "CAST(result AS BLOB)"),
    ("created_at", "created_at || '+00:00'"),
    ("created_at", "replace(created_at, ' ', 'T')"),
    ("created_at", "substr(created_at, 1, 5) || '1-2' || substr(created_at, 11)"),
    ("completed_at", "completed_at || 'Z'"),
    ("filename", "CAST(X'41' AS BLOB)"),
    ("is_canary", "2"),
    ("attempts", "1.5"),
]
OF_EVENT = [
    ("at", "replace(at, ' ', 'T')"),
    ("detail", "' ' || detail"),
    ("facts", "replace(facts, ', ', ',')"),
    ("actor", "CAST(actor AS BLOB)"),
]


@pytest.fixture
def browser() -> Browser:
    return auditor()


@pytest.mark.parametrize(("column", "value"), OF_JOB)
def test_a_value_of_a_job_in_other_words_is_named_by_the_audit_and_the_page(
    column: str, value: str, browser: Browser
) -> None:
    job = filed()
    store("jobs_joblog", column, value)
    assert f"its {column} {OTHER_FORM}" in verify_job(job).wrong
    assert f"Job {job.pk}: its {column} {OTHER_FORM}." in verify(no_files=True)
    assert f"Not as written Broken: its {column} {OTHER_FORM}" in words_of(browser.get(page(job)))


@pytest.mark.parametrize(("column", "value"), OF_EVENT)
def test_a_value_of_an_event_in_other_words_is_named(column: str, value: str) -> None:
    job = filed()
    store("jobs_jobevent", column, value, "number = 3")
    assert f"the {column} of event 3 {OTHER_FORM}" in verify_job(job).wrong
    assert f"Job {job.pk}: the {column} of event 3 {OTHER_FORM}." in verify(no_files=True)


def test_a_time_of_a_receipt_in_other_words_is_named() -> None:
    job = filed()
    store("receipts_receipt", "created_at", "created_at || 'Z'")
    assert verify_job(job).wrong == (f"its receipt.created_at {OTHER_FORM}",)


def test_nothing_passes_for_json_that_says_nothing() -> None:
    job = filed()
    JobLog.objects.filter(pk=job.pk).update(result=None)
    store("jobs_joblog", "result", "'null'")
    assert f"its result {OTHER_FORM}" in verify_job(job).wrong


# -- ids, by which the rows would be asked for


@pytest.mark.parametrize("form", [str, lambda key: key.hex.upper(), lambda key: f"urn:uuid:{key}", lambda _: "nobody"])
@pytest.mark.parametrize("processes", [1, 2])
def test_a_job_under_its_id_in_other_words_is_not_taken_for_one_that_is_gone(
    form: Any, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify_audit, "verify_jobs_in", in_this_process)
    job, other = filed_by("One"), filed_by("Two")
    for table in ("jobs_joblog", "jobs_jobevent"):
        store_id(table, "job_id", job.pk, form(job.pk))
    JobLog.objects.filter(pk=other.pk).update(filename="other.jpg")
    lines = verify(no_files=True, processes=processes)
    assert f"Job {form(job.pk)}: its job_id {OTHER_FORM}." in lines
    assert f"Job {other.pk}: its filename is not what event 1 wrote." in lines
    assert "Jobs: 2 looked at, 2 broken" in lines


def in_this_process(_: int, jobs: Any) -> Any:
    """Look at the shares that several processes have, one after the other."""
    return (parallel._verify_share(jobs.query, *share) for share in parallel.SHARES)


def test_an_id_in_other_words_leads_the_audit_past_no_other_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.proof.audit.BATCH", 1)
    jobs = sorted((filed_by(f"Shop {number}") for number in range(6)), key=lambda job: job.pk.hex)
    for table in ("jobs_joblog", "jobs_jobevent"):
        store_id(table, "job_id", jobs[5].pk, jobs[5].pk.hex.upper())
        store_id(table, "job_id", jobs[0].pk, f"urn:uuid:{jobs[0].pk}")
    for job in jobs[1:5]:
        JobLog.objects.filter(pk=job.pk).update(filename="other.jpg")
    looks = list(verify_jobs(JobLog.objects.all()))
    assert [number for number, _ in looks] == [1] * 6
    assert [len(sentences) for _, sentences in looks] == [1] * 6


def test_a_receipt_under_its_id_in_other_words_hides_no_swapped_file(browser: Browser) -> None:
    job = filed()
    path_of(job.receipt).write_bytes(b"another")
    dashed = str(job.receipt_id)
    store_id("receipts_receipt", "id", job.receipt_id, dashed)
    store_id("jobs_joblog", "receipt_id", job.receipt_id, dashed)
    lines = verify()
    assert f"Job {job.pk}: its receipt_id {OTHER_FORM}." in lines
    assert f"Receipt {dashed}: its id {OTHER_FORM}." in lines
    text = words_of(browser.get(page(job)))
    assert f"Broken: its receipt_id {OTHER_FORM}; " in text
    assert "its file holds other bytes than those that came." in text


def test_a_rendition_under_its_id_in_other_words_is_named() -> None:
    job = filed()
    RenditionFactory.create(receipt=job.receipt)
    with connection.constraint_checks_disabled():
        store_id("receipts_rendition", "receipt_id", job.receipt_id, str(job.receipt_id))
    assert f"Rendition {job.receipt_id}: its receipt_id {OTHER_FORM}." in verify()
    store("receipts_rendition", "receipt_id", "%s", "", job.receipt_id.hex)  # the database looks after the test


def test_a_seals_hour_in_other_words_is_named() -> None:
    three_hours()
    store("jobs_seal", "hour", "replace(hour, ' ', 'T')", "number = 2")
    assert f"Seal 2 of 2031-05-06 10:00: its hour {OTHER_FORM}." in verify(no_files=True)


# -- what the service writes itself, or did


@pytest.mark.parametrize(
    "at", ["2031-01-01 00:00:00", "2031-01-01 00:00:00.120", "2031-01-01 00:00:00.120000", "2031-01-01 00:00:00.000000"]
)
def test_a_time_as_each_clock_writes_it_is_well(at: str) -> None:
    assert TIME.fullmatch(at)


def test_the_databases_clock_writes_such_times() -> None:
    filed()
    Receipt.objects.update(created_at=DatabaseNow())
    assert list(columns_of_other_form(with_stored(Receipt.objects.all()).get())) == []
