"""Callbacks that are refused: under no right token, or as no report; and what is written down of them."""

import gzip
from typing import Any

import pytest
from django.test import Client as Browser

from jobs import transitions
from jobs.answers import Answer
from jobs.failures import FailureCode
from jobs.models import JobEvent, JobLog
from jobs.services import mark_delivered
from jobs.signatures import callback_token
from tests.factories import JobFactory
from tests.support.callback_posts import FORMER_TOKEN, GLOBAL_TOKEN, post, report
from tests.support.overdue_jobs import PAST, after_a_sweep

Status = JobLog.Status
pytestmark = pytest.mark.django_db


# -- who may report


@pytest.mark.parametrize("token", [GLOBAL_TOKEN, FORMER_TOKEN])
def test_every_global_token_counts_so_that_one_can_be_replaced(token: str) -> None:
    job = JobFactory.create(processing=True)
    assert report(job, token=token).status_code == 200
    assert job.events.get().actor == "global token"


@pytest.mark.parametrize("token", [None, "", "wrong", "\xe9", GLOBAL_TOKEN[:-1], f"{GLOBAL_TOKEN},{FORMER_TOKEN}"])
def test_without_a_right_token_nobody_learns_whether_the_job_exists(token: str | None) -> None:
    job = JobFactory.create(processing=True)
    for path in (f"{job.pk}/callback", "0198c1f2-0000-4000-8000-000000000000/callback", "callback"):
        answer = post(path, {"status": "success", "execution_id": "17"}, token=token)
        assert (answer.status_code, answer.json()["code"]) == (401, "callback_token_invalid")
        assert answer["WWW-Authenticate"]
    assert not job.events.exists()


def test_one_jobs_token_opens_no_other() -> None:
    job, other = JobFactory.create(processing=True), JobFactory.create(processing=True)
    assert report(job, token=callback_token(other.pk)).status_code == 401


def test_an_unknown_job_is_404_for_who_has_the_token() -> None:
    answer = post("0198c1f2-0000-4000-8000-000000000000/callback", {"status": "success"})
    assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")


def test_a_jobs_own_token_does_not_open_the_global_address() -> None:
    job = JobFactory.create(processing=True)
    answer = post("callback", {"status": "failure", "execution_id": "17"}, token=callback_token(job.pk))
    assert answer.status_code == 401
    assert "send one of CALLBACK_SECRET_TOKEN" in answer.json()["detail"]


# -- what is no report


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "invalid"),
        ({"status": "done"}, 400, "invalid"),
        ({"status": "queued"}, 400, "invalid"),
        ({"status": ["success"]}, 400, "invalid"),
        ([], 400, "json_invalid"),
        (b"", 400, "invalid"),
        (b"not json", 400, "json_invalid"),
        (b"\xff\xfe", 400, "json_invalid"),
        (b'{"status": "success", "data": NaN}', 400, "json_invalid"),
        (b'{"status": "success", "data": -Infinity}', 400, "json_invalid"),
        (b'{"status": "success", "data": 1e999}', 400, "json_invalid"),
        (b'{"status": "success", "data": ' + b"9" * 5000 + b"}", 400, "json_invalid"),
        (b'{"status": "success", "data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "json_invalid"),
        (b'{"status": "success", "data": ' + b"[" * 30 + b"]" * 30 + b"}", 400, "invalid"),
        (b'{"status": "\\ud800"}', 400, "invalid"),
        ({"status": "success", "data": "x" * 300_000}, 400, "invalid"),
        ({"status": "success", "message": {"a": 1}}, 400, "invalid"),
        ({"status": "success", "notion_page_url": "javascript:alert(1)"}, 400, "invalid"),
        (b'{"status": "success", "data": "' + b"x" * 1_100_000 + b'"}', 413, "body_too_large"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_bad_body_is_refused_changes_nothing_and_leaves_a_trace(body: Any, status: int, code: str) -> None:
    job = JobFactory.create(processing=True)
    answer = post(f"{job.pk}/callback", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer["Content-Type"] == "application/problem+json"
    job.refresh_from_db()
    assert job.status == Status.PROCESSING
    ((kind, actor, detail),) = traces(job)
    assert (kind, actor, detail["code"]) == ("callback_refused", "global token", code)


def traces(job: JobLog) -> list[tuple[str, str, Any]]:
    return list(job.events.values_list("kind", "actor", "detail"))


def test_a_compressed_body_is_refused_with_the_cure_and_noted() -> None:
    job = JobFactory.create(processing=True)
    answer = post(f"{job.pk}/callback", gzip.compress(b'{"status": "success"}'), HTTP_CONTENT_ENCODING="gzip")
    assert (answer.status_code, answer.json()["code"]) == (415, "encoding_not_supported")
    assert answer["Accept-Encoding"] == "identity"
    assert job.events.get().detail == {"code": "encoding_not_supported"}


def test_of_a_refused_report_the_code_and_the_wrong_fields_names_are_kept_and_nothing_that_it_said() -> None:
    job = JobFactory.create(processing=True)
    answer = report(job, status="canary", message="canary", execution_id="canary", notion_page_url="canary", canary=1)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    said = {"code": "invalid", "fields": "status, notion_page_url"}
    assert traces(job) == [("callback_refused", "job token", said)]
    assert report(job).status_code == 200  # and the next one, which is right, is taken


@pytest.mark.parametrize("body", [{"status": "success"}, {"status": "canary"}, b"not json"])
@pytest.mark.parametrize("token", [None, "", "wrong"])
def test_what_comes_without_a_right_token_is_never_written_down(body: Any, token: str | None) -> None:
    job = JobFactory.create(processing=True, n8n_execution_id="17")
    assert post(f"{job.pk}/callback", body, token=token).status_code == 401
    assert post("callback", {"status": "canary", "execution_id": "17"}, token=token).status_code == 401
    assert not JobEvent.objects.exists()


def test_a_bad_report_on_a_job_that_there_is_none_of_is_refused_all_the_same() -> None:
    assert post("0198c1f2-0000-4000-8000-000000000000/callback", {"status": "done"}).status_code == 400
    assert not JobEvent.objects.exists()


@pytest.mark.parametrize(
    ("body", "written_down"),
    [
        ({"status": "done", "execution_id": "17"}, 1),
        ({"status": "done", "execution_id": 17}, 1),
        ({"status": "done", "execution_id": "18"}, 0),
        ({"status": "done"}, 0),
        ({"status": "done", "execution_id": ["17"]}, 0),
        ({"status": "done", "execution_id": "1\0007"}, 0),
        (b"not json", 0),
    ],
)
def test_a_bad_report_under_an_execution_is_written_down_where_it_names_one(body: Any, written_down: int) -> None:
    job = JobFactory.create(processing=True)
    assert post("callback", body).status_code == 400
    assert traces(job) == [("callback_refused", "global token", {"code": "invalid", "fields": "status"})] * written_down


def test_a_form_is_no_report() -> None:
    job = JobFactory.create(processing=True)
    answer = Browser().post(
        f"/api/v1/jobs/{job.pk}/callback", {"status": "success"}, headers={"X-Callback-Token": GLOBAL_TOKEN}
    )
    assert (answer.status_code, answer["Content-Type"]) == (415, "application/problem+json")
    assert traces(job) == [("callback_refused", "global token", {"code": "unsupported_media_type"})]


# -- what becomes of a job whose report was refused


@pytest.mark.parametrize("trait", ["sending", "unconfirmed", "processing"])
def test_what_n8n_has_reported_on_badly_may_be_filed_and_is_not_sent_again(trait: str) -> None:
    job = JobFactory.create(**{trait: True}, due_at=PAST)
    assert report(job, status="Success", notion_page_url="canary").status_code == 400
    job = after_a_sweep(job)
    assert (job.status, job.failure_code) == (Status.FAILURE, FailureCode.CALLBACK_TIMEOUT)
    assert job.result_message == "N8N called back, and the report was refused: invalid (status, notion_page_url)."


@pytest.mark.parametrize("answer", [Answer(status=502), Answer(status=500, body=b'{"message": "Error in workflow"}')])
def test_nor_is_it_where_n8n_answers_its_delivery_with_a_failure_after_that(answer: Answer) -> None:
    job = JobFactory.create(sending=True)
    report(job, status="Success")
    mark_delivered(job.pk, attempt=job.attempts, answer=answer, worker="till")
    job.refresh_from_db()
    assert (job.status, job.failure_code) == (Status.FAILURE, FailureCode.CALLBACK_TIMEOUT)
    assert job.result_message == "N8N called back, and the report was refused: invalid (status)."


def test_nor_where_the_job_has_more_events_than_are_written_of_what_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transitions, "MAX_EVENTS", 0)
    job = JobFactory.create(unconfirmed=True, due_at=PAST)
    for _ in range(3):
        report(job, status="Success")
    assert [kind for kind, *_ in traces(job)] == ["callback_refused"]
    assert after_a_sweep(job).status == Status.FAILURE


def test_a_refused_report_says_nothing_of_a_later_attempt() -> None:
    job = JobFactory.create(unconfirmed=True, due_at=PAST)
    report(job, status="Success")
    JobLog.objects.filter(pk=job.pk).update(attempts=2)
    assert after_a_sweep(job).status == Status.QUEUED


def test_a_good_report_after_a_refused_one_ends_the_job_as_it_says() -> None:
    job = JobFactory.create(unconfirmed=True, due_at=PAST)
    post(f"{job.pk}/callback", b"not json")
    assert after_a_sweep(job).result_message == "N8N called back, and the report was refused: json_invalid."
    assert report(job).status_code == 200
    job.refresh_from_db()
    assert job.status == Status.SUCCESS
