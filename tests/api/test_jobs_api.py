"""A client asks what became of its receipts."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from jobs.models import JobLog
from jobs.polling import retry_after
from jobs.views import NewestFirst
from receipts.models import Client
from tests.factories import DATABASE_ID, JobFactory, ReceiptFactory, job_in

Status = JobLog.Status
pytestmark = pytest.mark.django_db


@pytest.fixture
def own(shop: Client) -> Any:
    """Return a function that makes a job of the client that asks."""
    return lambda **fields: JobFactory.create(receipt=ReceiptFactory.create(client=shop), **fields)


def test_an_open_job_tells_what_happens_next_and_when_to_ask_again(api: APIClient, own: Any) -> None:
    job = own(processing=True)
    answer = api.get(f"/api/v1/jobs/{job.pk}/")
    assert answer.json()["next"]["what"] == "fails unless N8N calls back"
    assert answer.json()["next"]["at"].startswith(job.due_at.strftime("%Y-%m-%dT%H:%M:%S"))
    assert int(answer["Retry-After"]) > 0


def test_a_finished_job_tells_its_result_and_asks_nobody_to_come_back(api: APIClient, own: Any) -> None:
    job = own(success=True, result={"total": "12.50"})
    answer = api.get(f"/api/v1/jobs/{job.pk}/")
    facts = answer.json()
    assert (facts["status"], facts["next"], facts["result"]) == ("success", None, {"total": "12.50"})
    assert facts["notion_page_url"] == job.notion_page_url
    assert "Retry-After" not in answer


def test_a_job_that_has_not_changed_is_304_and_one_that_has_is_not(api: APIClient, own: Any) -> None:
    job = own(processing=True)
    etag = api.get(f"/api/v1/jobs/{job.pk}/")["ETag"]
    unchanged = api.get(f"/api/v1/jobs/{job.pk}/", headers={"If-None-Match": etag})
    assert (unchanged.status_code, unchanged.content, unchanged["ETag"]) == (304, b"", etag)
    assert "Retry-After" in unchanged
    for weak in (f"W/{etag}", "*"):  # as a proxy that compresses passes it on
        assert api.get(f"/api/v1/jobs/{job.pk}/", headers={"If-None-Match": weak}).status_code == 304
    JobLog.objects.filter(pk=job.pk).update(attempts=2)
    assert api.get(f"/api/v1/jobs/{job.pk}/", headers={"If-None-Match": etag}).status_code == 200


def test_the_list_is_newest_first_and_its_pages_stay_put_while_jobs_come_in(api: APIClient, own: Any) -> None:
    now = timezone.now()
    old, middle, new = (own(created_at=now - timedelta(minutes=minutes)) for minutes in (3, 2, 1))
    first = api.get("/api/v1/jobs/", {"page_size": 2}).json()
    own()
    second = api.get(first["next"]).json()
    ids = [job["job_id"] for page in (first, second) for job in page["results"]]
    assert ids == [str(job.pk) for job in (new, middle, old)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status": "failure"}, True),
        ({"status": "success"}, False),
        ({"failure_code": "callback_timeout"}, True),
        ({"created_after": "2020-01-01T00:00:00Z"}, True),
        ({"created_after": "2020-01-01t00:00:00z"}, True),
        ({"created_before": "2020-01-01T00:00:00Z"}, False),
        ({"created_after": "2020-01-01T00:00:00+23:23"}, True),  # an offset that PostgreSQL does not take
        ({"filename": "other.jpg"}, False),
        ({"notion_database_id": DATABASE_ID}, True),
        ({"notion_database_id": DATABASE_ID.upper()}, True),
        ({"notion_database_id": DATABASE_ID.replace("-", "")}, True),
        ({"notion_database_id": f"https://www.notion.so/acme/Receipts-{DATABASE_ID.replace('-', '')}?v=1"}, True),
        ({"notion_database_id": ""}, True),
        ({"notion_database_id": DATABASE_ID.replace("0", "1")}, False),
    ],
)
def test_the_list_can_be_narrowed(api: APIClient, own: Any, query: dict[str, str], found: bool) -> None:
    own(failure=True)
    assert bool(api.get("/api/v1/jobs/", query).json()["results"]) is found


@pytest.mark.parametrize(
    "query",
    [
        {"status": "lost"},
        {"created_after": "yesterday"},
        {"created_after": "9999-12-31T23:59:59-23:59"},
        {"created_before": "0001-01-01T00:00:00+23:59"},
        {"receipt_id": "x"},
        {"notion_database_id": "x"},
        {"notion_database_id": "\x00"},
        {"notion_database_id": "https://[::1/"},
    ],
)
def test_a_filter_that_means_nothing_is_400(api: APIClient, query: dict[str, str]) -> None:
    answer = api.get("/api/v1/jobs/", query)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


@pytest.mark.parametrize(
    "cursor",
    [
        "rubbish",
        "cD1hYmM=",
        "cD0yMDI2LTEx",
        "cD0yMDI2LTk5LTk5VDAwOjAw",
        "\x00",
    ],
)
def test_a_page_that_means_nothing_is_404(api: APIClient, cursor: str) -> None:
    assert api.get("/api/v1/jobs/", {"cursor": cursor}).status_code == 404


def test_a_page_may_begin_at_a_moment_with_any_offset(api: APIClient, own: Any) -> None:
    job = own(created_at=datetime(2025, 12, 31, tzinfo=UTC))
    own(created_at=datetime(2026, 1, 2, tzinfo=UTC))
    # before 2026-01-01T00:00:00+23:23, an offset that PostgreSQL does not take
    cursor = "cD0yMDI2LTAxLTAxVDAwOjAwOjAwJTJCMjM6MjM="
    found = api.get("/api/v1/jobs/", {"cursor": cursor}).json()["results"]
    assert [each["job_id"] for each in found] == [str(job.pk)]


@pytest.mark.parametrize("size", ["-1", "x"])
def test_a_size_of_a_page_that_means_nothing_is_left_out(api: APIClient, own: Any, size: str) -> None:
    for _ in range(3):
        own()
    assert len(api.get("/api/v1/jobs/", {"page_size": size}).json()["results"]) == 3


def test_a_walk_through_pages_does_not_begin_again_where_its_cursor_was_damaged(api: APIClient, own: Any) -> None:
    for _ in range(3):
        own()
    address = api.get("/api/v1/jobs/", {"page_size": 1}).json()["next"]
    (cursor,) = parse_qs(urlsplit(address).query)["cursor"]
    assert api.get("/api/v1/jobs/", {"cursor": cursor}).status_code == 200
    for damaged in ("d" + cursor[1:], cursor[:1] + "C" + cursor[2:], cursor[:2] + "4" + cursor[3:]):
        answer = api.get("/api/v1/jobs/", {"cursor": damaged})
        assert (answer.status_code, answer.json()["detail"]) == (404, NewestFirst.invalid_cursor_message)
    assert len(api.get("/api/v1/jobs/", {"cursor": ""}).json()["results"]) == 3


@pytest.mark.parametrize("status", Status)
def test_every_status_has_its_next_step_while_open_and_none_afterwards(status: JobLog.Status) -> None:
    job = job_in(status)
    assert bool(job.next_step) is job.is_open


@pytest.mark.parametrize(
    ("age", "due_in", "seconds"), [(5, 900, 2), (61, 9000, 60), (3600, 10, 10), (3600, 9000, 60), (3600, -5, 5)]
)
def test_a_young_job_is_asked_for_often_and_an_old_one_seldom(age: int, due_in: int, seconds: int) -> None:
    now = timezone.now()
    job = JobLog(created_at=now - timedelta(seconds=age), due_at=now + timedelta(seconds=due_in))
    assert retry_after(job, now) == seconds


def test_a_list_costs_the_same_number_of_queries_however_long(
    api: APIClient, own: Any, django_assert_max_num_queries: Any
) -> None:
    for _ in range(5):
        own()
    with django_assert_max_num_queries(2):
        api.get("/api/v1/jobs/")
