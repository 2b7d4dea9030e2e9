"""What needs attention on the operations page: in groups, with what cures each, and one button for all of a group."""

from collections.abc import Callable
from datetime import datetime, timedelta
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.urls import reverse, reverse_lazy
from django.utils import timezone

from jobs.failures import FailureCode
from jobs.models import JobEvent, JobLog
from jobs.operations import attention
from jobs.operations import page as operations
from jobs.operations.attention import groups, since_yesterday
from jobs.services import purge_receipt
from tests.factories import JobFactory
from tests.support.operations_page import INDEX, card, page, words
from tests.support.past_events import NOON, Kind, ago, failed
from tests.support.staff import staff

pytestmark = pytest.mark.django_db

JOBS = reverse_lazy("admin:jobs_joblog_changelist")
Status = JobLog.Status


@pytest.fixture
def operator() -> Browser:
    """Return the browser of somebody who may also retry jobs."""
    return staff("jobs.view_joblog", "jobs.operate_joblog")


# -- needs attention


def test_what_is_overdue_is_shown_with_what_cures_it(viewer: Browser) -> None:
    job = JobFactory.create(processing=True, due_at=ago(minutes=5))
    JobFactory.create(processing=True, due_at=ago(seconds=30))  # the sweep will come by
    text = page(viewer)
    assert "1 job : N8N's callback is overdue" in words(text)
    assert "Start the sweep" in text
    assert reverse("admin:jobs_joblog_change", args=[job.pk]) in text
    assert "1 overdue" in card(text, "Processing now")


def test_the_list_behind_what_waits_for_a_setting_shows_no_other_cause(viewer: Browser) -> None:
    later = timezone.now() + timedelta(minutes=5)
    wanted, _ = (
        JobFactory.create(due_at=later, needs_attention=True, last_error=code)
        for code in ("n8n_unauthorized", "n8n_webhook_not_found")
    )
    group = next(group for group in groups(timezone.now()) if group.code == "n8n_unauthorized")
    assert [shown.pk for shown in viewer.get(group.address).context["cl"].result_list] == [wanted.pk]


@pytest.mark.parametrize("fast", [timedelta(minutes=2), timedelta(minutes=-2)])
@pytest.mark.parametrize(("seconds", "is_overdue"), [(30, False), (90, True)])
def test_every_page_says_the_same_of_what_is_overdue_though_its_machine_has_another_time(
    viewer: Browser, monkeypatch: pytest.MonkeyPatch, fast: timedelta, seconds: int, is_overdue: bool
) -> None:
    job, shown_at = JobFactory.create(due_at=ago(seconds=seconds)), timezone.now() + fast
    monkeypatch.setattr("django.utils.timezone.now", lambda: shown_at)
    job_page = viewer.get(reverse("admin:jobs_joblog_change", args=[job.pk])).content.decode()
    overdue = {
        "list": "Overdue: was due" in viewer.get(JOBS).content.decode(),
        "filter": job in viewer.get(JOBS, {"progress": "overdue"}).context["cl"].result_list,
        "job's page": "and is overdue." in job_page,
        "operations page": "1 job : " in words(page(viewer)),
    }
    assert overdue == dict.fromkeys(overdue, is_overdue)


def test_the_list_behind_what_is_overdue_shows_no_other_jobs(viewer: Browser) -> None:
    job = JobFactory.create(due_at=ago(minutes=5))
    JobFactory.create(due_at=timezone.now() + timedelta(minutes=5))
    JobFactory.create(due_at=ago(minutes=5), needs_attention=True)
    group = next(group for group in groups(timezone.now()) if group.kind == "overdue")
    assert [shown.pk for shown in viewer.get(group.address).context["cl"].result_list] == [job.pk]


def test_jobs_that_wait_for_a_setting_are_grouped_by_what_is_wrong(viewer: Browser) -> None:
    late = {"due_at": ago(minutes=5), "needs_attention": True}
    for error in ("n8n_webhook_not_found", "n8n_webhook_not_found", "n8n_unauthorized"):
        JobFactory.create(last_error=error, **late)
    found = [(group.kind, group.code, group.count) for group in groups(timezone.now())]
    assert found == [("delayed", "n8n_webhook_not_found", 2), ("delayed", "n8n_unauthorized", 1)]
    assert "Activate the workflow in N8N" in page(viewer)


def test_failures_since_yesterday_are_grouped_by_cause_the_latest_first(viewer: Browser) -> None:
    assert since_yesterday(NOON) == datetime.fromisoformat("2026-03-09T00:00:00+00:00")
    now = timezone.now()
    failed(since_yesterday(now) - timedelta(seconds=1), "n8n_rejected")
    jobs = [failed(since_yesterday(now) + timedelta(minutes=minutes), "workflow_failed") for minutes in range(5)]
    (group,) = groups(now)
    assert (group.kind, group.code, group.count) == ("failed", "workflow_failed", 5)
    assert [job.pk for job in group.examples] == [job.pk for job in reversed(jobs)][:3]
    listing = viewer.get(group.address)
    assert len(listing.context["cl"].result_list) == 5


def test_of_each_failure_that_is_shown_the_page_says_what_the_cause_does_not(viewer: Browser) -> None:
    sentence = "The workflow ran and failed."
    for message in ("Notion did not let the workflow in (401).", f"Total unreadable on page 8: {'?' * 80}", sentence):
        JobLog.objects.filter(pk=failed(timezone.now(), "workflow_failed").pk).update(result_message=message)
    text = words(page(viewer))
    assert "Notion did not let the workflow in (401). " in text
    assert f"Total unreadable on page 8: {'?' * 51}… " in text
    assert text.partition("Needs attention")[2].partition("Alive")[0].count(sentence) == 1


def test_where_all_is_well_it_says_so(viewer: Browser) -> None:
    JobFactory.create()
    assert "Nothing is overdue, and no failure since yesterday is left to see to." in page(viewer)


# -- one button for a group


def press(browser: Browser, kind: str, code: str, reason: str = "N8N was down") -> str:
    answer = browser.post(f"/admin/attention/{kind}/{code}/", {"reason": reason}, follow=True)
    assert answer.redirect_chain == [(INDEX, 302)]
    return unescape(answer.content.decode())


def test_a_group_is_retried_at_once_by_name_and_with_a_reason(operator: Browser) -> None:
    jobs = [failed(timezone.now()) for _ in range(3)]
    other = failed(timezone.now(), "workflow_failed")
    assert "Retry all 3…" in page(operator)
    assert "Retried: 3 of 3 jobs." in press(operator, "failed", "callback_timeout")
    for job in jobs:
        job.refresh_from_db()
        retried = job.events.get(kind=Kind.RETRIED)
        assert (job.status, retried.actor, retried.detail["reason"]) == (Status.QUEUED, "anna", "N8N was down")
    assert LogEntry.objects.filter(change_message="Retried: N8N was down").count() == 3
    other.refresh_from_db()
    assert other.status == Status.FAILURE


def test_what_cannot_be_retried_is_left_alone_and_the_page_says_why(operator: Browser) -> None:
    job, blocked = failed(timezone.now()), failed(timezone.now())
    purge_receipt(blocked.receipt_id)
    text = press(operator, "failed", "callback_timeout")
    assert "Retried: 1 of 2 jobs." in text
    assert "Left 1 alone: The receipt's file is gone" in unescape(text)
    job.refresh_from_db()
    assert job.status == Status.QUEUED


def test_no_retry_is_offered_of_one_job_that_cannot_be_retried(operator: Browser) -> None:
    job = failed(timezone.now(), "n8n_rejected")
    assert "Retry it…" in page(operator)
    purge_receipt(job.receipt_id)
    text = page(operator)
    assert "Retry it…" not in text
    assert "No retry: The receipt's file is gone; it must be uploaded again." in text
    failed(timezone.now(), "n8n_rejected")
    assert "Retry all 2…" in page(operator)


def test_what_somebody_has_seen_to_needs_no_attention(viewer: Browser) -> None:
    failed(timezone.now(), FailureCode.CANCELLED)
    filed, original = failed(timezone.now()), failed(timezone.now())
    JobFactory.create(receipt=filed.receipt, success=True)
    duplicate = failed(timezone.now())
    JobLog.objects.filter(pk=duplicate.pk).update(receipt=original.receipt, duplicate_of=original)
    (group,) = groups(timezone.now())
    assert set(group.examples) == {original, duplicate}
    listed = viewer.get(group.address).context["cl"].result_list
    assert set(listed) == {original, duplicate}


def test_the_list_behind_what_failed_shows_none_that_failed_before(viewer: Browser) -> None:
    failed(ago(days=3))
    lately = failed(timezone.now())
    (group,) = groups(timezone.now())
    assert list(viewer.get(group.address).context["cl"].result_list) == [lately]


def test_what_failed_before_yesterday_and_was_never_filed_is_told_for_a_month(viewer: Browser) -> None:
    assert "failed in the month before" not in page(viewer)
    friday, long_ago, lately = failed(ago(days=3)), failed(ago(days=40)), failed(timezone.now())
    filed, _ = failed(ago(days=4)), failed(ago(days=4), FailureCode.CANCELLED)
    JobFactory.create(receipt=filed.receipt, success=True)
    assert "1 failed in the month before and neither cancelled nor filed by another job." in words(page(viewer))
    listed = viewer.get(JOBS, {"progress": "failed-earlier"}).context["cl"].result_list
    assert list(listed) == [friday]
    assert {long_ago, lately}.isdisjoint(listed)


def test_of_very_many_that_failed_earlier_no_more_are_counted_than_are_looked_at(
    viewer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "LOOKED_AT", 2)
    early, other, late = (failed(ago(days=days)) for days in (5, 4, 3))
    assert "2 or more failed in the month before" in words(page(viewer))
    JobFactory.create(receipt=late.receipt, success=True)
    assert "1 or more failed in the month before" in words(page(viewer))
    assert list(viewer.get(JOBS, {"progress": "failed-earlier"}).context["cl"].result_list) == [other]
    JobFactory.create(receipt=other.receipt, success=True)
    assert "failed in the month before" not in words(page(viewer))  # of the first one, nobody has looked
    JobLog.objects.filter(pk=early.pk).update(completed_at=ago(days=2))
    assert "1 or more" in words(page(viewer))


def test_no_more_than_a_bounded_number_go_at_once(operator: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "AT_ONCE", 2)
    for _ in range(3):
        failed(timezone.now())
    assert "Retry the next 2…" in page(operator)
    text = press(operator, "failed", "callback_timeout")
    assert "Retried: 2 of 3 jobs." in text
    assert "Left 1 for the next time" in text
    assert "Retried: 1 of 1 job." in press(operator, "failed", "callback_timeout")


@pytest.mark.parametrize(("kind", "code"), [("delayed", "n8n_webhook_not_found"), ("overdue", "queued")])
def test_what_waits_is_sent_now(operator: Browser, rung: Callable[[], list[str]], kind: str, code: str) -> None:
    delayed = {"needs_attention": True, "last_error": code} if kind == "delayed" else {}
    due_at = ago(hours=-1) if delayed else ago(hours=1)
    job = JobFactory.create(due_at=due_at, **delayed)
    assert "Queued to be sent now: 1 of 1 job." in press(operator, kind, code)
    job.refresh_from_db()
    assert job.due_at is not None
    assert abs(timezone.now() - job.due_at) < timedelta(minutes=1)
    assert job.events.get().kind == Kind.RESENT


def test_without_a_reason_nothing_happens(operator: Browser) -> None:
    job = failed(timezone.now())
    assert "Give a reason" in press(operator, "failed", "callback_timeout", reason=" \0 ")
    job.refresh_from_db()
    assert job.status == Status.FAILURE


@pytest.mark.parametrize("path", ["overdue/sending", "overdue/success", "overdue/x", "other/queued"])
def test_a_group_that_there_is_nothing_to_do_with_is_404(operator: Browser, path: str) -> None:
    assert operator.post(f"/admin/attention/{path}/", {"reason": "x"}).status_code == 404


def test_nobody_else_retries(viewer: Browser) -> None:
    job = failed(timezone.now())
    assert "Retry all" not in page(viewer)
    assert viewer.post("/admin/attention/failed/callback_timeout/", {"reason": "x"}).status_code == 403
    assert viewer.get("/admin/attention/failed/callback_timeout/").status_code == 403
    job.refresh_from_db()
    assert job.status == Status.FAILURE


def test_a_form_of_another_site_retries_nothing() -> None:
    user = User.objects.create_superuser("root")
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(user)
    failed(timezone.now())
    assert browser.post("/admin/attention/failed/callback_timeout/", {"reason": "x"}).status_code == 403
    assert not JobEvent.objects.filter(kind=Kind.RETRIED).exists()
