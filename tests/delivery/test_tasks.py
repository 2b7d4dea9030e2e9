"""One ring, from the claim to what N8N's answer means, over real HTTP."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from jobs import n8n, services, tasks
from jobs.answers import Answer
from jobs.models import JobLog
from jobs.signatures import callback_token
from jobs.tasks import trigger_n8n_workflow
from tests.factories import JobFactory, job_in
from tests.support.deliveries import WEBHOOK, n8n_at
from tests.support.rings import kinds, ring, ring_at
from tests.support.stub_server import Behaviour, StubServer, Visit, answering, response, stub_server

Status = JobLog.Status
pytestmark = pytest.mark.django_db


@pytest.fixture
def job() -> JobLog:
    """Return a job that waits for its first delivery."""
    return JobFactory.create()


def logged(caplog: pytest.LogCaptureFixture, event: str) -> dict[str, Any]:
    """Return the one line of our log that tells of the event."""
    lines: list[Any] = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    (found,) = [line for line in lines if line["event"] == event]
    return dict(found)


# -- what an answer comes to


def test_what_n8n_accepts_is_processing_until_it_calls_back(job: JobLog) -> None:
    with stub_server(answering()) as server, n8n_at(server.url):
        assert trigger_n8n_workflow(str(job.pk)) == "processing"
        (request,) = server.requests
    job.refresh_from_db()
    assert (job.status, job.attempts, job.n8n_execution_id) == (Status.PROCESSING, 1, "17")
    assert job.delivered_at is not None
    assert kinds(job) == ["claimed", "delivered"]
    assert request.headers["Idempotency-Key"] == str(job.pk)


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        pytest.param(answering(response(503)), "n8n_busy", id="busy"),
        pytest.param(answering(response(body=b"<html>", Content_Type="text/html")), "n8n_starting", id="starting"),
    ],
)
def test_what_n8n_does_not_take_waits_for_another_try(job: JobLog, behaviour: Behaviour, error: str) -> None:
    assert ring(job, behaviour) == "queued"
    assert (job.status, job.tries, job.last_error, job.delivered_at) == (Status.QUEUED, 1, error, None)
    assert job.due_at is not None
    assert job.due_at > timezone.now()
    assert kinds(job) == ["claimed", "refused"]


def test_n8n_may_ask_for_more_patience(job: JobLog) -> None:
    ring(job, answering(response(429, Retry_After="600")))
    assert job.due_at is not None
    assert job.due_at - timezone.now() > timedelta(seconds=590)


def test_an_n8n_that_is_away_is_no_error_of_the_task(job: JobLog) -> None:
    with stub_server() as server:
        pass
    with n8n_at(server.url):
        assert trigger_n8n_workflow(str(job.pk)) == "queued"
    job.refresh_from_db()
    assert (job.status, job.last_error) == (Status.QUEUED, "n8n_unreachable")


def test_a_wrong_setting_is_kept_and_told_of_loudly(job: JobLog, caplog: pytest.LogCaptureFixture) -> None:
    assert ring(job, answering(response(404))) == "queued"
    assert (job.status, job.needs_attention) == (Status.QUEUED, True)
    assert logged(caplog, "delivery_ended")["level"] == "error"


@pytest.mark.parametrize(
    "behaviour", [pytest.param(answering(response(body=b"")), id="empty"), pytest.param(Visit.read, id="cut")]
)
def test_what_may_have_arrived_awaits_the_callback(job: JobLog, behaviour: Behaviour) -> None:
    assert ring(job, behaviour) == "processing"
    assert (job.status, job.delivered_at) == (Status.PROCESSING, None)
    assert kinds(job) == ["claimed", "unconfirmed"]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (response(500, b'{"message": "Error in workflow"}'), "workflow_failed"),
        (response(302, Location="/elsewhere"), "n8n_redirected"),
        (response(413), "payload_too_large"),
    ],
)
def test_what_would_fail_again_ends_the_job(job: JobLog, answer: bytes, code: str) -> None:
    assert ring(job, answering(answer)) == "failure"
    assert (job.status, job.failure_code) == (Status.FAILURE, code)
    assert job.result_message.endswith(".")
    assert kinds(job) == ["claimed", "failed"]


def test_the_last_refusal_ends_the_job(job: JobLog, settings: LazySettings) -> None:
    settings.DELIVERY_RETRY_SCHEDULE = []
    assert ring(job, answering(response(503))) == "failure"
    assert job.failure_code == "n8n_unavailable"


# -- nothing to do


@pytest.fixture
def idle_n8n() -> Iterator[StubServer]:
    """Return an N8N that is to get nothing."""
    with stub_server(answering()) as server, n8n_at(server.url):
        yield server
        assert server.visits == []


@pytest.mark.parametrize("status", [status for status in Status if status != Status.QUEUED])
def test_a_ring_for_a_job_that_does_not_wait_does_nothing(idle_n8n: StubServer, status: JobLog.Status) -> None:
    job = job_in(status)
    assert ring_at(job) == "nothing_to_do"
    assert (job.status, kinds(job)) == (status, [])


def test_a_ring_before_the_time_does_nothing(idle_n8n: StubServer) -> None:
    job = JobFactory.create(due_at=timezone.now() + timedelta(minutes=1))
    assert ring_at(job) == "nothing_to_do"


def test_a_ring_for_nobody_does_nothing(idle_n8n: StubServer) -> None:
    assert trigger_n8n_workflow(str(uuid4())) == "nothing_to_do"


def test_a_second_ring_for_the_same_job_does_nothing(job: JobLog) -> None:
    with stub_server(answering()) as server, n8n_at(server.url):
        assert [trigger_n8n_workflow(str(job.pk)) for _ in range(2)] == ["processing", "nothing_to_do"]
        assert len(server.requests) == 1


def test_a_receipt_whose_file_cannot_be_read_is_not_sent_but_asks_loudly_for_attention(
    job: JobLog, idle_n8n: StubServer, media: Callable[[], list[Path]], caplog: pytest.LogCaptureFixture
) -> None:
    media()[0].unlink()  # or this worker's MEDIA_ROOT is another than the web's, which must not end receipts
    assert ring_at(job) == "queued"
    assert (job.status, job.last_error, job.needs_attention) == (Status.QUEUED, "file_missing", True)
    assert kinds(job) == ["claimed", "refused"]
    assert logged(caplog, "delivery_ended")["level"] == "error"


def test_a_file_that_stays_away_ends_the_job_at_last(
    job: JobLog, idle_n8n: StubServer, media: Callable[[], list[Path]], settings: LazySettings
) -> None:
    settings.DELIVERY_RETRY_SCHEDULE = []
    media()[0].unlink()
    assert ring_at(job) == "failure"
    assert (job.status, job.failure_code) == (Status.FAILURE, "file_missing")


def test_what_n8n_said_is_kept_though_the_database_is_away_for_a_moment(
    job: JobLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "AWAY_SECONDS", 0)
    failures = iter([OperationalError(), InterfaceError()] * 10)
    mark = services.mark_delivered

    def mark_at_last(*args: Any, **kwargs: Any) -> Any:
        if (failure := next(failures, None)) is not None:
            raise failure
        return mark(*args, **kwargs)

    monkeypatch.setattr(services, "mark_delivered", mark_at_last)
    monkeypatch.setattr(tasks, "close_old_connections", lambda: None)  # the test's own transaction lives in it
    assert ring(job, answering()) == "processing"
    assert kinds(job) == ["claimed", "delivered"]


def test_it_is_kept_no_longer_than_the_lease_lasts(
    job: JobLog, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    settings.N8N_LEASE_SECONDS = 0
    monkeypatch.setattr(tasks, "LEAST_SECONDS", 0)
    monkeypatch.setattr(tasks, "AWAY_SECONDS", 0.01)
    mark = Mock(side_effect=OperationalError())
    monkeypatch.setattr(services, "mark_delivered", mark)
    assert ring(job, answering()) == "database_away"
    assert mark.call_count == 1


def test_one_that_slept_through_its_lease_tries_on_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    job = services.claim_job(JobFactory.create().pk, worker="w1")
    assert job is not None
    monkeypatch.setattr(tasks, "AWAY_SECONDS", 0.01)
    monkeypatch.setattr(tasks, "close_old_connections", lambda: None)
    mark = Mock(side_effect=[OperationalError(), None])
    monkeypatch.setattr(services, "mark_delivered", mark)
    tasks._write_down(job, Answer(status=503), lease_ends=0.0)
    assert mark.call_count == 2


# -- what nobody expected, and what is told


def test_what_nobody_expected_leaves_the_job_to_its_lease(job: JobLog, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(job: JobLog, **when: Any) -> Answer:
        raise RuntimeError("nobody expected this")

    monkeypatch.setattr(n8n, "send_receipt", broken)
    with pytest.raises(RuntimeError):
        trigger_n8n_workflow(str(job.pk))
    job.refresh_from_db()
    assert (job.status, kinds(job)) == (Status.SENDING, ["claimed"])
    assert job.due_at is not None


def test_the_log_tells_the_job_and_what_became_of_it(job: JobLog, caplog: pytest.LogCaptureFixture) -> None:
    ring(job, answering(response(503)))
    begun, ended = logged(caplog, "delivery_begun"), logged(caplog, "delivery_ended")
    assert (begun["job_id"], begun["attempt"], begun["tries"]) == (str(job.pk), 1, 1)
    assert (ended["job_id"], ended["status"], ended["code"]) == (str(job.pk), "queued", "n8n_busy")
    assert (ended["http_status"], ended["level"]) == (503, "info")
    assert ended["ms"] >= 0


@pytest.mark.parametrize(
    "behaviour",
    [answering(), answering(response(503)), answering(response(302, Location="/canary-path-elsewhere")), Visit.close],
)
def test_no_secret_gets_into_the_log_or_the_history(
    job: JobLog, settings: LazySettings, caplog: pytest.LogCaptureFixture, behaviour: Behaviour
) -> None:
    ring(job, behaviour)
    assert "canary-" in WEBHOOK
    written = f"{caplog.text} {list(job.events.values())} {vars(job)}"
    assert str(job.pk) in written
    for secret in ("canary-", settings.N8N_API_KEY, *settings.N8N_WEBHOOK_SECRET, callback_token(job.pk)):
        assert secret not in written
