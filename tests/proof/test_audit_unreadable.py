"""A row that cannot be read is named, and hides no other."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser

from jobs.models import JobEvent, JobLog, Seal
from jobs.proof.audit import verify_job
from receipts.models import Receipt
from tests.support.audit_runs import verify
from tests.support.job_lifecycle import filed_by
from tests.support.job_pages import page
from tests.support.raw_cells import key_of, store
from tests.support.staff import auditor, words_of

from .sealed_hours import three_hours

pytestmark = pytest.mark.django_db

NO_DAY = "2031-13-01 00:00:00"
DEEP = json.loads("[" * 500 + "]" * 500)
ON_SQLITE = pytest.mark.skipif("config.getoption('--database') != 'sqlite'", reason="PostgreSQL keeps no such thing")
ON_POSTGRESQL = pytest.mark.skipif("config.getoption('--database') == 'sqlite'", reason="SQLite knows no such time")


@pytest.fixture
def jobs() -> list[JobLog]:
    return [filed_by(f"Shop {number}") for number in range(3)]


@pytest.fixture
def browser() -> Browser:
    return auditor()


@pytest.mark.parametrize("facts", [[], None, "x", 5], ids=json.dumps)
def test_facts_that_are_no_object_are_not_as_they_were_written(jobs: list[JobLog], facts: Any) -> None:
    event = JobEvent.objects.filter(job=jobs[1], number=3)
    if facts is None:
        store("jobs_jobevent", "facts", "'null'", "id = %s", event.get().pk)
    else:
        event.update(facts=facts)
    wrong = verify_job(jobs[1]).wrong
    assert "event 3 (delivered) is not as it was written" in wrong
    assert not any("cannot be read" in sentence for sentence in wrong)
    JobLog.objects.filter(pk=jobs[2].pk).update(filename="other.jpg")
    lines = verify(no_files=True)
    assert f"Job {jobs[1].pk}: event 3 (delivered) is not as it was written." in lines
    assert f"Job {jobs[2].pk}: its filename is not what event 1 wrote." in lines


@pytest.mark.parametrize("detail", [[], "x", 5], ids=json.dumps)
def test_a_detail_that_is_no_object_leaves_the_page_to_say_so(
    jobs: list[JobLog], browser: Browser, detail: Any
) -> None:
    JobEvent.objects.filter(job=jobs[1]).update(detail=detail)
    assert "Broken: event 1 (received) is not as it was written; " in words_of(browser.get(page(jobs[1])))


def test_a_result_too_deep_to_be_signed_again_is_named_by_the_audit_and_the_page(
    jobs: list[JobLog], browser: Browser
) -> None:
    JobLog.objects.filter(pk=jobs[1].pk).update(result=DEEP)
    JobLog.objects.filter(pk=jobs[2].pk).update(filename="other.jpg")
    lines = verify(no_files=True)
    assert f"Job {jobs[1].pk}: it cannot be read (RecursionError)." in lines
    assert f"Job {jobs[2].pk}: its filename is not what event 1 wrote." in lines
    assert "Jobs: 3 looked at, 2 broken" in lines
    text = words_of(browser.get(page(jobs[1])))
    assert "Broken: it cannot be read (RecursionError)." in text
    assert "It is nested too deep to be shown." in text


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        pytest.param("jobs_joblog.created_at", "'infinity'", "it cannot be read (DataError)", marks=ON_POSTGRESQL),
        pytest.param("jobs_jobevent.at", "'infinity'", "it cannot be read (DataError)", marks=ON_POSTGRESQL),
        pytest.param("jobs_joblog.created_at", f"'{NO_DAY}'", "it cannot be read (ValueError)", marks=ON_SQLITE),
        pytest.param("jobs_jobevent.at", f"'{NO_DAY}'", "it cannot be read (ValueError)", marks=ON_SQLITE),
        pytest.param("jobs_joblog.filename", "X'FF'", "it cannot be read (TypeError)", marks=ON_SQLITE),
        pytest.param(
            "jobs_joblog.filename", "CAST(X'FF' AS TEXT)", "it cannot be read (OperationalError)", marks=ON_SQLITE
        ),
        pytest.param("jobs_joblog.receipt_id", "'nobody'", "the row of its receipt is gone", marks=ON_SQLITE),
    ],
)
def test_a_cell_that_is_no_value_hides_no_other_job(jobs: list[JobLog], column: str, value: str, said: str) -> None:
    table, _, name = column.partition(".")
    with connection.constraint_checks_disabled():
        store(table, name, value, "job_id = %s", key_of(jobs[1].pk))
    JobLog.objects.filter(pk=jobs[2].pk).update(filename="other.jpg")
    lines = verify(no_files=True)
    assert f"Job {jobs[1].pk}: {said}." in lines
    assert f"Job {jobs[2].pk}: its filename is not what event 1 wrote." in lines
    assert any(line.startswith("Seals: ") for line in lines)
    of_old = key_of(jobs[1].receipt_id)  # the database looks after the test
    store("jobs_joblog", "receipt_id", "%s", "job_id = %s", of_old, key_of(jobs[1].pk))


def test_a_time_that_is_none_is_named_by_whoever_looks_at_its_one_job_and_ends_no_other_part(
    jobs: list[JobLog],
) -> None:
    """The newest event's, by which the audit of seals tells for how long nothing has run."""
    when, error = ("infinity", "DataError") if connection.vendor == "postgresql" else (NO_DAY, "ValueError")
    store("jobs_jobevent", "at", "%s", "job_id = %s AND number = 4", when, key_of(jobs[2].pk))
    assert verify_job(jobs[2]).wrong == (f"it cannot be read ({error})",)
    lines = verify(no_files=True)
    assert f"Seals: not all was looked at, since a row cannot be read ({error})." in lines
    assert lines[-2] == "Seals kept elsewhere: 0 looked at, 0 broken"
    assert lines[-1] == "2 things are broken."


def test_a_receipt_that_cannot_be_read_hides_no_other_file(jobs: list[JobLog]) -> None:
    when = "infinity" if connection.vendor == "postgresql" else NO_DAY
    store("receipts_receipt", "purged_at", "%s", "id = %s", when, key_of(jobs[1].receipt_id))
    Receipt.objects.filter(pk=jobs[2].receipt_id).update(sha256="0" * 64)
    lines = verify()
    assert any(line.startswith(f"Receipt {jobs[1].receipt_id}: it cannot be read (") for line in lines)
    assert f"Receipt {jobs[2].receipt_id}: its file holds other bytes than those that came." in lines


def test_a_seal_that_cannot_be_read_is_named_and_the_next_is_looked_at() -> None:
    three_hours()
    when = "infinity" if connection.vendor == "postgresql" else NO_DAY
    store("jobs_seal", "made_at", "%s", "number = 2", when)
    second = Seal.objects.values_list("pk", flat=True).get(number=2)
    Seal.objects.filter(number=3).update(digest="0" * 64)
    lines = verify(no_files=True)
    assert any(line.startswith(f"The seal with the id {second} cannot be read (") for line in lines)
    assert any(line.startswith("Seal 3 of ") for line in lines)
    assert lines[-1].endswith(" things are broken.")
