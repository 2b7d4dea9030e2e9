"""Under which request id a worker logs and delivers: the upload's, whoever rings."""

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import structlog
from django.utils import timezone

from jobs import services
from jobs.models import JobLog
from jobs.sweep import sweep
from tests.factories import JobFactory
from tests.support.deliveries import n8n_at
from tests.support.stub_server import StubServer, answering, response, stub_server
from tests.support.workers import lines, ring, work

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def busy_n8n() -> Iterator[StubServer]:
    """Return an N8N that takes nothing for now."""
    with stub_server(answering(response(503))) as server, n8n_at(server.url):
        yield server


def ring_by_sweep(job_id: str) -> None:
    JobLog.objects.filter(pk=job_id).update(due_at=timezone.now() - timedelta(seconds=1))
    sweep()


def ring_by_staff(job_id: str) -> None:
    with structlog.contextvars.bound_contextvars(request_id="of-staff"):
        services.resend_job(JobLog.objects.get(pk=job_id).pk, actor="anna", reason="")


def test_every_attempt_is_logged_and_sent_under_the_uploads_request_id_whoever_rings(
    busy_n8n: StubServer, upload: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    job_id: str = upload(headers={"X-Request-ID": "r-1"}).json()["job_id"]
    caplog.set_level(logging.INFO)
    caplog.clear()
    work()
    for ring_again in (ring_by_sweep, ring_by_staff):
        ring_again(job_id)
        work()
    assert [request.headers["X-Request-ID"] for request in busy_n8n.requests] == ["r-1"] * 3
    for event in ("delivery_begun", "delivery_ended"):
        assert [line["request_id"] for line in lines(caplog, event)] == ["r-1"] * 3
    told = [line for line in lines(caplog, "job_event") if line["source"] == "worker"]
    assert {(line["kind"], line["request_id"]) for line in told} == {("claimed", "r-1"), ("refused", "r-1")}


def test_a_job_that_no_request_brought_is_delivered_under_its_own_id_each_time(busy_n8n: StubServer) -> None:
    job = JobFactory.create()
    ring(job)
    work()
    ring_by_sweep(str(job.pk))
    work()
    assert [request.headers["X-Request-ID"] for request in busy_n8n.requests] == [str(job.pk)] * 2


def test_an_id_is_on_the_lines_of_its_own_ring_and_on_no_other(
    n8n: StubServer, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = JobFactory.create_batch(2)
    ring(first, request_id="r-1")
    ring(second)
    work()
    begun = lines(caplog, "delivery_begun")
    assert [(line["job_id"], line["request_id"]) for line in begun] == [
        (str(first.pk), "r-1"),
        (str(second.pk), str(second.pk)),
    ]
    assert "request_id" not in structlog.contextvars.get_contextvars()
