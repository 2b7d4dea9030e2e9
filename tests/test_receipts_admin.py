"""Receipts, clients and their keys in the admin: what is said of them, and where it leads."""

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
