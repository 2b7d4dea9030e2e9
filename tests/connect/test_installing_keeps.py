"""Installing loses nobody's work in N8N, and chooses only what there is no choice of."""

import pytest
from django.conf import LazySettings

from jobs.connect.installing import install
from jobs.connect.listing import A_PAGE
from jobs.connect.remote import WorkflowState, remote_workflows
from jobs.connect.steps import NotInstalled
from jobs.connect.workflows import REPORTER, workflow, workflows
from jobs.n8n_api import PublicApi
from tests.support.stub_n8n import StubN8N

from .installs import (
    AI,
    NAMES,
    PLAIN,
    TOKEN,
    TRY,
    WEBHOOK,
    changing_calls,
    edit_credential,
    remote_workflow,
    run_install,
    with_notion,
)

# -- what people do in N8N stays


def test_what_was_changed_in_n8n_stays(n8n: StubN8N, api: PublicApi) -> None:
    run_install(api, activate=PLAIN)
    n8n.node(NAMES[PLAIN], "Call back")["parameters"]["options"]["timeout"] = 1234
    run_install(api, activate=PLAIN)
    assert n8n.node(NAMES[PLAIN], "Call back")["parameters"]["options"]["timeout"] == 1234


def test_one_of_another_version_is_left_alone_and_said_to_be(
    n8n: StubN8N, api: PublicApi, settings: LazySettings
) -> None:
    run_install(api, activate=PLAIN)
    before = dict(n8n.named(NAMES[PLAIN]))
    settings.N8N_WEBHOOK_SECRET = []  # its node "Settings" would say so
    assert remote_workflow(api, PLAIN).state is WorkflowState.OTHER
    assert f"Left “{NAMES[PLAIN]}” as it is: it differs from this version." in run_install(api, activate=PLAIN)
    assert n8n.named(NAMES[PLAIN]) == before


def test_one_that_is_to_be_replaced_keeps_its_id_its_activity_and_its_credentials(
    n8n: StubN8N, api: PublicApi, settings: LazySettings
) -> None:
    run_install(api, activate="")
    n8n.publish(NAMES[PLAIN])
    for name in ("Shop", "Private"):
        n8n.add_credential("notionApi", name, apiKey="x")
    key, chosen = n8n.named(NAMES[PLAIN])["id"], {"id": list(n8n.credentials)[-1], "name": "Private"}
    n8n.node(NAMES[PLAIN], "Find the database")["credentials"]["notionApi"] = chosen
    settings.N8N_WEBHOOK_SECRET = []
    assert f"Replaced “{NAMES[PLAIN]}”." in run_install(api, activate=PLAIN, replace=(PLAIN,))
    assert (n8n.named(NAMES[PLAIN])["id"], n8n.active()) == (key, {NAMES[REPORTER], NAMES[PLAIN]})
    assert n8n.node(NAMES[PLAIN], "Find the database")["credentials"]["notionApi"] == chosen
    assert n8n.node(NAMES[PLAIN], "Create the page")["credentials"]["notionApi"]["id"] is None
    assert remote_workflow(api, PLAIN).state is WorkflowState.CURRENT


def test_an_archived_one_is_let_rest(n8n: StubN8N, api: PublicApi) -> None:
    run_install(api)
    n8n.named(NAMES[AI])["isArchived"] = True
    assert f"Created “{NAMES[AI]}”." in run_install(api)


def test_several_of_a_name_are_nobodys_to_choose_from(n8n: StubN8N, api: PublicApi) -> None:
    run_install(api)
    n8n.add_workflow(workflow(AI).content)
    changing_calls(n8n)
    with pytest.raises(NotInstalled, match=f"holds 2 workflows called “{NAMES[AI]}”"):
        run_install(api)
    assert changing_calls(n8n) == []


def test_one_whose_name_only_begins_so_is_another(n8n: StubN8N, api: PublicApi) -> None:
    n8n.add_workflow({**workflow(AI).content, "name": f"{NAMES[AI]} (copy)"})
    assert f"Created “{NAMES[AI]}”." in run_install(api)


# -- what is left to choose


def test_one_in_which_something_is_left_to_choose_takes_no_receipts_yet(n8n: StubN8N, api: PublicApi) -> None:
    run_install(api)
    *_, last = install(api, activate=AI)
    assert n8n.active() == {NAMES[REPORTER], NAMES[TRY]}
    assert last.is_warning
    assert f"“{NAMES[AI]}” does not take receipts yet" in last.sentence
    assert "a credential of Notion and OpenAI" in last.sentence


def test_it_takes_them_once_everything_is_chosen(n8n: StubN8N, api: PublicApi) -> None:
    assert f"“{NAMES[PLAIN]}” does not take receipts yet" in run_install(api, activate=PLAIN)
    with_notion(n8n)
    assert run_install(api, activate=PLAIN).endswith("The webhook answers.")
    assert n8n.active() == {NAMES[REPORTER], NAMES[PLAIN]}


def test_one_that_takes_receipts_is_not_stopped_for_what_is_left_to_choose(n8n: StubN8N, api: PublicApi) -> None:
    run_install(api, activate="")
    n8n.publish(NAMES[PLAIN])
    assert f"“{NAMES[PLAIN]}” takes receipts, and they fail" in run_install(api, activate=PLAIN)
    assert n8n.active() == {NAMES[REPORTER], NAMES[PLAIN]}


def test_what_nobody_has_chosen_yet_is_told(n8n: StubN8N, api: PublicApi) -> None:
    run_install(api)
    left = {each.workflow.slug: each.to_choose for each in remote_workflows(api)}
    assert left == {TRY: [], PLAIN: ["Notion"], AI: ["Notion", "OpenAI"], REPORTER: []}


def test_nothing_has_to_be_chosen_in_a_node_that_is_switched_off(n8n: StubN8N, api: PublicApi) -> None:
    run_install(api)
    n8n.node(NAMES[AI], "AI model")["disabled"] = True
    assert remote_workflow(api, AI).to_choose == ["Notion"]


def test_the_model_of_another_maker_needs_no_credential_of_the_first(n8n: StubN8N, api: PublicApi) -> None:
    run_install(api)
    n8n.node(NAMES[AI], "AI model")["type"] = "@n8n/n8n-nodes-langchain.lmChatAnthropic"
    assert remote_workflow(api, AI).to_choose == ["Notion"]


def test_the_only_credential_of_its_kind_is_chosen_the_next_time(n8n: StubN8N, api: PublicApi) -> None:
    run_install(api)
    key = n8n.add_credential("notionApi", "Our Notion", apiKey="x")
    assert f"Completed “{NAMES[AI]}”." in run_install(api)
    assert n8n.node(NAMES[AI], "Create the page")["credentials"]["notionApi"] == {"id": key, "name": "Our Notion"}
    assert remote_workflow(api, AI).to_choose == ["OpenAI"]


def test_it_is_chosen_among_more_than_fit_on_a_page(n8n: StubN8N, api: PublicApi) -> None:
    for number in range(A_PAGE):
        n8n.add_credential("crypto", f"secret {number}", hmacSecret="x")
    n8n.add_credential("notionApi", "Our Notion", apiKey="x")
    run_install(api)
    assert remote_workflow(api, PLAIN).to_choose == []


def test_of_two_credentials_neither_is_chosen(n8n: StubN8N, api: PublicApi) -> None:
    for name in ("Shop", "Private"):
        n8n.add_credential("notionApi", name, apiKey="x")
    run_install(api)
    assert remote_workflow(api, PLAIN).to_choose == ["Notion"]


def test_what_the_editors_import_drops_is_completed(n8n: StubN8N, api: PublicApi) -> None:
    for each in workflows():
        n8n.add_workflow(each.content)
    assert f"Completed “{NAMES[TRY]}”." in run_install(api)
    assert n8n.named(NAMES[TRY])["settings"]["errorWorkflow"] == n8n.named(NAMES[REPORTER])["id"]
    assert n8n.named(NAMES[TRY])["settings"]["executionOrder"] == "v1"
    assert len(n8n.workflows) == 4


def test_one_that_calls_an_error_workflow_which_is_gone_calls_ours_instead(n8n: StubN8N, api: PublicApi) -> None:
    run_install(api)
    n8n.named(NAMES[REPORTER]).update(isArchived=True, active=False, name="Archived")
    assert f"Completed “{NAMES[TRY]}”." in run_install(api)
    assert n8n.named(NAMES[TRY])["settings"]["errorWorkflow"] == n8n.named(NAMES[REPORTER])["id"]
    changing_calls(n8n)
    run_install(api)
    assert [call for call in changing_calls(n8n) if call.startswith("PUT")] == []


@pytest.mark.parametrize("is_told", [True, False])
def test_an_error_workflow_of_somebodys_own_stays(n8n: StubN8N, api: PublicApi, is_told: bool) -> None:
    run_install(api)
    mine = n8n.add_workflow({**workflow(REPORTER).content, "name": "Mine"})["id"]
    n8n.named(NAMES[TRY])["settings"]["errorWorkflow"] = mine
    if not is_told:  # N8N lists more than is read
        n8n.workflows["odd"] = {"id": "", "name": "odd", "active": False}
    assert f"Completed “{NAMES[TRY]}”." not in run_install(api)
    assert n8n.named(NAMES[TRY])["settings"]["errorWorkflow"] == mine


def test_what_somebody_has_not_published_yet_is_not_published_for_him(n8n: StubN8N, api: PublicApi) -> None:
    run_install(api, activate="")
    n8n.publish(NAMES[PLAIN])
    n8n.named(NAMES[PLAIN])["versionId"] = "a-draft"
    n8n.add_credential("notionApi", "Our Notion", apiKey="x")
    assert f"Left “{NAMES[PLAIN]}” as it is: somebody has changed it" in run_install(api, activate=PLAIN)
    assert n8n.named(NAMES[PLAIN])["versionId"] == "a-draft"


# -- what is chosen in a draft, and what is published


def test_what_is_chosen_but_not_published_is_to_be_published(n8n: StubN8N, api: PublicApi) -> None:
    with_notion(n8n)
    run_install(api, activate=PLAIN)
    n8n.credentials = {key: row for key, row in n8n.credentials.items() if row["type"] != "notionApi"}
    edit_credential(n8n, PLAIN, n8n.add_credential("notionApi", "Another", apiKey="x"))
    sentence = f"“{NAMES[PLAIN]}” takes receipts, and they fail: a credential of Notion is chosen, but not published."
    assert run_install(api, activate=PLAIN).endswith(f"{sentence} Publish it in N8N.")
    assert n8n.named(NAMES[PLAIN])["versionId"] == "a-draft"
    n8n.publish(NAMES[PLAIN])
    assert run_install(api, activate=PLAIN).endswith("The webhook answers.")


def test_what_only_a_draft_lacks_keeps_no_receipt_from_its_way(n8n: StubN8N, api: PublicApi) -> None:
    with_notion(n8n)
    run_install(api, activate=PLAIN)
    edit_credential(n8n, PLAIN, None)
    assert remote_workflow(api, PLAIN).to_choose == []
    words = run_install(api, activate=PLAIN)
    assert f"Left “{NAMES[PLAIN]}” as it is: somebody has changed it" in words
    assert words.endswith("The webhook answers.")


# -- credentials that were deleted in N8N, whose ids it leaves in the nodes


@pytest.mark.parametrize(
    ("slug", "node", "name"), [(PLAIN, "Receipt", WEBHOOK), (REPORTER, "Report the failure", TOKEN)]
)
def test_one_of_ours_that_was_deleted_is_made_anew_and_chosen(
    n8n: StubN8N, api: PublicApi, slug: str, node: str, name: str
) -> None:
    run_install(api)
    former = n8n.node(NAMES[slug], node)["credentials"]["httpHeaderAuth"]["id"]
    del n8n.credentials[former]
    assert f"Made the credential “{name}”. " in (words := run_install(api))
    assert f"Completed “{NAMES[slug]}”." in words
    present = n8n.node(NAMES[slug], node)["credentials"]["httpHeaderAuth"]["id"]
    assert present != former
    assert n8n.credentials[present]["name"] == name


def test_another_that_was_deleted_is_left_to_choose_or_chosen_where_there_is_one(n8n: StubN8N, api: PublicApi) -> None:
    with_notion(n8n)
    run_install(api, activate=PLAIN)
    n8n.credentials = {key: row for key, row in n8n.credentials.items() if row["type"] != "notionApi"}
    assert remote_workflow(api, PLAIN).to_choose == ["Notion"]
    assert "takes receipts, and they fail" in (words := run_install(api, activate=PLAIN))
    assert "The webhook answers." not in words
    key = n8n.add_credential("notionApi", "Another", apiKey="x")
    assert run_install(api, activate=PLAIN).endswith("The webhook answers.")
    assert n8n.node(NAMES[PLAIN], "Create the page")["credentials"]["notionApi"] == {"id": key, "name": "Another"}


def test_what_is_lacking_in_one_of_another_version_is_chosen_and_the_rest_is_left(
    n8n: StubN8N, api: PublicApi, settings: LazySettings
) -> None:
    run_install(api)
    with_notion(n8n)
    settings.N8N_WEBHOOK_SECRET = []
    before = n8n.node(NAMES[PLAIN], "Settings")
    words = run_install(api)
    assert f"Completed “{NAMES[PLAIN]}”. Left the rest of “{NAMES[PLAIN]}” as it is: it differs" in words
    assert n8n.node(NAMES[PLAIN], "Settings") == before
    assert remote_workflow(api, PLAIN).to_choose == []
