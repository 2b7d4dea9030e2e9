"""One field finds a job by whatever one has at hand."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from jobs import search
from jobs.models import IdempotencyKey, JobEvent, JobLog
from tests.factories import JobFactory, ReceiptFactory
from tests.support.job_lists import LIST, found
from tests.support.past_events import event
from tests.support.staff import auditor, staff

pytestmark = pytest.mark.django_db

DATABASE = "fedcba98-4567-89ab-cdef-0123456789ab"
PAGE = "1f2e3d4c5b6a79880123456789abcdef"


@pytest.fixture
def wanted() -> JobLog:
    """Return a job among others."""
    JobFactory.create_batch(3, filename="other.jpg")
    job: JobLog = JobFactory.create(
        success=True, filename="Lunch 100%_1.jpg", notion_database_id=DATABASE, result_message="Filed as Trattoria",
        n8n_execution_id="471123", notion_page_url=f"https://www.notion.so/Lunch-{PAGE}",
    )  # fmt: skip
    return job


@pytest.mark.parametrize(
    "form",
    [
        lambda job: job.pk.hex.upper()[:31],
        lambda job: f"  {str(job.pk)[:8]} ",
        lambda job: str(job.pk)[:13],
        lambda job: str(job.receipt_id),
        lambda job: job.receipt.sha256,
        lambda job: job.receipt.sha256[:12],
        lambda job: f"{job.receipt.sha256}  lunch.jpg",
        lambda job: f"{job.receipt.sha256.upper()} *lunch.jpg",
        lambda job: f"sha256:{job.receipt.sha256}",
        lambda job: f"https://receipts.example.com/api/v1/receipts/{job.receipt_id}/file",
        lambda job: f"/admin/receipts/receipt/{job.receipt_id}/change/",
        lambda job: DATABASE,
        lambda job: DATABASE.replace("-", ""),
        lambda job: f"https://www.notion.so/team/Receipts-{DATABASE.replace('-', '')}?v=1",
        lambda job: f"https://www.notion.so/Lunch-{PAGE}?pvs=4",
        lambda job: f"https://www.notion.so/{PAGE}",
        lambda job: f"https://www.notion.so/acme/{DATABASE.replace('-', '')}?v={'0' * 32}&p={PAGE}&pm=s",
        lambda job: f"notion://www.notion.so/acme/Lunch-{PAGE}",
        lambda job: f"www.notion.so/Lunch-{PAGE}",
        lambda job: f"Lunch-{PAGE}",
        lambda job: PAGE,
        lambda job: f"{PAGE[:8]}-{PAGE[8:12]}-{PAGE[12:16]}-{PAGE[16:20]}-{PAGE[20:]}",
        lambda job: str(job),
        lambda job: "Lunch",
        lambda job: "unch 100%_1",
        lambda job: "lunch",
        lambda job: "trattoria",
        lambda job: "100%_1 lunch",
        lambda job: "lunch filed",
        lambda job: '"Filed as" trattoria',
        lambda job: "„Trattoria“",
        lambda job: f"lunch {job.client.name}",
        lambda job: "471123",
    ],
)
def test_a_job_is_found_by(wanted: JobLog, form: Any) -> None:
    assert found(form(wanted)) == [wanted.pk]


@pytest.mark.parametrize("key", ["till-7-2026-01-31-0042", "lunch", "a" * 64, "0a1b2c3d-4567-89ab-cdef-0123456789ab"])
def test_a_job_is_found_by_the_key_under_which_its_client_sent_it(key: str) -> None:
    jobs = JobFactory.create_batch(3, success=True)
    for job, its_key in zip(jobs, (key, key, f"{key}0"), strict=True):
        IdempotencyKey.objects.create(client=job.client, key=its_key, fingerprint="", job=job)
    assert sorted(found(key)) == sorted(job.pk for job in jobs[:2])
    assert found(key, client__id__exact=str(jobs[0].client_id)) == [jobs[0].pk]


def test_a_key_hides_no_job_that_has_it_as_a_word(wanted: JobLog) -> None:
    other = JobFactory.create(filename="dinner.jpg")
    IdempotencyKey.objects.create(client=other.client, key="Lunch", fingerprint="", job=other)
    assert sorted(found("Lunch")) == sorted([wanted.pk, other.pk])


def test_an_old_job_is_found_by_its_key_however_many_newer_ones_have_that_as_a_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search, "FOUND", 2)
    old = JobFactory.create()
    IdempotencyKey.objects.create(client=old.client, key="7", fingerprint="", job=old)
    newer = JobFactory.create_batch(3, filename="7.jpg")
    assert sorted(found("7")) == sorted([old.pk, newer[-1].pk])


def test_a_key_is_looked_up_among_the_keys_of_all_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "RECENT", 1)
    old = JobFactory.create()
    IdempotencyKey.objects.create(client=old.client, key="till-7-42", fingerprint="", job=old)
    JobFactory.create_batch(2, receipt=old.receipt)
    with CaptureQueriesContext(connection) as captured:
        assert found("till-7-42") == [old.pk]
    [query] = [one["sql"] for one in captured if "idempotencykey" in one["sql"]]
    if connection.vendor == "sqlite":  # PostgreSQL plans by what is in the table, and reads a small one whole
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN QUERY PLAN " + query)
            plan = " ".join(row[3] for row in cursor.fetchall())
        assert "SEARCH jobs_idempotencykey USING INDEX" in plan
        assert "(client_id=? AND key=?)" in plan


def test_an_id_of_notion_in_an_address_is_not_taken_for_a_job() -> None:
    job = JobFactory.create(success=True, notion_page_url="https://www.notion.so/0123")
    filed = JobFactory.create(success=True, notion_page_url=f"https://www.notion.so/Lunch-{job.pk.hex}")
    assert found(f"https://www.notion.so/Lunch-{job.pk}") == [filed.pk]


def test_an_id_of_nothing_in_a_file_name_is_a_word() -> None:
    job = JobFactory.create(filename=f"scan {PAGE[:8]}-0000-4000-8000-{PAGE[:12]}.jpg")
    assert found(job.filename) == [job.pk]


def test_a_page_that_is_shown_beside_its_database_is_found_alone(wanted: JobLog) -> None:
    JobFactory.create(success=True, notion_database_id=DATABASE)
    database = f"https://www.notion.so/acme/{DATABASE.replace('-', '')}?v={'0' * 32}"
    assert found(f"{database}&p={PAGE}&pm=s") == [wanted.pk]
    assert found(f"{database}&p={'1' * 32}&pm=s") == []
    assert len(found(database)) == 2


@pytest.mark.parametrize(
    "form",
    [
        str,
        lambda key: key.hex.upper(),
        "  {} ".format,
        "https://receipts.example.com/api/v1/jobs/{}/".format,
        "https://receipts.example.com/admin/jobs/joblog/{}/change/?_changelist_filters=q%3Dlunch".format,
        "Job {}: event 3 is gone.".format,
    ],
)
def test_an_id_in_full_opens_its_job(wanted: JobLog, form: Any) -> None:
    answer = auditor().get(LIST, {"q": form(wanted.pk)})
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{LIST}{wanted.pk}/change/")


def test_an_id_in_full_narrows_a_list_that_is_filtered_already(wanted: JobLog) -> None:
    assert found(str(wanted.pk), status__exact="success") == [wanted.pk]
    assert found(str(wanted.pk), status__exact="failure") == []


def test_an_id_in_full_tells_nobody_of_a_job_who_may_see_none(wanted: JobLog) -> None:
    assert staff("receipts.view_receipt").get(LIST, {"q": str(wanted.pk)}).status_code == 403


@pytest.mark.parametrize(
    "text", ["nothing like it", "%", "_", "0" * 8, "f" * 64, "'; DROP", "\\", "https://[", "\U0010ffff"]
)
def test_what_there_is_not_is_not_found(text: str) -> None:
    JobFactory.create(filename="other.jpg")
    assert found(text) == []


def test_a_search_in_vain_says_that_accents_count() -> None:
    JobFactory.create(success=True, result={"vendor": "Zum Löwen"})
    said = "Words are found as they are spelt on the receipt, with their accents."
    assert said in auditor().get(LIST, {"q": "lowen"}).content.decode()
    assert said not in auditor().get(LIST, {"status__exact": "failure"}).content.decode()


def test_brackets_around_what_begins_no_id_are_words() -> None:
    job = JobFactory.create(filename="scan (20261123)")
    assert found("scan (20261123)") == [job.pk]


@pytest.mark.parametrize("text", ["lunch dinner", "trattoria other.jpg"])
def test_what_has_one_of_the_words_only_is_not_found(wanted: JobLog, text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize("named", ["Caf\u00e9 ZÜRICH.jpg", "Cafe\u0301 ZU\u0308RICH.jpg"])
@pytest.mark.parametrize("text", ["Caf\u00e9 Z", "Cafe\u0301 Z", "CAFÉ", "café zürich", "Zürich"])
def test_words_are_found_in_either_case_and_however_their_accents_are_written(named: str, text: str) -> None:
    job = JobFactory.create(filename=named)
    JobFactory.create(filename="Cafeteria.jpg")
    assert found(text) == [job.pk]


@pytest.mark.parametrize(
    "text",
    ["Old Mill Grocery", "grocery old", "32.82", "25.80", "25.8", "40.00", "40.0", "1200.00", "Bäckerei", "BÄCKEREI",
     "Ba\u0308ckerei", "日本", 'the"mill"', "lunch grocery", "\U0001f35e"],
)  # fmt: skip
def test_a_job_is_found_by_what_the_workflow_read(text: str) -> None:
    lines = [{"item": "Bäckerei 日本 \U0001f35e", "amount": 25.8}, {"item": 'the"mill"', "amount": 40.0}]
    read = {"vendor": "Old Mill Grocery", "total": 32.82, "lines": lines, "rates": [7, 1200]}
    job = JobFactory.create(success=True, filename="lunch.jpg", result=read)
    JobFactory.create(success=True, filename="other.jpg", result={"total": 25.81, "lines": [40.05, 1200.5]})
    JobFactory.create(filename="other.jpg")
    assert job.pk in found(text)
    assert len(found(text)) == (2 if text in ("25.8", "40.0") else 1)  # parts of other numbers, as of other words


def test_what_the_workflow_calls_its_fields_finds_no_job_but_those_that_hold_the_word() -> None:
    job = JobFactory.create(success=True, result={"vendor": "Total Access", "total": 52.1, "lines": [{"item": "fuel"}]})
    JobFactory.create(success=True, result={"vendor": "Old Mill", "total": 5.21, "lines": [{"item": "Total, all in"}]})
    assert found("TOTAL access") == [job.pk]
    assert found("total fuel") == [job.pk]
    assert [len(found(name)) for name in ("total", "vendor", "lines", "item")] == [2, 0, 0, 0]
    JobFactory.create(success=True, result={"vendor": "Bakery", "total": 3.2, "item": ""})
    assert len(found("total")) == 2
    quoted = JobFactory.create(success=True, result={"vendor": 'The "Fuel Station": open', "total": 3.2})
    assert found("station") == [quoted.pk]


def test_a_name_that_goes_on_for_ever_keeps_no_search_busy() -> None:
    JobFactory.create(success=True, result={"mill" * 45_000: 0})
    assert len(found("mill")) == 1


def test_an_old_name_is_found_by_its_beginning_however_its_accents_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "RECENT", 1)
    old = JobFactory.create(filename="Cafe\u0301.jpg")
    JobFactory.create_batch(2, receipt=old.receipt, filename="other.jpg")
    assert found("Caf\u00e9") == [old.pk]


def test_too_few_digits_are_words(wanted: JobLog) -> None:
    assert found(str(wanted.pk)[:7]) == []


def test_a_databases_jobs_are_not_read_all_at_once(wanted: JobLog) -> None:
    JobFactory.create_batch(60, receipt=wanted.receipt, notion_database_id=DATABASE)
    with CaptureQueriesContext(connection) as captured:
        assert len(found(DATABASE)) == 50
    assert [one["sql"] for one in captured if 'FROM "jobs_joblog"' in one["sql"] and "LIMIT" not in one["sql"]] == []


def test_eight_digits_that_are_no_id_may_be_a_date_in_a_file_name() -> None:
    job = JobFactory.create(filename="20261123.jpg")
    assert found("20261123") == [job.pk]


def test_a_search_stays_within_the_filters(wanted: JobLog) -> None:
    assert found("Lunch", status__exact="failure") == []
    assert found("Lunch", status__exact="success") == [wanted.pk]


def test_words_are_looked_for_among_the_newest_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "RECENT", 3)
    receipt = ReceiptFactory.create()
    old = JobFactory.create(receipt=receipt, filename="old lunch.jpg", success=True, result={"vendor": "Old Mill"})
    JobFactory.create_batch(3, receipt=receipt, filename="other.jpg")
    assert found("lunch") == found("mill") == []
    assert found("old l") == [old.pk]  # its beginning has an index


@pytest.mark.parametrize("text", ["0123abcd", "a" * 64])
def test_an_id_is_found_by_an_index(text: str) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL plans by what is in the table, and reads a small one whole")
    JobFactory.create()
    with CaptureQueriesContext(connection) as captured:
        search.find_by_id(text)
    assert len(captured) > 0
    for query in captured:
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN QUERY PLAN " + query["sql"])
            plan = [row[3] for row in cursor.fetchall()]
        assert all(step.startswith("SEARCH") for step in plan), plan


def test_events_are_found_by_their_job(admin_client: Browser, wanted: JobLog) -> None:
    event(wanted, JobEvent.Kind.RECEIVED, wanted.created_at, JobEvent.Source.API)
    answer = admin_client.get("/admin/jobs/jobevent/", {"q": str(wanted.pk)[:8]})
    assert [row.job_id for row in answer.context["cl"].result_list] == [wanted.pk]


@pytest.mark.parametrize(
    "form",
    [
        lambda receipt: str(receipt.pk),
        lambda receipt: receipt.sha256[:8],
        lambda receipt: f"{receipt.sha256}  lunch.jpg",
        lambda receipt: f"https://receipts.example.com/admin/receipts/receipt/{receipt.pk}/change/",
    ],
)
def test_receipts_are_found_in_their_own_list_without_counting_any(admin_client: Browser, form: Any) -> None:
    wanted, _ = ReceiptFactory.create_batch(2)
    with CaptureQueriesContext(connection) as captured:
        answer = admin_client.get("/admin/receipts/receipt/", {"q": form(wanted)})
    assert list(answer.context["cl"].result_list) == [wanted]
    assert [one["sql"] for one in captured if "COUNT(" in one["sql"]] == []
