"""What goes wrong in N8N is told: by the error workflow, or by the silence."""

import json
import uuid
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.factories import DATABASE_ID
from tests.support.installation import Installation, wait_for
from tests.support.stub_server import answering_once, response, stub_server

from .conftest import REAL_N8N, UNHURRIED, OnAir, Scene, end_of
from .deliveries import deliver, payload
from .notion import Fate
from .server import EXECUTION_SECONDS
from .workflows import FAILURES, PLAIN, TRYING, node, shipped, with_settings, workflow_id

pytestmark = REAL_N8N

TRIES = 5  # of a node that reports, 5 s apart
ROUNDS = 4  # of a report that is answered 404
FOREVER = 100


def test_a_refusal_of_notion_is_reported_with_the_node_and_notions_own_words(on_air: OnAir) -> None:
    scene = on_air(PLAIN)
    job_id = scene.service.upload(301, database_id=DATABASE_ID).json()["job_id"]  # which is not shared with it
    job = end_of(scene.service, job_id)
    assert job["failure_code"] == "notion_not_shared"
    assert job["result_message"].startswith("N8N: error in node 'Find the database':")
    assert "Make sure the relevant pages and databases are shared with your integration" in job["result_message"]


def test_a_page_that_notion_finds_invalid_is_a_failure_and_not_tried_again(on_air: OnAir) -> None:
    scene = on_air(PLAIN)
    database = scene.notion.share()
    scene.notion.destine("POST", "/v1/pages", Fate.INVALID)
    job = scene.file(306, database)
    assert job["result_message"].startswith(
        "N8N: error in node 'End: Notion refused the page': Notion refused the page:"
    )
    assert "body failed validation" in job["result_message"]
    assert database.pages == []


def test_a_picture_that_did_not_arrive_whole_is_a_failure(on_air: OnAir) -> None:
    scene = on_air(PLAIN)
    job_id = scene.service.upload(302, database_id=scene.notion.share().id).json()["job_id"]
    assert end_of(scene.service, job_id)["status"] == "success"
    calls = len(scene.notion.calls)
    broken = payload(scene.service.url, job_id, 302, image_data="")
    execution = scene.n8n.wait_for_end(deliver(scene.webhook, broken).json()["execution_id"])
    assert execution["status"] == "error"
    assert "did not arrive whole" in str(execution["data"])
    assert len(scene.notion.calls) == calls


def test_a_workflow_that_never_calls_back_is_a_time_out(scene: Scene, tmp_path: Path) -> None:
    with Installation(tmp_path, scene.webhook, **UNHURRIED | {"CALLBACK_TIMEOUT_SECONDS": "3"}) as service:
        silent = with_settings(TRYING, service_url=service.url)
        node(silent, "Call back")["disabled"] = True
        scene.put_on_air(silent)
        service.start_all()
        job = end_of(service, service.upload(303).json()["job_id"])
    assert job["failure_code"] == "callback_timeout"


def test_a_workflow_that_calls_back_twice_ends_its_job_once(scene: Scene) -> None:
    twice = with_settings(TRYING, service_url=scene.service.url)
    second = deepcopy(node(twice, "Call back")) | {"name": "Call back again", "id": str(uuid.uuid4())}
    twice["nodes"].append(second)
    twice["connections"]["Call back"]["main"][0] = [{"node": "Call back again", "type": "main", "index": 0}]
    scene.put_on_air(twice)
    job_id = scene.service.upload(304).json()["job_id"]
    wait_for(lambda: "callback_repeated" in scene.service.events(job_id), "the second report", EXECUTION_SECONDS)
    assert scene.service.events(job_id).count("failed") == 1


def test_a_report_goes_on_being_made_while_the_service_is_away(scene: Scene, on_air: OnAir, tmp_path: Path) -> None:
    with Installation(tmp_path, scene.webhook, **UNHURRIED) as service:
        on_air(TRYING, service_url=service.url)
        web = service.start_web()
        job_id = service.upload(305).json()["job_id"]
        service.kill(web)
        with stub_server(answering_once(response(503, b"away")), port=service.port) as gateway:
            deliver(scene.webhook, payload(service.url, job_id, canary=True))
            wait_for(lambda: len(gateway.requests) > TRIES, "more than the node's own tries", EXECUTION_SECONDS)
        service.start_web()
        assert end_of(service, job_id)["status"] == "success"


def test_what_failed_only_to_call_back_is_not_reported_as_a_failure(scene: Scene) -> None:
    deaf = shipped(PLAIN)
    call_back = node(deaf, "Call back")
    call_back["parameters"]["url"] = "={{ $('Receipt').first().json.body.callback_url.replace(/:\\d+/, ':9') }}"
    call_back |= {"onError": "stopWorkflow", "retryOnFail": False}
    scene.put_on_air(deaf)
    database = scene.notion.share()
    job_id = scene.service.upload(308, database_id=database.id).json()["job_id"]
    nodes = wait_for(lambda: _error_workflows_nodes(scene, job_id), "the error workflow", EXECUTION_SECONDS)
    assert "Report the failure" not in nodes
    assert len(database.pages) == 1
    assert scene.service.job(job_id)["status"] == "processing"


def test_a_report_that_the_service_contradicts_is_not_repeated_for_a_day(
    on_air: OnAir, unattended: Installation
) -> None:
    scene = on_air(TRYING, service_url=unattended.url)
    job_id = unattended.upload(307).json()["job_id"]
    assert unattended.call_back(job_id, "success").ok
    answer = deliver(scene.webhook, payload(unattended.url, job_id))  # no test receipt: the workflow reports a failure
    execution = scene.n8n.wait_for_end(answer.json()["execution_id"])
    assert execution["status"] == "success"
    assert "Wait for the service" not in execution["data"]["resultData"]["runData"]
    assert unattended.job(job_id)["status"] == "success"


@pytest.fixture
def reporting_to(scene: Scene) -> Iterator[Callable[[str], None]]:
    """Return a function that lets failures be reported to an address, and again a second later each time."""

    def report_to(service_url: str) -> None:
        impatient = with_settings(FAILURES, service_url=service_url)
        node(impatient, "Wait for the service")["parameters"]["amount"] = 1
        node(impatient, "Report the failure")["waitBetweenTries"] = 1
        scene.n8n.publish(impatient)

    yield report_to
    scene.n8n.publish(with_settings(FAILURES, service_url=scene.service.url))


@pytest.mark.parametrize(
    ("unknown", "asked"),
    [
        pytest.param(TRIES, TRIES + 1, id="until the worker has written it down"),
        pytest.param(FOREVER, ROUNDS * TRIES, id="a few times"),
    ],
)
def test_a_failure_of_an_execution_that_the_service_does_not_know_is_reported_again(
    on_air: OnAir, reporting_to: Callable[[str], None], unknown: int, asked: int
) -> None:
    scene = on_air(PLAIN)
    not_yet, known = answering_once(response(404, b"{}")), answering_once(response(200, b"{}"))
    with stub_server(*[not_yet] * unknown, known) as service:
        reporting_to(service.url)
        answer = deliver(scene.webhook, payload(service.url, str(uuid.uuid4()), 309, image_data=""))
        told_of = f"'id': '{answer.json()['execution_id']}'"
        wait_for(lambda: _error_workflows_nodes(scene, told_of), "the error workflow's end", EXECUTION_SECONDS)
    assert len(service.requests) == asked
    assert {json.loads(request.body)["status"] for request in service.requests} == {"failure"}


def _error_workflows_nodes(scene: Scene, told_of: str) -> dict[str, Any] | None:
    """Return which nodes of the error workflow ran once it was told of this; None where none has, or some still do."""
    rows = scene.n8n.api("GET", "/executions", workflowId=workflow_id(FAILURES), status="success", includeData="true")
    ran = [row["data"]["resultData"]["runData"] for row in rows["data"]]
    return next((nodes for nodes in ran if told_of in str(nodes["When a workflow fails"])), None)
