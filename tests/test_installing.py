"""Workflows are put into N8N by its public API, as often as somebody likes, and nobody's work is lost by it."""

import json
from collections.abc import Iterator

import pytest
from django.conf import LazySettings

from jobs.connect import installing
from jobs.connect.holder import holder_of_path
from jobs.connect.installing import NotInstalled, install
from jobs.connect.listing import A_PAGE, rows
from jobs.connect.standing import Standing, State, standings
from jobs.connect.workflows import PURPOSES, REPORTER, signing_text, workflow, workflows
from jobs.n8n_api import ApiError, PublicApi

from .stub_n8n import KEY, OF_CREDENTIALS, StubN8N, stub_n8n
from .stub_server import Visit, answering, response, stub_server

TRY, PLAIN, AI = "try-the-connection", "receipt-to-notion-without-ai", "receipt-to-notion"
NAMES = {slug: workflow(slug).name for slug in PURPOSES}
WEBHOOK, TOKEN, SECRET = "Receipts: webhook", "Receipts: callback token", "Receipts: webhook secret"


@pytest.fixture
def n8n(settings: LazySettings) -> Iterator[StubN8N]:
    """Return an N8N that holds nothing yet, and that the settings name."""
    with stub_n8n() as n8n:
        settings.N8N_BASE_URL = n8n.url
        settings.N8N_WEBHOOK_URL = f"{n8n.url}/webhook/receipts"
        yield n8n


@pytest.fixture
def api(n8n: StubN8N) -> PublicApi:
    """Return its public API."""
    return PublicApi(base_url=n8n.url, key=KEY)


def said(api: PublicApi, activate: str = TRY, replace: tuple[str, ...] = ()) -> str:
    """Install, and return what was said."""
    return " ".join(deed.sentence for deed in install(api, activate=activate, replace=replace))


def how(api: PublicApi, slug: str) -> Standing:
    """Return how one of ours stands."""
    return next(each for each in standings(api) if each.workflow.slug == slug)


def with_notion(n8n: StubN8N) -> None:
    """Give N8N the credential without which no workflow that files in Notion is activated."""
    n8n.add_credential("notionApi", "Our Notion", apiKey="x")


def written(n8n: StubN8N) -> list[str]:
    """Return what N8N was asked to change since the last time."""
    calls = [call for call in n8n.calls if not call.startswith("GET") and "/webhook/" not in call]
    n8n.calls.clear()
    return calls


# -- from nothing


def test_everything_is_made_and_the_chosen_one_takes_receipts(n8n: StubN8N, api: PublicApi) -> None:
    words = said(api)
    assert sorted(each["name"] for each in n8n.workflows.values()) == sorted(NAMES.values())
    assert n8n.active() == {NAMES[REPORTER], NAMES[TRY]}
    assert f"Created “{NAMES[AI]}”." in words
    assert words.endswith("The webhook answers.")


def test_failures_of_each_go_to_the_reporter(n8n: StubN8N, api: PublicApi) -> None:
    said(api)
    reporter = n8n.named(NAMES[REPORTER])["id"]
    for slug in (TRY, PLAIN, AI):
        assert n8n.named(NAMES[slug])["settings"]["errorWorkflow"] == reporter
    assert "errorWorkflow" not in n8n.named(NAMES[REPORTER])["settings"]


def test_our_credentials_hold_the_secrets_in_force_and_go_nowhere_else(
    n8n: StubN8N, api: PublicApi, settings: LazySettings
) -> None:
    settings.CALLBACK_BASE_URL = "https://receipts.example.com/inside"
    said(api)
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
    said(api)
    assert {row["name"] for row in n8n.credentials.values()} == {WEBHOOK, TOKEN, SECRET}


@pytest.mark.parametrize(("setting", "value"), [("N8N_WEBHOOK_SECRET", []), ("N8N_PAYLOAD", "multipart")])
def test_where_no_signature_is_checked_nobody_has_to_choose_a_secret(
    n8n: StubN8N, api: PublicApi, settings: LazySettings, setting: str, value: object
) -> None:
    setattr(settings, setting, value)
    said(api)
    assert {row["name"] for row in n8n.credentials.values()} == {WEBHOOK, TOKEN}
    assert how(api, PLAIN).to_choose == ["Notion"]
    with_notion(n8n)
    assert said(api, activate=PLAIN).endswith("The webhook answers.")


# -- again


def test_to_install_again_makes_nothing_twice(n8n: StubN8N, api: PublicApi) -> None:
    said(api)
    before = [dict(each) for each in n8n.workflows.values()]
    written(n8n)
    said(api)
    assert [dict(each) for each in n8n.workflows.values()] == before
    assert len(n8n.credentials) == 3
    assert {call.partition(" ")[0] for call in written(n8n)} == {"PATCH"}  # the secrets, which nobody can read there


def test_a_new_secret_reaches_n8n(n8n: StubN8N, api: PublicApi, settings: LazySettings) -> None:
    said(api)
    settings.N8N_API_KEY = "another-key-of-the-webhook"
    assert f"Gave the credential “{WEBHOOK}” the secret in force." in said(api)
    values = {row["name"]: row["data"].get("value") for row in n8n.credentials.values()}
    assert values[WEBHOOK] == "Bearer another-key-of-the-webhook"


def test_another_one_takes_receipts_in_the_place_of_the_first(n8n: StubN8N, api: PublicApi) -> None:
    with_notion(n8n)
    said(api)
    words = said(api, activate=PLAIN)
    assert n8n.active() == {NAMES[REPORTER], NAMES[PLAIN]}
    assert f"Deactivated “{NAMES[TRY]}”." in words


def test_a_webhook_that_is_known_late_is_waited_for(n8n: StubN8N, api: PublicApi) -> None:
    n8n.late = 2
    assert said(api).endswith("The webhook answers.")
    assert n8n.late == 0


def test_a_webhook_that_is_let_go_of_late_is_waited_for(n8n: StubN8N, api: PublicApi) -> None:
    with_notion(n8n)
    said(api)
    n8n.lingers = 2
    said(api, activate=PLAIN)
    assert (n8n.active(), n8n.lingers) == ({NAMES[REPORTER], NAMES[PLAIN]}, 0)


def test_where_another_workflow_has_the_path_the_former_one_goes_on(n8n: StubN8N, api: PublicApi) -> None:
    with_notion(n8n)
    said(api)
    mine = n8n.add_workflow({**workflow(PLAIN).content, "name": "Somebody's own"})
    n8n.named(NAMES[TRY])["active"] = False
    mine["active"] = True
    with pytest.raises(ApiError) as refusal:
        said(api, activate=PLAIN)
    assert refusal.value.status == 409
    assert refusal.value.sentence.startswith("“Somebody's own”, which is none of ours, is active in N8N")
    assert refusal.value.cure.startswith("Unpublish “Somebody's own” in N8N")
    assert n8n.active() == {NAMES[REPORTER], "Somebody's own"}


@pytest.mark.parametrize("change", [{"path": "elsewhere"}, {"httpMethod": "GET"}])
def test_a_workflow_that_does_not_take_what_is_sent_to_the_webhook_is_not_named(
    n8n: StubN8N, api: PublicApi, change: dict[str, str]
) -> None:
    mine = n8n.add_workflow({**workflow(TRY).content, "name": "Somebody's own"})
    n8n.publish("Somebody's own")
    assert holder_of_path(api) == "Somebody's own"
    next(each for each in mine["nodes"] if each["name"] == "Receipt")["parameters"] |= change
    assert holder_of_path(api) == ""


def test_where_n8n_refuses_the_new_one_the_old_one_takes_receipts_again(n8n: StubN8N, api: PublicApi) -> None:
    with_notion(n8n)
    said(api)
    key = n8n.named(NAMES[PLAIN])["id"]
    n8n.refuses = lambda call: call == f"POST /api/v1/workflows/{key}/activate"
    with pytest.raises(ApiError):
        said(api, activate=PLAIN)
    assert n8n.active() == {NAMES[REPORTER], NAMES[TRY]}


def test_of_those_that_took_receipts_each_is_tried_again(n8n: StubN8N, api: PublicApi) -> None:
    with_notion(n8n)
    n8n.add_credential("openAiApi", "Our OpenAI", apiKey="x")
    said(api)
    n8n.named(NAMES[AI])["active"] = True  # as an N8N that two people work in at once may have it
    keys = [n8n.named(NAMES[slug])["id"] for slug in (PLAIN, TRY)]
    n8n.refuses = lambda call: call in [f"POST /api/v1/workflows/{key}/activate" for key in keys]
    with pytest.raises(ApiError) as refusal:
        said(api, activate=PLAIN)
    assert n8n.active() == {NAMES[REPORTER], NAMES[AI]}
    assert "No workflow takes receipts" not in refusal.value.sentence


def test_where_none_can_be_activated_it_is_said_that_none_takes_receipts(n8n: StubN8N, api: PublicApi) -> None:
    with_notion(n8n)
    said(api)
    n8n.refuses = lambda call: call.endswith("/activate")
    with pytest.raises(ApiError) as refusal:
        said(api, activate=PLAIN)
    assert n8n.active() == {NAMES[REPORTER]}
    assert refusal.value.sentence.endswith("answered 500: Internal server error. No workflow takes receipts now.")


def test_where_the_former_one_was_never_off_nobody_says_so(n8n: StubN8N, api: PublicApi) -> None:
    with_notion(n8n)
    said(api)
    n8n.refuses = lambda call: call.endswith("activate")
    with pytest.raises(ApiError) as refusal:
        said(api, activate=PLAIN)
    assert n8n.active() == {NAMES[REPORTER], NAMES[TRY]}
    assert "No workflow takes receipts" not in refusal.value.sentence


# -- what people do in N8N stays


def test_what_was_changed_in_n8n_stays(n8n: StubN8N, api: PublicApi) -> None:
    said(api, activate=PLAIN)
    n8n.node(NAMES[PLAIN], "Call back")["parameters"]["options"]["timeout"] = 1234
    said(api, activate=PLAIN)
    assert n8n.node(NAMES[PLAIN], "Call back")["parameters"]["options"]["timeout"] == 1234


def test_one_of_another_version_is_left_alone_and_said_to_be(
    n8n: StubN8N, api: PublicApi, settings: LazySettings
) -> None:
    said(api, activate=PLAIN)
    before = dict(n8n.named(NAMES[PLAIN]))
    settings.N8N_WEBHOOK_SECRET = []  # its node "Settings" would say so
    assert how(api, PLAIN).state is State.OTHER
    assert f"Left “{NAMES[PLAIN]}” as it is: it differs from this version." in said(api, activate=PLAIN)
    assert n8n.named(NAMES[PLAIN]) == before


def test_one_that_is_to_be_replaced_keeps_its_id_its_activity_and_its_credentials(
    n8n: StubN8N, api: PublicApi, settings: LazySettings
) -> None:
    said(api, activate="")
    n8n.publish(NAMES[PLAIN])
    for name in ("Shop", "Private"):
        n8n.add_credential("notionApi", name, apiKey="x")
    key, chosen = n8n.named(NAMES[PLAIN])["id"], {"id": list(n8n.credentials)[-1], "name": "Private"}
    n8n.node(NAMES[PLAIN], "Find the database")["credentials"]["notionApi"] = chosen
    settings.N8N_WEBHOOK_SECRET = []
    assert f"Replaced “{NAMES[PLAIN]}”." in said(api, activate=PLAIN, replace=(PLAIN,))
    assert (n8n.named(NAMES[PLAIN])["id"], n8n.active()) == (key, {NAMES[REPORTER], NAMES[PLAIN]})
    assert n8n.node(NAMES[PLAIN], "Find the database")["credentials"]["notionApi"] == chosen
    assert n8n.node(NAMES[PLAIN], "Create the page")["credentials"]["notionApi"]["id"] is None
    assert how(api, PLAIN).state is State.CURRENT


def test_an_archived_one_is_let_rest(n8n: StubN8N, api: PublicApi) -> None:
    said(api)
    n8n.named(NAMES[AI])["isArchived"] = True
    assert f"Created “{NAMES[AI]}”." in said(api)


def test_several_of_a_name_are_nobodys_to_choose_from(n8n: StubN8N, api: PublicApi) -> None:
    said(api)
    n8n.add_workflow(workflow(AI).content)
    written(n8n)
    with pytest.raises(NotInstalled, match=f"holds 2 workflows called “{NAMES[AI]}”"):
        said(api)
    assert written(n8n) == []


def test_one_whose_name_only_begins_so_is_another(n8n: StubN8N, api: PublicApi) -> None:
    n8n.add_workflow({**workflow(AI).content, "name": f"{NAMES[AI]} (copy)"})
    assert f"Created “{NAMES[AI]}”." in said(api)


# -- what is left to choose


def test_one_in_which_something_is_left_to_choose_takes_no_receipts_yet(n8n: StubN8N, api: PublicApi) -> None:
    said(api)
    *_, last = install(api, activate=AI)
    assert n8n.active() == {NAMES[REPORTER], NAMES[TRY]}
    assert last.is_warning
    assert f"“{NAMES[AI]}” does not take receipts yet" in last.sentence
    assert "a credential of Notion and OpenAI" in last.sentence


def test_it_takes_them_once_everything_is_chosen(n8n: StubN8N, api: PublicApi) -> None:
    assert f"“{NAMES[PLAIN]}” does not take receipts yet" in said(api, activate=PLAIN)
    with_notion(n8n)
    assert said(api, activate=PLAIN).endswith("The webhook answers.")
    assert n8n.active() == {NAMES[REPORTER], NAMES[PLAIN]}


def test_one_that_takes_receipts_is_not_stopped_for_what_is_left_to_choose(n8n: StubN8N, api: PublicApi) -> None:
    said(api, activate="")
    n8n.publish(NAMES[PLAIN])
    assert f"“{NAMES[PLAIN]}” takes receipts, and they fail" in said(api, activate=PLAIN)
    assert n8n.active() == {NAMES[REPORTER], NAMES[PLAIN]}


def test_what_nobody_has_chosen_yet_is_told(n8n: StubN8N, api: PublicApi) -> None:
    said(api)
    left = {each.workflow.slug: each.to_choose for each in standings(api)}
    assert left == {TRY: [], PLAIN: ["Notion"], AI: ["Notion", "OpenAI"], REPORTER: []}


def test_nothing_has_to_be_chosen_in_a_node_that_is_switched_off(n8n: StubN8N, api: PublicApi) -> None:
    said(api)
    n8n.node(NAMES[AI], "AI model")["disabled"] = True
    assert how(api, AI).to_choose == ["Notion"]


def test_the_model_of_another_maker_needs_no_credential_of_the_first(n8n: StubN8N, api: PublicApi) -> None:
    said(api)
    n8n.node(NAMES[AI], "AI model")["type"] = "@n8n/n8n-nodes-langchain.lmChatAnthropic"
    assert how(api, AI).to_choose == ["Notion"]


def test_the_only_credential_of_its_kind_is_chosen_the_next_time(n8n: StubN8N, api: PublicApi) -> None:
    said(api)
    key = n8n.add_credential("notionApi", "Our Notion", apiKey="x")
    assert f"Completed “{NAMES[AI]}”." in said(api)
    assert n8n.node(NAMES[AI], "Create the page")["credentials"]["notionApi"] == {"id": key, "name": "Our Notion"}
    assert how(api, AI).to_choose == ["OpenAI"]


def test_it_is_chosen_among_more_than_fit_on_a_page(n8n: StubN8N, api: PublicApi) -> None:
    for number in range(A_PAGE):
        n8n.add_credential("crypto", f"secret {number}", hmacSecret="x")
    n8n.add_credential("notionApi", "Our Notion", apiKey="x")
    said(api)
    assert how(api, PLAIN).to_choose == []


def test_of_two_credentials_neither_is_chosen(n8n: StubN8N, api: PublicApi) -> None:
    for name in ("Shop", "Private"):
        n8n.add_credential("notionApi", name, apiKey="x")
    said(api)
    assert how(api, PLAIN).to_choose == ["Notion"]


def test_what_the_editors_import_drops_is_completed(n8n: StubN8N, api: PublicApi) -> None:
    for each in workflows():
        n8n.add_workflow(each.content)
    assert f"Completed “{NAMES[TRY]}”." in said(api)
    assert n8n.named(NAMES[TRY])["settings"]["errorWorkflow"] == n8n.named(NAMES[REPORTER])["id"]
    assert n8n.named(NAMES[TRY])["settings"]["executionOrder"] == "v1"
    assert len(n8n.workflows) == 4


def test_what_somebody_has_not_published_yet_is_not_published_for_him(n8n: StubN8N, api: PublicApi) -> None:
    said(api, activate="")
    n8n.publish(NAMES[PLAIN])
    n8n.named(NAMES[PLAIN])["versionId"] = "a-draft"
    n8n.add_credential("notionApi", "Our Notion", apiKey="x")
    assert f"Left “{NAMES[PLAIN]}” as it is: somebody has changed it" in said(api, activate=PLAIN)
    assert n8n.named(NAMES[PLAIN])["versionId"] == "a-draft"


# -- credentials that were deleted in N8N, whose ids it leaves in the nodes


@pytest.mark.parametrize(
    ("slug", "node", "name"), [(PLAIN, "Receipt", WEBHOOK), (REPORTER, "Report the failure", TOKEN)]
)
def test_one_of_ours_that_was_deleted_is_made_anew_and_chosen(
    n8n: StubN8N, api: PublicApi, slug: str, node: str, name: str
) -> None:
    said(api)
    former = n8n.node(NAMES[slug], node)["credentials"]["httpHeaderAuth"]["id"]
    del n8n.credentials[former]
    assert f"Made the credential “{name}”. " in (words := said(api))
    assert f"Completed “{NAMES[slug]}”." in words
    present = n8n.node(NAMES[slug], node)["credentials"]["httpHeaderAuth"]["id"]
    assert present != former
    assert n8n.credentials[present]["name"] == name


def test_another_that_was_deleted_is_left_to_choose_or_chosen_where_there_is_one(n8n: StubN8N, api: PublicApi) -> None:
    with_notion(n8n)
    said(api, activate=PLAIN)
    n8n.credentials = {key: row for key, row in n8n.credentials.items() if row["type"] != "notionApi"}
    assert how(api, PLAIN).to_choose == ["Notion"]
    assert "takes receipts, and they fail" in (words := said(api, activate=PLAIN))
    assert "The webhook answers." not in words
    key = n8n.add_credential("notionApi", "Another", apiKey="x")
    assert said(api, activate=PLAIN).endswith("The webhook answers.")
    assert n8n.node(NAMES[PLAIN], "Create the page")["credentials"]["notionApi"] == {"id": key, "name": "Another"}


def test_what_is_lacking_in_one_of_another_version_is_chosen_and_the_rest_is_left(
    n8n: StubN8N, api: PublicApi, settings: LazySettings
) -> None:
    said(api)
    with_notion(n8n)
    settings.N8N_WEBHOOK_SECRET = []
    before = n8n.node(NAMES[PLAIN], "Settings")
    words = said(api)
    assert f"Completed “{NAMES[PLAIN]}”. Left the rest of “{NAMES[PLAIN]}” as it is: it differs" in words
    assert n8n.node(NAMES[PLAIN], "Settings") == before
    assert how(api, PLAIN).to_choose == []


# -- what stops it


@pytest.mark.parametrize("answer", [b"[]", b'"yes"', b"{}", b'{"data": {}}', b'{"data": [], "nextCursor": "1"}'])
def test_what_is_no_list_of_n8ns_stops_it_with_a_cure(answer: bytes) -> None:
    with stub_server(answering(response(200, answer))) as server, pytest.raises(ApiError, match="N8N_BASE_URL"):
        said(PublicApi(base_url=server.url, key=KEY))


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
    deeds = install(api, activate=TRY)
    with pytest.raises(ApiError):
        list(deeds)
    assert len(n8n.workflows) == 2
    n8n.refuses = lambda call: False
    said(api)
    assert len(n8n.workflows) == 4
    assert n8n.active() == {NAMES[REPORTER], NAMES[TRY]}


def test_a_webhook_that_fails_is_not_said_to_answer(n8n: StubN8N, api: PublicApi, settings: LazySettings) -> None:
    with stub_server(answering(response(500, b"{}"))) as failing:
        settings.N8N_WEBHOOK_URL = f"{failing.url}/webhook/receipts"
        *_, last = install(api, activate=TRY)
    assert last.is_warning
    assert "fails at N8N_WEBHOOK_URL" in last.sentence


def test_a_webhook_elsewhere_is_said_not_to_answer(
    n8n: StubN8N, api: PublicApi, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installing, "PATIENCE_SECONDS", 0.0)
    settings.N8N_WEBHOOK_URL = f"{n8n.url}/other/receipts"
    *_, last = install(api, activate=TRY)
    assert last.is_warning
    assert "does not answer" in last.sentence
