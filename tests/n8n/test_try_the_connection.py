"""The workflow that needs no credentials: it answers, and calls back."""

from collections.abc import Callable

import pytest

from .conftest import Scene
from .deliveries import deliver, payload
from .workflows import TRYING

pytestmark = [pytest.mark.n8n, pytest.mark.processes]


def test_a_test_receipt_is_answered_with_the_execution_and_reported(on_air: Callable[[str], Scene]) -> None:
    scene = on_air(TRYING)
    job_id = scene.service.upload(101).json()["job_id"]
    scene.service.wait_for_status(job_id, "failure", "success")
    answer = deliver(scene.webhook, payload(scene.service.url, job_id, canary=True))
    assert answer.json() == {"accepted": True, "execution_id": answer.json()["execution_id"]}
    job = scene.service.wait_for_status(job_id, "success")
    assert job["result"] == {"canary": True}
    assert job["notion_page_url"] == ""


def test_a_receipt_that_is_no_test_is_told_that_nothing_was_filed(on_air: Callable[[str], Scene]) -> None:
    scene = on_air(TRYING)
    job = scene.service.wait_for_status(scene.service.upload(102).json()["job_id"], "failure", "success")
    assert (job["status"], job["failure_code"]) == ("failure", "workflow_failed")
    assert "files nothing" in job["result_message"]
