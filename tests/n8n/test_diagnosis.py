"""What a real N8N answers to a delivery that it does not take, each wrong setting made for real."""

from typing import Any

import pytest
import requests
from django.utils import timezone

from jobs.answers import Answer, decide
from jobs.delivery_errors import find_wrong_setting
from jobs.n8n_api import ApiError, PublicApi
from tests.support.servers import made_up

from .conftest import REAL_N8N, OnAir, Scene
from .deliveries import deliver, payload
from .workflows import PLAIN, node, shipped

pytestmark = REAL_N8N

JOB_ID = "0f0e1d2c-0000-4000-8000-000000000000"  # no service has such a job: nothing takes this delivery
MIB = 1024 * 1024


def post(scene: Scene, webhook: str = "", **others: Any) -> requests.Response:
    return deliver(webhook or scene.webhook, payload(scene.service.url, JOB_ID, **others))


def cause_of(answer: requests.Response) -> str:
    setting = find_wrong_setting(answer.status_code, answer.content, len(answer.request.body or b""))
    return setting.code if setting else f"{answer.status_code}: {answer.text}"


def test_a_webhook_that_takes_another_address_only_is_told_apart(on_air: OnAir) -> None:
    scene = on_air(PLAIN)
    workflow = shipped(PLAIN)
    node(workflow, "Receipt")["parameters"]["options"]["ipWhitelist"] = "10.9.8.7"
    scene.put_on_air(workflow)
    assert cause_of(post(scene)) == "n8n_address_not_allowed"


def test_a_webhook_whose_credential_was_deleted_is_told_apart(on_air: OnAir) -> None:
    scene = on_air(PLAIN)
    workflow = shipped(PLAIN)
    data = {"name": "Authorization", "value": made_up("short-lived")}
    made = scene.n8n.api("POST", "/credentials", {"name": "Short-lived", "type": "httpHeaderAuth", "data": data})
    node(workflow, "Receipt")["credentials"] = {"httpHeaderAuth": {"id": made["id"], "name": "Short-lived"}}
    scene.put_on_air(workflow)
    scene.n8n.api("DELETE", f"/credentials/{made['id']}")
    assert cause_of(post(scene)) == "n8n_credential_missing"


def test_a_webhook_that_answers_in_another_way_than_the_workflow_is_told_apart(on_air: OnAir) -> None:
    scene = on_air(PLAIN)
    workflow = shipped(PLAIN)
    node(workflow, "Receipt")["parameters"]["responseMode"] = "onReceived"
    scene.put_on_air(workflow)
    assert cause_of(post(scene)) == "n8n_webhook_respond"


def test_a_webhook_that_is_not_there_is_told_apart(on_air: OnAir) -> None:
    scene = on_air(PLAIN)
    assert cause_of(post(scene, f"{scene.n8n.url}/webhook-test/receipts")) == "n8n_test_webhook"
    assert cause_of(requests.put(scene.webhook, timeout=30)) == "n8n_webhook_method"
    assert cause_of(post(scene, f"{scene.n8n.url}/elsewhere/receipts")) == "n8n_not_at_this_address"
    assert cause_of(post(scene, image_data="A" * 17 * MIB)) == "n8n_payload_too_large"
    scene.clear_air()
    assert cause_of(post(scene)) == "n8n_webhook_not_found"


def test_a_webhook_that_ignores_bots_takes_what_the_service_sends(on_air: OnAir) -> None:
    scene = on_air(PLAIN)
    workflow = shipped(PLAIN)
    node(workflow, "Receipt")["parameters"]["options"]["ignoreBots"] = True
    scene.put_on_air(workflow)
    assert cause_of(post(scene)) == "n8n_forbidden"  # python-requests is one
    assert scene.file(601, scene.notion.share())["status"] == "success"


def test_a_run_that_takes_longer_than_it_may_is_no_request_that_is_too_large(on_air: OnAir) -> None:
    scene = on_air(PLAIN)
    workflow = shipped(PLAIN)
    receipt = node(workflow, "Receipt")
    receipt["parameters"]["responseMode"] = "lastNode"
    waits = {"amount": 3, "unit": "seconds"}
    pause = {
        "name": "Pause",
        "type": "n8n-nodes-base.wait",
        "typeVersion": 1.1,
        "position": [0, 0],
        "parameters": waits,
    }
    workflow["nodes"] = [receipt, pause]
    workflow["connections"] = {"Receipt": {"main": [[{"node": "Pause", "type": "main", "index": 0}]]}}
    workflow["settings"] |= {"executionTimeout": 1}
    scene.put_on_air(workflow)
    answer = post(scene)
    sent = {"bytes": len(answer.request.body or b"")}
    given = Answer(status=answer.status_code, body=answer.content, request=sent)
    decided = decide(given, tries=1, schedule=[5], now=timezone.now(), jitter=0)
    assert decided.code == "n8n_run_unclear"


def test_the_api_says_what_is_wrong_with_the_question(scene: Scene) -> None:
    with pytest.raises(ApiError, match="401: Unauthorized"):
        PublicApi(base_url=scene.n8n.url, key=made_up("another key")).execution("1")
    with pytest.raises(ApiError, match="404: Not Found"):
        PublicApi(base_url=scene.n8n.url, key=scene.n8n.api_key).execution("999999")
