"""How the admin's pages say things: times, names, headings, and ways back."""

import re
from datetime import UTC, datetime

import pytest
from axes.models import AccessAttempt
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.test import Client as Browser
from django.utils import timezone
from redis import Redis

from accounting.staff import log_action
from jobs.models import Seal
from jobs.services import claim_job
from receipts.models import ApiKey, Client
from receipts.services import create_api_key
from tests.factories import JobFactory
from tests.support import staff as people
from tests.support.admin_pages import every_page
from tests.support.job_pages import page
from tests.support.past_events import Kind, Source, event
from tests.support.staff import browser_of, member, words_of

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def auditor() -> Browser:
    """Return the browser of somebody who may see everything and change nothing."""
    return people.auditor()


def test_events_say_who_did_what_and_when_to_the_second(auditor: Browser) -> None:
    job = JobFactory.create()
    claim_job(job.pk, worker="till:7")
    event = job.events.get()
    text = auditor.get("/admin/jobs/jobevent/").content.decode()
    for part in ("Worker · till:7", "Queued → Sending", f"{event.at:%-d %b %Y %H:%M:%S}"):
        assert part in text


def test_what_is_not_there_is_the_same_dash_on_every_page() -> None:
    create_api_key(client_name="Bakery", key_name="till")
    viewer = people.staff("receipts.view_apikey")
    key = viewer.get(f"/admin/receipts/apikey/{ApiKey.objects.get().pk}/change/").content.decode()
    assert re.search(r"<label>Expires:</label>\s*<div class=\"readonly\">–</div>", key)


def test_lists_are_narrowed_by_a_time_under_one_name(auditor: Browser) -> None:
    JobFactory.create()
    for page_of in ("jobs/jobevent", "receipts/receipt"):
        assert re.search(r"By time\s", auditor.get(f"/admin/{page_of}/").content.decode()), page_of


def test_events_are_narrowed_under_names_that_fit_all_that_is_found(auditor: Browser) -> None:
    text = words_of(auditor.get("/admin/jobs/jobevent/"))
    for finer in ("Filed in Notion", " Not taken by N8N", "Queued to be sent again"):
        assert finer not in text
    for name in ("Succeeded", "Not sent, or not taken by N8N", "Queued to be sent now, or again"):
        assert name in text


def test_an_event_leads_to_its_job_for_those_who_may_see_jobs(auditor: Browser) -> None:
    job = JobFactory.create()
    claim_job(job.pk, worker="till:7")
    link = f'<a href="{page(job)}">{job}</a>'
    assert link in auditor.get("/admin/jobs/jobevent/").content.decode()
    other = people.staff("jobs.view_jobevent", name="berta").get("/admin/jobs/jobevent/").content.decode()
    assert str(job) in other
    assert page(job) not in other


def test_the_page_of_an_event_tells_what_came_with_it_as_its_jobs_timeline_does(auditor: Browser) -> None:
    job = JobFactory.create()
    said = {
        "message": "N8N answered 429.", "http_status": 429, "again_in_seconds": 300, "code": "n8n_busy",
        "request": {"bytes": 2048}, "answer": {"ms": 112, "body": "<b>slow down</b>"},
    }  # fmt: skip
    happened = event(job, Kind.REFUSED, timezone.now(), Source.WORKER, **said)
    text = auditor.get(f"/admin/jobs/jobevent/{happened.pk}/change/").content.decode()
    for name, value in (("HTTP status", "429"), ("again in", "5 min"), ("bytes", "2.0\xa0KB"), ("took", "112 ms")):
        assert re.search(f"<dt>{name}</dt> ?<dd>{value}</dd>", text), name
    assert "<p>N8N answered 429.</p>" in text
    assert "&lt;b&gt;slow down&lt;/b&gt;" in text
    assert "{&quot;" not in text
    assert f"{happened.at:%-d %b %Y %H:%M:%S}" in text
    timeline = auditor.get(page(job)).content.decode()
    assert "<p>N8N answered 429.</p>" in timeline


def test_a_timeline_writes_the_time_at_which_something_was_due_as_all_others(auditor: Browser) -> None:
    job = JobFactory.create()
    event(job, Kind.BROUGHT_FORWARD, timezone.now(), Source.SWEEP, was_due_at="2026-11-27T16:05:09.5+00:00")
    event(job, Kind.BROUGHT_FORWARD, timezone.now(), Source.SWEEP, was_due_at="at some time")
    text = auditor.get(page(job)).content.decode()
    assert "<dd>27 Nov 2026 16:05:09</dd>" in text
    assert "<dd>at some time</dd>" in text


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("admin/logentry", ["Time"]),
        ("auth/user", ["Last login"]),
        ("axes/accessattempt", ["Since", "Locked until"]),
        ("jobs/seal", ["Hour"]),
        ("jobs/jobevent", ["Time"]),
        ("receipts/apikey", ["Created", "Expires"]),
        ("receipts/client", ["Created"]),
        ("receipts/receipt", ["Created"]),
        ("auth/user/{}/change", ["Last login", "Date joined"]),
        ("axes/accessattempt/{}/change", ["Since", "Locked until"]),
        ("jobs/seal/{}/change", ["Hour"]),
        ("receipts/receipt/{}/change", ["Created"]),
    ],
)
def test_times_are_said_to_be_utc_where_they_are_named(
    admin_client: Browser, redis: Redis, address: str, named: list[str]
) -> None:
    every_page(redis)
    first = apps.get_model(".".join(address.split("/")[:2]))._default_manager.order_by("pk").first()
    assert first is not None
    text = words_of(admin_client.get(f"/admin/{address.format(first.pk)}/"))
    for name in named:
        assert f" {name} (UTC)" in text


def test_the_times_of_what_staff_did_are_said_to_be_utc(admin_client: Browser, admin_user: User) -> None:
    log_action(admin_user, admin_user, "changed")
    assert "Times are in UTC." in words_of(admin_client.get(f"/admin/auth/user/{admin_user.pk}/history/"))


def test_no_way_back_leads_by_an_app_that_the_sidebar_does_not_name(admin_client: Browser, redis: Redis) -> None:
    pages = [address for addresses in every_page(redis).values() for address in addresses]
    found = {page: trail for page in pages if (trail := _way_back(admin_client, page))}
    assert len(found) > 30
    apps = {f'href="/admin/{app}/"' for app in ("admin", "auth", "axes", "django_rq", "jobs", "receipts")}
    assert {page: trail for page, trail in found.items() if any(app in trail for app in apps)} == {}


def _way_back(browser: Browser, address: str) -> str:
    answer = browser.get(address)
    if answer.streaming or not answer.headers.get("Content-Type", "").startswith("text/html"):
        return ""
    trail = re.search(r'<div class="breadcrumbs">(.*?)</div>', answer.content.decode(), re.DOTALL)
    return trail[1] if trail else ""


@pytest.mark.parametrize("app", ["jobs", "receipts"])
def test_an_apps_page_is_named_after_it_and_a_list_after_what_it_lists(auditor: Browser, app: str) -> None:
    names = {"jobs": "Receipt operations", "receipts": "Receipts and clients"}
    assert f"<h1>{names[app]}</h1>" in auditor.get(f"/admin/{app}/").content.decode()
    assert "<h1>Clients</h1>" in auditor.get("/admin/receipts/client/").content.decode()


def test_a_rows_page_is_headed_by_its_name(admin_client: Browser) -> None:
    user = User.objects.create_user("fiona")
    group = Group.objects.create(name="Bookkeepers")
    client = Client.objects.create(name="Corner Shop")
    happened = event(JobFactory.create(), Kind.RECEIVED, timezone.now(), Source.API)
    seal = Seal.objects.create(
        number=1, hour=datetime(2026, 11, 27, 14, tzinfo=UTC), last_event=1, events=1, jobs=1, digest="0" * 64
    )
    attempt = AccessAttempt.objects.create(username="mallory", ip_address="::", failures_since_start=1)
    for row, heading in (
        (user, "fiona"), (group, "Bookkeepers"), (client, "Corner Shop"), (happened, "Received"),
        (seal, "27 Nov 2026 14:00:00"), (attempt, "Attempts as mallory"),
    ):  # fmt: skip
        address = f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/change/"
        text = admin_client.get(address).content.decode()
        assert f"<h1>{heading}</h1>" in text
        assert "<h2>" not in text.partition("<h1>")[2].partition("<form")[0]


@pytest.mark.parametrize(("model", "offers"), [("auth/user", True), ("jobs/jobevent", False), ("jobs/seal", False)])
def test_what_staff_did_is_told_of_what_they_can_do_something_to(
    admin_client: Browser, admin_user: User, model: str, offers: bool
) -> None:
    seal = Seal.objects.create(number=1, hour=timezone.now(), last_event=1, events=1, jobs=1, digest="0" * 64)
    keys = {
        "auth/user": admin_user.pk,
        "jobs/jobevent": event(JobFactory.create(), Kind.RECEIVED, timezone.now(), Source.API).pk,
        "jobs/seal": seal.pk,
    }
    text = admin_client.get(f"/admin/{model}/{keys[model]}/change/").content.decode()
    assert ("What staff did" in text) == offers


@pytest.mark.parametrize("name", ["Auditor", "Bookkeepers"])
def test_a_groups_permissions_have_plain_names_whether_they_can_be_changed_or_not(
    admin_client: Browser, name: str
) -> None:
    group, _ = Group.objects.get_or_create(name=name)
    group.permissions.add(Permission.objects.get(codename="view_logentry"))
    text = words_of(admin_client.get(f"/admin/auth/group/{group.pk}/change/"))
    assert "Audit | Can view log entry" in text
    for app in ("Authentication and Authorization", "Administration |", "Django-RQ"):
        assert app not in text


def test_a_users_own_permissions_have_plain_names_for_who_may_not_give_them() -> None:
    user = User.objects.create_user("fiona")
    user.user_permissions.add(Permission.objects.get(codename="view_group"))
    text = words_of(browser_of(member("Administrator")).get(f"/admin/auth/user/{user.pk}/change/"))
    assert "Access | Can view group" in text
    assert "Authentication and Authorization" not in text
