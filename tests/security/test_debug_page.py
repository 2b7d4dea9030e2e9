"""The page of `DEBUG`, which a developer sees, and shows to others."""

import pytest
from django.conf import LazySettings
from django.test import Client

from accounting import health


def test_shows_no_password_that_stands_in_an_address(
    client: Client, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DEBUG = True
    settings.REDIS_URL = "rediss://:hunter2-redis@cache.example.com/0"
    settings.SENTRY_DSN = "https://hunter2-sentry@sentry.example.com/1"
    settings.RQ_QUEUES = {"default": {"URL": settings.REDIS_URL}}
    monkeypatch.delattr(health, "OK")
    client.raise_request_exception = False

    page = client.get("/health")

    assert b"REDIS_URL" in page.content
    assert "hunter2" not in page.content.decode()
