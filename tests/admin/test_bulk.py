"""Many jobs at once: a page that asks why, and then only those whose state allows it."""

import re
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client as Browser
from psycopg.errors import LockNotAvailable

from accounting.staff import log_action
from jobs.admin import actions
from jobs.models import JobEvent, JobLog
from jobs.services import bulk, operate_on_all
from jobs.transitions import lock_job
from tests.factories import JobFactory, ReceiptFactory
from tests.support.at_once import beside
from tests.support.lost_commits import connection_breaks
from tests.support.outages import database_away
from tests.support.staff import auditor, operator

pytestmark = pytest.mark.django_db

LIST = "/admin/jobs/joblog/"
BULK = "/admin/jobs/joblog/bulk/"


@pytest.fixture
def browser() -> Browser:
    return operator()


def choose(browser: Browser, verb: str, jobs: list[JobLog], query: str = "", **fields: str) -> Any:
    chosen = {"action": f"{verb}_selected", "_selected_action": [str(job.pk) for job in jobs], **fields}
    return browser.post(LIST + query, chosen)


def confirmation_page(browser: Browser, jobs: list[JobLog]) -> str:
    """Return the page between."""
    text: str = choose(browser, "retry", jobs).content.decode()
    return text


def do(
    browser: Browser, verb: str, jobs: list[JobLog], reason: str = "N8N was down", query: str = "", **more: str
) -> Any:
    form = {"verb": verb, "jobs": " ".join(str(job.pk) for job in jobs), "reason": reason, **more}
    return browser.post(BULK + query, form, follow=True)


def test_the_page_between_says_how_many_each_verb_would_touch(browser: Browser) -> None:
    jobs = [*JobFactory.create_batch(2, failure=True), JobFactory.create(), JobFactory.create(success=True)]
    text = choose(browser, "retry", jobs).content.decode()
    assert "You chose <strong>4 jobs</strong>" in text
    touched = re.findall(r"<strong>([\w ]+)</strong>\s*<span class=\"quiet\">touches up to (\d+)", text)
    assert touched == [("Retry", "2"), ("Send now", "1"), ("Cancel", "1")]
    assert not JobEvent.objects.exists()


def test_those_whose_state_allows_it_are_changed_and_the_others_left_alone_with_the_reason(browser: Browser) -> None:
    jobs = [*JobFactory.create_batch(2, failure=True), JobFactory.create(success=True)]
    text = do(browser, "retry", jobs).content.decode()
    assert "Retried: 2 of 3 jobs." in text
    assert "Left 1 alone: It has succeeded; only a failed job can be retried." in text
    assert JobEvent.objects.filter(kind="retried", actor="anna", detail__reason="N8N was down").count() == 2


def test_what_staff_cancelled_is_retried_with_others_only_where_that_is_asked_for(browser: Browser) -> None:
    cancelled = JobFactory.create(failure=True, failure_code="cancelled")
    jobs = [JobFactory.create(failure=True), cancelled]
    assert 'name="cancelled_too"> Retry those, too, that staff cancelled: 1 of them' in confirmation_page(browser, jobs)
    text = do(browser, "retry", jobs).content.decode()
    assert "Retried: 1 of 2 jobs." in text
    assert "Left 1 alone: Staff cancelled it, and such jobs were not to be retried." in text
    assert "Retried: 1 of 1 job." in do(browser, "retry", [cancelled], cancelled_too="on").content.decode()


def test_whoever_chooses_cancelled_jobs_only_means_them(browser: Browser) -> None:
    jobs = JobFactory.create_batch(2, failure=True, failure_code="cancelled")
    assert 'name="cancelled_too" checked>' in confirmation_page(browser, jobs)
    assert 'name="cancelled_too">' in confirmation_page(browser, [*jobs, JobFactory.create(success=True)])
    assert "cancelled_too" not in confirmation_page(browser, [JobFactory.create(failure=True)])


def test_each_change_is_in_the_staff_members_log(browser: Browser) -> None:
    jobs = [*JobFactory.create_batch(2), JobFactory.create(success=True)]
    do(browser, "cancel", jobs)
    entries = LogEntry.objects.filter(change_message="Cancelled: N8N was down")
    assert {entry.object_id for entry in entries} == {str(job.pk) for job in jobs[:2]}


def test_many_at_once_are_never_sent_a_second_time(browser: Browser) -> None:
    jobs = [JobFactory.create(), JobFactory.create(processing=True)]
    assert "Queued to be sent now: 1 of 2 jobs." in do(browser, "resend", jobs).content.decode()


def test_without_a_reason_nothing_happens(browser: Browser) -> None:
    assert "Give a reason" in do(browser, "cancel", [JobFactory.create()], reason=" ").content.decode()
    assert not JobEvent.objects.exists()


def test_all_that_the_filters_leave_can_be_chosen_on_every_page(browser: Browser) -> None:
    receipt = ReceiptFactory.create()
    JobFactory.create_batch(55, receipt=receipt)
    JobFactory.create(success=True)
    shown = [JobLog.objects.filter(status="queued")[0]]
    answer = choose(browser, "cancel", shown, "?status__exact=queued", select_across="1")
    assert answer.context["number"] == 55


def test_no_more_than_a_bounded_number_is_taken_and_the_page_says_so(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "AT_ONCE", 3)
    jobs = JobFactory.create_batch(5, receipt=ReceiptFactory.create())
    answer = choose(browser, "cancel", jobs)
    assert "there are more than 3" in answer.content.decode()
    assert len(answer.context["ids"].split()) == 3
    assert do(browser, "cancel", jobs).status_code == 403
    assert not JobEvent.objects.exists()


def test_the_filters_are_still_there_afterwards(browser: Browser) -> None:
    answer = do(browser, "cancel", [JobFactory.create()], query="?status__exact=queued")
    assert answer.redirect_chain == [(f"{LIST}?status__exact=queued", 302)]


@pytest.mark.parametrize("form", [{"verb": "delete"}, {"jobs": "x"}, {"verb": ""}])
def test_what_the_page_does_not_offer_is_refused(browser: Browser, form: dict[str, str]) -> None:
    whole = {"verb": "cancel", "jobs": str(JobFactory.create().pk), "reason": "why"} | form
    assert browser.post(BULK, whole).status_code == 403
    assert not JobEvent.objects.exists()


def test_an_auditor_changes_nothing() -> None:
    jobs, browser = [JobFactory.create()], auditor()
    assert do(browser, "cancel", jobs).status_code == 403
    assert "You chose" not in choose(browser, "cancel", jobs).content.decode()
    assert not JobEvent.objects.exists()


def test_the_service_counts_by_sentence() -> None:
    user = User.objects.create_user("berta")
    jobs = [JobFactory.create(failure=True), *JobFactory.create_batch(2, success=True)]
    outcome = operate_on_all("retry", [job.pk for job in jobs], user, "why")
    assert outcome.done == 1
    assert dict(outcome.left_alone) == {"It has succeeded; only a failed job can be retried.": 2}


def test_what_was_done_before_the_database_went_away_is_told_and_the_rest_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user, jobs = User.objects.create_user("berta"), JobFactory.create_batch(4)
    cancel = bulk.VERBS["cancel"]

    def away_for_the_third(job_id: UUID, **more: Any) -> JobLog:
        if job_id == jobs[2].pk:
            raise OperationalError("lock timeout")
        return cancel.action(job_id, **more)

    monkeypatch.setitem(bulk.VERBS, "cancel", replace(cancel, action=away_for_the_third))
    outcome = operate_on_all("cancel", [job.pk for job in jobs], user, "why")
    assert (outcome.done, dict(outcome.left_alone)) == (2, {bulk.AWAY: 2})


def test_one_that_somebody_else_is_at_and_one_that_is_gone_keep_the_others_from_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user, jobs = User.objects.create_user("berta"), JobFactory.create_batch(2)
    cancel = bulk.VERBS["cancel"]

    def locked_at_first(job_id: UUID, **more: Any) -> JobLog:
        if job_id == jobs[0].pk:
            raise OperationalError from LockNotAvailable()
        return cancel.action(job_id, **more)

    monkeypatch.setitem(bulk.VERBS, "cancel", replace(cancel, action=locked_at_first))
    outcome = operate_on_all("cancel", [jobs[0].pk, uuid4(), jobs[1].pk], user, "why")
    assert (outcome.done, dict(outcome.left_alone)) == (1, {bulk.LOCKED: 1, bulk.GONE: 1})


@pytest.mark.django_db(transaction=True)
def test_what_was_done_though_its_answer_was_lost_is_found_and_told_as_done(browser: Browser) -> None:
    jobs = JobFactory.create_batch(3, failure=True)
    with connection_breaks(after_commit=True):
        text = do(browser, "retry", jobs).content.decode()
    assert "Retried: 3 of 3 jobs." in text
    assert "alone:" not in text
    assert JobEvent.objects.filter(kind="retried").count() == LogEntry.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_what_the_broken_connection_undid_is_told_as_left_alone(browser: Browser) -> None:
    with connection_breaks(after_commit=False):
        text = do(browser, "retry", JobFactory.create_batch(3, failure=True)).content.decode()
    assert "Nothing was changed." in text
    assert f"Left 3 alone: {bulk.AWAY}" in text
    assert not JobEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("after_commit", [True, False])
def test_nobody_is_told_that_nothing_was_changed_while_that_cannot_be_known(after_commit: bool) -> None:
    user, jobs = User.objects.create_user("berta"), JobFactory.create_batch(3, failure=True)
    ids = [job.pk for job in jobs]
    with (
        ExitStack() as outage,
        connection_breaks(after_commit=after_commit, then=lambda: outage.enter_context(database_away())),
    ):
        outcome = operate_on_all("retry", ids, user, "why")
    assert (outcome.done, outcome.not_known, dict(outcome.left_alone)) == (0, ids[:1], {bulk.AWAY: 2})
    assert JobEvent.objects.exists() == after_commit


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("config.getoption('--database') == 'sqlite'", reason="SQLite locks no rows")
def test_whether_a_commit_was_done_is_not_told_while_it_is_under_way() -> None:
    job, berta = JobFactory.create(), User.objects.create_user("berta")
    entries: list[LogEntry] = []

    def write() -> None:
        entries.append(log_action(berta, lock_job(job.pk), "Cancelled: why"))

    assert beside(write, lambda: bulk._is_kept(entries[0], job.pk))


def test_the_page_names_the_one_of_which_nothing_is_known(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    job = JobFactory.create()

    def unheard(*args: Any, **more: Any) -> None:
        raise bulk.NotHeard

    monkeypatch.setattr(bulk, "operate", unheard)
    text = do(browser, "cancel", [job]).content.decode()
    assert f"Whether job {job.pk} was changed is not known: the connection broke." in text
    assert "Nothing was changed." not in text
