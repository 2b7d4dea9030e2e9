"""One receipt's journey, as the design tells it: through real processes, by real HTTP."""

from pathlib import Path

import pytest

from jobs.sandbox import running_sandbox

from .support.installation import Installation, wait_for
from .support.sandbox_requests import reporting_once_taken


@pytest.mark.processes
def test_a_receipt_goes_in_and_comes_out_filed(tmp_path: Path) -> None:
    with (
        running_sandbox(delay=0.1) as n8n,
        Installation(tmp_path, f"{n8n.url}/webhook/receipts", CALLBACK_TIMEOUT_SECONDS="900") as service,
        reporting_once_taken(service),
    ):
        service.start_all()

        # the client uploads a photograph, and has a promise at once
        uploaded = service.upload(headers={"Idempotency-Key": "till-1-0001", "X-Request-ID": "journey-1"})
        promise = uploaded.json()
        assert (uploaded.status_code, promise["status"]) == (202, "queued")
        assert uploaded.headers["Location"] == f"{service.url}/api/v1/jobs/{promise['job_id']}/"

        # a worker hands it to N8N, here to the sandbox, which files nothing and calls back
        job = service.wait_for_status(promise["job_id"], "success", "failure")
        assert (job["status"], job["attempts"], job["next"]) == ("success", 1, None)
        assert job["notion_page_url"] == ""
        assert job["result"]["sandbox"] is True
        assert n8n.stats()["deliveries"] == {promise["job_id"]: 1}

        # the same upload again is the same job, and N8N hears nothing of it
        again = service.upload(headers={"Idempotency-Key": "till-1-0001"})
        assert (again.status_code, again.json()["job_id"]) == (200, promise["job_id"])
        assert n8n.stats()["webhooks"] == 1

        # each event of the job is a line in the logs
        wait_for(lambda: service.log().count('"job_event"') == 5, "the lines of its events")

        # the request's id is found in the logs of the web server and of the worker
        wait_for(lambda: service.log().count('"journey-1"') >= 3, "the worker's log")
        wait_for(lambda: '"delivery_ended"' in service.log(), "the end of the worker's log")
