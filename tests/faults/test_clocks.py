"""A machine's clock is off by ten minutes: leases and deadlines use the database's, so nothing is early or late."""

import pytest

from jobs.sandbox import Sandbox
from tests.support.installation import SWEEP, WORKER, Installation
from tests.support.sandbox_requests import reporting_once_taken

pytestmark = [pytest.mark.processes, pytest.mark.faults]

TEN_MINUTES = 600


@pytest.mark.parametrize("off", [TEN_MINUTES, -TEN_MINUTES], ids=["ahead", "behind"])
@pytest.mark.parametrize("machine", ["web", "worker", "sweep"])
def test_a_machine_whose_clock_is_off_delivers_in_time_and_only_once(
    n8n: Sandbox, service: Installation, machine: str, off: int
) -> None:
    clocks = {machine: off}
    service.env["CALLBACK_TIMEOUT_SECONDS"] = "60"  # none must end early
    service.start_web(clock_off=clocks.get("web", 0))
    service.start(*WORKER, clock_off=clocks.get("worker", 0))
    service.start(*SWEEP, clock_off=clocks.get("sweep", 0))
    with reporting_once_taken(service):
        job_id = service.upload().json()["job_id"]
        assert service.wait_for_status(job_id, "success")["attempts"] == 1
    assert service.events(job_id) == ["received", "claimed", "delivered", "succeeded"]
    assert n8n.stats()["deliveries"] == {job_id: 1}  # which it checks: a signature older than five minutes is none
