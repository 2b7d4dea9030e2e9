"""The workflow that needs no credentials: it answers, and calls back."""

import pytest

from tests.installation import Installation, wait_for

from .conftest import OnAir
from .deliveries import deliver, payload
from .workflows import TRYING

pytestmark = [pytest.mark.n8n, pytest.mark.processes]


def test_a_test_receipt_is_answered_with_the_execution_and_reported(on_air: OnAir, unattended: Installation) -> None:
    scene = on_air(TRYING)
    job_id = unattended.upload(101).json()["job_id"]
    answer = deliver(scene.webhook, payload(unattended.url, job_id, canary=True))
    assert answer.json() == {"accepted": True, "execution_id": answer.json()["execution_id"]}
    job = unattended.wait_for_status(job_id, "success")
    assert job["result"] == {"canary": True}
    assert job["notion_page_url"] == ""


def test_a_receipt_that_is_no_test_is_told_that_nothing_was_filed(on_air: OnAir) -> None:
    scene = on_air(TRYING)
    job = scene.service.wait_for_status(scene.service.upload(102).json()["job_id"], "failure", "success")
    assert (job["status"], job["failure_code"]) == ("failure", "workflow_failed")
    assert "files nothing" in job["result_message"]


def test_an_address_that_is_off_the_air_keeps_the_receipt_and_asks_for_help(on_air: OnAir) -> None:
    scene = on_air(TRYING)
    scene.clear_air()
    job_id = scene.service.upload(103).json()["job_id"]
    job = wait_for(lambda: _refused(scene.service.job(job_id)), "a refusal")
    assert job["last_error"] == "n8n_webhook_not_found"
    on_air(TRYING)
    assert "files nothing" in scene.service.wait_for_status(job_id, "failure")["result_message"]


def _refused(job: dict[str, str]) -> dict[str, str] | None:
    return job if job["last_error"] else None
