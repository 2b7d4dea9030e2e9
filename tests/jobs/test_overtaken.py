"""What happens to a job while a worker is at it: whoever was quicker is not overwritten, and nothing is sent twice."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db.models import F

from accounting.clock import seconds_since_boot
from jobs import n8n, tasks
from jobs.answers import Answer
from jobs.callbacks import Report
from jobs.models import JobLog
from jobs.payload import Payload
from jobs.services import complete_job
from jobs.tasks import trigger_n8n_workflow
from tests.factories import JobFactory
from tests.support.deliveries import n8n_at, sleep_for
from tests.support.rings import kinds, ring, ring_at
from tests.support.stub_server import answering, response, stub_server

Status = JobLog.Status
pytestmark = pytest.mark.django_db


@pytest.fixture
def job() -> JobLog:
    """Return a job that waits for its first delivery."""
    return JobFactory.create()


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[JobLog], object]], None]:
    """Return a function that lets something happen between N8N's answer and the worker's noting it."""

    def plan(happens: Callable[[JobLog], object]) -> None:
        send = n8n.send_receipt

        def send_and_let_happen(job: JobLog, **when: Any) -> Answer:
            answer = send(job, **when)
            happens(job)
            return answer

        monkeypatch.setattr(n8n, "send_receipt", send_and_let_happen)

    return plan


Meanwhile = Callable[[Callable[[JobLog], object]], None]


@pytest.mark.parametrize("answer", [response(), response(503), response(400)])
def test_a_worker_whose_lease_has_passed_on_writes_nothing(job: JobLog, meanwhile: Meanwhile, answer: bytes) -> None:
    meanwhile(lambda claimed: JobLog.objects.filter(pk=claimed.pk).update(attempts=2))
    assert ring(job, answering(answer)) == "overtaken"
    assert (job.status, job.attempts, job.n8n_execution_id) == (Status.SENDING, 2, "")
    assert kinds(job) == ["claimed"]


def test_a_worker_whose_lease_has_passed_on_reports_no_missing_file(
    job: JobLog, media: Callable[[], list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    send = n8n.send_receipt

    def lose_both(claimed: JobLog, **when: Any) -> Answer:
        JobLog.objects.filter(pk=claimed.pk).update(attempts=2)
        media()[0].unlink()
        return send(claimed, **when)

    monkeypatch.setattr(n8n, "send_receipt", lose_both)
    trigger_n8n_workflow(str(job.pk))
    job.refresh_from_db()
    assert (job.status, kinds(job)) == (Status.SENDING, ["claimed"])


@pytest.mark.parametrize("answer", [response(), response(503), response(400)])
def test_a_callback_that_overtakes_the_answer_stands(job: JobLog, meanwhile: Meanwhile, answer: bytes) -> None:
    meanwhile(lambda claimed: complete_job(claimed.pk, Report(status=Status.SUCCESS), actor="job token"))
    assert ring(job, answering(answer)) == "overtaken"
    assert job.status == Status.SUCCESS
    assert kinds(job) == ["claimed", "succeeded"]


def test_a_receipt_that_is_reported_on_while_it_is_prepared_is_not_posted_again(
    job: JobLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(claimed: JobLog) -> Payload:
        payload = Payload(claimed)
        complete_job(claimed.pk, Report(status=Status.SUCCESS), actor="job token")  # of the delivery before
        return payload

    monkeypatch.setattr(n8n, "Payload", prepare)
    with stub_server(answering()) as server, n8n_at(server.url):
        assert ring_at(job) == "overtaken"
        assert server.visits == []
    assert (job.status, kinds(job)) == (Status.SUCCESS, ["claimed", "succeeded"])


def test_a_worker_that_was_stopped_right_before_it_posts_posts_nothing_after_its_time(
    job: JobLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    # what is posted from now on could be answered when the lease has passed to another
    ago = settings.N8N_LEASE_SECONDS - settings.N8N_DEADLINE_SECONDS
    monkeypatch.setattr(tasks, "seconds_since_boot", lambda: seconds_since_boot() - ago)
    post = n8n.N8NClient.post

    def stop_and_post(client: n8n.N8NClient, *args: Any, **when: Any) -> Answer:
        monkeypatch.setattr(n8n, "seconds_since_boot", seconds_since_boot)
        return post(client, *args, **when)

    # the last look at the clock was in time; how long the process was stopped since, it cannot know
    monkeypatch.setattr(n8n, "seconds_since_boot", lambda: 0.0)
    monkeypatch.setattr(n8n.N8NClient, "post", stop_and_post)
    with stub_server(answering()) as server, n8n_at(server.url):
        assert ring_at(job) == "queued"
        assert server.requests == []
    assert (job.status, job.last_error) == (Status.QUEUED, "n8n_unreachable")


def test_a_worker_whose_machine_sleeps_right_before_it_posts_posts_nothing_after_its_time(
    job: JobLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = n8n.N8NClient.post

    def sleep_and_post(client: n8n.N8NClient, *args: Any, **when: Any) -> Answer:
        sleep_for(settings.N8N_LEASE_SECONDS, monkeypatch)
        return post(client, *args, **when)

    monkeypatch.setattr(n8n.N8NClient, "post", sleep_and_post)
    with stub_server(answering()) as server, n8n_at(server.url):
        assert ring_at(job) == "queued"
        assert server.requests == []


def test_a_worker_whose_machine_was_halted_without_noticing_posts_nothing_after_its_time(
    job: JobLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(claimed: JobLog) -> Payload:
        halted = timedelta(seconds=settings.N8N_LEASE_SECONDS - settings.N8N_DEADLINE_SECONDS)
        JobLog.objects.update(due_at=F("due_at") - halted)  # meanwhile the database's clock has gone on
        return Payload(claimed)

    monkeypatch.setattr(n8n, "Payload", prepare)
    with stub_server(answering()) as server, n8n_at(server.url):
        assert ring_at(job) == "queued"
        assert server.visits == []
