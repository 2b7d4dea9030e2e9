"""Rules across settings: what stops the start, what is only warned of, and the cure."""

from typing import Any

import pytest
from django.conf import LazySettings, settings

from jobs.checks import check_settings


def found() -> list[str]:
    return [message.id or "" for message in check_settings(None)]


def test_the_defaults_break_no_rule() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"UPLOAD_FORMATS": ["jpeg", "docx"]}, "jobs.E001"),
        ({"UPLOAD_FORMATS": []}, "jobs.E001"),
        ({"N8N_VERIFY_SSL": "/no/such/bundle.pem"}, "jobs.E003"),
        ({"DELIVERY_RETRY_SCHEDULE": [5, 60]}, "jobs.W001"),
        ({"N8N_VERIFY_SSL": "README.md"}, "jobs.E003"),
        ({"N8N_API_KEY": "schlüssel" * 5}, "jobs.E004"),
        ({"MEDIA_ROOT": "README.md"}, "jobs.E005"),
        ({"MEDIA_ROOT": "README.md/media"}, "jobs.E005"),
        ({"MEDIA_ROOT": "/proc/receipts"}, "jobs.E005"),
        ({"N8N_API_KEY": settings.SECRET_KEY}, "jobs.W007"),
        ({"CALLBACK_SECRET_TOKEN": [settings.N8N_API_KEY, "another"]}, "jobs.W007"),
        ({"AUDIT_KEY": settings.N8N_WEBHOOK_SECRET}, "jobs.W007"),
        ({"N8N_PUBLIC_API_KEY": "schlüssel" * 5, "N8N_BASE_URL": "https://n8n.example.com"}, "jobs.E004"),
        ({"N8N_WEBHOOK_URL": "https://n8n.example.com/webhook-test/receipts"}, "jobs.W005"),
        ({"MISSPELT": {"RETENTION_DAY": "RETENTION_DAYS"}}, "jobs.W009"),
        ({"N8N_API_KEY": "Bearer " + "x" * 40}, "jobs.W008"),
        ({"N8N_PUBLIC_API_KEY": "x" * 40}, "jobs.W006"),
        ({"SECURE_SSL_REDIRECT": True}, "jobs.W003"),
        ({"TRUSTED_PROXIES": ["10.0.0.5/32", "::/0"]}, "jobs.W010"),
        ({"AUDIT_KEY": []}, "jobs.W004"),
        ({"LOG_LEVEL": "WARNING"}, "jobs.W011"),
        ({"N8N_VERIFY_SSL": "false", "N8N_WEBHOOK_URL": "https://n8n.example.com/webhook/x"}, "jobs.W002"),
    ],
)
def test_a_broken_rule_is_named_with_its_cure(settings: LazySettings, changes: dict[str, Any], expected: str) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)
    assert found() == [expected]
    assert all(message.hint for message in check_settings(None))


def test_the_audit_may_still_verify_what_secret_key_has_signed(settings: LazySettings) -> None:
    settings.AUDIT_KEY = ["a new one", settings.SECRET_KEY]
    assert found() == []


def test_secrets_in_common_are_named_and_not_quoted(settings: LazySettings) -> None:
    settings.AUDIT_KEY = [settings.SECRET_KEY]
    (message,) = check_settings(None)
    assert message.msg.startswith("AUDIT_KEY and SECRET_KEY have one value in common")
    assert settings.SECRET_KEY not in message.msg
