"""Staff's sessions: kept to this host, over with a changed password or a lost role, and stored by no cache."""

import json
import os
import re
import secrets
import subprocess
import sys
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.test import Client as Browser
from django.utils import timezone

from tests.factories import JobFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_passwords")]

LOGIN = "/admin/login/"
PASSWORD = "a-password-of-annas-8472"
CHANGED = "another-password-of-annas-5310"


@pytest.fixture
def anna() -> User:
    """Return a superuser."""
    return User.objects.create_superuser("anna", password=PASSWORD)


def log_in(follow_to: str = "/admin/") -> tuple[Browser, Any]:
    browser = Browser()
    return browser, browser.post(LOGIN, {"username": "anna", "password": PASSWORD, "next": follow_to})


def test_cookies_end_with_the_browser_and_no_script_and_no_other_site_gets_at_them(anna: User) -> None:
    _, answer = log_in()
    assert set(answer.cookies) == {"sessionid", "csrftoken"}
    for cookie in answer.cookies.values():
        assert cookie["httponly"] is True
        assert cookie["samesite"] == "Lax"
        assert (cookie["path"], cookie["domain"]) == ("/", "")
        assert (cookie["max-age"], cookie["expires"]) == ("", "")


def test_whoever_logs_out_is_told_so_and_led_back(anna: User) -> None:
    browser, _ = log_in()
    text = browser.post("/admin/logout/").content.decode()
    assert "Nobody is logged in any more in this browser." in text
    assert 'href="/admin/">Log in again</a>' in text


def test_with_https_they_are_bound_to_this_host_and_to_https() -> None:
    cookies = cookie_settings(PUBLIC_BASE_URL="https://receipts.example.com")
    assert cookies["NAME"] == ["__Host-sessionid", "__Host-csrftoken"]
    assert cookies["SECURE"] == [True, True]


def cookie_settings(**environment: str) -> dict[str, Any]:
    """Return settings of both cookies as a process in this environment has them."""
    program = (
        "import json; from accounting import settings; "
        "kinds = ('SESSION', 'CSRF'); names = ('NAME', 'SECURE'); "
        "print(json.dumps({n: [getattr(settings, f'{k}_COOKIE_{n}') for k in kinds] for n in names}))"
    )
    found: dict[str, Any] = json.loads(
        subprocess.check_output([sys.executable, "-c", program], env=os.environ | environment)
    )
    return found


def test_the_cookie_of_messages_is_bound_as_the_others_are() -> None:
    program = (
        "import django; django.setup(); "
        "from django.contrib.messages.storage import default_storage; "
        "from django.http import HttpResponse; "
        "from django.test import RequestFactory; "
        "request, answer = RequestFactory().get('/'), HttpResponse(); request.session = {}; "
        "messages = default_storage(request); messages.add(20, 'done'); messages.update(answer); "
        "print(answer.cookies.output(header=''))"
    )
    environment = os.environ | {"PUBLIC_BASE_URL": "https://receipts.example.com"}
    cookie = subprocess.check_output([sys.executable, "-c", program], env=environment, text=True)
    name, _, attributes = cookie.strip().partition("=")
    assert name == "__Host-messages"
    assert set(attributes.split("; ")[1:]) == {"HttpOnly", "Path=/", "SameSite=Lax", "Secure"}


def test_a_session_lasts_no_longer_than_a_working_day(anna: User) -> None:
    browser, _ = log_in()
    assert timedelta(0) <= timedelta(hours=12) - age_left(browser) < timedelta(minutes=1)


def age_left(browser: Browser) -> timedelta:
    return timedelta(seconds=browser.session.get_expiry_age())


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    """Let the process' clock stand at a moment."""
    monkeypatch.setattr(timezone, "now", lambda: moment)


def test_what_is_written_into_a_session_makes_it_last_no_longer(anna: User, monkeypatch: pytest.MonkeyPatch) -> None:
    browser, _ = log_in()
    began, end = timezone.now(), Session.objects.get().expire_date
    unknown = f"/admin/auth/user/{secrets.token_hex(2500)}/change/"  # what is said of it is too long for a cookie
    for hours in (6, 11):
        at(monkeypatch, began + timedelta(hours=hours))
        assert browser.get(unknown)["Location"] == "/admin/"
        session = Session.objects.get()
        assert ("_messages" in session.get_decoded(), session.expire_date) == (True, end)
    at(monkeypatch, began + timedelta(hours=12, minutes=1))
    assert browser.get("/admin/").status_code == 302


def test_who_logs_in_once_more_has_his_twelve_hours_again(anna: User, monkeypatch: pytest.MonkeyPatch) -> None:
    browser, _ = log_in()
    at(monkeypatch, timezone.now() + timedelta(hours=11))
    browser.post(LOGIN, {"username": "anna", "password": PASSWORD})
    assert age_left(browser) == timedelta(hours=12)


def test_a_sweep_whose_clock_is_ahead_ends_no_session(anna: User, monkeypatch: pytest.MonkeyPatch) -> None:
    browser, _ = log_in()
    ahead = timezone.now() + timedelta(hours=13)
    with monkeypatch.context() as clock:
        clock.setattr(timezone, "now", lambda: ahead)
        call_command("sweep_jobs", once=True)
    assert browser.get("/admin/").status_code == 200
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    call_command("sweep_jobs", once=True)
    assert not Session.objects.exists()


def test_a_changed_password_ends_the_other_sessions(anna: User) -> None:
    here, there = log_in()[0], log_in()[0]
    form = {"old_password": PASSWORD, "new_password1": CHANGED, "new_password2": CHANGED}
    assert here.post("/admin/password_change/", form).status_code == 302
    assert here.get("/admin/").status_code == 200
    assert there.get("/admin/").status_code == 302


@pytest.mark.parametrize("lost", ["is_active", "is_staff"])
def test_who_is_shut_out_is_out_at_the_next_request(anna: User, lost: str) -> None:
    browser, _ = log_in()
    assert browser.get("/admin/").status_code == 200
    User.objects.update(**{lost: False})
    assert browser.get("/admin/").status_code == 302


@pytest.mark.parametrize(
    "address",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "http:evil.example"],
)
def test_the_log_in_sends_nobody_elsewhere(anna: User, address: str) -> None:
    assert log_in(address)[1]["Location"] == "/admin/"


def test_it_sends_staff_to_where_they_wanted(anna: User) -> None:
    assert log_in("/admin/jobs/joblog/")[1]["Location"] == "/admin/jobs/joblog/"


def test_a_page_is_stored_by_no_cache_and_shown_in_no_frame(admin_client: Browser) -> None:
    job = JobFactory.create()
    for address in ("/admin/", "/admin/jobs/joblog/", f"/admin/jobs/joblog/{job.pk}/change/"):
        answer = admin_client.get(address)
        assert {"no-store", "private"} <= set(re.split(", *", answer["Cache-Control"]))
        assert answer["X-Frame-Options"] == "DENY"
        assert answer["Referrer-Policy"] == "same-origin"
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "camera=()" in answer["Permissions-Policy"]


def test_a_form_that_is_sent_after_the_session_has_ended_leads_by_the_log_in_to_where_it_was(anna: User) -> None:
    job, browser = JobFactory.create(), Browser()
    page = f"/admin/jobs/joblog/{job.pk}/change/"
    sent = f"/admin/jobs/joblog/{job.pk}/operate/cancel/"
    answer = browser.post(sent, {"reason": "why"}, headers={"Referer": f"http://testserver{page}?a=b"})
    assert answer["Location"] == f"/admin/login/?next={page}%3Fa%3Db"
    assert "Nothing was done: you were no longer logged in." in browser.get(answer["Location"]).content.decode()
    job.refresh_from_db()
    assert job.is_open


@pytest.mark.parametrize("referer", ["", "https://evil.example/admin/", "//evil.example/x", "javascript:alert(1)"])
def test_or_to_the_first_page_where_nobody_knows_where_it_was(referer: str) -> None:
    answer = Browser().post("/admin/jobs/joblog/bulk/", headers={"Referer": referer})
    assert answer["Location"] == "/admin/login/?next=/admin/"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("lost", ["is_active", "is_staff"])
def test_a_session_of_somebody_who_was_shut_out_does_not_go_on_once_he_may_come_in_again(
    anna: User, admin_client: Browser, lost: str
) -> None:
    browser, _ = log_in()
    page = f"/admin/auth/user/{anna.pk}/change/"
    whole = {"is_active": "on", "is_staff": "on", "is_superuser": "on"}
    for state in (whole.keys() - {lost}, whole.keys()):
        assert admin_client.post(page, {"username": "anna", **dict.fromkeys(state, "on")}).status_code == 302
    anna.refresh_from_db()
    assert (anna.is_active, anna.is_staff) == (True, True)
    assert browser.get("/admin/").status_code == 302
    assert admin_client.get("/admin/").status_code == 200
