"""What staff do to jobs is written down twice: in the job's timeline, and in the log, which nobody edits."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client as Browser

from jobs.models import JobEvent, JobLog
from jobs.services.bulk import VERBS
from tests.factories import JobFactory, job_in
from tests.support.staff import browser_of, member

pytestmark = pytest.mark.django_db

JOBS = "/admin/jobs/joblog/"


@pytest.fixture
def browser() -> Browser:
    """Return the browser of an operator."""
    return browser_of(member("Operator"))


@pytest.mark.parametrize(
    ("verb", "status", "kind"),
    [
        ("retry", "failure", "retried"),
        ("resend", "queued", "resent"),
        ("resend", "processing", "resent"),
        ("cancel", "queued", "cancelled"),
    ],
)
def test_what_staff_do_is_in_the_jobs_timeline_and_in_the_log(
    browser: Browser, verb: str, status: str, kind: str
) -> None:
    job = job_in(JobLog.Status(status))
    browser.post(f"{JOBS}{job.pk}/operate/{verb}/", {"reason": "because"})
    assert written_down(job, verb) == kind


@pytest.mark.parametrize(
    ("verb", "status", "kind"),
    [("retry", "failure", "retried"), ("resend", "queued", "resent"), ("cancel", "queued", "cancelled")],
)
def test_what_staff_do_to_many_is_in_the_timeline_of_each(browser: Browser, verb: str, status: str, kind: str) -> None:
    job = job_in(JobLog.Status(status))
    chosen = {"action": f"{verb}_selected", "_selected_action": [str(job.pk)], "reason": "because", "post": "yes"}
    browser.post(JOBS, chosen)  # asks
    assert not job.events.exists()
    browser.post(f"{JOBS}bulk/", {"verb": verb, "jobs": str(job.pk), "reason": "because"})
    assert written_down(job, verb) == kind


def written_down(job: JobLog, verb: str) -> str:
    """Return the kind of the job's one event, once it and the log name who did it."""
    event, entry = job.events.get(), LogEntry.objects.get()
    assert (event.source, event.actor) == (JobEvent.Source.ADMIN, "anna")
    assert (entry.object_id, entry.user.get_username()) == (str(job.pk), "anna")
    assert entry.change_message == f"{VERBS[verb].done}: because"
    return event.kind


def test_the_log_of_staffs_actions_can_be_read_and_leads_to_the_job(browser: Browser) -> None:
    job = JobFactory.create(failure=True)
    browser.post(f"{JOBS}{job.pk}/operate/retry/", {"reason": "N8N was down"})
    text = browser_of(member("Auditor", "audrey")).get("/admin/admin/logentry/").content.decode()
    for part in ("anna", "N8N was down", f'href="{JOBS}{job.pk}/change/"'):
        assert part in text


@pytest.mark.parametrize("method", ["get", "post"])
def test_not_even_a_superuser_edits_the_log(admin_client: Browser, method: str) -> None:
    job = JobFactory.create(failure=True)
    admin_client.post(f"{JOBS}{job.pk}/operate/retry/", {"reason": "because"})
    entry = LogEntry.objects.get()
    send: Callable[..., Any] = getattr(admin_client, method)
    assert send(f"/admin/admin/logentry/{entry.pk}/delete/", {"post": "yes"}).status_code == 403
    assert send("/admin/admin/logentry/add/").status_code == 403
    admin_client.post(f"/admin/admin/logentry/{entry.pk}/change/", {"change_message": "nothing"})
    assert LogEntry.objects.get().change_message == entry.change_message
