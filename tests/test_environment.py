"""Settings: a missing or impossible one stops the process with a sentence, and the example file names each of them."""

import json
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parent.parent
EXAMPLE = (PROJECT / ".env.example").read_text()
SHOWN = re.compile(r"^(?:# )?([A-Z0-9_]+)=(.*)$", re.MULTILINE)
READ = re.compile(r'\benv\.\w+\(\s*"([A-Z0-9_]+)"')
CANARY = "canary-0451"

SECRETS = ["SECRET_KEY", "SECRET_KEY_FALLBACKS", "N8N_API_KEY", "N8N_WEBHOOK_SECRET", "CALLBACK_SECRET_TOKEN"]
IMPOSSIBLE = [
    ("DEBUG", CANARY),
    ("PUBLIC_BASE_URL", f"{CANARY}.example.com"),
    ("PUBLIC_BASE_URL", f"https://{CANARY}:99999"),
    ("CALLBACK_BASE_URL", f"ftp://{CANARY}"),
    ("DATABASE_URL", f"mysql://user:{CANARY}@127.0.0.1/receipts"),
    ("DATABASE_URL", f"postgresql://user:{CANARY}@127.0.0.1:port/receipts"),
    ("DATABASE_URL", f"${CANARY}"),
    ("REDIS_URL", f"{CANARY}:6379"),
    ("REDIS_URL", f"redis://:{CANARY}@127.0.0.1:port/0"),
    ("CALLBACK_SECRET_TOKEN", ","),
    ("N8N_WEBHOOK_URL", f"/webhook/{CANARY}"),
    ("N8N_DEADLINE_SECONDS", CANARY),
    ("N8N_DEADLINE_SECONDS", "0"),
    ("N8N_MAX_PAYLOAD_MB", "-1"),
    ("N8N_MAX_IN_FLIGHT", "many"),
    ("CALLBACK_TIMEOUT_SECONDS", "15m"),
    ("DELIVERY_RETRY_SCHEDULE", f"5,{CANARY}"),
    ("UPLOAD_MAX_MB", "0.5"),
    ("UPLOAD_MAX_MEGAPIXELS", "0"),
    ("LOG_LEVEL", CANARY),
    ("LOG_FORMAT", CANARY),
]


def example(*, required: bool) -> dict[str, str]:
    """Return what the example shows: what must be set, or the defaults."""
    return {match[1]: match[2] for match in SHOWN.finditer(EXAMPLE) if match[0].startswith("#") != required}


def settings_of(**changes: str) -> dict[str, str]:
    """Return the environment of a process whose settings are the example's, with its placeholders filled in."""
    unset = dict.fromkeys(example(required=False), "")  # whatever an .env file says
    secret = "of-sufficient-length-for-a-secret-0123456789"
    filled_in = {key: value.replace("change-me", secret) for key, value in example(required=True).items()}
    return os.environ | unset | filled_in | changes


def check(**changes: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", "check"]
    return subprocess.run(command, cwd=PROJECT, env=settings_of(**changes), capture_output=True, text=True, check=False)


def assert_one_sentence(result: subprocess.CompletedProcess[str], key: str) -> None:
    assert result.returncode == 1
    assert result.stdout == ""
    assert re.fullmatch(rf"manage\.py: {key} \S[^\n]+\.\n", result.stderr), result.stderr


def test_the_example_with_its_placeholders_filled_in_is_enough() -> None:
    assert check().returncode == 0


def test_a_secret_may_begin_with_a_dollar() -> None:
    assert check(SECRET_KEY=f"${'x1' * 20}").returncode == 0


@pytest.mark.parametrize("key", example(required=True))
def test_a_missing_setting_stops_the_process_and_is_named(key: str) -> None:
    result = check(**{key: ""})

    assert_one_sentence(result, key)
    assert "is missing" in result.stderr


@pytest.mark.parametrize(("key", "value"), IMPOSSIBLE)
def test_an_impossible_setting_stops_the_process_and_its_value_is_not_told(key: str, value: str) -> None:
    result = check(**{key: value})

    assert_one_sentence(result, key)
    assert CANARY not in result.stderr


@pytest.mark.parametrize("key", SECRETS)
def test_a_secret_copied_from_the_example_is_refused(key: str) -> None:
    result = check(**{key: f"change-me-{CANARY}-0123456789-0123456789"})

    assert_one_sentence(result, key)
    assert CANARY not in result.stderr


@pytest.mark.parametrize("key", SECRETS)
def test_a_short_secret_is_refused(key: str) -> None:
    result = check(**{key: CANARY})

    assert_one_sentence(result, key)
    assert CANARY not in result.stderr


def test_each_of_several_secrets_must_be_good() -> None:
    result = check(CALLBACK_SECRET_TOKEN=f"a-good-one-0123456789-0123456789,{CANARY}")

    assert_one_sentence(result, "CALLBACK_SECRET_TOKEN")
    assert CANARY not in result.stderr


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"UPLOAD_FORMATS": "jpeg,docx"}, "jobs.E001"),
        ({"N8N_VERIFY_SSL": "/no/such/bundle.pem"}, "jobs.E003"),
    ],
)
def test_settings_that_do_not_go_together_fail_a_check_with_a_hint(changes: dict[str, str], expected: str) -> None:
    result = check(**changes)

    assert result.returncode == 1
    assert expected in result.stderr
    assert "HINT: " in result.stderr


def test_the_example_names_what_the_settings_read_in_the_same_order() -> None:
    source = (PROJECT / "accounting" / "settings.py").read_text()

    assert [match[1] for match in SHOWN.finditer(EXAMPLE)] == READ.findall(source)


def test_the_example_explains_each_key() -> None:
    text = EXAMPLE.splitlines()
    unexplained = [line for above, line in pairwise(text) if SHOWN.match(line) and not re.match(r"# (?!--)", above)]

    assert unexplained == []


def test_the_defaults_that_the_example_shows_are_the_defaults() -> None:
    assert loaded_settings(**example(required=False)) == loaded_settings()


def loaded_settings(**changes: str) -> dict[str, Any]:
    """Return all settings of a process, with paths as they are seen from the project's folder."""
    program = (
        "import json; from accounting import settings; "
        "print(json.dumps({key: value for key, value in vars(settings).items() if key.isupper()}, default=str))"
    )
    command = [sys.executable, "-c", program]
    result = subprocess.run(
        command, cwd=PROJECT, env=settings_of(**changes), capture_output=True, text=True, check=True
    )
    settings: dict[str, Any] = json.loads(result.stdout.replace(f"{PROJECT}/", ""))
    return settings
