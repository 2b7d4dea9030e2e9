"""Receipts, clients and their keys in the admin: what is said of them, and where it leads."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.utils import timezone

from receipts.models import ApiKey, Client

pytestmark = pytest.mark.django_db

KEYS = "/admin/receipts/apikey/"


# -- keys


@pytest.mark.parametrize(
    ("fields", "badge"),
    [
        ({}, 'badge badge-good">Active'),
        ({"expiry_date": timezone.now() + timedelta(days=1)}, 'badge badge-good">Active'),
        ({"expiry_date": timezone.now() - timedelta(days=1)}, 'badge badge-warn">Expired'),
        ({"expiry_date": timezone.now() - timedelta(days=1), "revoked": True}, 'badge">Revoked'),
    ],
)
def test_a_key_that_works_does_not_look_like_one_that_does_not(
    admin_client: Browser, fields: dict[str, Any], badge: str
) -> None:
    ApiKey.objects.create_key(client=Client.objects.create(name="Bakery"), name="till", **fields)
    listing = admin_client.get(KEYS).content.decode()
    assert f'<span class="{badge}</span>' in listing
    assert "icon-no" not in listing
    assert "icon-yes" not in listing


def form_of_a_key(browser: Browser) -> dict[str, Any]:
    """Return a form as the page has it, filled in."""
    found = re.search(r'name="prefix" value="(\w{8})"', browser.get(f"{KEYS}add/").content.decode())
    assert found is not None
    return {"prefix": found[1], "client": Client.objects.get_or_create(name="Bakery")[0].pk, "name": "till"}


def test_the_page_of_a_new_key_can_be_loaded_again_without_making_another(admin_client: Browser) -> None:
    form = form_of_a_key(admin_client)
    shown = admin_client.post(f"{KEYS}add/", form).content.decode()
    assert f"<code>{form['prefix']}." in shown
    again = admin_client.post(f"{KEYS}add/", form, follow=True)
    assert "No other key was made" in again.content.decode()
    assert ApiKey.objects.get().prefix == form["prefix"]


def test_another_form_makes_another_key_and_one_without_a_sound_prefix_too(admin_client: Browser) -> None:
    form = form_of_a_key(admin_client)
    for sent in (form, form_of_a_key(admin_client), form | {"prefix": "x"}, form | {"prefix": "a" * 7 + "."}):
        assert admin_client.post(f"{KEYS}add/", sent).status_code == 200
    assert ApiKey.objects.count() == 4
