"""How strong a secret has to be."""

import base64
import secrets
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from accounting.environment import Environment
from accounting.environment.strength import weakness
from tests.support.servers import made_up

CANARY = "canary-0451"


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
    with pytest.raises(ImproperlyConfigured) as refusal:
        Environment(Path("none")).secrets("N8N_WEBHOOK_SECRET")
    assert str(refusal.value).startswith("N8N_WEBHOOK_SECRET ")
    assert reason in str(refusal.value)
    assert weak not in str(refusal.value)
    assert CANARY not in str(refusal.value)


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
