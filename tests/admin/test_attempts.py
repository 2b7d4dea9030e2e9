"""The list of guesses at passwords tells who is locked out, and until when."""

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.test import Client as Browser
from django.utils import timezone

from accounting.lockout import ALL_NAMES, COOL_OFF, GUESSES_AT_ALL_NAMES, GUESSES_AT_ONE_NAME
from tests.support.staff import words_of

pytestmark = pytest.mark.django_db

ATTEMPTS = "/admin/axes/accessattempt/"


def guesses(number: int, name: str, *, ago: timedelta = timedelta()) -> AccessAttempt:
    row: AccessAttempt = AccessAttempt.objects.create(
        username=name, ip_address="192.0.2.1", failures_since_start=number
    )
    AccessAttempt.objects.filter(pk=row.pk).update(attempt_time=timezone.now() - ago)
    row.refresh_from_db()
    return row


@pytest.mark.parametrize(
    ("limit", "name", "shown"), [(GUESSES_AT_ONE_NAME, "anna", "anna"), (GUESSES_AT_ALL_NAMES, ALL_NAMES, "any name")]
)
def test_who_is_locked_out_is_told_until_when(admin_client: Browser, limit: int, name: str, shown: str) -> None:
    attempt = guesses(limit, name)
    until = f"{attempt.attempt_time + COOL_OFF:%-d %b %Y %H:%M:%S}"
    for address in (ATTEMPTS, f"{ATTEMPTS}{attempt.pk}/change/"):
        text = words_of(admin_client.get(address))
        assert shown in text
        assert until in text


@pytest.mark.parametrize(("number", "ago"), [(GUESSES_AT_ONE_NAME - 1, timedelta()), (GUESSES_AT_ONE_NAME, COOL_OFF)])
def test_who_may_guess_on_is_not_locked(admin_client: Browser, number: int, ago: timedelta) -> None:
    guesses(number, "anna", ago=ago)
    assert "not locked" in words_of(admin_client.get(ATTEMPTS))
