"""How strong a secret has to be."""

import base64
import secrets
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from accounting.environment import Environment
from accounting.environment.strength import weakness
from tests.support.environments import loaded_settings, refusal
from tests.support.servers import made_up

CANARY = "canary-0451"
SECRETS = [
    "SECRET_KEY", "SECRET_KEY_FALLBACKS", "AUDIT_KEY", "N8N_API_KEY", "N8N_WEBHOOK_SECRET", "N8N_PUBLIC_API_KEY",
    "CALLBACK_SECRET_TOKEN",
]  # fmt: skip


@pytest.mark.parametrize(
    ("weak", "reason"),
    [
        ("x" * 64, "different characters"),
        ("12" * 40, "different characters"),
        (f"Made-Up-for-checks-{CANARY}-Rm0tVqvJ7yZk3Xw9bN5cL2", "example's"),
        (f"django-insecure-{CANARY}-Rm0tVqvJ7yZk3Xw9bN5cL2", "example's"),
        ("0123456789" * 4, "example's"),
        (f"whsec_{CANARY}-which-is-no-base64-{CANARY}", "24 to 64 bytes"),
        ("whsec_" + base64.b64encode(b"twenty-three bytes long").decode(), "24 to 64 bytes"),
        ("whsec_" + base64.b64encode(b"sixty-five bytes long".ljust(65, b".")).decode(), "24 to 64 bytes"),
    ],
)
def test_a_secret_that_can_be_guessed_is_refused(weak: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("N8N_WEBHOOK_SECRET", f"{made_up('one')},{weak}")
    with pytest.raises(ImproperlyConfigured) as refused:
        Environment(Path("none")).secrets("N8N_WEBHOOK_SECRET")
    assert str(refused.value).startswith("N8N_WEBHOOK_SECRET ")
    assert reason in str(refused.value)
    assert weak not in str(refused.value)
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize(
    "good",
    [
        secrets.token_urlsafe(48),
        secrets.token_hex(16),
        "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode(),
        "whsec_" + base64.b64encode(secrets.token_bytes(64)).decode(),
    ],
    ids=["of our own command", "hexadecimal", "the shortest of Standard Webhooks", "the longest"],
)
def test_a_random_secret_is_good(good: str) -> None:
    assert weakness(good) == ""


def test_a_secret_may_begin_with_a_dollar() -> None:
    secret = f"${made_up('any')}"
    assert loaded_settings(SECRET_KEY=secret)["SECRET_KEY"] == secret


@pytest.mark.parametrize("key", SECRETS)
def test_a_secret_copied_from_the_example_is_refused(key: str) -> None:
    sentence = refusal(key, **{key: f"change-me-{CANARY}-{made_up('any')}"})
    assert "is an example's value" in sentence
    assert CANARY not in sentence


@pytest.mark.parametrize("key", SECRETS)
def test_a_short_secret_is_refused(key: str) -> None:
    sentence = refusal(key, **{key: CANARY})
    assert "has fewer than 32 characters" in sentence
    assert CANARY not in sentence


def test_each_of_several_secrets_must_be_good() -> None:
    several = f"{made_up('one')},{CANARY}"
    assert CANARY not in refusal("CALLBACK_SECRET_TOKEN", CALLBACK_SECRET_TOKEN=several)
