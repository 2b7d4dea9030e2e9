"""The workflows of `n8n/`, made for this installation."""

import base64
import json
from typing import Any

import pytest
from django.conf import LazySettings

from jobs.connect.notion import properties
from jobs.connect.remote import FIRST_WORD
from jobs.connect.workflows import (
    FOLDER,
    PURPOSES,
    REPORTER,
    TRIAL,
    is_test_url,
    signing_text,
    version_in,
    webhook_path,
    workflow,
    workflows,
)
from tests.support.servers import made_up

SIGNING = "Sign it as the service does"


def node(slug: str, name: str) -> dict[str, Any]:
    return next(each for each in workflow(slug).content["nodes"] if each["name"] == name)


def setting(slug: str, name: str) -> Any:
    fields = node(slug, "Settings")["parameters"]["assignments"]["assignments"]
    return next(field["value"] for field in fields if field["name"] == name)


def test_every_file_has_its_purpose() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} - {"notion-properties"} == set(PURPOSES)


def test_all_names_have_the_word_by_which_they_are_listed() -> None:
    assert [each.name for each in workflows() if not each.name.startswith(FIRST_WORD)] == []


def test_what_is_none_of_ours_is_not_looked_for() -> None:
    with pytest.raises(KeyError):
        workflow("notion-properties")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://n8n.example.com/webhook/receipts", "receipts"),
        ("https://n8n.example.com/webhook/4f0c/receipts", "4f0c/receipts"),
        ("https://example.com/n8n/webhook/receipts", "receipts"),
        ("https://n8n.example.com/webhook/webhook/receipts", "webhook/receipts"),
        ("https://n8n.example.com/hooks/receipts", "receipts"),
        ("https://n8n.example.com/webhook-test/receipts", "receipts"),
        ("https://n8n.example.com/webhook-test/webhook/receipts", "webhook/receipts"),
        ("https://n8n.example.com/webhook/receipts?x=1", "receipts"),
        ("https://n8n.example.com/receipts", "receipts"),
        ("https://n8n.example.com", ""),
    ],
)
def test_the_webhooks_path_is_what_follows_n8ns_endpoint(settings: LazySettings, url: str, path: str) -> None:
    settings.N8N_WEBHOOK_URL = url
    assert webhook_path() == path
    assert is_test_url() == ("/webhook-test/" in url)


def test_the_webhook_of_each_has_the_path_in_force(settings: LazySettings) -> None:
    settings.N8N_WEBHOOK_URL = "https://n8n.example.com/webhook/elsewhere"
    paths = {each.slug: node(each.slug, "Receipt")["parameters"]["path"] for each in workflows() if each.takes_receipts}
    assert set(paths.values()) == {"elsewhere"}
    assert len(paths) == 3


def test_each_workflow_that_asks_where_the_service_is_gets_its_address(settings: LazySettings) -> None:
    settings.CALLBACK_BASE_URL = "http://web:8000"
    asking = [each.slug for each in workflows() if '"service_url"' in json.dumps(each.content)]
    assert {REPORTER, TRIAL} <= set(asking)
    assert {setting(slug, "service_url") for slug in asking} == {"http://web:8000"}


def standard(secret: bytes) -> str:
    return f"whsec_{base64.b64encode(secret).decode()}"


@pytest.mark.parametrize(
    ("secrets", "text"),
    [
        ([], ""),
        ([made_up("plain")], made_up("plain")),
        ([standard(b"the newest of two secrets, as text"), made_up("old")], "the newest of two secrets, as text"),
        ([standard(bytes(range(200, 232)))], ""),
    ],
)
def test_signatures_are_checked_where_n8n_can_hold_the_secret(
    settings: LazySettings, secrets: list[str], text: str
) -> None:
    settings.N8N_WEBHOOK_SECRET = secrets
    assert signing_text() == text
    assert setting("receipt-to-notion", "check_signature") is bool(text)
    assert ("credentials" in node("receipt-to-notion", SIGNING)) is bool(text)
    assert node("receipt-to-notion", SIGNING).get("disabled", False) is not bool(text)


def test_signatures_of_forms_are_not_checked_since_n8n_keeps_their_bytes_to_itself(settings: LazySettings) -> None:
    settings.N8N_PAYLOAD = "multipart"
    assert signing_text() != ""
    for slug in ("receipt-to-notion", "receipt-to-notion-without-ai"):
        assert setting(slug, "check_signature") is False
        assert "credentials" not in node(slug, SIGNING)
        assert [each["name"] for each in workflow(slug).content["nodes"] if each.get("disabled")] == [SIGNING]


def test_the_version_is_another_where_anything_in_it_is(settings: LazySettings) -> None:
    made = {each.slug: each for each in workflows()}
    assert all(version_in(each.content) == each.version for each in made.values())
    settings.N8N_WEBHOOK_URL = "https://n8n.example.com/webhook/elsewhere"
    assert workflow(REPORTER).version == made[REPORTER].version
    assert workflow("receipt-to-notion").version != made["receipt-to-notion"].version


def test_no_secret_is_in_a_workflow(settings: LazySettings) -> None:
    secrets = [settings.SECRET_KEY, settings.N8N_API_KEY, *settings.CALLBACK_SECRET_TOKEN, signing_text()]
    for each in workflows():
        assert not any(secret in json.dumps(each.content) for secret in secrets)


def test_the_properties_that_are_told_are_those_that_are_written() -> None:
    told = {each.name for each in properties()}
    code = json.dumps(workflow("receipt-to-notion").content)
    assert {"Job ID", "Receipt", "Total"} <= told
    assert [name for name in told - {"Name"} if name not in code] == []
