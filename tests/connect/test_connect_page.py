"""The page "Connect N8N": what is set, what is in N8N, and what is left to do there."""

import pytest
from django.conf import LazySettings
from django.test import Client as Browser

from jobs.connect import page
from jobs.connect.workflows import PURPOSES, REPORTER, workflow
from tests.support.outages import silent_port
from tests.support.servers import made_up
from tests.support.staff import staff
from tests.support.stub_n8n import KEY, StubN8N

from .connect_page import CONNECT, INSTALL, SEE, TEST, install, page_text
from .installs import AI, NAMES, TRY

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


# -- what is set here


def test_no_secret_is_shown_to_anybody(administrator: Browser, settings: LazySettings, n8n: StubN8N) -> None:
    install(administrator)
    secrets = [settings.SECRET_KEY, settings.N8N_API_KEY, *settings.N8N_WEBHOOK_SECRET, *settings.CALLBACK_SECRET_TOKEN]
    text = administrator.get(CONNECT).content.decode()
    assert [secret for secret in [*secrets, KEY] if secret in text] == []


def test_the_webhooks_path_is_for_those_who_set_n8n_up(
    operator: Browser, administrator: Browser, settings: LazySettings
) -> None:
    settings.N8N_WEBHOOK_URL = "https://n8n.example.com/webhook/4f0c-secret"
    assert "https://n8n.example.com/webhook/4f0c-secret" in page_text(administrator)
    for_operators = operator.get(CONNECT).content.decode()
    assert "https://n8n.example.com/…" in for_operators
    assert "4f0c-secret" not in for_operators


def test_a_password_in_the_webhooks_address_is_shown_to_nobody(
    operator: Browser, administrator: Browser, settings: LazySettings
) -> None:
    settings.N8N_WEBHOOK_URL = "https://proxy:let-me-in@n8n.example.com/webhook/receipts?x=1"
    assert "https://n8n.example.com/webhook/receipts?x=1" in page_text(administrator)
    for browser in (operator, administrator):
        assert "let-me-in" not in browser.get(CONNECT).content.decode()


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("N8N_WEBHOOK_URL", "https://n8n.example.com/webhook-test/receipts", "set the production URL"),
        ("CALLBACK_BASE_URL", "http://localhost:8000", "set an address at which N8N reaches this service"),
        ("N8N_WEBHOOK_SECRET", [], "carries no signature"),
        ("N8N_WEBHOOK_SECRET", ["whsec_" + "/" * 43 + "8="], "do not check it"),
        ("N8N_PAYLOAD", "multipart", "no raw body of a form"),
        ("N8N_VERIFY_SSL", "false", "Whoever sits between"),
        ("N8N_PUBLIC_API_KEY", "", "a button installs the workflows"),
    ],
)
def test_what_should_be_set_otherwise_is_said(
    viewer: Browser, settings: LazySettings, setting: str, value: object, words: str
) -> None:
    settings.N8N_WEBHOOK_URL = "https://n8n.example.com/webhook/receipts"
    settings.N8N_BASE_URL = ""
    settings.N8N_PUBLIC_API_KEY = made_up("key")
    settings.CALLBACK_BASE_URL = "https://receipts.example.com"
    assert words not in page_text(viewer)
    setattr(settings, setting, value)
    assert words in page_text(viewer)


# -- by hand


def test_without_a_key_of_its_api_the_page_leads_by_hand(administrator: Browser) -> None:
    text = page_text(administrator)
    for words in ("Import from file…", "Error workflow", "publish", "Hmac Secret", "X-Callback-Token"):
        assert words in text
    assert text.index("Hmac Secret") < text.index("publish the workflow that reports failures")


@pytest.mark.parametrize("slug", PURPOSES)
def test_each_workflow_is_handed_out_as_it_is_made_for_this_installation(administrator: Browser, slug: str) -> None:
    answer = administrator.get(f"{CONNECT}workflows/{slug}.json")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{slug}.json"'
    assert answer.json() == workflow(slug).content


def test_there_is_no_other_workflow_to_hand_out(administrator: Browser) -> None:
    assert administrator.get(f"{CONNECT}workflows/notion-properties.json").status_code == 404


# -- by N8N's API


def test_it_tells_how_each_stands(viewer: Browser, administrator: Browser, n8n: StubN8N) -> None:
    assert page_text(viewer).count("not installed") == 4
    install(administrator)
    text = page_text(viewer)
    assert f"{NAMES[TRY]} takes receipts" in text
    assert f"{NAMES[REPORTER]} active" in text
    assert f"{NAMES[AI]} installed" in text
    assert f"{NAMES[AI]} : Notion, OpenAI" in text


def test_that_another_makers_model_takes_another_node_is_said(viewer: Browser) -> None:
    text = page_text(viewer)
    assert "to read receipts with AI, one of OpenAI" in text
    assert "first replace the node AI model by that maker's" in text


def test_what_is_kept_of_a_choice_is_one_of_ours(administrator: Browser, n8n: StubN8N) -> None:
    for asked in (REPORTER, "nothing-of-ours"):
        assert f'value="{TRY}" checked' in administrator.get(CONNECT, {"activate": asked}).content.decode()


@pytest.mark.parametrize(
    "row",
    [
        None,
        {"id": "1"},
        {"name": NAMES[TRY]},
        {"id": 1, "name": NAMES[TRY]},
        {"id": "1", "name": NAMES[TRY], "connections": {}},
        {"id": "1", "name": NAMES[TRY], "connections": {}, "nodes": None},
        {"id": "1", "name": NAMES[TRY], "connections": {}, "nodes": [{"type": "of-what"}]},
        {"id": "1", "name": NAMES[TRY], "connections": {}, "nodes": [{"name": "Receipt", "credentials": ["x"]}]},
        {"id": "1", "name": NAMES[TRY], "connections": {}, "nodes": [], "activeVersion": {"nodes": ["x"]}},
    ],
)
def test_a_list_of_what_is_no_workflow_is_told_with_a_cure(viewer: Browser, n8n: StubN8N, row: object) -> None:
    n8n.instead["GET /api/v1/workflows"] = {"data": [row], "nextCursor": None}
    assert "See that N8N_BASE_URL is the address of N8N's editor" in page_text(viewer)


def test_what_n8n_leaves_empty_in_a_workflow_is_not_its_fault(viewer: Browser, n8n: StubN8N) -> None:
    nodes = [{"name": "Create the page", "credentials": None}, {"name": "AI model", "credentials": {"openAiApi": None}}]
    row: dict[str, object] = {"id": "1", "name": NAMES[AI], "connections": {}, "nodes": nodes, "settings": None}
    n8n.instead["GET /api/v1/workflows"] = {"data": [row], "nextCursor": None}
    assert f"{NAMES[AI]} : Notion, OpenAI" in page_text(viewer)


def test_an_n8n_that_is_away_is_told_and_keeps_nobody_long(
    viewer: Browser, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "PATIENCE_SECONDS", 0.5)
    settings.N8N_PUBLIC_API_KEY = KEY
    with silent_port() as port:
        settings.N8N_BASE_URL = f"http://127.0.0.1:{port}"
        text = page_text(viewer)
    assert "N8N did not answer in time. See that N8N runs" in text
    assert NAMES[AI] in text


def test_a_slow_n8n_is_waited_for_once(viewer: Browser, n8n: StubN8N) -> None:
    n8n.takes = 0.2
    assert page_text(viewer).count("not installed") == 4
    assert n8n.calls == ["GET /api/v1/workflows", "GET /api/v1/credentials", "GET /api/v1/workflows"]


# -- who may


@pytest.mark.parametrize(
    ("permissions", "statuses"),
    [((), [403, 403, 403, 403]), ((SEE,), [200, 403, 403, 403]), (TEST, [200, 302, 403, 403]),
     (INSTALL, [200, 302, 302, 200])],
)  # fmt: skip
def test_operators_test_and_administrators_install(permissions: tuple[str, ...], statuses: list[int]) -> None:
    browser = staff(*permissions)
    answers = [
        browser.get(CONNECT),
        browser.post(f"{CONNECT}test/"),
        browser.post(f"{CONNECT}install/", {"activate": TRY}),
        browser.get(f"{CONNECT}workflows/{TRY}.json"),
    ]
    assert [answer.status_code for answer in answers] == statuses


def test_nobody_is_shown_a_button_that_he_may_not_press(viewer: Browser, operator: Browser, n8n: StubN8N) -> None:
    assert "<form" not in viewer.get(CONNECT).content.decode().partition('id="content-main"')[2]
    text = operator.get(CONNECT).content.decode()
    assert "Test now" in text
    assert 'name="activate"' not in text
