"""The verbs of upload and worker: submit, claim, answer; and whom the end of a job rings for."""

import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from django.conf import LazySettings
from django.db import OperationalError, connection
from django.db.models import F
from django.utils import timezone

from jobs import services, transitions
from jobs.answers import Answer
from jobs.delivery_errors import ErrorCode
from jobs.models import JobLog
from jobs.queue import queue_service
from jobs.services import delivery, submission
from tests.factories import ClientFactory, JobFactory, job_in
from tests.support.job_lifecycle import uploaded

Status = JobLog.Status
pytestmark = pytest.mark.django_db

ACCEPTED = Answer(status=200, content_type="application/json", body=b'{"execution_id":"17"}', milliseconds=12)
BUSY = Answer(status=503)
CUT = Answer(error=ErrorCode.CUT)


def kinds(job: JobLog) -> list[str]:
    return list(job.events.values_list("kind", flat=True))


def delivered(job: JobLog, answer: Answer) -> JobLog:
    services.mark_delivered(job.pk, attempt=job.attempts, answer=answer, worker="w1")
    job.refresh_from_db()
    return job


# -- submit


def test_an_upload_of_new_bytes_asks_nothing_twice(django_assert_num_queries: Any) -> None:
    shop = JobFactory.create().client  # whose file has left the storage's mark
    # the time, whether the bytes are known, the time again, and three rows, between a beginning and an end
    with django_assert_num_queries(8):
        uploaded(shop)


def test_an_upload_that_comes_to_no_commit_leaves_no_file(
    monkeypatch: pytest.MonkeyPatch, media: Callable[[], list[Path]]
) -> None:
    monkeypatch.setattr(submission, "begin", Mock(side_effect=OperationalError("read only")))
    with pytest.raises(OperationalError):
        uploaded(ClientFactory.create())
    assert media() == []


def test_one_whose_commit_may_have_happened_leaves_its_file(
    monkeypatch: pytest.MonkeyPatch, media: Callable[[], list[Path]]
) -> None:
    shop = ClientFactory.create()
    # the test's own transaction makes savepoints of those within
    monkeypatch.setattr(connection, "savepoint_commit", Mock(side_effect=OperationalError("cut off")))
    with pytest.raises(OperationalError):
        uploaded(shop)
    assert len(media()) == 1


# -- claim


def test_a_claim_leases_the_job_and_counts_the_attempt(settings: LazySettings) -> None:
    job = services.claim_job(JobFactory.create().pk, worker="w1")
    assert job is not None
    assert (job.status, job.attempts, job.tries) == (Status.SENDING, 1, 1)
    assert job.due_at is not None
    assert job.due_at - job.now == timedelta(seconds=settings.N8N_LEASE_SECONDS)
    event = job.events.get()
    assert (event.actor, event.attempt) == ("w1", 1)


def test_a_claim_holds_until_another_worker_has_the_job_or_may_have_it_before_the_answer(
    settings: LazySettings,
) -> None:
    lease = timezone.now() + timedelta(seconds=settings.N8N_LEASE_SECONDS)
    job = JobFactory.create(sending=True, attempts=2, tries=2, due_at=lease)
    JobFactory.create(sending=True, due_at=lease)  # another's first attempt
    assert services.is_claimed(job)
    settings.N8N_DEADLINE_SECONDS = settings.N8N_LEASE_SECONDS + 1
    assert not services.is_claimed(job)
    settings.N8N_DEADLINE_SECONDS = 1
    JobLog.objects.filter(pk=job.pk).update(attempts=3)
    assert not services.is_claimed(job)


def test_a_claim_is_over_where_the_job_was_taken_back_and_waits_for_its_next_try() -> None:
    job = JobFactory.create(attempts=2, tries=2, due_at=timezone.now() + timedelta(hours=1))
    assert not services.is_claimed(job)


def test_a_second_claim_gets_nothing() -> None:
    job = JobFactory.create()
    assert services.claim_job(job.pk, worker="w1") is not None
    assert services.claim_job(job.pk, worker="w2") is None
    assert kinds(job) == ["claimed"]


@pytest.mark.parametrize("status", [status for status in Status if status != Status.QUEUED])
def test_only_a_queued_job_is_claimed(status: JobLog.Status) -> None:
    assert services.claim_job(job_in(status).pk, worker="w1") is None


def test_a_job_is_not_claimed_before_it_is_due() -> None:
    job = JobFactory.create(due_at=timezone.now() + timedelta(minutes=1))
    assert services.claim_job(job.pk, worker="w1") is None


@pytest.mark.parametrize(
    "moved", [{"due_at": F("due_at") + timedelta(hours=1)}, {"status": Status.SENDING, "attempts": 1, "tries": 1}]
)
def test_what_has_moved_on_since_the_look_is_not_claimed(
    moved: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = JobFactory.create()
    monkeypatch.setattr(delivery, "_lock_claims", lambda: JobLog.objects.filter(pk=job.pk).update(**moved))
    assert services.claim_job(job.pk, worker="w1") is None


def test_no_more_jobs_are_claimed_than_n8n_may_have_in_flight(settings: LazySettings) -> None:
    settings.N8N_MAX_IN_FLIGHT = 2
    JobFactory.create(sending=True)
    JobFactory.create(processing=True)
    job = JobFactory.create()
    assert services.claim_job(job.pk, worker="w1") is None
    settings.N8N_MAX_IN_FLIGHT = 3
    assert services.claim_job(job.pk, worker="w1") is not None


# -- what an answer does


def test_an_accepted_delivery_awaits_the_callback(settings: LazySettings) -> None:
    job = delivered(JobFactory.create(sending=True, last_error="n8n_busy", needs_attention=True), ACCEPTED)
    assert (job.status, job.n8n_execution_id, job.last_error) == (Status.PROCESSING, "17", "")
    assert job.delivered_at is not None
    assert job.due_at is not None
    assert job.due_at - job.delivered_at == timedelta(seconds=settings.CALLBACK_TIMEOUT_SECONDS)
    assert not job.needs_attention
    detail = job.events.get().detail
    assert detail.pop("answer")["status"] == 200
    assert detail == {"http_status": 200, "ms": 12, "execution_id": "17"}


def test_an_unconfirmed_delivery_awaits_the_callback_too() -> None:
    job = delivered(JobFactory.create(sending=True), CUT)
    assert (job.status, job.delivered_at, job.last_error) == (Status.PROCESSING, None, "n8n_connection_cut")
    assert kinds(job) == ["unconfirmed"]


def test_a_refused_delivery_is_queued_by_the_schedule(settings: LazySettings) -> None:
    settings.DELIVERY_RETRY_SCHEDULE = [100]
    job = delivered(JobFactory.create(sending=True), BUSY)
    assert (job.status, job.last_error, job.tries) == (Status.QUEUED, "n8n_busy", 1)
    assert job.due_at is not None
    assert timedelta(seconds=99) < job.due_at - timezone.now() <= timedelta(seconds=126)
    assert 100 <= job.events.get().detail["again_in_seconds"] <= 125


@pytest.mark.parametrize(("drawn", "seconds"), [(0.0, 100), (1.0, 125)])
def test_those_refused_together_do_not_return_together(
    drawn: float, seconds: int, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DELIVERY_RETRY_SCHEDULE = [100]
    monkeypatch.setattr(random, "random", lambda: drawn)
    job = delivered(JobFactory.create(sending=True), BUSY)
    assert job.events.get().detail["again_in_seconds"] == seconds


def test_a_wrong_setting_keeps_the_job_and_asks_for_attention() -> None:
    job = delivered(JobFactory.create(sending=True), Answer(status=404))
    assert (job.status, job.needs_attention) == (Status.QUEUED, True)


def test_the_last_refusal_ends_the_job(settings: LazySettings) -> None:
    settings.DELIVERY_RETRY_SCHEDULE = []
    job = delivered(JobFactory.create(sending=True, last_error="n8n_unreachable"), BUSY)
    assert (job.status, job.failure_code, job.due_at) == (Status.FAILURE, "n8n_unavailable", None)
    assert "503" in job.result_message
    assert job.last_error == "n8n_busy"
    assert job.events.get().actor == "w1"


@pytest.mark.parametrize("attempt", [1, 3])
def test_a_worker_whose_lease_has_passed_on_writes_nothing(attempt: int) -> None:
    job = JobFactory.create(sending=True, attempts=2, tries=2)
    assert services.mark_delivered(job.pk, attempt=attempt, answer=ACCEPTED, worker="w1") is None
    assert kinds(job) == []


@pytest.mark.parametrize("status", [Status.SUCCESS, Status.FAILURE, Status.QUEUED])
def test_an_answer_that_a_callback_has_overtaken_changes_nothing(status: JobLog.Status) -> None:
    job = job_in(status)
    assert services.mark_delivered(job.pk, attempt=job.attempts, answer=ACCEPTED, worker="w1") is None
    job.refresh_from_db()
    assert job.status == status


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=400, content_type="application/json", body=b'{"message":"a\\u0000b\\ud800"}'),
        Answer(status=503, content_type="application/json", body=b'{"message":"a\\u0000b\\ud800"}'),
        Answer(status=200, content_type="application/json", body=b'{"execution_id":"\\u0000\\udfff"}'),
        Answer(status=503, retry_after="Mon, 01 Jan 99999999999999999999 00:00:00 GMT"),
        Answer(status=503, retry_after="Mon, 01 Jan 2026 00:00:00 +99999999999999999999"),
    ],
)
def test_nothing_that_n8n_writes_can_keep_its_answer_from_being_noted(answer: Answer) -> None:
    assert delivered(JobFactory.create(sending=True), answer).status != Status.SENDING


def test_an_answer_in_json_that_goes_on_past_what_is_read_is_a_yes() -> None:
    echo = Answer(status=200, content_type="application/json", body=b'{"image_data": "AAAA', goes_on=True)
    job = delivered(JobFactory.create(sending=True), echo)
    assert (job.status, job.delivered_at is not None) == (Status.PROCESSING, True)


def test_a_cancelled_job_frees_no_place_and_rings_for_nobody(
    rung: Callable[[], list[str]], django_capture_on_commit_callbacks: object
) -> None:
    JobFactory.create(due_at=timezone.now() - timedelta(minutes=1))
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator] # a fixture without a type
        services.cancel_job(JobFactory.create().pk, actor="anna", reason="")
    assert rung() == []


def test_a_delivery_frees_no_place_and_rings_for_nobody(
    rung: Callable[[], list[str]], django_capture_on_commit_callbacks: object
) -> None:
    JobFactory.create(due_at=timezone.now() - timedelta(minutes=1))
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator] # a fixture without a type
        delivered(JobFactory.create(sending=True), ACCEPTED)
    assert rung() == []


def test_an_end_rings_for_no_job_whose_own_bell_rings_just_now(
    rung: Callable[[], list[str]], django_capture_on_commit_callbacks: object
) -> None:
    JobFactory.create()
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator] # a fixture without a type
        delivered(JobFactory.create(sending=True), Answer(status=400))
    assert rung() == []


def test_an_end_rings_for_nobody_while_rings_wait_for_a_worker(
    rung: Callable[[], list[str]], django_capture_on_commit_callbacks: object
) -> None:
    _, rung_for = (JobFactory.create(due_at=timezone.now() - timedelta(minutes=minutes)) for minutes in (2, 1))
    queue_service().ring([rung_for.pk])
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator] # a fixture without a type
        delivered(JobFactory.create(sending=True), Answer(status=400))
    assert rung() == [str(rung_for.pk)]


def test_an_end_rings_for_the_jobs_that_have_waited_longest(
    rung: Callable[[], list[str]], django_capture_on_commit_callbacks: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transitions, "SPARE_RINGS", 1)
    _, oldest, next_ = (JobFactory.create(due_at=timezone.now() - timedelta(minutes=minutes)) for minutes in (1, 3, 2))
    JobFactory.create(processing=True, due_at=timezone.now() - timedelta(minutes=4))  # the sweep's to act on
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator] # a fixture without a type
        delivered(JobFactory.create(sending=True), Answer(status=400))
    assert rung() == [str(oldest.pk), str(next_.pk)]
