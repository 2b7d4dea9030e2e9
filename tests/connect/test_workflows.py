"""The workflow files: whole, consistent with one another, and without a secret."""

import json
import re
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from jobs.executions import OWN_CALLBACK
from jobs.serializers import MAX_DATA_CHARACTERS

FOLDER = Path("n8n")
TRIAL = "try-the-connection"
RECEIVING = ("receipt-to-notion", "receipt-to-notion-without-ai", TRIAL)
FILING = RECEIVING[:2]
FAILURES = "report-failures"
NAMES = (*RECEIVING, FAILURES)
OTHERWISE_THERE = {"id", "position", "webhookId"}  # what may differ in a node that two workflows have
# it needs no credential, so it reports to one address only, and soon gives up
OWN_TO_THE_TRIAL = {"Receipt", "Settings", "Is it worth asking again?", "Wait for the service"}
CREDENTIAL = {"id", "name"}
LOOKING = "Look whether it made one after all"
YES, NO = 0, 1  # outputs of a condition
NOT_NOTION = 2  # of one that reads what Notion found
ERROR = 1  # of a node that may fail
Json = dict[str, Any]


def read(name: str) -> Json:
    workflow: Json = json.loads((FOLDER / f"{name}.json").read_text())
    return workflow


def nodes(name: str) -> list[Json]:
    found: list[Json] = read(name)["nodes"]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_is_written_as_a_tidy_export_without_what_an_installation_adds(name: str) -> None:
    workflow = read(name)
    assert (FOLDER / f"{name}.json").read_text() == json.dumps(workflow, indent=2, ensure_ascii=False) + "\n"
    assert set(workflow) == {"id", "name", "description", "nodes", "connections", "settings"}
    assert workflow["name"].startswith("Receipts: ")


@pytest.mark.parametrize("name", NAMES)
def test_every_node_that_is_named_exists(name: str) -> None:
    workflow = read(name)
    names = [node["name"] for node in workflow["nodes"]]
    targets = {link["node"] for link in _links(workflow["connections"])}
    quoted = set(re.findall(r"\$\('([^']+)'\)", json.dumps(workflow["nodes"])))
    assert len(names) == len(set(names))
    assert targets | quoted | set(workflow["connections"]) <= set(names)


@pytest.mark.parametrize("name", NAMES)
def test_every_node_can_be_reached(name: str) -> None:
    workflow = read(name)
    beginnings = {"stickyNote", "webhook", "errorTrigger", "lmChatOpenAi", "outputParserStructured"}
    targets = {link["node"] for link in _links(workflow["connections"])}
    alone = [node["name"] for node in workflow["nodes"] if node["type"].rpartition(".")[2] not in beginnings]
    assert set(alone) <= targets


@pytest.mark.parametrize("name", NAMES)
def test_a_credential_is_a_name_and_never_a_value(name: str) -> None:
    used = [credential for node in nodes(name) for credential in node.get("credentials", {}).values()]
    assert all(set(credential) == CREDENTIAL and credential["name"].startswith("Receipts: ") for credential in used)
    assert "pinData" not in read(name)


def test_a_node_that_several_workflows_have_is_the_same_in_each() -> None:
    for left, right in (RECEIVING[:2], RECEIVING[1:]):
        ours, theirs = _shared(left), _shared(right)
        differing = [name for name in ours.keys() & theirs.keys() if ours[name] != theirs[name]]
        assert set(differing) == (OWN_TO_THE_TRIAL if right == TRIAL else set())


def test_ids_are_unique_and_an_address_is_not_the_webhooks_id() -> None:
    everything = [*chain.from_iterable(nodes(name) for name in NAMES)]
    ids = [node["id"] for node in everything]
    webhooks = [node["webhookId"] for node in everything if "webhookId" in node]
    assert len(set(ids)) == len(ids)
    assert len(set(webhooks)) == len(webhooks)
    assert all(UUID(id_) for id_ in [*ids, *webhooks])


@pytest.mark.parametrize("name", RECEIVING)
def test_a_receiving_workflow_takes_receipts_at_the_one_address_and_names_the_error_workflow(name: str) -> None:
    [receipt] = (node for node in nodes(name) if node["name"] == "Receipt")
    assert (receipt["parameters"]["httpMethod"], receipt["parameters"]["path"]) == ("POST", "receipts")
    assert read(name)["settings"]["errorWorkflow"] == read(FAILURES)["id"]


def test_only_what_needs_no_credentials_answers_everybody() -> None:
    open_ = [name for name in RECEIVING if not any(node.get("credentials") for node in nodes(name))]
    assert open_ == [TRIAL]
    for name in FILING:
        [receipt] = (node for node in nodes(name) if node["name"] == "Receipt")
        assert receipt["parameters"]["authentication"] == "headerAuth"


@pytest.mark.parametrize("name", FILING)
def test_the_node_that_signs_is_on_where_signatures_are_checked_and_off_where_none_is(name: str) -> None:
    """N8N publishes no workflow in which a node that is on lacks its credential."""
    by_name = {node["name"]: node for node in nodes(name)}
    fields = by_name["Settings"]["parameters"]["assignments"]["assignments"]
    [checks] = (field["value"] for field in fields if field["name"] == "check_signature")
    assert by_name["Sign it as the service does"].get("disabled", False) is not checks


@pytest.mark.parametrize("name", FILING)
def test_while_the_node_that_signs_is_off_no_signature_is_right(name: str) -> None:
    [compares] = (node for node in nodes(name) if node["name"] == "Is it signed so, and fresh?")
    [condition] = compares["parameters"]["conditions"]["conditions"]
    assert condition["leftValue"].startswith("={{ !!$json.signature && ")  # "v1,undefined" can be sent by anybody


@pytest.mark.parametrize("name", NAMES)
def test_a_report_follows_no_redirect_and_its_failure_is_no_error(name: str) -> None:
    [report] = (node for node in nodes(name) if node["name"] in ("Call back", "Report the failure"))
    assert report["parameters"]["options"]["redirect"]["redirect"]["followRedirects"] is False
    assert (report["retryOnFail"], report["maxTries"], report["onError"]) == (True, 5, "continueErrorOutput")


@pytest.mark.parametrize(
    ("name", "asking", "condition", "wait"),
    [
        *((name, "Call back", "Is it worth asking again?", "Wait for the service") for name in FILING),
        (FAILURES, "Report the failure", "Is it worth asking again?", "Wait for the service"),
        *((name, LOOKING, "Is it worth looking again?", "Wait for Notion") for name in FILING),
    ],
)
def test_what_has_to_be_told_or_known_is_asked_for_more_than_a_day(
    name: str, asking: str, condition: str, wait: str
) -> None:
    by_name = {node["name"]: node for node in nodes(name)}
    amount = by_name[wait]["parameters"]["amount"]
    first, later = json.loads(amount[amount.index("[") : amount.index("]") + 1]), int(amount.split("??")[1].strip(" }"))
    rounds = int(re.findall(r"\$runIndex < (\d+)", json.dumps(by_name[condition]))[0])
    tries = (by_name[asking]["maxTries"] - 1) * by_name[asking]["waitBetweenTries"] / 1000
    assert sum(first) + (rounds - len(first)) * later + rounds * tries >= 24 * 3600


def test_an_execution_that_the_service_does_not_know_is_reported_until_a_workers_lease_has_ended() -> None:
    by_name = {node["name"]: node for node in nodes(FAILURES)}
    [rounds] = re.findall(r"\$runIndex < (\d+) \? \[\] : \[404\]", json.dumps(by_name["Is it worth asking again?"]))
    [waits] = re.findall(r"(\[[\d, ]+\])\[\$runIndex\]", by_name["Wait for the service"]["parameters"]["amount"])
    asking = by_name["Report the failure"]
    tries = (asking["maxTries"] - 1) * asking["waitBetweenTries"] / 1000
    assert sum(json.loads(waits)[: int(rounds)]) + int(rounds) * tries > 90  # the lease, unless it is set otherwise


@pytest.mark.parametrize("name", NAMES)
def test_what_the_service_will_never_take_is_reported_once(name: str) -> None:
    [again] = (node for node in nodes(name) if node["name"] == "Is it worth asking again?")
    [condition] = again["parameters"]["conditions"]["conditions"]
    [in_vain] = re.findall(r"!\[([\d, ]+)", condition["leftValue"])
    assert {"400", "409", "413", "415"} <= set(re.findall(r"\d+", in_vain))


@pytest.mark.parametrize("name", FILING)
def test_what_was_read_is_reported_where_the_service_takes_so_much(name: str) -> None:
    [page] = (node for node in nodes(name) if node["name"] == "Lay out the page")
    assert f"const fits = JSON.stringify(read).length < {MAX_DATA_CHARACTERS};" in page["parameters"]["jsCode"]


def test_what_answers_everybody_gives_up_after_a_few_rounds() -> None:
    by_name = {node["name"]: node for node in nodes(TRIAL)}
    [waits] = re.findall(r"(\[[\d, ]+\])\[\$runIndex\]", by_name["Wait for the service"]["parameters"]["amount"])
    rounds = int(re.findall(r"\$runIndex < (\d+)", json.dumps(by_name["Is it worth asking again?"]))[0])
    assert (len(json.loads(waits)), sum(json.loads(waits)) <= 120) == (rounds, True)


def test_what_answers_everybody_posts_nothing_before_it_compared_the_address() -> None:
    connections = read(TRIAL)["connections"]
    assert _next(connections, "Receipt") == ["Settings"]
    assert _next(connections, "Settings") == ["Is the report for the service?"]
    assert _next(connections, "Is the report for the service?", NO) == ["End: it is for somebody else"]


def test_the_error_workflow_knows_a_node_that_calls_back_by_the_same_word_as_the_service() -> None:
    [asks] = (node for node in nodes(FAILURES) if node["name"] == "Is it to be reported?")
    [_, calls_back] = asks["parameters"]["conditions"]["conditions"]
    assert f"parameters ?? {{}}).includes('{OWN_CALLBACK}')" in calls_back["leftValue"]


@pytest.mark.parametrize("name", FILING)
def test_a_page_is_looked_for_right_before_it_is_made(name: str) -> None:
    connections = read(name)["connections"]
    assert _next(connections, "Send the picture") == ["Look for a page of this job"]
    assert _next(connections, "Look for a page of this job") == ["Is there one?"]
    assert _next(connections, "Is there one?", YES) == ["Say that it was filed before"]
    [none_there] = _next(connections, "Is there one?", NO)
    assert "Create the page" in [none_there, *_next(connections, none_there, YES)]
    assert _next(connections, "Is there one?", NOT_NOTION) == ["End: what answered was not Notion"]


@pytest.mark.parametrize("name", FILING)
def test_a_page_that_may_exist_is_looked_for_before_every_end_that_reports_a_failure(name: str) -> None:
    connections = read(name)["connections"]
    ends = {node["name"] for node in nodes(name) if node["type"].endswith("stopAndError")}
    assert _next(connections, "Create the page") == ["Was it made?"]
    assert _next(connections, "Was it made?", NO) == _next(connections, "Create the page", ERROR)
    assert _next(connections, "Create the page", ERROR) == ["What Notion answered"]
    assert _next(connections, "What Notion answered") == ["May it have been made?"]
    assert _next(connections, "May it have been made?", YES) == ["Wait for Notion"]
    assert _next(connections, "Wait for Notion") == [LOOKING]
    [again] = _next(connections, LOOKING, ERROR)
    assert not ends & set(_next(connections, again, YES) + _next(connections, again, NO))
    assert _next(connections, "Is it there now?", NOT_NOTION) == [again]


@pytest.mark.parametrize("name", FILING)
def test_notion_is_asked_as_often_as_n8n_lets_a_node_and_to_make_the_page_once(name: str) -> None:
    """Notion takes three requests a second; making the page is tried again only after looking for it."""
    tries = {node["name"]: (node.get("maxTries"), node.get("waitBetweenTries")) for node in _asking_notion(name)}
    assert tries.pop("Create the page") == (None, None)
    assert set(tries.values()) == {(5, 5000)}


@pytest.mark.parametrize("name", FILING)
def test_what_is_no_json_is_no_answer_of_notions(name: str) -> None:
    asking = _asking_notion(name)
    assert asking
    assert {node["parameters"]["options"]["response"]["response"]["responseFormat"] for node in asking} == {"json"}


@pytest.mark.parametrize("name", FILING)
def test_an_answer_of_notions_goes_on_as_one_item_whatever_it_is(name: str) -> None:
    """N8N takes a list apart, and of an empty one nothing is left for the next node: the execution ends in silence."""
    answers = [node["parameters"]["options"]["response"]["response"] for node in _asking_notion(name)]
    assert all(answer["fullResponse"] for answer in answers)


@pytest.mark.parametrize("name", FILING)
def test_the_properties_that_are_listed_are_the_ones_that_are_filled(name: str) -> None:
    listed: list[Json] = json.loads((FOLDER / "notion-properties.json").read_text())
    by_name = {node["name"]: node for node in nodes(name)}
    wanted = re.findall(r"const wanted = (\{.*\});", by_name["Choose the properties"]["parameters"]["jsCode"])
    assert json.loads(wanted[0]) == {entry["name"]: entry["type"] for entry in listed if entry["type"] != "title"}


def _asking_notion(name: str) -> list[Json]:
    return [node for node in nodes(name) if node["parameters"].get("nodeCredentialType") == "notionApi"]


def _next(connections: Json, name: str, output: int = 0) -> list[str]:
    """Return the nodes that follow an output of a node."""
    return [link["node"] for link in connections[name]["main"][output]]


def _links(connections: Json) -> list[Json]:
    return [link for kinds in connections.values() for outputs in kinds.values() for links in outputs for link in links]


def _shared(name: str) -> dict[str, Json]:
    """Return the nodes by name, without notes and without what may differ."""
    return {
        node["name"]: {key: value for key, value in node.items() if key not in OTHERWISE_THERE}
        for node in nodes(name)
        if not node["type"].endswith("stickyNote")
    }
