"""N8N's public API is there, or hangs, under a real sweep: each job ends, and the sweep goes on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.installation import Installation
from tests.support.stub_executions import API_KEY, stub_executions
from tests.support.stub_server import answering, silent, stub_server

pytestmark = [pytest.mark.processes, pytest.mark.faults]


@contextmanager
def service_that_asks(folder: Path, n8n: str) -> Iterator[Installation]:
    """Run an installation whose webhook takes everything as execution 17, and never calls back."""
    with (
        stub_server(answering()) as webhook,
        Installation(
            folder, f"{webhook.url}/webhook/receipts", N8N_BASE_URL=n8n, N8N_PUBLIC_API_KEY=API_KEY
        ) as service,
    ):
        service.start_all()
        yield service


def ended(service: Installation, number: int = 1) -> dict[str, str]:
    job_id = service.upload(number).json()["job_id"]
    return service.wait_for_status(job_id, "success", "failure")


def test_what_n8n_says_of_an_execution_ends_its_job(tmp_path: Path) -> None:
    with stub_executions() as (n8n, _):
        n8n.run("17", "error", node="Create page", error="Vendor is not a property that exists.")
        with service_that_asks(tmp_path, n8n.url) as service:
            job = ended(service)
    assert job["failure_code"] == "notion_property_wrong"
    assert job["result_message"] == "N8N: error in node 'Create page': Vendor is not a property that exists."


def test_an_api_that_hangs_keeps_no_sweep_from_its_work(tmp_path: Path) -> None:
    with stub_server(silent) as n8n, service_that_asks(tmp_path, n8n.url) as service:
        first, second = ended(service, 1), ended(service, 2)
        assert service.ask("/health/ready").json()["status"] == "ok"
        assert len(n8n.visits) == 1
    assert first["failure_code"] == second["failure_code"] == "callback_timeout"
    assert "N8N did not answer in time." in first["result_message"]
    assert API_KEY not in service.log()
