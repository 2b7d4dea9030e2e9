"""The workflow that needs no credentials: it answers, and calls back."""

from tests.support.installation import Installation, wait_for
from tests.support.stub_server import answering_once, response, stub_server

from .conftest import REAL_N8N, OnAir, Scene, end_of
from .deliveries import deliver, payload
from .server import EXECUTION_SECONDS
from .workflows import TRYING, workflow_id

pytestmark = REAL_N8N


def test_a_test_receipt_is_answered_with_the_execution_and_reported(on_air: OnAir, unattended: Installation) -> None:
    scene = on_air(TRYING, service_url=unattended.url)
    job_id = unattended.upload(101).json()["job_id"]
    answer = deliver(scene.webhook, payload(unattended.url, job_id, canary=True))
    ids = {"execution_id": answer.json()["execution_id"], "workflow_id": workflow_id(TRYING)}
    assert answer.json() == {"accepted": True} | ids
    job = end_of(unattended, job_id)
    assert job["result"] == {"canary": True}
    assert job["notion_page_url"] == ""


def test_a_receipt_that_is_no_test_is_told_that_nothing_was_filed(scene: Scene, on_air: OnAir) -> None:
    on_air(TRYING, service_url=scene.service.url)
    job = end_of(scene.service, scene.service.upload(102).json()["job_id"])
    assert (job["status"], job["failure_code"]) == ("failure", "workflow_failed")
    assert "files nothing" in job["result_message"]


def test_an_address_that_is_off_the_air_keeps_the_receipt_and_asks_for_help(scene: Scene, on_air: OnAir) -> None:
    scene.clear_air()
    job_id = scene.service.upload(103).json()["job_id"]
    job = wait_for(lambda: _refused(scene.service.job(job_id)), "a refusal", EXECUTION_SECONDS)
    assert job["last_error"] == "n8n_webhook_not_found"
    on_air(TRYING, service_url=scene.service.url)
    assert "files nothing" in end_of(scene.service, job_id)["result_message"]


def test_nothing_is_posted_to_an_address_that_a_stranger_names(on_air: OnAir, unattended: Installation) -> None:
    scene = on_air(TRYING, service_url=unattended.url)
    job_id = unattended.upload(104).json()["job_id"]
    with stub_server(answering_once(response(200))) as stranger:
        for address in (stranger.url, f"{unattended.url}@{stranger.url.removeprefix('http://')}"):
            sent = payload(unattended.url, job_id, callback_url=f"{address}/api/v1/jobs/{job_id}/callback")
            execution = scene.n8n.wait_for_end(deliver(scene.webhook, sent).json()["execution_id"])
            assert execution["data"]["resultData"]["lastNodeExecuted"] == "End: it is for somebody else"
    assert stranger.requests == []


def test_as_it_is_shipped_it_posts_nothing_and_says_what_to_set(on_air: OnAir, unattended: Installation) -> None:
    scene = on_air(TRYING)
    job_id = unattended.upload(105).json()["job_id"]
    answer = deliver(scene.webhook, payload(unattended.url, job_id, canary=True))
    execution = scene.n8n.wait_for_end(answer.json()["execution_id"])
    assert execution["status"] == "error"
    assert "Open it and give it the address" in str(execution["data"]["resultData"]["error"])
    assert "Call back" not in execution["data"]["resultData"]["runData"]


def _refused(job: dict[str, str]) -> dict[str, str] | None:
    return job if job["last_error"] else None
