"""The roles: what each sees and does, at every address of the admin."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.contrib.sessions.models import Session
from django.core.management.sql import emit_post_migrate_signal
from django.test import Client as Browser
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from accounting.roles import ROLES
from jobs.models import JobLog
from receipts.models import Client
from tests.factories import JobFactory, job_in
from tests.support.admin_pages import every_page
from tests.support.staff import browser_of, member, permissions
from tests.support.uploads import picture

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

JOBS = "/admin/jobs/joblog/"

EVERYBODY = frozenset(ROLES)
OPERATORS = frozenset({"Operator", "Administrator"})
ADMINISTRATORS = frozenset({"Administrator"})
NOBODY = frozenset[str]()

# Who is shown a page, by the name of its address; what is not here is shown to everybody.
SHOWN_TO = {
    "jobs_joblog_add": OPERATORS,
    "connect_workflow": ADMINISTRATORS,
    "receipts_client_add": ADMINISTRATORS,
    "receipts_apikey_add": ADMINISTRATORS,
    "auth_user_add": ADMINISTRATORS,
    "auth_group_add": ADMINISTRATORS,
    "auth_group_delete": ADMINISTRATORS,
    "auth_user_password_change": ADMINISTRATORS,
    **dict.fromkeys(
        ("django_rq_clear", "django_rq_delete_failed_jobs", "django_rq_requeue_all", "django_rq_delete_job",
         "django_rq_requeue_job", "django_rq_enqueue_job"), ADMINISTRATORS,
    ),
    **dict.fromkeys(("django_rq_confirm_action", "django_rq_actions", "django_rq_stop_job"), NOBODY),
    **dict.fromkeys(("jobs_joblog_operate", "jobs_joblog_bulk", "operate_on_group"), NOBODY),  # they take POST only
    **dict.fromkeys(
        ("jobs_joblog_delete", "jobs_jobevent_add", "jobs_jobevent_delete", "jobs_seal_add",
         "jobs_seal_delete", "receipts_receipt_add",
         "receipts_receipt_delete", "receipts_client_delete", "receipts_apikey_delete", "admin_logentry_add",
         "admin_logentry_delete", "auth_user_delete"), NOBODY,
    ),
    **dict.fromkeys(
        (f"axes_accessattempt_{page}" for page in ("changelist", "add", "change", "history", "delete")), NOBODY
    ),
}  # fmt: skip
OTHERWISE = {  # what is answered where it is not simply 200 or 403
    "login": 302,
    "logout": 405,
    "django_rq_scheduler_jobs": 404,
    "django_rq_cron_scheduler_detail": 404,
    "django_rq_cron_job_detail": 404,
    "jobs_joblog_export": 302,  # to the list: POST writes down who had it
    "connect_test": 405,
    "connect_install": 405,
}
ACTIONS = ("retry_selected", "resend_selected", "cancel_selected", "delete_selected")


@pytest.fixture
def role() -> str:
    """Return the role that `browser` has; tests choose others by parametrizing."""
    return "Auditor"


@pytest.fixture
def browser(role: str) -> Browser:
    """Return the browser of somebody who has the role."""
    return browser_of(member(role))


def everything(redis: "Redis") -> dict[str, Any]:
    """Return all rows of all tables but sessions, and what is in the queue."""
    tables = [model for model in apps.get_models() if model._meta.managed and model is not Session]
    rows = {model._meta.label: list(model._default_manager.order_by("pk").values()) for model in tables}
    queue = Queue("default", connection=redis, serializer=JSONSerializer)
    return rows | {"queue": [queue.job_ids, queue.failed_job_registry.get_job_ids(), redis.dbsize()]}


# -- how they are made


@pytest.mark.parametrize("name", ROLES)
def test_migrations_make_the_role(name: str) -> None:
    assert permissions(name) == ROLES[name]


def test_each_role_has_what_the_one_before_it_has() -> None:
    auditor, operator, administrator = ROLES.values()
    assert auditor < operator < administrator
    assert {name.partition(".")[2].partition("_")[0] for name in auditor} == {"view", "admin"}


def test_a_role_is_what_the_table_says_again_after_the_next_migration(caplog: pytest.LogCaptureFixture) -> None:
    group = Group.objects.get(name="Auditor")
    group.permissions.add(Permission.objects.get(codename="operate_joblog"))
    group.permissions.remove(Permission.objects.get(codename="view_receipt"))
    own = Group.objects.create(name="Bookkeepers")
    own.permissions.add(Permission.objects.get(codename="view_client"))
    emit_post_migrate_signal(verbosity=0, interactive=False, db="default")  # as `migrate` does at its end
    assert permissions("Auditor") == ROLES["Auditor"]
    assert permissions("Bookkeepers") == {"receipts.view_client"}
    (line,) = [record.msg for record in caplog.records if "role_restored" in str(record.msg)]
    assert isinstance(line, dict)
    assert (line["role"], line["taken_back"]) == ("Auditor", "jobs.operate_joblog")


# -- every address, for each role


def test_each_page_is_shown_to_those_that_it_is_for(redis: "Redis") -> None:
    browsers = {role: browser_of(member(role, role)) for role in ROLES}
    for name, addresses in every_page(redis).items():
        for role, browser in browsers.items():
            for address in addresses:
                answer = browser.get(address)
                assert (role, address, answer.status_code) == (role, address, expected(name, address, role))


def expected(name: str, address: str, role: str) -> int:
    if address == "/admin/axes/":
        return 404  # an app of which the role sees nothing
    if name == "jobs_joblog_upload":
        return 405 if role in OPERATORS else 403
    return OTHERWISE.get(name, 200 if role in SHOWN_TO.get(name, EVERYBODY) else 403)


def test_nothing_that_an_auditor_sends_changes_anything(browser: Browser, redis: "Redis") -> None:
    pages = every_page(redis)
    del pages["logout"], pages["jobs_joblog_export"]  # who may see the list may take it along, which is written down
    before = everything(redis)
    for name, addresses in pages.items():
        for address in addresses:
            for form in forms(name):
                answer = browser.post(address, form)
                assert (address, answer.status_code in (200, 302, 403, 404, 405)) == (address, True)
    assert everything(redis) == before


def forms(name: str) -> list[dict[str, Any]]:
    """Return what somebody might send to an address: a yes, values, and on lists each action for all rows."""
    jobs = [str(job.pk) for job in JobLog.objects.all()]
    values = {
        "verb": "retry", "jobs": " ".join(jobs), "post": "yes", "reason": "because", "name": "changed",
        "is_superuser": "on", "username": "changed",
        "file": picture(), "notion_database_id": "0" * 32, "job_ids": ["x"], "action": "delete",
    }  # fmt: skip
    if not name.endswith("_changelist"):
        return [values]
    every = jobs + [str(user.pk) for user in User.objects.all()]
    return [{"action": action, "_selected_action": every, "post": "yes", "reason": "because"} for action in ACTIONS]


@pytest.mark.parametrize(
    ("role", "may"), [("Auditor", False), ("Operator", True), ("Administrator", True)]
)  # fmt: skip
def test_operators_change_jobs_and_auditors_do_not(role: str, may: bool, browser: Browser) -> None:
    for verb, status in (("retry", "failure"), ("resend", "processing"), ("cancel", "queued")):
        job = job_in(JobLog.Status(status))
        browser.post(f"{JOBS}{job.pk}/operate/{verb}/", {"reason": "because"})
        assert job.events.exists() == may
    job = JobFactory.create(failure=True)
    browser.post("/admin/attention/failed/callback_timeout/", {"reason": "because"})
    assert job.events.exists() == may
    upload = browser.post(f"{JOBS}add/file/", {"file": picture(), "notion_database_id": "0" * 32})
    assert upload.status_code == (202 if may else 403)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_look_at_receipts_through_the_api(role: str, browser: Browser) -> None:
    address = f"/api/v1/receipts/{JobFactory.create().receipt_id}/"
    assert browser.get(address).status_code == 200
    # and no further: a session is no API key
    assert browser.get("/api/v1/jobs/").status_code == 401
    assert browser.post("/api/v1/receipts/upload", {"file": picture()}).status_code == 401
    answer = browser.get(f"{address}file")
    assert answer.status_code == 200
    answer.close()


@pytest.mark.parametrize("role", ROLES)
def test_who_is_no_longer_staff_sees_nothing(role: str, browser: Browser) -> None:
    User.objects.update(is_staff=False)
    job = JobFactory.create()
    assert browser.get(JOBS).status_code == 302
    assert browser.get(f"/api/v1/receipts/{job.receipt_id}/file").status_code == 403
    assert browser.post(f"{JOBS}add/file/", {"file": picture()}).status_code == 403


def test_an_administrator_gives_clients_their_keys() -> None:
    browser = browser_of(member("Administrator", "boss"))
    assert browser.post("/admin/receipts/client/add/", {"name": "Bakery"}).status_code == 302
    client = Client.objects.get(name="Bakery")
    assert browser.post("/admin/receipts/apikey/add/", {"client": client.pk, "name": "till"}).status_code == 200
    assert client.keys.count() == 1
    assert {entry.action_flag for entry in LogEntry.objects.all()} == {1}
