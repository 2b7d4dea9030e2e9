"""Workflows are put into N8N by its public API, as often as somebody likes, and what stops that is said."""

import json
import time

import pytest
from django.conf import LazySettings

from jobs.connect import activation, webhook
from jobs.connect.installing import install
from jobs.connect.listing import rows
from jobs.connect.workflows import REPORTER, signing_text
from jobs.n8n_api import ApiError, PublicApi
from tests.support.n8n_rules import OF_CREDENTIALS
from tests.support.stub_n8n import KEY, StubN8N
from tests.support.stub_server import Visit, answering, response, silent, stub_server

from .installs import (
    AI,
    NAMES,
    PLAIN,
    SECRET,
    TOKEN,
    TRY,
    WEBHOOK,
    changing_calls,
    remote_workflow,
    run_install,
    with_notion,
)

# -- from nothing


def test_everything_is_made_and_the_chosen_one_takes_receipts(n8n: StubN8N, api: PublicApi) -> None:
    words = run_install(api)
    assert sorted(each["name"] for each in n8n.workflows.values()) == sorted(NAMES.values())
    assert n8n.active() == {NAMES[REPORTER], NAMES[TRY]}
    assert f"Created “{NAMES[AI]}”." in words
    assert words.endswith("The webhook answers.")


def test_failures_of_each_go_to_the_reporter(n8n: StubN8N, api: PublicApi) -> None:
    run_install(api)
    reporter = n8n.named(NAMES[REPORTER])["id"]
    for slug in (TRY, PLAIN, AI):
        assert n8n.named(NAMES[slug])["settings"]["errorWorkflow"] == reporter
    assert "errorWorkflow" not in n8n.named(NAMES[REPORTER])["settings"]


def test_our_credentials_hold_the_secrets_in_force_and_go_nowhere_else(
    n8n: StubN8N, api: PublicApi, settings: LazySettings
) -> None:
    settings.CALLBACK_BASE_URL = "https://receipts.example.com/inside"
    run_install(api)
    made = {row["name"]: row["data"] for row in n8n.credentials.values()}
    assert made == {
        WEBHOOK: {
            "name": "Authorization", "value": f"Bearer {settings.N8N_API_KEY}", "allowedHttpRequestDomains": "none",
        },
        TOKEN: {
            "name": "X-Callback-Token", "value": settings.CALLBACK_SECRET_TOKEN[0],
            "allowedHttpRequestDomains": "domains", "allowedDomains": "receipts.example.com",
        },
        SECRET: {"hmacSecret": signing_text()},
    }  # fmt: skip
    assert n8n.node(NAMES[AI], "Receipt")["credentials"]["httpHeaderAuth"]["id"] in n8n.credentials


def test_an_n8n_that_cannot_restrict_a_credential_gets_it_without(
    n8n: StubN8N, api: PublicApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(OF_CREDENTIALS, "httpHeaderAuth", {"name", "value"})
    run_install(api)
    assert {row["name"] for row in n8n.credentials.values()} == {WEBHOOK, TOKEN, SECRET}


@pytest.mark.parametrize(("setting", "value"), [("N8N_WEBHOOK_SECRET", []), ("N8N_PAYLOAD", "multipart")])
def test_where_no_signature_is_checked_nobody_has_to_choose_a_secret(
    n8n: StubN8N, api: PublicApi, settings: LazySettings, setting: str, value: object
) -> None:
    setattr(settings, setting, value)
    run_install(api)
    assert {row["name"] for row in n8n.credentials.values()} == {WEBHOOK, TOKEN}
    assert remote_workflow(api, PLAIN).to_choose == ["Notion"]
    with_notion(n8n)
    assert run_install(api, activate=PLAIN).endswith("The webhook answers.")


# -- again


def test_to_install_again_makes_nothing_twice(n8n: StubN8N, api: PublicApi) -> None:
    run_install(api)
    before = [dict(each) for each in n8n.workflows.values()]
    changing_calls(n8n)
    run_install(api)
    assert [dict(each) for each in n8n.workflows.values()] == before
    assert len(n8n.credentials) == 3
    assert {call.partition(" ")[0] for call in changing_calls(n8n)} == {
        "PATCH"
    }  # the secrets, which nobody can read there


def test_a_new_secret_reaches_n8n(n8n: StubN8N, api: PublicApi, settings: LazySettings) -> None:
    run_install(api)
    settings.N8N_API_KEY = "another-key-of-the-webhook"
    assert f"Gave the credential “{WEBHOOK}” the secret in force." in run_install(api)
    values = {row["name"]: row["data"].get("value") for row in n8n.credentials.values()}
    assert values[WEBHOOK] == "Bearer another-key-of-the-webhook"


# -- what stops it


@pytest.mark.parametrize("answer", [b"[]", b'"yes"', b"{}", b'{"data": {}}', b'{"data": [], "nextCursor": "1"}'])
def test_what_is_no_list_of_n8ns_stops_it_with_a_cure(answer: bytes) -> None:
    with stub_server(answering(response(200, answer))) as server, pytest.raises(ApiError, match="N8N_BASE_URL"):
        run_install(PublicApi(base_url=server.url, key=KEY))


def test_a_list_that_never_ends_is_over_within_the_deadline_of_one_call() -> None:
    page = json.dumps({"data": [], "nextCursor": "more"}).encode()

    def turn_pages(visit: Visit) -> None:
        while visit.read():
            visit.pause(0.3)
            visit.send(response(200, page))

    with stub_server(turn_pages) as server, pytest.raises(ApiError, match="did not answer in time"):
        rows(PublicApi(base_url=server.url, key=KEY, deadline=1.0), "credentials")
    assert len(server.requests) < 5


def test_what_was_done_before_n8n_failed_is_gone_on_from(n8n: StubN8N, api: PublicApi) -> None:
    n8n.refuses = lambda call: call == "POST /api/v1/workflows" and len(n8n.workflows) == 2
    steps = install(api, activate=TRY)
    with pytest.raises(ApiError):
        list(steps)
    assert len(n8n.workflows) == 2
    n8n.refuses = lambda call: False
    run_install(api)
    assert len(n8n.workflows) == 4
    assert n8n.active() == {NAMES[REPORTER], NAMES[TRY]}


def test_a_webhook_that_fails_is_not_said_to_answer(n8n: StubN8N, api: PublicApi, settings: LazySettings) -> None:
    with stub_server(answering(response(500, b"{}"))) as failing:
        settings.N8N_WEBHOOK_URL = f"{failing.url}/webhook/receipts"
        *_, last = install(api, activate=TRY)
    assert last.is_warning
    assert "fails at N8N_WEBHOOK_URL" in last.sentence


def test_a_webhook_that_is_silent_is_knocked_at_for_no_longer_than_there_is_time(
    n8n: StubN8N, api: PublicApi, settings: LazySettings
) -> None:
    with stub_server(silent) as hanging:
        settings.N8N_WEBHOOK_URL = f"{hanging.url}/webhook/receipts"
        started = time.monotonic()
        *_, last = install(api.over_in(1.5), activate=TRY)
    assert time.monotonic() - started < 1.5 + 2 * webhook.AT_LEAST_SECONDS + 1
    assert "cannot be reached" in last.sentence


def test_a_webhook_elsewhere_is_said_not_to_answer(
    n8n: StubN8N, api: PublicApi, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activation, "PATIENCE_SECONDS", 0.0)
    settings.N8N_WEBHOOK_URL = f"{n8n.url}/other/receipts"
    *_, last = install(api, activate=TRY)
    assert last.is_warning
    assert "does not answer" in last.sentence
