"""The lock at the admin's door: few guesses at passwords, also at once, and nobody is locked out by somebody else."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission, User
from django.core.handlers.wsgi import WSGIRequest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import F
from django.test import Client as Browser
from django.test import RequestFactory

from accounting import every
from accounting.callers import network_of
from accounting.lockout import ALL_NAMES, COOL_OFF, GUESSES_AT_ALL_NAMES, GUESSES_AT_ONE_NAME, forget_old_attempts
from accounting.web_server.proxies import believe_proxies
from jobs.management.commands import sweep_jobs
from tests.support.outages import Clock

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_passwords")]

LOGIN = "/admin/login/"
PASSWORD = "a-password-of-annas-8472"
WRONG = "wrong"
HOME = "192.0.2.1"
ELSEWHERE = "198.51.100.7"


@pytest.fixture
def anna() -> User:
    """Return a superuser."""
    return User.objects.create_superuser("anna", password=PASSWORD)


def log_in(name: str = "anna", password: str = WRONG, *, address: str = HOME, browser: Browser | None = None) -> Any:
    return (browser or Browser()).post(
        LOGIN, {"username": name, "password": password, "next": "/admin/"}, REMOTE_ADDR=address
    )


def guess(times: int, name: str = "anna", address: str = HOME) -> list[int]:
    return [log_in(name, address=address).status_code for _ in range(times)]


def let_pass(time: timedelta) -> None:
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - time)


def test_the_last_allowed_guess_and_all_after_it_are_told_when_to_come_back(anna: User) -> None:
    assert guess(GUESSES_AT_ONE_NAME + 1) == [200] * (GUESSES_AT_ONE_NAME - 1) + [429, 429]
    locked = log_in(password=PASSWORD)
    assert (locked.status_code, locked["Content-Type"]) == (429, "text/html; charset=utf-8")
    assert 0 < int(locked["Retry-After"]) <= COOL_OFF.total_seconds()
    assert "no-store" in locked["Cache-Control"]
    assert "Try again after" in locked.content.decode()
    assert "UTC" in locked.content.decode()
    assert "ask an administrator to set a new one" in locked.content.decode()  # the role suffices


def test_there_are_as_many_guesses_and_as_long_a_rest_as_docs_security_says() -> None:
    assert (5, 50, timedelta(minutes=30)) == (GUESSES_AT_ONE_NAME, GUESSES_AT_ALL_NAMES, COOL_OFF)


def test_it_opens_again_after_the_cool_off_and_knocking_meanwhile_makes_it_no_longer(anna: User) -> None:
    guess(GUESSES_AT_ONE_NAME)
    let_pass(COOL_OFF - timedelta(minutes=1))
    assert log_in(password=PASSWORD).status_code == 429
    let_pass(timedelta(minutes=1))
    assert log_in(password=PASSWORD).status_code == 302


def test_guesses_long_ago_do_not_count(anna: User) -> None:
    guess(GUESSES_AT_ONE_NAME - 1)
    let_pass(COOL_OFF)
    assert guess(GUESSES_AT_ONE_NAME - 1) == [200] * (GUESSES_AT_ONE_NAME - 1)


def test_the_lock_lasts_from_the_last_allowed_guess(anna: User) -> None:
    guess(GUESSES_AT_ONE_NAME - 1)
    let_pass(COOL_OFF - timedelta(minutes=1))
    assert guess(1) == [429]
    let_pass(COOL_OFF - timedelta(minutes=1))
    assert log_in(password=PASSWORD).status_code == 429


def test_guesses_count_together_from_the_first_on_however_they_are_spread(anna: User) -> None:
    guess(1)
    let_pass(COOL_OFF - timedelta(minutes=1))
    guess(GUESSES_AT_ONE_NAME - 2)
    let_pass(timedelta(minutes=1))
    assert guess(GUESSES_AT_ONE_NAME - 1) == [200] * (GUESSES_AT_ONE_NAME - 1)


def test_a_success_gives_all_guesses_back(anna: User) -> None:
    for _ in range(3):
        guess(GUESSES_AT_ONE_NAME - 1)
        assert log_in(password=PASSWORD).status_code == 302


def test_a_success_gives_none_back_elsewhere_nor_at_other_names(anna: User) -> None:
    User.objects.create_superuser("bert")
    guess(GUESSES_AT_ONE_NAME - 1, address=ELSEWHERE)
    guess(GUESSES_AT_ONE_NAME - 1, "bert")
    assert log_in(password=PASSWORD).status_code == 302
    assert guess(1, address=ELSEWHERE) == guess(1, "bert") == [429]


def test_nobody_can_lock_a_colleague_out_from_elsewhere(anna: User) -> None:
    assert guess(GUESSES_AT_ONE_NAME, address=ELSEWHERE)[-1] == 429
    assert log_in(password=PASSWORD, address=HOME).status_code == 302


def test_an_address_that_tries_many_names_is_locked_out_whatever_it_tries_next(anna: User) -> None:
    statuses = [log_in(f"name{number}").status_code for number in range(GUESSES_AT_ALL_NAMES)]
    assert statuses == [200] * (GUESSES_AT_ALL_NAMES - 1) + [429]
    locked = log_in(password=PASSWORD)
    assert locked.status_code == 429
    assert "Whoever comes from this address has to wait" in locked.content.decode()
    assert log_in(password=PASSWORD, address=ELSEWHERE).status_code == 302


def test_who_has_a_password_may_not_guess_on_for_it(anna: User) -> None:
    for number in range(GUESSES_AT_ALL_NAMES - 1):
        log_in(f"name{number}")
        if number % 10 == 0:
            log_in(password=PASSWORD)
    assert log_in("yet-another").status_code == 429


def test_who_is_locked_out_leaves_no_row_for_what_he_tries_next(anna: User) -> None:
    for number in range(GUESSES_AT_ALL_NAMES):
        log_in(f"name{number}")
    rows = AccessAttempt.objects.count()
    assert [log_in(f"another{number}").status_code for number in range(5)] == [429] * 5
    assert AccessAttempt.objects.count() == rows


@pytest.mark.django_db(transaction=True)
def test_whoever_has_the_password_gets_in_however_many_come_at_once(anna: User) -> None:
    def enter(_: int) -> int:
        try:
            return int(log_in(password=PASSWORD).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:  # fewer than there are guesses: each counts until its password was looked at
        statuses = list(pool.map(enter, range(40)))
    assert statuses == [302] * 40


@pytest.mark.django_db(transaction=True)
def test_guesses_at_once_are_counted_exactly(anna: User, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[Any] = []
    look = ModelBackend.authenticate

    def count(self: ModelBackend, *args: Any, **kwargs: Any) -> Any:
        looked_at.append(kwargs)
        return look(self, *args, **kwargs)

    monkeypatch.setattr(ModelBackend, "authenticate", count)

    def attempt(number: int) -> int:
        try:
            # under many agents and with many forged addresses: neither counts
            browser = Browser(HTTP_USER_AGENT=f"agent {number}", HTTP_X_FORWARDED_FOR=f"203.0.113.{number}")
            return int(log_in(browser=browser).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(attempt, range(24)))
    assert len(looked_at) == GUESSES_AT_ONE_NAME
    assert set(statuses) <= {200, 429}
    assert statuses.count(429) >= 24 - GUESSES_AT_ONE_NAME


@pytest.mark.parametrize(("proxies", "counted_as"), [([], "10.0.0.5"), (["10.0.0.5"], "192.0.2.1")])
def test_a_trusted_proxy_is_believed_and_nobody_else(proxies: list[str], counted_as: str) -> None:
    seen: list[str] = []

    def application(environ: Any, start_response: Callable[..., Any]) -> list[bytes]:
        seen.append(network_of(WSGIRequest(environ)))
        return []

    environ = RequestFactory().get("/", REMOTE_ADDR="10.0.0.5", HTTP_X_FORWARDED_FOR="192.0.2.1").environ
    believe_proxies(application, proxies)(environ, lambda *args: print)
    assert seen == [counted_as]


# -- what is kept, and who sees it


def test_no_password_is_kept_not_even_one_in_the_wrong_field(anna: User) -> None:
    log_in(password="canary-password")
    log_in("canary-as-name", password="canary-password")
    rows = list(AccessAttempt.objects.values())
    assert {row["username"] for row in rows} >= {"anna"}
    assert "canary" not in str(rows)
    assert not AccessLog.objects.exists()
    assert not AccessFailureLog.objects.exists()


def test_no_log_line_names_anybody(anna: User, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    guess(GUESSES_AT_ONE_NAME + 1)
    log_in("canary-name")
    log_in(password=PASSWORD, address=ELSEWHERE)
    events = [record.msg["event"] for record in caplog.records if isinstance(record.msg, dict)]
    assert events.count("login_failed") == GUESSES_AT_ONE_NAME
    assert events.count("login_locked") == 2
    assert not any(text in caplog.text for text in ("anna", "canary", HOME, ELSEWHERE, PASSWORD))


def test_the_sweep_forgets_what_no_longer_counts(anna: User) -> None:
    guess(1)
    let_pass(COOL_OFF)
    guess(1, address=ELSEWHERE)
    forget_old_attempts()
    assert set(AccessAttempt.objects.values_list("ip_address", flat=True)) == {ELSEWHERE}


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("config.getoption('--database') == 'sqlite'", reason="PostgreSQL locks rows: --database=postgresql")
def test_the_sweep_waits_for_no_row_that_a_log_in_holds_which_may_wait_for_another(anna: User) -> None:
    def forget() -> None:
        try:
            forget_old_attempts()
        finally:
            connection.close()

    guess(1)
    let_pass(COOL_OFF)
    with transaction.atomic(), ThreadPoolExecutor(1) as sweep:
        held = AccessAttempt.objects.select_for_update().get(username=ALL_NAMES)
        sweep.submit(forget).result(timeout=10)
    assert AccessAttempt.objects.get() == held


@pytest.mark.django_db(transaction=True)  # each pass looks whether its connection is too old
def test_the_sweep_does_so_every_hour(anna: User, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, command = Clock(), sweep_jobs.Command()
    monkeypatch.setattr(every, "time", clock)

    def is_forgotten_after(seconds: int) -> bool:
        AccessAttempt.objects.all().delete()
        guess(1)
        let_pass(COOL_OFF)
        clock.now += seconds
        command._try_pass()
        return not AccessAttempt.objects.exists()

    assert [is_forgotten_after(seconds) for seconds in (0, 3599, 1, 3599, 1)] == [True, False, True, False, True]


@pytest.mark.parametrize("command", [["axes_reset"], ["axes_reset_ip", HOME], ["axes_reset_username", "anna"]])
def test_an_operator_can_let_somebody_in_again(anna: User, command: list[str]) -> None:
    guess(GUESSES_AT_ONE_NAME)
    call_command(*command, stdout=StringIO())
    assert log_in(password=PASSWORD).status_code == 302


def test_a_superuser_sees_the_guesses_and_deletes_them_and_nobody_else_does(anna: User) -> None:
    log_in()
    row = AccessAttempt.objects.get(username="anna")
    browser = Browser()
    browser.force_login(anna)
    page = "/admin/axes/accessattempt/"
    assert HOME in browser.get(page).content.decode()
    assert browser.post(f"{page}{row.pk}/change/", {"username": "other"}).status_code == 403
    other = User.objects.create_user("other", is_staff=True)
    other.user_permissions.set(Permission.objects.filter(content_type__app_label="axes"))
    browser.force_login(other)
    assert browser.get(page).status_code == 403
    assert browser.post(f"{page}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert "accessattempt" not in browser.get("/admin/").content.decode()
    browser.force_login(anna)
    browser.post(f"{page}{row.pk}/delete/", {"post": "yes"})
    assert not AccessAttempt.objects.filter(username="anna").exists()


def test_whoever_logs_in_without_a_door_is_not_counted(anna: User) -> None:
    assert Browser().login(username="anna", password=PASSWORD)
    assert not Browser().login(username="anna", password="wrong")
    assert not AccessAttempt.objects.exists()
