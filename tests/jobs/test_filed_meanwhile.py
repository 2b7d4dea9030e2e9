"""A receipt that was given up, uploaded again, and reported as filed after all: it is filed once."""

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.db import connection, transaction
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from jobs import n8n, services
from jobs.answers import Answer
from jobs.failures import FailureCode
from jobs.models import JobEvent, JobLog
from jobs.payload import Payload
from jobs.timeline import timeline
from jobs.transitions import lock_job
from receipts.models import Receipt
from tests.factories import DATABASE_ID, JobFactory
from tests.support.deliveries import n8n_at
from tests.support.job_lifecycle import PAGE, READ, delivered, json_answer, reported, uploaded
from tests.support.query_plans import multiply, plan
from tests.support.rings import kinds, ring_at
from tests.support.stub_server import answering, stub_server

OTHER_DATABASE = DATABASE_ID.replace("0", "f")
Status = JobLog.Status
pytestmark = pytest.mark.django_db


def given_up(database: str = DATABASE_ID, *, again: bool = False) -> JobLog:
    """Upload the picture, deliver it, and wait for its callback in vain."""
    job = delivered(uploaded(database=database, again=again))
    with transaction.atomic():
        services.fail(lock_job(job.pk), FailureCode.CALLBACK_TIMEOUT, "None came.", source=JobEvent.Source.SWEEP)
    return job


def looked_up(job: JobLog) -> JobLog:
    """Upload the job's receipt twice more, so that it is no longer as it came, and it is asked who else filed it."""
    assert {uploaded().pk, uploaded().pk} == {job.pk}
    return job


def claimed(job: JobLog) -> JobLog | None:
    return services.claim_job(job.pk, worker="w1")


def test_what_was_filed_meanwhile_is_not_sent_again_and_ends_with_the_same_page() -> None:
    former, job = given_up(), uploaded()
    reported(former)
    assert claimed(job) is None
    job.refresh_from_db()
    assert (job.status, job.attempts, job.due_at) == (Status.SUCCESS, 0, None)
    assert (job.notion_page_url, job.result, job.result_message) == (PAGE, READ, "Filed.")
    assert job.events.get(kind="succeeded").actor == "w1"
    *_, end = timeline(job)
    assert end.facts == [("filed by job", str(former.pk)), ("Notion page", PAGE)]


def test_nor_is_it_where_the_clock_was_set_back_before_it_was_uploaded_again() -> None:
    former, job = given_up(), uploaded()
    JobLog.objects.filter(pk=job.pk).update(created_at=former.created_at - timedelta(minutes=10))
    reported(former)
    assert claimed(job) is None


def test_what_was_amiss_before_is_no_longer_told_of_it() -> None:
    former, job = given_up(), delivered(uploaded(), Answer(status=404))
    services.resend_job(job.pk, actor="anna", reason="mended")
    reported(former)
    assert claimed(job) is None
    job.refresh_from_db()
    assert (job.status, job.last_error, job.needs_attention) == (Status.SUCCESS, "", False)


def test_nor_is_what_was_filed_while_its_picture_was_prepared(
    monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    settings.DELIVERY_RETRY_SCHEDULE = []
    former, job = given_up(), uploaded()

    def prepare(claimed: JobLog) -> Payload:
        reported(former)
        return Payload(claimed)

    monkeypatch.setattr(n8n, "Payload", prepare)
    with stub_server(answering()) as server, n8n_at(server.url):
        assert ring_at(job) == "overtaken"
        assert server.requests == []
    assert (job.status, job.notion_page_url) == (Status.SUCCESS, PAGE)
    assert kinds(job) == ["received", "claimed", "succeeded"]


def test_what_was_ended_so_is_no_round_trip() -> None:
    former, job = given_up(), uploaded()
    reported(former)
    JobLog.objects.filter(pk=former.pk).update(completed_at=former.created_at + timedelta(seconds=30))
    claimed(job)
    told = Browser().get("/health/ready").json()["checks"]["last_round_trip"]
    assert told["seconds"] == 30.0  # the former's


def test_what_n8n_has_taken_is_awaited_though_another_was_filed_meanwhile() -> None:
    former, job = given_up(), uploaded()
    assert claimed(job)
    reported(former)
    services.mark_delivered(job.pk, attempt=1, answer=json_answer(200, {"execution_id": "18"}), worker="w1")
    job.refresh_from_db()
    assert (job.status, job.n8n_execution_id, kinds(job)[-1]) == (Status.PROCESSING, "18", "delivered")


def test_what_has_not_been_filed_is_sent_again() -> None:
    given_up()
    assert claimed(uploaded()) is not None


def test_what_was_filed_in_another_database_is_sent() -> None:
    former, job = given_up(OTHER_DATABASE), uploaded()
    reported(former)
    assert claimed(job) is not None


def test_so_is_another_receipt_that_came_again_and_again() -> None:
    job = looked_up(uploaded())
    JobFactory.create(success=True)
    assert claimed(job) is not None


def test_the_receipts_first_job_is_not_sent_again_where_its_second_was_filed_after_a_retry() -> None:
    first, second = given_up(), given_up()
    services.retry_job(first.pk, actor="anna", reason="N8N was down")
    reported(second)
    assert claimed(first) is None


def test_a_deliberate_duplicate_is_sent_although_the_receipt_was_filed() -> None:
    first = uploaded()
    duplicate = uploaded(again=True)
    reported(delivered(first))
    assert claimed(duplicate) is not None


def test_so_is_one_of_a_receipt_that_was_given_up() -> None:
    first = given_up()
    duplicate = uploaded(again=True)
    assert duplicate.duplicate_of_id == first.pk
    reported(first)
    assert claimed(duplicate) is not None


def test_a_deliberate_duplicate_files_its_receipt_for_no_job_before_it() -> None:
    first = looked_up(uploaded())
    reported(delivered(uploaded(again=True)))
    assert claimed(first) is not None


def test_but_for_one_after_it_which_an_upload_would_not_have_made() -> None:
    given_up()
    duplicate = given_up(again=True)
    job = uploaded()
    reported(duplicate)
    assert claimed(job) is None


def test_jobs_of_a_receipt_are_found_by_an_index_of_their_own() -> None:
    job = given_up()
    multiply(job.receipt, ({"sha256": f"{number:064}"} for number in range(1_000)))
    others = Receipt.objects.exclude(pk=job.receipt_id)
    multiply(job, ({"receipt_id": receipt.pk} for receipt in others))
    with CaptureQueriesContext(connection) as queries:
        list(job.receipt.jobs.filter(notion_database_id=DATABASE_ID))
    assert "job_newest_of_receipt" in plan(queries.captured_queries[0]["sql"])
