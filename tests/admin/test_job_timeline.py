"""A job's timeline on its page: who did what and when, and whether it is as it was written."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.delivery_errors import NEVER_SENT
from jobs.models import JobEvent, JobLog, Seal
from jobs.services.operation import resend_job
from jobs.stats import HOUR, hour_of
from tests.factories import JobFactory, job_in
from tests.support.job_lifecycle import delivered, filed, json_answer
from tests.support.job_pages import page, text_of
from tests.support.past_events import event
from tests.support.staff import auditor, staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser() -> Browser:
    return auditor()


def test_the_timeline_says_who_did_it_and_measures_in_units(browser: Browser) -> None:
    job = JobFactory.create()
    source = JobEvent.Source
    for name, actor, by in (
        (source.WORKER, "worker-1", "worker-1"),
        (source.WORKER, "till:7", "Worker · till:7"),
        (source.SWEEP, "", "Sweep"),
    ):
        entry = event(job, JobEvent.Kind.CLAIMED, job.created_at, name)
        JobEvent.objects.filter(pk=entry.pk).update(actor=actor, detail={"ms": 1234, "again_in_seconds": 281})
        assert f'<span class="by">{by}</span>' in text_of(browser, job)
    text = text_of(browser, job)
    assert "<dt>took</dt> <dd>1,234 ms</dd>" in text
    assert "<dt>again in</dt> <dd>5 min</dd>" in text


def test_a_slow_answer_is_measured_as_the_connection_test_measures_it(browser: Browser) -> None:
    job = JobFactory.create()
    event(job, JobEvent.Kind.DELIVERED, job.created_at, JobEvent.Source.WORKER, ms=12_345)
    assert "<dt>took</dt> <dd>12 s</dd>" in text_of(browser, job)


@pytest.mark.parametrize(
    ("code", "said"), [("n8n_busy", "Not taken by N8N"), *((code, "Not sent") for code in sorted(NEVER_SENT))]
)
def test_only_what_n8n_was_sent_is_called_not_taken_by_it(browser: Browser, code: str, said: str) -> None:
    job = JobFactory.create()
    event(job, JobEvent.Kind.REFUSED, job.created_at, JobEvent.Source.WORKER, code=code)
    assert f"<strong>{said}</strong>" in text_of(browser, job)
    assert f">{said}</td>" in browser.get("/admin/jobs/jobevent/").content.decode()


@pytest.mark.parametrize(
    ("was", "said"),
    [(JobLog.Status.QUEUED, "Queued to be sent now"), (JobLog.Status.PROCESSING, "Queued to be sent again")],
)
def test_only_what_n8n_was_sent_is_called_sent_again(browser: Browser, was: JobLog.Status, said: str) -> None:
    job = job_in(was)
    resend_job(job.pk, actor="anna", reason="N8N is back")
    assert f"<strong>{said}</strong>" in text_of(browser, job)
    assert f">{said}</td>" in browser.get("/admin/jobs/jobevent/").content.decode()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.254, "+0.25 s"), (59, "+59.00 s"), (1000.7, "+17 min"), (29_000, "+8 h"), (260_000, "+3 d")],
)
def test_the_timeline_says_how_long_it_took_as_one_would_say_it(browser: Browser, seconds: float, said: str) -> None:
    job = JobFactory.create(created_at=timezone.now() - timedelta(days=9))
    event(job, JobEvent.Kind.CLAIMED, job.created_at + timedelta(seconds=seconds), JobEvent.Source.WORKER)
    assert f"<b>{said}</b>" in text_of(browser, job)


def test_a_job_whose_events_are_as_written_says_so(browser: Browser) -> None:
    assert '<span class="badge badge-good">Verified: 4 events, and the file' in text_of(browser, filed())


def test_a_job_that_somebody_changed_says_what_is_broken(browser: Browser) -> None:
    job = filed()
    JobLog.objects.update(notion_page_url="https://www.notion.so/another")
    text = text_of(browser, job)
    assert '<span class="badge badge-bad">Not as written</span> Broken: its notion_page_url is not what event 4' in text
    assert "Verified" not in text


def test_a_job_with_too_many_events_is_not_verified_while_one_waits(browser: Browser) -> None:
    job = filed()
    JobLog.objects.update(chain_length=501)
    assert '<span class="badge">Not verified here</span>' in text_of(browser, job)


def test_a_job_that_has_ended_names_the_seal_that_covers_all_of_its_events(browser: Browser) -> None:
    job = JobFactory.create(success=True)
    first, last = (event(job, JobEvent.Kind.RECEIVED, job.created_at, JobEvent.Source.API) for _ in range(2))
    assert "not yet: its hour will be" in browser.get(page(job)).content.decode()
    hour = hour_of(job.created_at)
    for number, covered in ((1, first), (2, last)):
        Seal.objects.create(
            number=number, hour=hour + number * HOUR, last_event=covered.pk, events=1, jobs=1, digest="0" * 64
        )
    text = browser.get(page(job)).content.decode()
    assert f"with the hour from {hour + 2 * HOUR:%-d %b %Y %H:%M:%S}" in text
    assert "/admin/jobs/seal/" not in text
    seal = Seal.objects.get(number=2)
    allowed = staff("jobs.view_joblog", "jobs.view_seal", name="berta")
    assert f'href="/admin/jobs/seal/{seal.pk}/change/"' in allowed.get(page(job)).content.decode()


def test_a_seal_of_later_events_is_not_said_to_cover_an_earlier_one(browser: Browser) -> None:
    job = JobFactory.create(success=True)
    last = event(job, JobEvent.Kind.RECEIVED, job.created_at, JobEvent.Source.API)
    hour = hour_of(job.created_at)
    for number, covered in ((1, last.pk), (2, last.pk + 5)):
        Seal.objects.create(
            number=number, hour=hour + (number - 2) * HOUR, last_event=covered, events=1, jobs=1, digest="0" * 64
        )
    assert f"with the hour from {hour - HOUR:%-d %b %Y %H:%M:%S}" in text_of(browser, job)
    JobEvent.objects.filter(pk=last.pk).update(id=0)
    assert "with the hour from" not in text_of(browser, job)


@pytest.mark.parametrize(
    ("days", "said"), [(0, "not yet: its hour"), (5, "no: its hour is over, and no seal covers it")]
)
def test_a_seal_that_should_be_there_is_not_said_to_come(browser: Browser, days: int, said: str) -> None:
    job = JobFactory.create(success=True)
    event(job, JobEvent.Kind.RECEIVED, job.created_at - timedelta(days=days), JobEvent.Source.API)
    assert f"<dt>Sealed</dt><dd>{said}" in text_of(browser, job)


def test_a_page_with_many_events_costs_no_more_queries(browser: Browser) -> None:
    job = delivered(JobFactory.create(), json_answer(200, {}))
    few = queries_of(browser, job)
    for _ in range(30):
        event(job, JobEvent.Kind.CALLBACK_REPEATED, job.created_at, JobEvent.Source.CALLBACK)
    assert queries_of(browser, job) == few <= 15


def queries_of(browser: Browser, job: JobLog) -> int:
    browser.get(page(job))  # what a process asks once and remembers is asked by then
    with CaptureQueriesContext(connection) as captured:
        browser.get(page(job))
    return len(captured)
