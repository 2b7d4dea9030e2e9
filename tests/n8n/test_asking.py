"""The sweep asks a real N8N what became of what it never reported."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.factories import DATABASE_ID
from tests.support.installation import Installation, wait_for

from .conftest import REAL_N8N, UNHURRIED, OnAir, Scene, end_of
from .workflows import PLAIN, TRYING, node, shipped, with_settings

pytestmark = REAL_N8N

SOON = "4"  # seconds until a callback is overdue


@contextmanager
def service_that_asks(scene: Scene, folder: Path) -> Iterator[Installation]:
    settings = {"N8N_BASE_URL": scene.n8n.url, "N8N_PUBLIC_API_KEY": scene.n8n.api_key}
    with Installation(folder, scene.webhook, **UNHURRIED | settings | {"CALLBACK_TIMEOUT_SECONDS": SOON}) as service:
        service.start_all()
        yield service


def ended(service: Installation, number: int) -> dict[str, Any]:
    job_id = service.upload(number, database_id=DATABASE_ID).json()["job_id"]
    return end_of(service, job_id)


def test_a_workflow_that_ends_without_a_callback_is_a_lost_callback(scene: Scene, tmp_path: Path) -> None:
    with service_that_asks(scene, tmp_path) as service:
        silent = with_settings(TRYING, service_url=service.url)
        node(silent, "Call back")["disabled"] = True
        scene.put_on_air(silent)
        assert ended(service, 501)["failure_code"] == "callback_lost"
        details = service.query("SELECT detail FROM jobs_jobevent WHERE kind IN ('delivered', 'failed')")
    assert [silent["id"] in str(detail) for detail in details] == [True, True]  # the job's page leads there at once


def test_a_failure_that_no_error_workflow_reported_is_found_with_node_and_message(
    on_air: OnAir, tmp_path: Path
) -> None:
    scene = on_air(PLAIN)
    alone = shipped(PLAIN)
    del alone["settings"]["errorWorkflow"]
    for each in alone["nodes"]:
        each["retryOnFail"] = False  # it would take longer than the callback is awaited
    scene.put_on_air(alone)
    with service_that_asks(scene, tmp_path) as service:
        job = ended(service, 502)
    assert job["failure_code"] == "notion_not_shared", job
    assert job["result_message"].startswith("N8N: error in node 'Find the database':")


def test_a_workflow_that_cannot_call_back_has_done_the_rest(scene: Scene, tmp_path: Path) -> None:
    with service_that_asks(scene, tmp_path) as service:
        deaf = with_settings(TRYING, service_url=service.url)
        call_back = node(deaf, "Call back")
        call_back["parameters"]["url"] = "http://127.0.0.1:9/api/v1/jobs/callback"
        call_back |= {"onError": "stopWorkflow", "retryOnFail": False}
        deaf["settings"].pop("errorWorkflow", None)
        scene.put_on_air(deaf)
        job = ended(service, 503)
    assert job["failure_code"] == "callback_lost", job
    assert job["result_message"].startswith("N8N: error in node 'Call back':")


def test_a_workflow_that_still_runs_is_awaited_as_long_again(scene: Scene, tmp_path: Path) -> None:
    with service_that_asks(scene, tmp_path) as service:
        slow = with_settings(TRYING, service_url=service.url)
        call_back = node(slow, "Call back")
        call_back |= {"type": "n8n-nodes-base.wait", "typeVersion": 1.1}
        call_back["parameters"] = {"resume": "timeInterval", "amount": 40, "unit": "seconds"}
        scene.put_on_air(slow)
        job_id = service.upload(504).json()["job_id"]
        wait_for(lambda: "still_running" in service.events(job_id), "more time")
        assert service.job(job_id)["status"] == "processing"
        job = end_of(service, job_id)
    assert (job["failure_code"], job["result_message"]) == ("callback_timeout", "N8N is still running it.")
