"""The operations page: what waits, what went wrong and what cures it, for those who may know."""

import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounting.redis import redis_at
from jobs.closing import close_hours
from jobs.models import Heartbeat, JobEvent, JobLog
from jobs.operations import page as operations
from jobs.operations.attention import groups, since_yesterday
from jobs.operations.cards import present
from jobs.queue import queue_service

from .factories import JobFactory, job_in
from .happenings import NOON, Kind, Source, event, failed, received, succeeded
from .outages import silent_port
from .plans import multiply, plan

pytestmark = pytest.mark.django_db

Status = JobLog.Status
INDEX = "/admin/"
FIGURES = ("jobs.view_joblog",)
OPERATE = ("jobs.view_joblog", "jobs.operate_joblog")


def staff(*permissions: str) -> Browser:
    user = User.objects.create_user("anna", is_staff=True)
    for name in permissions:
        app, codename = name.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    browser = Browser()
    browser.force_login(user)
    return browser


@pytest.fixture
def viewer() -> Browser:
    """Return the browser of somebody who may see jobs."""
    return staff(*FIGURES)


@pytest.fixture
def operator() -> Browser:
    """Return the browser of somebody who may also retry them."""
    return staff(*OPERATE)


def page(browser: Browser, query: str = "") -> str:
    answer = browser.get(f"{INDEX}{query}")
    assert answer.status_code == 200
    return unescape(re.sub(r"\s+", " ", answer.content.decode()))


def words(text: str) -> str:
    """Return the page as it is read, without its elements."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def card(text: str, title: str) -> str:
    found = re.search(rf"<dt>{title}</dt>(.*?)</div>", text)
    assert found is not None, title
    return words(found[1]).strip()


def ago(**span: float) -> Any:
    return timezone.now() - timedelta(**span)


# -- figures


def test_what_is_open_is_counted_with_the_wait_of_the_oldest(viewer: Browser) -> None:
    JobFactory.create(created_at=ago(minutes=47))
    JobFactory.create_batch(2)
    JobFactory.create(sending=True, due_at=ago(minutes=-1))
    job_in(Status.SUCCESS)
    text = page(viewer)
    assert card(text, "Queued now") == "3 oldest waits 47 min"
    assert card(text, "Sending now").startswith("1 ")
    assert card(text, "Processing now").startswith("0 ")


@pytest.mark.parametrize(
    ("query", "label", "now", "before"),
    [
        ("", "24 hours", 2, 1),
        ("?period=24h", "24 hours", 2, 1),
        ("?period=7d", "7 days", 3, 1),
        ("?period=x", "24 hours", 2, 1),
    ],
)
def test_a_period_is_compared_with_the_one_before_in_words(
    viewer: Browser, query: str, label: str, now: int, before: int
) -> None:
    for hours in (0, 2, 30, 24 * 8):
        succeeded(ago(hours=hours))
    while close_hours(timezone.now()):
        pass
    text = page(viewer, query)
    assert card(text, "Succeeded") == f"{now} +{now - before}: more than in the {label} before ({before})"
    assert f'aria-current="true">{label}<' in text


def test_more_failures_are_bad_and_said_to_be_more(viewer: Browser) -> None:
    succeeded(ago(minutes=1))
    failed(ago(minutes=1))
    succeeded(ago(hours=30))
    while close_hours(timezone.now()):
        pass
    text = page(viewer)
    assert card(text, "Failed") == "1 +1: more than in the 24 hours before (0)"
    assert card(text, "Success rate") == "50.0 % −50.0 points: worse than in the 24 hours before"
    assert re.search(r'alarm"> <dt>Failed</dt>[^/]+</dd> <dd class="note tone-bad">\+1', text)


def test_latency_is_told_as_half_and_as_nearly_all(viewer: Browser) -> None:
    for seconds in [4] * 18 + [60] * 2:
        succeeded(ago(minutes=1), seconds=seconds)
    told = re.fullmatch(r"([\d.]+) s p50 p95 (\d+) s", card(page(viewer), "Latency"))
    assert told is not None
    assert float(told[1]) == pytest.approx(4, rel=0.06)
    assert float(told[2]) == pytest.approx(60, rel=0.06)


def test_the_charts_hold_the_figures(viewer: Browser) -> None:
    succeeded(ago(minutes=1))
    failed(ago(minutes=1))
    text = page(viewer)
    assert text.count('<svg role="img"') == 3
    assert "1 succeeded, 1 failed; 2 per hour at most." in text


def test_where_the_sweep_owes_figures_the_page_says_so(viewer: Browser) -> None:
    succeeded(ago(hours=9))
    assert "the sweep has not counted them yet" in page(viewer)
    close_hours(timezone.now())
    assert "the sweep has not counted them yet" not in page(viewer)


def test_an_empty_page_says_how_to_send_the_first_receipt(viewer: Browser) -> None:
    text = page(viewer)
    assert "Nothing yet" in text
    assert f'href="{reverse("admin:connect")}">Connect N8N</a>' in text.partition("Nothing yet")[2]
    assert f"{reverse('receipt-upload')}</pre>" in text
    JobFactory.create()
    assert "Nothing yet" not in page(viewer)


# -- needs attention


def test_what_is_overdue_is_shown_with_what_cures_it(viewer: Browser) -> None:
    job = JobFactory.create(processing=True, due_at=ago(minutes=5))
    JobFactory.create(processing=True, due_at=ago(seconds=30))  # the sweep will come by
    text = page(viewer)
    assert "1 job : N8N's callback is overdue" in words(text)
    assert "Start the sweep" in text
    assert reverse("admin:jobs_joblog_change", args=[job.pk]) in text
    assert "1 overdue" in card(text, "Processing now")


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


def test_where_all_is_well_it_says_so(viewer: Browser) -> None:
    JobFactory.create()
    assert "Nothing is overdue, and nothing has failed since yesterday." in page(viewer)


# -- one button for a group


def press(browser: Browser, kind: str, code: str, reason: str = "N8N was down") -> str:
    answer = browser.post(f"/admin/attention/{kind}/{code}/", {"reason": reason}, follow=True)
    assert answer.redirect_chain == [(INDEX, 302)]
    return unescape(answer.content.decode())


def test_a_group_is_retried_at_once_by_name_and_with_a_reason(operator: Browser) -> None:
    jobs = [failed(timezone.now()) for _ in range(3)]
    other = failed(timezone.now(), "workflow_failed")
    assert "Retry all 3…" in page(operator)
    assert "Retried 3 of 3 jobs." in press(operator, "failed", "callback_timeout")
    for job in jobs:
        job.refresh_from_db()
        retried = job.events.get(kind=Kind.RETRIED)
        assert (job.status, retried.actor, retried.detail["reason"]) == (Status.QUEUED, "anna", "N8N was down")
    assert LogEntry.objects.filter(change_message="retry: N8N was down").count() == 3
    other.refresh_from_db()
    assert other.status == Status.FAILURE


def test_what_cannot_be_retried_is_left_alone_and_the_page_says_why(operator: Browser) -> None:
    job, blocked = failed(timezone.now()), failed(timezone.now())
    JobFactory.create(receipt=blocked.receipt, client=blocked.client)
    text = press(operator, "failed", "callback_timeout")
    assert "Retried 1 of 2 jobs." in text
    assert "Left 1 alone: Another job for the same receipt" in text
    job.refresh_from_db()
    assert job.status == Status.QUEUED


def test_no_more_than_a_bounded_number_go_at_once(operator: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "AT_ONCE", 2)
    for _ in range(3):
        failed(timezone.now())
    assert "Retry the next 2…" in page(operator)
    text = press(operator, "failed", "callback_timeout")
    assert "Retried 2 of 3 jobs." in text
    assert "Left 1 for the next time" in text
    assert "Retried 1 of 1 jobs." in press(operator, "failed", "callback_timeout")


@pytest.mark.parametrize(("kind", "code"), [("delayed", "n8n_webhook_not_found"), ("overdue", "queued")])
def test_what_waits_is_sent_now(operator: Browser, rung: Callable[[], list[str]], kind: str, code: str) -> None:
    delayed = {"needs_attention": True, "last_error": code} if kind == "delayed" else {}
    due_at = ago(hours=-1) if delayed else ago(hours=1)
    job = JobFactory.create(due_at=due_at, **delayed)
    assert "Sent again 1 of 1 jobs." in press(operator, kind, code)
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


# -- alive


def sign(text: str, name: str) -> str:
    found = re.search(rf"<dt>{name} (.*?)</div>", text)
    assert found is not None, name
    return words(found[1]).strip()


def test_workers_and_sweep_are_told_by_their_beats(viewer: Browser) -> None:
    for number in range(3):
        Heartbeat.objects.create(name=f"w{number}", kind="worker", at=ago(seconds=20 + number))
    Heartbeat.objects.create(name="s", kind="sweep", at=ago(minutes=10))
    text = page(viewer)
    assert re.fullmatch(r"alive 3 workers, last beat (?:19|2\d) s ago", sign(text, "Workers"))
    assert sign(text, "Sweep") == "silent None alive, last beat 10 min ago"


def test_processes_that_never_were_are_silent(viewer: Browser) -> None:
    assert sign(page(viewer), "Workers") == "silent None has been seen for a day"


def test_n8n_is_told_by_what_it_last_did(viewer: Browser) -> None:
    assert sign(page(viewer), "N8N").startswith("quiet")
    job = received(ago(hours=2))
    event(job, Kind.DELIVERED, ago(minutes=30), Source.WORKER)
    event(job, Kind.SUCCEEDED, ago(minutes=20), Source.CALLBACK)
    assert sign(page(viewer), "N8N") == "alive Last callback 20 min ago Last delivery 30 min ago"
    event(job, Kind.REFUSED, ago(minutes=10), Source.WORKER, code="n8n_busy")
    assert "in trouble" in sign(page(viewer), "N8N")
    assert "Last trouble 10 min ago: N8N answered that it cannot take it now." in sign(page(viewer), "N8N")


def test_redis_is_told_by_the_rings_that_wait(viewer: Browser) -> None:
    queue_service().ring([JobFactory.create().pk])
    assert sign(page(viewer), "Redis") == "alive 1 ring waiting"


def test_a_redis_that_hangs_makes_nobody_wait_for_long(viewer: Browser, settings: LazySettings) -> None:
    with silent_port() as port:
        settings.REDIS_URL = f"redis://127.0.0.1:{port}/0"
        redis_at.cache_clear()
        queue_service.cache_clear()
        begun = time.monotonic()
        assert sign(page(viewer), "Redis").startswith("away")
        assert time.monotonic() - begun < 5  # twice the time-out of half a second, and the page itself
        assert page(viewer)


# -- who may see what


def test_without_permissions_there_are_no_figures_and_no_refusal() -> None:
    failed(timezone.now())
    text = page(staff())
    for part in ("figure", "<svg role", "Needs attention", "Alive", "Latest staff actions", "receipt.jpg"):
        assert part not in text
    assert "You have no permission to view or change anything." in text


def test_the_page_repeats_the_sections_that_somebody_may_see() -> None:
    text = page(staff("jobs.view_joblog", "receipts.view_client"))
    sections = text.partition('id="sections"')[2]
    assert re.findall(r"<h3>(.*?)</h3>", sections) == ["Receipt operations", "Clients and keys", "N8N"]
    assert reverse("admin:receipts_client_changelist") in sections


def test_staff_actions_are_shown_to_those_who_may_view_the_log_and_lead_to_the_job() -> None:
    job = JobFactory.create(filename="lunch.jpg")
    user = User.objects.create_user("bert")
    LogEntry.objects.log_actions(user.pk, [job], CHANGE, "retry: N8N was down", single_object=True)
    assert "bert" not in page(staff(*FIGURES))
    User.objects.get(username="anna").delete()
    text = page(staff("admin.view_logentry"))
    assert "bert: retry: N8N was down" in words(text)
    assert f'href="{reverse("admin:jobs_joblog_change", args=[job.pk])}">lunch.jpg' in text


def test_every_model_of_the_admin_has_a_section(admin_client: Browser) -> None:
    sections = [section["name"] for section in admin_client.get(INDEX).context["app_list"]]
    assert sections == ["Receipt operations", "Clients and keys", "N8N", "Access", "Audit"]


def test_pages_that_are_no_list_have_a_row_for_those_who_may_use_them(admin_client: Browser) -> None:
    viewing, every = page(staff(*FIGURES)), page(admin_client)
    for address in (reverse("admin:jobs_joblog_add"), reverse("docs")):
        assert (f'href="{address}"' in viewing, f'href="{address}"' in every) == (False, True)


@pytest.mark.parametrize(
    ("address", "name"), [("jobs_joblog_add", "Upload receipts"), ("jobs_joblog_changelist", "Jobs")]
)
def test_the_sidebar_marks_the_one_row_of_the_page(admin_client: Browser, address: str, name: str) -> None:
    text = admin_client.get(reverse(f"admin:{address}")).content.decode()
    assert re.findall(r'aria-current="page">([^<]+)<', text) == [name]


def test_what_a_client_sent_is_never_markup(viewer: Browser) -> None:
    JobFactory.create(failure=True, filename="<script>alert(1)</script>")
    assert "<script>alert" not in viewer.get(INDEX).content.decode()


# -- what it costs


def test_the_page_asks_as_much_however_many_jobs_there_are(viewer: Browser, django_assert_max_num_queries: Any) -> None:
    for hours in range(12):
        succeeded(ago(hours=hours))
        failed(ago(hours=hours / 12))
    with django_assert_max_num_queries(25):
        page(viewer, "?period=30d")


def test_what_is_asked_of_jobs_is_found_by_an_index_of_few() -> None:
    _many_that_are_done()
    for kind, fields in {"overdue": {}, "delayed": {"needs_attention": True}}.items():
        JobFactory.create(due_at=ago(hours=1), last_error=kind, **fields)
    failed(timezone.now())
    with CaptureQueriesContext(connection) as queries:
        present()
        groups(timezone.now())
    plans = [plan(query["sql"]) for query in queries.captured_queries]
    assert len(plans) == 7
    partial = r"job_(?:due|failed|newest_open|newest_needy|open_execution)"
    by_status = r"job_newest_by_status \(status|Index Cond: [^\n]*\(status\)"  # as SQLite says it, and PostgreSQL
    for each in plans:
        assert re.search(f"{partial}|{by_status}", each), each


def _many_that_are_done() -> None:
    """Make so many jobs, ended over the years, that a database sees which index finds few."""
    for done in (job_in(Status.SUCCESS), failed(ago(hours=24))):
        multiply(done, ({"completed_at": ago(hours=24 * days)} for days in range(1000)))
