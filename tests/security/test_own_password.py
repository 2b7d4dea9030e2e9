"""One's own password, in a browser that was left open: one page changes it, which takes few guesses at the old one."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser

from accounting.lockout import GUESSES_AT_ONE_NAME

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_passwords")]

PASSWORD = "a-password-of-annas-8472"
CHANGED = "a-new-one-of-annas-5310"
WRONG = "wrong"
NEW = {"password1": CHANGED, "password2": CHANGED, "usable_password": "true"}


@pytest.fixture
def anna() -> User:
    """Return a superuser."""
    return User.objects.create_superuser("anna", password=PASSWORD)


def open_browser(user: User) -> Browser:
    """Return a browser in which somebody is logged in."""
    browser = Browser()
    browser.force_login(user)
    return browser


def change(browser: Browser, old: str) -> Any:
    form = {"old_password": old, "new_password1": CHANGED, "new_password2": CHANGED}
    return browser.post("/admin/password_change/", form)


def test_guesses_end_where_those_at_the_log_in_would(anna: User) -> None:
    browser = open_browser(anna)
    answers = [change(browser, WRONG).status_code for _ in range(GUESSES_AT_ONE_NAME)]
    assert answers == [200] * (GUESSES_AT_ONE_NAME - 1) + [429]
    assert change(browser, PASSWORD).status_code == 429
    anna.refresh_from_db()
    assert anna.check_password(PASSWORD)


def test_whoever_knows_the_password_has_guessed_nothing(anna: User) -> None:
    browser = open_browser(anna)
    for _ in range(2):
        for _ in range(GUESSES_AT_ONE_NAME - 1):
            assert "was entered incorrectly" in change(browser, WRONG).content.decode()
        assert change(browser, PASSWORD).status_code == 302
        anna.set_password(PASSWORD)
        anna.save()
        browser = open_browser(anna)


@pytest.mark.parametrize("spelling", ["{}", "0{}", "%20{}"])
def test_the_page_for_others_passwords_which_asks_for_no_old_one_leads_to_it(anna: User, spelling: str) -> None:
    browser, page = open_browser(anna), f"/admin/auth/user/{spelling.format(anna.pk)}/password/"
    for answer in (browser.get(page), browser.post(page, NEW)):
        assert (answer.status_code, answer["Location"]) == (302, "/admin/password_change/")
    anna.refresh_from_db()
    assert anna.check_password(PASSWORD)


def test_others_passwords_are_set_there_as_before(anna: User) -> None:
    ben = User.objects.create_user("ben", password=PASSWORD)
    open_browser(anna).post(f"/admin/auth/user/{ben.pk}/password/", NEW)
    ben.refresh_from_db()
    assert ben.check_password(CHANGED)
