"""The audit in the admin: everything can be found and seen, only the audited actions change anything."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.admin.models import LogEntry
from django.test import Client as Browser
from django.utils import timezone

from jobs.answers import Answer
from jobs.delivery_errors import ErrorCode
from jobs.models import JobEvent, JobLog
from jobs.services import claim_job, mark_delivered
from jobs.services.bulk import VERBS
from tests.factories import JobFactory, ReceiptFactory, job_in
from tests.support import staff as people
from tests.support.job_pages import page
from tests.support.past_events import event

pytestmark = pytest.mark.django_db

LIST = "/admin/jobs/joblog/"
QUEUE = "/admin/django_rq/dashboard/"


@pytest.fixture
def auditor() -> Browser:
    """Return the browser of somebody who may see everything and change nothing."""
    return people.auditor()


@pytest.fixture
def operator() -> Browser:
    """Return the browser of somebody who may also retry."""
    return people.operator()


def operate(browser: Browser, job: JobLog, verb: str, reason: str = "N8N was down") -> Any:
    form = {"reason": reason, "status": job.status, "attempts": job.attempts}
    return browser.post(f"{LIST}{job.pk}/operate/{verb}/", form, follow=True)


# -- finding


@pytest.mark.parametrize("key", ["00000000-0000-4000-8000-000000000000", "nonsense"])
def test_nobody_is_asked_whether_a_job_was_deleted_that_there_is_not(auditor: Browser, key: str) -> None:
    answer = auditor.get(f"{LIST}{key}/change/", follow=True)
    text = answer.content.decode()
    assert answer.redirect_chain == [(LIST, 302)]
    assert f"There is no job “{key}”" in text
    assert "deleted?" not in text


def test_of_an_id_that_is_longer_than_any_the_beginning_is_told(auditor: Browser) -> None:
    text = auditor.get(f"{LIST}{'x' * 5000}/change/", follow=True).content.decode()
    assert f"There is no job “{'x' * 59}…”" in text


def test_a_job_that_staff_did_nothing_to_says_so(auditor: Browser) -> None:
    job = JobFactory.create()
    text = auditor.get(f"{LIST}{job.pk}/history/").content.decode()
    assert "No member of staff has changed anything here." in text
    assert f"<h1>What staff did: {job}</h1>" in text
    assert "added via this admin site" not in text


def test_an_events_page_calls_nothing_filed_that_was_filed_nowhere(auditor: Browser) -> None:
    job = JobFactory.create(success=True)
    succeeded = event(job, JobEvent.Kind.SUCCEEDED, job.created_at, JobEvent.Source.CALLBACK)
    text = auditor.get(f"/admin/jobs/jobevent/{succeeded.pk}/change/").content.decode()
    assert "Succeeded" in text
    assert "Filed in Notion" not in text


@pytest.mark.parametrize(
    "query",
    [
        {"status__exact": "failure"},
        {"failure_code__exact": "callback_timeout"},
        {"needs_attention__exact": 0},
        {"progress": "ended"},
    ],
)
def test_the_list_can_be_filtered(auditor: Browser, query: dict[str, str]) -> None:
    wanted = JobFactory.create(failure=True)
    JobFactory.create(needs_attention=True)
    assert [job.pk for job in auditor.get(LIST, query).context["cl"].result_list] == [wanted.pk]


def test_the_list_can_be_filtered_by_client_and_by_day(auditor: Browser) -> None:
    wanted, old = JobFactory.create(), JobFactory.create(created_at=timezone.now() - timedelta(days=40))
    for query, found in (
        ({"client__id__exact": old.client_id}, old),
        ({"created_at__gte": f"{wanted.created_at:%Y-%m-%d} 00:00:00+00:00"}, wanted),
    ):
        assert [job.pk for job in auditor.get(LIST, query).context["cl"].result_list] == [found.pk]


def test_the_page_tells_the_whole_story(auditor: Browser, settings: LazySettings) -> None:
    job = JobFactory.create(filename="lunch.jpg")
    claimed = claim_job(job.pk, worker="w1")
    assert claimed is not None
    settings.DELIVERY_RETRY_SCHEDULE = []
    mark_delivered(job.pk, attempt=1, answer=Answer(error=ErrorCode.FILE_MISSING), worker="w1")
    text = auditor.get(page(job)).content.decode()
    for part in ("Claimed by a worker", "w1", "Failed", "file_missing", "cannot be read", job.receipt.sha256):
        assert part in text
    assert f'src="/api/v1/receipts/{job.receipt_id}/file"' in text


def test_what_a_client_or_n8n_sent_is_never_markup(auditor: Browser) -> None:
    evil = "<script>alert(1)</script>"
    job = JobFactory.create(success=True, filename=evil, result_message=evil, result={"vendor": evil})
    for address in (LIST, page(job)):
        text = auditor.get(address).content.decode()
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
        assert evil not in text


def test_events_can_be_searched_by_actor(auditor: Browser) -> None:
    claim_job(JobFactory.create().pk, worker="w1")
    claim_job(JobFactory.create().pk, worker="w2")
    answer = auditor.get("/admin/jobs/jobevent/", {"q": "w2"})
    assert [event.actor for event in answer.context["cl"].result_list] == ["w2"]


# -- acting


def test_a_retry_names_who_asked_for_it_and_why(operator: Browser) -> None:
    job = JobFactory.create(failure=True)
    assert "Retried: " in operate(operator, job, "retry").content.decode()
    job.refresh_from_db()
    assert job.status == JobLog.Status.QUEUED
    event = job.events.get()
    assert (event.kind, event.actor, event.detail["reason"]) == ("retried", "anna", "N8N was down")
    assert "Retried: N8N was down" in LogEntry.objects.get().change_message


@pytest.mark.parametrize(("verb", "trait"), [("resend", {"processing": True}), ("resend", {}), ("cancel", {})])
def test_the_page_offers_what_the_status_allows(operator: Browser, verb: str, trait: dict[str, bool]) -> None:
    job = JobFactory.create(**trait)
    assert f"{job.pk}/operate/{verb}/" in operator.get(page(job)).content.decode()
    assert f"{VERBS[verb].done}: " in operate(operator, job, verb).content.decode()


@pytest.mark.parametrize(
    ("verb", "status"),
    [("retry", JobLog.Status.FAILURE), ("resend", JobLog.Status.PROCESSING), ("cancel", JobLog.Status.QUEUED)],
)
def test_a_page_that_was_drawn_before_the_last_delivery_changes_nothing(
    operator: Browser, verb: str, status: JobLog.Status
) -> None:
    job = job_in(status, attempts=2)
    shown = operator.get(page(job)).content.decode()
    assert 'name="attempts" value="2"' in shown
    assert f'data-key="{verb}-{status}-2"' in shown  # so that a page that refreshes itself has the new ones in its form
    JobLog.objects.filter(pk=job.pk).update(attempts=3)
    assert "has moved on" in operate(operator, job, verb).content.decode()
    assert not job.events.exists()


def test_a_page_that_was_drawn_before_the_sweep_queued_it_again_sends_nothing(operator: Browser) -> None:
    job = JobFactory.create(attempts=2, due_at=timezone.now() + timedelta(hours=1))
    job.status = JobLog.Status.PROCESSING  # as the page showed it
    assert "has moved on" in operate(operator, job, "resend").content.decode()
    assert not job.events.exists()


def test_without_a_reason_nothing_happens(operator: Browser) -> None:
    job = JobFactory.create(failure=True)
    assert "Give a reason" in operate(operator, job, "retry", reason=" ").content.decode()
    assert not job.events.exists()


def test_a_retry_that_is_not_allowed_now_says_why(operator: Browser) -> None:
    job = JobFactory.create(success=True)
    assert "only a failed job can be retried" in operate(operator, job, "retry").content.decode()
    assert not LogEntry.objects.exists()


# -- not acting


@pytest.mark.parametrize("verb", ["retry", "resend", "cancel", "delete", "constructor"])
def test_an_auditor_changes_nothing(auditor: Browser, verb: str) -> None:
    for status in JobLog.Status:
        assert operate(auditor, job_in(status), verb).status_code == 403
    assert not JobEvent.objects.exists()


def test_an_auditor_is_offered_nothing(auditor: Browser) -> None:
    job = JobFactory.create(failure=True)
    assert "/operate/" not in auditor.get(page(job)).content.decode()
    assert "retry_selected" not in auditor.get(LIST).content.decode()


@pytest.mark.parametrize("model", ["jobs/joblog", "jobs/jobevent", "receipts/receipt"])
def test_not_even_a_superuser_edits_the_record(admin_client: Browser, model: str) -> None:
    job = JobFactory.create()
    claim_job(job.pk, worker="w1")
    row = {"jobs/joblog": job, "jobs/jobevent": job.events.get(), "receipts/receipt": job.receipt}[model]
    rows = type(row)._default_manager.count()  # what adds a job is an upload, and not a form of its columns
    assert admin_client.post(f"/admin/{model}/add/", {"status": "success"}).status_code in (200, 403)
    assert type(row)._default_manager.count() == rows
    assert admin_client.get(f"/admin/{model}/{row.pk}/delete/").status_code == 403
    assert admin_client.post(f"/admin/{model}/{row.pk}/change/", {"status": "success"}).status_code == 403
    assert admin_client.get(f"/admin/{model}/{row.pk}/change/").status_code == 200


def test_a_client_with_receipts_cannot_be_deleted(admin_client: Browser) -> None:
    client = ReceiptFactory.create().client
    assert admin_client.post(f"/admin/receipts/client/{client.pk}/delete/", {"post": "yes"}).status_code == 403


def test_whoever_is_not_staff_is_asked_to_log_in() -> None:
    job = JobFactory.create()
    for address in ("/admin/", LIST, page(job), QUEUE):
        assert Browser().get(address).status_code == 302


@pytest.mark.parametrize("page", ["auth/user", "jobs/joblog", "admin/logentry"])
def test_what_one_searches_in_has_a_label_in_words(admin_client: Browser, page: str) -> None:
    assert '<label for="searchbar">Search</label>' in admin_client.get(f"/admin/{page}/").content.decode()
