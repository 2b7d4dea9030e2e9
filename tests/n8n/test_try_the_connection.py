"""The workflow that needs no credentials: it answers, and calls back."""

from tests.installation import Installation, wait_for

from .conftest import REAL_N8N, OnAir, end_of
from .deliveries import deliver, payload
from .server import EXECUTION_SECONDS
from .workflows import TRYING

pytestmark = REAL_N8N


def test_a_test_receipt_is_answered_with_the_execution_and_reported(on_air: OnAir, unattended: Installation) -> None:
    scene = on_air(TRYING)
    job_id = unattended.upload(101).json()["job_id"]
    answer = deliver(scene.webhook, payload(unattended.url, job_id, canary=True))
    assert answer.json() == {"accepted": True, "execution_id": answer.json()["execution_id"]}
    job = end_of(unattended, job_id)
    assert job["result"] == {"canary": True}
    assert job["notion_page_url"] == ""


def test_a_receipt_that_is_no_test_is_told_that_nothing_was_filed(on_air: OnAir) -> None:
    scene = on_air(TRYING)
    job = end_of(scene.service, scene.service.upload(102).json()["job_id"])
    assert (job["status"], job["failure_code"]) == ("failure", "workflow_failed")
    assert "files nothing" in job["result_message"]


def test_an_address_that_is_off_the_air_keeps_the_receipt_and_asks_for_help(on_air: OnAir) -> None:
    scene = on_air(TRYING)
    scene.clear_air()
    job_id = scene.service.upload(103).json()["job_id"]
    job = wait_for(lambda: _refused(scene.service.job(job_id)), "a refusal", EXECUTION_SECONDS)
    assert job["last_error"] == "n8n_webhook_not_found"
    on_air(TRYING)
    assert "files nothing" in end_of(scene.service, job_id)["result_message"]


def _refused(job: dict[str, str]) -> dict[str, str] | None:
    return job if job["last_error"] else None
