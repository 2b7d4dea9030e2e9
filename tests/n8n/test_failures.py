"""What goes wrong in N8N is told: by the error workflow, or by the silence."""

import uuid
from copy import deepcopy
from pathlib import Path

import pytest

from tests.factories import DATABASE_ID
from tests.installation import Installation, wait_for
from tests.stub_server import answering_once, response, stub_server

from .conftest import UNHURRIED, OnAir
from .deliveries import deliver, payload
from .workflows import PLAIN, TRYING, node, shipped

pytestmark = [pytest.mark.n8n, pytest.mark.processes]

TRIES = 5  # of the node "Call back", 5 s apart


def test_a_refusal_of_notion_is_reported_with_the_node_and_notions_own_words(on_air: OnAir) -> None:
    scene = on_air(PLAIN)
    job_id = scene.service.upload(301, database_id=DATABASE_ID).json()["job_id"]  # which is not shared with it
    job = scene.service.wait_for_status(job_id, "failure", "success")
    assert (job["status"], job["failure_code"]) == ("failure", "workflow_failed")
    assert job["result_message"].startswith("N8N: error in node 'Find the database':")
    assert "Make sure the relevant pages and databases are shared with your integration" in job["result_message"]


def test_a_picture_that_did_not_arrive_whole_is_a_failure(on_air: OnAir) -> None:
    scene = on_air(PLAIN)
    job_id = scene.service.upload(302, database_id=scene.notion.share().id).json()["job_id"]
    scene.service.wait_for_status(job_id, "success")
    calls = len(scene.notion.calls)
    broken = payload(scene.service.url, job_id, 302, image_data="")
    execution_id = deliver(scene.webhook, broken).json()["execution_id"]
    found = wait_for(
        lambda: [e for e in scene.n8n.executions(shipped(PLAIN)["id"]) if e["id"] == execution_id], "its end"
    )
    assert found[0]["status"] == "error"
    assert "did not arrive whole" in str(found[0]["data"])
    assert len(scene.notion.calls) == calls


def test_a_workflow_that_never_calls_back_is_a_time_out(on_air: OnAir, tmp_path: Path) -> None:
    scene = on_air(TRYING)
    silent = shipped(TRYING)
    node(silent, "Call back")["disabled"] = True
    scene.put_on_air(silent)
    with Installation(tmp_path, scene.webhook, **UNHURRIED | {"CALLBACK_TIMEOUT_SECONDS": "3"}) as service:
        service.start_all()
        job = service.wait_for_status(service.upload(303).json()["job_id"], "failure", "success")
    assert job["failure_code"] == "callback_timeout"


def test_a_workflow_that_calls_back_twice_ends_its_job_once(on_air: OnAir) -> None:
    scene = on_air(TRYING)
    twice = shipped(TRYING)
    second = deepcopy(node(twice, "Call back")) | {"name": "Call back again", "id": str(uuid.uuid4())}
    twice["nodes"].append(second)
    twice["connections"]["Call back"]["main"][0] = [{"node": "Call back again", "type": "main", "index": 0}]
    scene.put_on_air(twice)
    job_id = scene.service.upload(304).json()["job_id"]
    wait_for(lambda: "callback_repeated" in scene.service.events(job_id), "the second report")
    assert scene.service.events(job_id).count("failed") == 1


def test_a_report_goes_on_being_made_while_the_service_is_away(on_air: OnAir, tmp_path: Path) -> None:
    scene = on_air(TRYING)
    with Installation(tmp_path, scene.webhook, **UNHURRIED) as service:
        web = service.start_web()
        job_id = service.upload(305).json()["job_id"]
        service.kill(web)
        with stub_server(answering_once(response(503, b"away")), port=service.port) as gateway:
            deliver(scene.webhook, payload(service.url, job_id, canary=True))
            wait_for(lambda: len(gateway.requests) > TRIES, "more than the node's own tries", 60)
        service.start_web()
        service.wait_for_status(job_id, "success")
