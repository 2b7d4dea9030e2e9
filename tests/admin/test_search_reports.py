"""What N8N reported is found though the job does not carry it, and more than one page of a receipt is pointed out."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from jobs import reports
from jobs.models import JobEvent, JobLog
from jobs.services import retry_job
from jobs.signatures import callback_token
from tests.factories import JobFactory
from tests.support.job_lifecycle import delivered, reported, uploaded
from tests.support.job_lists import LIST
from tests.support.job_pages import page, text_of
from tests.support.past_events import ago, event
from tests.support.staff import auditor, words_of
from tests.support.uploads import client_named, post

pytestmark = pytest.mark.django_db

Kind, Source, Status = JobEvent.Kind, JobEvent.Source, JobLog.Status
OTHER = "1f2e3d4c5b6a79880123456789abcdef"
PAGES = ["https://www.notion.so/Lunch-" + 32 * "a", f"https://www.notion.so/Lunch-{OTHER}"]
TWICE = "N8N reported more than one page: the receipt may be filed twice."


@pytest.fixture
def browser() -> Browser:
    return auditor()


def found(browser: Browser, text: str) -> list[Any]:
    return [job.pk for job in browser.get(LIST, {"q": text}).context["cl"].result_list]


def listing(browser: Browser, text: str) -> str:
    """Return the list of what it finds."""
    return browser.get(LIST, {"q": text}).content.decode()


def filed_twice() -> JobLog:
    """Return a job of which two executions reported success, each with a page of its own."""
    job = reported(delivered(uploaded()), notion_page_url=PAGES[0], execution_id="17")
    return reported(job, notion_page_url=PAGES[1], execution_id="471123")


def refused() -> JobLog:
    """Return a job that ended as filed, and then was reported as failed, with a page."""
    job = reported(delivered(uploaded()), notion_page_url=PAGES[0])
    return reported(job, Status.FAILURE, message="No.", notion_page_url=PAGES[1], execution_id="471123")


def retried() -> JobLog:
    """Return a job that was retried after a report of failure, which named a page."""
    job = delivered(uploaded())
    reported(job, Status.FAILURE, message="No.", notion_page_url=PAGES[1], execution_id="471123")
    retry_job(job.pk, actor="anna", reason="")
    return job


@pytest.mark.parametrize("story", [filed_twice, refused, retried])
@pytest.mark.parametrize("text", [OTHER, PAGES[1], f"Lunch-{OTHER}", "471123"])
def test_what_n8n_reported_and_the_job_does_not_carry_is_found(browser: Browser, story: Any, text: str) -> None:
    JobFactory.create_batch(2, success=True)
    job = story()
    carried = JobLog.objects.get(pk=job.pk)
    assert (carried.notion_page_url, carried.n8n_execution_id) != (PAGES[1], "471123")
    assert found(browser, text) == [job.pk]


def test_the_report_that_was_answered_as_a_repeat_is_found_by_its_page(browser: Browser) -> None:
    job = reported(delivered(uploaded()), notion_page_url=PAGES[0])
    report = {"status": "success", "notion_page_url": PAGES[1], "execution_id": "18"}
    answer = APIClient().post(
        f"/api/v1/jobs/{job.pk}/callback/", report, format="json", headers={"X-Callback-Token": callback_token(job.pk)}
    )
    assert (answer.status_code, answer.json()["duplicate"]) == (200, True)
    assert found(browser, PAGES[1]) == [job.pk]


@pytest.mark.parametrize("its_id", [None, "Till-3_77.a"])
def test_an_upload_is_found_by_the_request_id_and_by_the_key_that_its_client_has(
    browser: Browser, its_id: str | None
) -> None:
    shop = client_named("Shop")
    post(shop, 1)
    own = {"X-Request-ID": its_id} if its_id else {}
    answer = post(shop, 2, headers={"Idempotency-Key": "till-7-2026-01-31-0042", **own})
    for text in (answer["X-Request-ID"], "till-7-2026-01-31-0042"):
        assert [str(job_id) for job_id in found(browser, text)] == [answer.json()["job_id"]]
    again = post(shop, 2, headers={"Idempotency-Key": "till-7-2026-01-31-0042"})  # answered under another id
    assert [str(job_id) for job_id in found(browser, again["X-Request-ID"])] == [answer.json()["job_id"]]


def test_reports_are_looked_for_within_the_filters(browser: Browser) -> None:
    job = filed_twice()
    for status, expected in ((Status.SUCCESS, [job.pk]), (Status.FAILURE, [])):
        answer = browser.get(LIST, {"q": OTHER, "status__exact": status})
        assert [row.pk for row in answer.context["cl"].result_list] == expected


def test_only_so_many_of_the_newest_events_are_looked_through(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = filed_twice()
    monkeypatch.setattr(reports, "LOOKED_THROUGH", 3)
    for _ in range(2):
        event(JobFactory.create(), Kind.RECEIVED, ago(hours=0), Source.API)
    assert found(browser, OTHER) == [job.pk]
    assert "An older report" not in listing(browser, OTHER)
    event(JobFactory.create(), Kind.RECEIVED, ago(hours=0), Source.API)
    assert found(browser, OTHER) == []
    assert "An older report or upload may be meant" in listing(browser, OTHER)
    assert "An older report" not in listing(browser, "lunch")


def test_the_events_are_found_by_an_index_and_words_look_at_none(browser: Browser) -> None:
    filed_twice()
    with CaptureQueriesContext(connection) as captured:
        assert reports.jobs_told_of("471123", [OTHER]).jobs
        for text in ("lunch at 12", "lunch", "32.82", "09.03.2026"):
            assert reports.jobs_told_of(text, []) == ([], False)
    assert len(captured) == 2
    if connection.vendor != "sqlite":
        return  # PostgreSQL plans by what is in the table, and reads a small one whole
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN QUERY PLAN " + captured[1]["sql"])
        [plan] = cursor.fetchall()
    assert plan[3].startswith("SEARCH jobs_jobevent USING INTEGER PRIMARY KEY")


@pytest.mark.parametrize("story", [filed_twice, refused])
def test_a_jobs_page_leads_to_each_page_that_n8n_reported(browser: Browser, story: Any) -> None:
    answer = browser.get(page(story()))
    assert f"{TWICE} Look at both, and delete one: {PAGES[0]} · {PAGES[1]}" in words_of(answer)
    for address in PAGES:
        assert f'<a href="{address}" rel="noopener noreferrer" target="_blank">{address}</a>' in answer.content.decode()


def test_of_more_than_two_pages_one_is_to_stay(browser: Browser) -> None:
    job = reported(filed_twice(), notion_page_url="https://www.notion.so/" + 32 * "b")
    assert f"{TWICE} Look at all, and keep one: " in words_of(browser.get(page(job)))


def test_one_page_however_often_it_is_reported_or_written_is_one(browser: Browser) -> None:
    job = reported(delivered(uploaded()), notion_page_url=PAGES[1])
    for address in (PAGES[1], f"https://www.notion.so/acme/{OTHER}?pvs=4", ""):
        reported(job, notion_page_url=address)
    assert TWICE not in text_of(browser, job)


def test_what_may_be_no_link_is_none(browser: Browser) -> None:
    job = reported(delivered(uploaded()), notion_page_url=PAGES[0])
    event(job, Kind.CALLBACK_REPEATED, ago(hours=0), Source.CALLBACK, notion_page_url="javascript:alert(1)//<b>")
    text = text_of(browser, job)
    assert "javascript:alert(1)//&lt;b&gt;</p>" in text
    assert 'href="javascript:' not in text
