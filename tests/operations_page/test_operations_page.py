"""The operations page: its figures and sections, for those who may know, and what it costs."""

import re
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from jobs.models import JobLog
from jobs.operations.attention import count_failed_earlier, groups
from jobs.operations.cards import open_jobs
from jobs.rollups import close_hours
from tests.factories import JobFactory, job_in
from tests.support.operations_page import INDEX, card, page, words
from tests.support.past_events import ago, failed, succeeded
from tests.support.query_plans import multiply, plan
from tests.support.staff import staff

pytestmark = pytest.mark.django_db

Status = JobLog.Status
FIGURES = ("jobs.view_joblog",)


# -- figures


def test_what_is_open_is_counted_with_the_wait_of_the_oldest(viewer: Browser) -> None:
    JobFactory.create(created_at=ago(minutes=47))
    JobFactory.create_batch(2)
    JobFactory.create(sending=True, due_at=ago(minutes=-1))
    job_in(Status.SUCCESS)
    text = page(viewer)
    assert card(text, "Queued now") == "3 oldest came in 47 min ago"
    assert card(text, "Sending now").startswith("1 ")
    assert card(text, "Processing now").startswith("0 ")


def test_what_waits_for_a_setting_alarms_where_it_is_counted(viewer: Browser) -> None:
    JobFactory.create(created_at=ago(minutes=47))
    assert 'alarm"' not in page(viewer)
    JobFactory.create(due_at=ago(minutes=-5), needs_attention=True, last_error="n8n_unauthorized")
    text = page(viewer)
    assert card(text, "Queued now") == "2 oldest came in 47 min ago; 1 waits for a setting"
    assert 'alarm"' in text
    JobFactory.create(due_at=ago(minutes=5), needs_attention=True, last_error="n8n_webhook_not_found")
    assert card(page(viewer), "Queued now") == "3 oldest came in 47 min ago; 2 wait for a setting"


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


def test_an_empty_page_leads_whoever_may_upload_to_where_one_does(viewer: Browser) -> None:
    address = f'href="{reverse("admin:jobs_joblog_add")}">upload it here</a>'
    assert address not in page(viewer)
    assert address in page(staff("jobs.view_joblog", "jobs.add_joblog"))


@pytest.mark.parametrize("status", [Status.QUEUED, Status.SENDING, Status.PROCESSING])
def test_what_is_open_leads_to_its_jobs_and_none_leads_nowhere(viewer: Browser, status: JobLog.Status) -> None:
    link = f'href="{reverse("admin:jobs_joblog_changelist")}?status__exact={status}"'
    assert link not in page(viewer)
    job_in(status)
    assert link in page(viewer)


def test_a_receipt_is_searched_for_from_the_first_page(viewer: Browser) -> None:
    job_in(Status.SUCCESS)
    (form,) = re.findall(r'<form class="find".*?</form>', page(viewer))
    assert f'method="get" action="{reverse("admin:jobs_joblog_changelist")}"' in form
    assert '<label for="find">' in form
    assert '<input id="find" name="q" ' in form
    assert 'class="find"' not in page(staff("receipts.view_receipt"))


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


def test_staff_actions_are_shown_to_those_who_may_view_the_log_and_lead_who_may_see_it_to_the_job() -> None:
    job = JobFactory.create(filename="lunch.jpg")
    user = User.objects.create_user("bert")
    LogEntry.objects.log_actions(user.pk, [job], CHANGE, "retry: N8N was down", single_object=True)
    assert "bert" not in page(staff(*FIGURES))
    User.objects.get(username="anna").delete()
    link = f'href="{reverse("admin:jobs_joblog_change", args=[job.pk])}">lunch.jpg'
    for permissions, leads in (["admin.view_logentry"], False), (["admin.view_logentry", *FIGURES], True):
        text = page(staff(*permissions))
        assert "bert: retry: N8N was down" in words(text)
        assert (link in text) == leads


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
    text = viewer.get(INDEX).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<script>alert" not in text


# -- what it costs


def test_the_page_asks_as_much_however_many_jobs_there_are(viewer: Browser, django_assert_max_num_queries: Any) -> None:
    for hours in range(12):
        succeeded(ago(hours=hours))
        failed(ago(hours=hours / 12))
    with django_assert_max_num_queries(28):
        page(viewer, "?period=30d")


def test_what_is_asked_of_jobs_is_found_by_an_index_of_few() -> None:
    _many_that_are_done()
    for kind, fields in {"overdue": {}, "delayed": {"needs_attention": True}}.items():
        JobFactory.create(due_at=ago(hours=1), last_error=kind, **fields)
    failed(timezone.now())
    with CaptureQueriesContext(connection) as queries:
        open_jobs()
        groups(timezone.now())
        count_failed_earlier(timezone.now())
    plans = [plan(query["sql"]) for query in queries.captured_queries]
    assert len(plans) == 10
    partial = r"job_(?:due|failed|newest_open|newest_needy|open_execution)"
    by_status = r"job_newest_by_status \(status|Index Cond: [^\n]*\(status\)"  # as SQLite says it, and PostgreSQL
    for each in plans:
        assert re.search(f"{partial}|{by_status}", each), each


def _many_that_are_done() -> None:
    """Make so many jobs, ended over the years, that a database sees which index finds few."""
    for done in (job_in(Status.SUCCESS), failed(ago(hours=24))):
        multiply(done, ({"completed_at": ago(hours=24 * days)} for days in range(1000)))
