"""The page for one's own password, in a browser that was left open: it takes no more guesses than the log-in."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser

from accounting.lockout import GUESSES_AT_ONE_NAME

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_passwords")]

PASSWORD = "a-password-of-annas-8472"
CHANGED = "a-new-one-of-annas-5310"
WRONG = "wrong"


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
