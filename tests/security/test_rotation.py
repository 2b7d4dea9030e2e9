"""Secrets are replaced while receipts are on their way, and none is lost: docs/operations.md, "Secrets"."""

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.utils import timezone
from rest_framework.test import APIClient
from standardwebhooks import Webhook

from jobs.models import JobLog
from jobs.proof.audit import verify_job
from jobs.signatures import callback_token
from jobs.tasks import trigger_n8n_workflow
from tests.factories import JobFactory
from tests.support.deliveries import n8n_at
from tests.support.job_lifecycle import filed
from tests.support.servers import made_up
from tests.support.stub_server import Behaviour, Visit, answering, response, stub_server

pytestmark = pytest.mark.django_db

Status = JobLog.Status
OLD, NEW = made_up("old"), made_up("new")


def report(job: JobLog, token: str) -> int:
    """Report a success of a job under a token; return the answer's status."""
    answer = APIClient().post(
        f"/api/v1/jobs/{job.pk}/callback", {"status": "success"}, format="json", headers={"X-Callback-Token": token}
    )
    return answer.status_code


def deliver(job: JobLog) -> JobLog:
    """Let a worker hear a ring for the job, which is due."""
    JobLog.objects.filter(pk=job.pk).update(due_at=timezone.now() - timedelta(seconds=1))
    trigger_n8n_workflow(str(job.pk))
    job.refresh_from_db()
    return job


# -- SECRET_KEY


def test_a_token_of_the_old_key_ends_its_job_as_long_as_that_is_a_fallback(settings: LazySettings) -> None:
    settings.SECRET_KEY = OLD
    first, second = JobFactory.create(processing=True), JobFactory.create(processing=True)
    tokens = callback_token(first.pk), callback_token(second.pk)

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD]
    assert report(first, tokens[0]) == 200

    settings.SECRET_KEY_FALLBACKS = []
    assert report(second, tokens[1]) == 401
    assert report(second, callback_token(second.pk)) == 200


def test_without_an_audit_key_a_history_of_the_old_key_verifies_as_long_as_that_is_a_fallback(
    settings: LazySettings,
) -> None:
    settings.AUDIT_KEY, settings.SECRET_KEY = [], OLD
    job = filed()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD]
    assert verify_job(job).ok
    settings.SECRET_KEY_FALLBACKS = []
    assert not verify_job(job).ok


def test_a_process_that_has_the_new_key_as_a_fallback_takes_the_tokens_of_those_that_use_it(
    settings: LazySettings,
) -> None:
    job = JobFactory.create(processing=True)
    settings.SECRET_KEY = NEW  # a worker that was started again already
    token = callback_token(job.pk)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = OLD, [NEW]  # a web process that was not
    assert report(job, token) == 200


def test_staff_stay_logged_in_and_whoever_came_by_meanwhile_outlives_the_fallback(settings: LazySettings) -> None:
    settings.SECRET_KEY = OLD
    browsers = [Browser(), Browser()]
    for browser, name in zip(browsers, ("anna", "ben"), strict=True):
        browser.force_login(User.objects.create_superuser(name))

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD]
    assert browsers[0].get("/admin/").status_code == 200

    settings.SECRET_KEY_FALLBACKS = []
    assert [browser.get("/admin/").status_code for browser in browsers] == [200, 302]


@pytest.mark.usefixtures("quick_passwords")
def test_a_changed_password_ends_the_other_sessions_while_secret_key_is_being_replaced(settings: LazySettings) -> None:
    anna, browsers = User.objects.create_superuser("anna"), {OLD: Browser(), NEW: Browser()}
    for settings.SECRET_KEY, browser in browsers.items():
        browser.force_login(anna)
    settings.SECRET_KEY_FALLBACKS = [OLD]
    anna.set_password(made_up("password"))
    anna.save()
    assert [browser.get("/admin/").status_code for browser in browsers.values()] == [302, 302]


def test_what_a_browser_asks_for_at_once_is_answered_by_processes_of_either_key(settings: LazySettings) -> None:
    settings.SECRET_KEY = OLD
    browser = Browser()
    browser.force_login(User.objects.create_superuser("anna"))
    cookie = browser.cookies["sessionid"].value

    for keys in [(NEW, [OLD]), (OLD, [NEW]), (NEW, [OLD])]:
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = keys
        browser.cookies["sessionid"] = cookie  # as in all that was asked for before the first answer came
        assert browser.get("/admin/").status_code == 200


# -- N8N_API_KEY


def knowing(key: str) -> Behaviour:
    """Return the behaviour of an N8N whose webhook expects this key."""

    def behave(visit: Visit) -> None:
        while request := visit.read():
            is_known = request.headers["Authorization"] == f"Bearer {key}"
            visit.send(response() if is_known else response(403, b"Authorization data is wrong!"))

    return behave


def test_while_only_n8n_has_the_new_key_receipts_wait_and_then_go_on_by_themselves(settings: LazySettings) -> None:
    job = JobFactory.create()
    settings.N8N_API_KEY = OLD
    with stub_server(knowing(NEW)) as server, n8n_at(server.url):
        deliver(job)
        assert (job.status, job.last_error, job.needs_attention) == (Status.QUEUED, "n8n_forbidden", True)

        settings.N8N_API_KEY = NEW
        deliver(job)
        assert (job.status, job.last_error, job.needs_attention) == (Status.PROCESSING, "", False)


# -- N8N_WEBHOOK_SECRET


def test_workflows_may_check_the_old_or_the_new_webhook_secret(settings: LazySettings) -> None:
    settings.N8N_WEBHOOK_SECRET = [NEW, OLD]
    with stub_server(answering()) as server, n8n_at(server.url):
        deliver(JobFactory.create())
    (request,) = server.requests
    for secret in (OLD, NEW):
        assert Webhook(secret.encode()).verify(request.body, dict(request.headers.items()))


# -- CALLBACK_SECRET_TOKEN


def test_workflows_may_send_the_old_or_the_new_callback_token(settings: LazySettings) -> None:
    settings.CALLBACK_SECRET_TOKEN = [NEW, OLD]
    assert [report(JobFactory.create(processing=True), token) for token in (OLD, NEW)] == [200, 200]
