"""One workflow takes receipts in the place of another, or the former one goes on."""

import pytest

from jobs.connect.path_conflict import find_path_conflict
from jobs.connect.remote import LISTENS_ELSEWHERE
from jobs.connect.workflows import REPORTER, workflow
from jobs.n8n_api import ApiError, PublicApi
from tests.support.stub_n8n import StubN8N

from .installs import AI, NAMES, PLAIN, TRY, remote_workflow, run_install, with_notion


def test_another_one_takes_receipts_in_the_place_of_the_first(n8n: StubN8N, api: PublicApi) -> None:
    with_notion(n8n)
    run_install(api)
    words = run_install(api, activate=PLAIN)
    assert n8n.active() == {NAMES[REPORTER], NAMES[PLAIN]}
    assert f"Deactivated “{NAMES[TRY]}”." in words


def test_a_webhook_that_is_known_late_is_waited_for(n8n: StubN8N, api: PublicApi) -> None:
    n8n.late = 2
    assert run_install(api).endswith("The webhook answers.")
    assert n8n.late == 0


def test_a_webhook_that_is_let_go_of_late_is_waited_for(n8n: StubN8N, api: PublicApi) -> None:
    with_notion(n8n)
    run_install(api)
    n8n.lingers = 2
    run_install(api, activate=PLAIN)
    assert (n8n.active(), n8n.lingers) == ({NAMES[REPORTER], NAMES[PLAIN]}, 0)


def test_where_another_workflow_has_the_path_the_former_one_goes_on(n8n: StubN8N, api: PublicApi) -> None:
    with_notion(n8n)
    run_install(api)
    mine = n8n.add_workflow({**workflow(PLAIN).content, "name": "Somebody's own"})
    n8n.named(NAMES[TRY])["active"] = False
    mine["active"] = True
    with pytest.raises(ApiError) as refusal:
        run_install(api, activate=PLAIN)
    assert refusal.value.status == 409
    assert refusal.value.sentence.startswith("“Somebody's own”, which is none of ours, is active in N8N")
    assert refusal.value.cure.startswith("Unpublish “Somebody's own” in N8N")
    assert n8n.active() == {NAMES[REPORTER], "Somebody's own"}


@pytest.mark.parametrize(
    "change", [{"path": "elsewhere"}, {"httpMethod": "GET"}, {"httpMethod": 5}, {"httpMethod": True}]
)
def test_a_workflow_that_does_not_take_what_is_sent_to_the_webhook_is_not_named(
    n8n: StubN8N, api: PublicApi, change: dict[str, object]
) -> None:
    mine = n8n.add_workflow({**workflow(TRY).content, "name": "Somebody's own"})
    n8n.publish("Somebody's own")
    assert find_path_conflict(api) == "Somebody's own"
    next(each for each in mine["nodes"] if each["name"] == "Receipt")["parameters"] |= change
    n8n.publish("Somebody's own")
    assert find_path_conflict(api) == ""


@pytest.mark.parametrize("change", [{"path": "elsewhere"}, {"httpMethod": "GET"}])
def test_one_that_listens_elsewhere_takes_nobodys_place(
    n8n: StubN8N, api: PublicApi, change: dict[str, object]
) -> None:
    with_notion(n8n)
    run_install(api)
    n8n.node(NAMES[PLAIN], "Receipt")["parameters"] |= change
    assert f"“{NAMES[PLAIN]}” {LISTENS_ELSEWHERE}" in run_install(api, activate=PLAIN)
    assert n8n.active() == {NAMES[REPORTER], NAMES[TRY]}
    assert run_install(api, activate=PLAIN, replace=(PLAIN,)).endswith("The webhook answers.")
    assert n8n.active() == {NAMES[REPORTER], NAMES[PLAIN]}


def test_a_path_that_n8n_works_out_may_be_the_right_one(n8n: StubN8N, api: PublicApi) -> None:
    run_install(api)
    n8n.node(NAMES[TRY], "Receipt")["parameters"]["path"] = "={{ 'receipts' }}"
    assert remote_workflow(api, TRY).listens


def test_what_is_published_listens_whatever_a_draft_says(n8n: StubN8N, api: PublicApi) -> None:
    run_install(api)
    n8n.node(NAMES[TRY], "Receipt")["parameters"]["path"] = "elsewhere"
    assert remote_workflow(api, TRY).listens


def test_where_n8n_refuses_the_new_one_the_old_one_takes_receipts_again(n8n: StubN8N, api: PublicApi) -> None:
    with_notion(n8n)
    run_install(api)
    key = n8n.named(NAMES[PLAIN])["id"]
    n8n.refuses = lambda call: call == f"POST /api/v1/workflows/{key}/activate"
    with pytest.raises(ApiError):
        run_install(api, activate=PLAIN)
    assert n8n.active() == {NAMES[REPORTER], NAMES[TRY]}


def test_of_those_that_took_receipts_each_is_tried_again(n8n: StubN8N, api: PublicApi) -> None:
    with_notion(n8n)
    n8n.add_credential("openAiApi", "Our OpenAI", apiKey="x")
    run_install(api)
    n8n.named(NAMES[AI])["active"] = True  # as an N8N that two people work in at once may have it
    keys = [n8n.named(NAMES[slug])["id"] for slug in (PLAIN, TRY)]
    n8n.refuses = lambda call: call in [f"POST /api/v1/workflows/{key}/activate" for key in keys]
    with pytest.raises(ApiError) as refusal:
        run_install(api, activate=PLAIN)
    assert n8n.active() == {NAMES[REPORTER], NAMES[AI]}
    assert "No workflow takes receipts" not in refusal.value.sentence


def test_where_none_can_be_activated_it_is_said_that_none_takes_receipts(n8n: StubN8N, api: PublicApi) -> None:
    with_notion(n8n)
    run_install(api)
    n8n.refuses = lambda call: call.endswith("/activate")
    with pytest.raises(ApiError) as refusal:
        run_install(api, activate=PLAIN)
    assert n8n.active() == {NAMES[REPORTER]}
    assert refusal.value.sentence.endswith("answered 500: Internal server error. No workflow takes receipts now.")


def test_where_the_former_one_was_never_off_nobody_says_so(n8n: StubN8N, api: PublicApi) -> None:
    with_notion(n8n)
    run_install(api)
    n8n.refuses = lambda call: call.endswith("activate")
    with pytest.raises(ApiError) as refusal:
        run_install(api, activate=PLAIN)
    assert n8n.active() == {NAMES[REPORTER], NAMES[TRY]}
    assert "No workflow takes receipts" not in refusal.value.sentence


def test_a_key_that_may_not_activate_takes_nothing_off_the_air(n8n: StubN8N, api: PublicApi) -> None:
    with_notion(n8n)
    run_install(api)
    n8n.forbids = lambda call: call.endswith("/activate")
    n8n.calls.clear()
    with pytest.raises(ApiError) as refusal:
        run_install(api, activate=PLAIN)
    assert refusal.value.sentence == "N8N's API answered 403: Forbidden."
    assert n8n.active() == {NAMES[REPORTER], NAMES[TRY]}
    assert not [call for call in n8n.calls if call.endswith("/deactivate")]


def test_the_draft_of_one_that_takes_receipts_again_is_not_published(n8n: StubN8N, api: PublicApi) -> None:
    with_notion(n8n)
    run_install(api)
    published = n8n.named(NAMES[TRY])["activeVersionId"]
    n8n.named(NAMES[TRY])["versionId"] = "a-draft"
    key = n8n.named(NAMES[PLAIN])["id"]
    n8n.refuses = lambda call: call == f"POST /api/v1/workflows/{key}/activate"
    with pytest.raises(ApiError):
        run_install(api, activate=PLAIN)
    assert n8n.active() == {NAMES[REPORTER], NAMES[TRY]}
    assert n8n.named(NAMES[TRY])["activeVersionId"] == published
