"""The callback over HTTP: what is taken, what a job is afterwards, and what is written down."""

from typing import Any

import pytest
from django.test import Client as Browser

from jobs import transitions
from jobs.failures import FailureCode
from jobs.models import JobLog
from jobs.services import claim_job, completion, retry_job
from tests.factories import JobFactory, job_in
from tests.support.callback_posts import post, report
from tests.support.job_lifecycle import delivered, json_answer, uploaded
from tests.support.old_receipts import purge

Status = JobLog.Status
pytestmark = pytest.mark.django_db

PAGE = "https://www.notion.so/0123456789abcdef"


def kinds(job: JobLog) -> list[str]:
    return list(job.events.values_list("kind", flat=True))


@pytest.mark.parametrize("status", JobLog.OPEN)
def test_a_success_ends_an_open_job_with_all_that_n8n_found(status: JobLog.Status) -> None:
    job = job_in(status)
    answer = report(job, notion_page_url=PAGE, execution_id="17", message="Filed.", data={"total": "12.50"})
    assert answer.json() == {"job_id": str(job.pk), "status": "success", "duplicate": False}
    job.refresh_from_db()
    assert (job.status, job.notion_page_url, job.n8n_execution_id) == (Status.SUCCESS, PAGE, "17")
    assert (job.result_message, job.result, job.due_at) == ("Filed.", {"total": "12.50"}, None)
    assert job.completed_at is not None
    event = job.events.get()
    assert (event.kind, event.source, event.actor) == ("succeeded", "callback", "job token")
    assert event.detail == {"reported": "success", "execution_id": "17", "notion_page_url": PAGE}


def test_a_failure_ends_it_with_n8ns_words() -> None:
    job = JobFactory.create(processing=True)
    assert report(job, status="failure", message="Notion: object not found").status_code == 200
    job.refresh_from_db()
    assert (job.status, job.failure_code) == (Status.FAILURE, FailureCode.WORKFLOW_FAILED)
    assert job.result_message == "Notion: object not found"
    assert job.events.get().detail["message"] == "Notion: object not found"


@pytest.mark.parametrize("outcome", ["success", "failure"])
def test_what_was_amiss_before_is_no_longer_told_of_a_job_that_was_reported_on(outcome: str) -> None:
    job = JobFactory.create(attempts=1, tries=1, last_error="n8n_not_found", needs_attention=True)
    report(job, status=outcome)
    job.refresh_from_db()
    assert (job.status, job.last_error, job.needs_attention) == (outcome, "", False)


def test_the_event_keeps_the_beginning_of_a_long_failure_and_the_job_all_of_it() -> None:
    job = JobFactory.create(processing=True)
    message = "Notion said no. " * 100
    report(job, status="failure", message=message)
    job.refresh_from_db()
    assert job.result_message == message.strip()
    assert job.events.get().detail["message"] == message[: completion.KEPT_MESSAGE]


def test_a_report_that_names_no_execution_leaves_the_one_that_is_known() -> None:
    job = JobFactory.create(processing=True, n8n_execution_id="17")
    report(job)
    job.refresh_from_db()
    assert (job.status, job.n8n_execution_id) == (Status.SUCCESS, "17")


def test_the_callback_may_overtake_the_webhooks_own_answer() -> None:
    job = JobFactory.create(sending=True)
    assert report(job).status_code == 200
    job.refresh_from_db()
    assert job.status == Status.SUCCESS


@pytest.mark.parametrize("outcome", ["success", "failure"])
def test_the_same_outcome_again_changes_nothing(outcome: str) -> None:
    job = JobFactory.create(processing=True)
    report(job, status=outcome, message="first")
    answer = report(job, status=outcome, message="second")
    assert (answer.status_code, answer.json()["duplicate"]) == (200, True)
    job.refresh_from_db()
    assert job.result_message == "first"
    assert kinds(job)[1:] == ["callback_repeated"]


def test_reports_without_end_that_change_nothing_are_answered_alike_and_no_longer_written_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transitions, "MAX_EVENTS", 4)
    job = JobFactory.create(processing=True)
    answers = [report(job).status_code for _ in range(3)]
    answers += [report(job, status="failure", execution_id="18").status_code for _ in range(3)]
    answers += [report(job, status="nonsense").status_code for _ in range(2)]
    assert answers == [200, 200, 200, 409, 409, 409, 400, 400]
    assert kinds(job) == ["succeeded", "callback_repeated", "callback_repeated", "callback_refused"]
    job.refresh_from_db()
    assert job.status == Status.SUCCESS


def test_a_failure_after_the_success_is_refused_and_written_down() -> None:
    job = JobFactory.create(success=True)
    answer = report(job, status="failure", execution_id="18")
    assert (answer.status_code, answer.json()["code"]) == (409, "outcome_contradicts")
    job.refresh_from_db()
    assert job.status == Status.SUCCESS
    told = {"reported": "failure", "execution_id": "18", "code": "outcome_contradicts"}
    assert job.events.get().detail == told


def test_a_late_success_is_taken_and_marked_late() -> None:
    job = JobFactory.create(failure=True)
    assert report(job, notion_page_url=PAGE).json()["duplicate"] is False
    job.refresh_from_db()
    assert (job.status, job.failure_code, job.notion_page_url) == (Status.SUCCESS, "", PAGE)
    assert job.events.get().detail["late"] is True


def test_a_failure_that_n8n_reported_stands_after_the_receipt_is_purged_too() -> None:
    job = JobFactory.create(processing=True)
    report(job, status="failure", execution_id="17")
    purge(job.receipt)
    assert report(job, execution_id="17").status_code == 409


def test_a_success_does_not_undo_that_n8n_answered_a_failure() -> None:
    job = delivered(uploaded(), json_answer(500, {"message": "Error in workflow"}))
    assert report(job).status_code == 409
    job.refresh_from_db()
    assert (job.status, job.failure_code) == (Status.FAILURE, FailureCode.WORKFLOW_FAILED)


def test_who_reports_a_success_after_n8ns_failure_is_told_what_would_be_taken() -> None:
    job = JobFactory.create(processing=True)
    report(job, status="failure", execution_id="17")
    refused = report(job)
    assert (refused.status_code, refused.json()["detail"]) == (
        409,
        "The job has ended as failure already, and stays so, unless another execution reports a success by its"
        " execution_id.",
    )
    assert report(job, execution_id="18").status_code == 200


def test_after_a_retry_the_former_executions_failure_is_old_news() -> None:
    job = JobFactory.create(processing=True)
    report(job, status="failure", execution_id="17")
    retry_job(job.pk, actor="anna", reason="mended")
    claim_job(job.pk, worker="w1")
    answer = report(job, status="failure", execution_id="17")
    assert (answer.status_code, answer.json()["duplicate"]) == (200, True)
    job.refresh_from_db()
    assert job.status == Status.SENDING


# -- the address


@pytest.mark.parametrize("path", ["callback/", "{job}/callback/", "{job}/callback"])
def test_no_spelling_of_the_address_redirects(path: str) -> None:
    job = JobFactory.create(processing=True)
    assert post(path.format(job=job.pk), {"status": "success", "execution_id": "17"}).status_code == 200


def test_a_job_is_found_by_its_id_in_capitals_too() -> None:
    job = JobFactory.create(processing=True)
    assert post(f"{str(job.pk).upper()}/callback", {"status": "success"}).status_code == 200


def test_no_https_redirect_touches_the_callback(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert report(JobFactory.create(processing=True)).status_code == 200


def test_nor_one_whose_path_a_proxy_should_have_taken_off(client: Browser, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert client.post(f"/receipts/api/v1/jobs/{JobFactory.create().pk}/callback").status_code == 404


# -- by execution


@pytest.mark.parametrize("written", ["17", 17, " 17\n"])
def test_an_error_workflow_reports_by_its_execution_alone(written: str | int) -> None:
    job = JobFactory.create(processing=True, n8n_execution_id="17")
    answer = post("callback", {"status": "failure", "execution_id": written, "message": "node failed"})
    assert (answer.status_code, answer.json()["job_id"]) == (200, str(job.pk))


@pytest.mark.parametrize("executions", [[], ["17", "17"]])
def test_none_or_several_open_jobs_of_an_execution_are_404(executions: list[str]) -> None:
    for execution in executions:
        JobFactory.create(processing=True, n8n_execution_id=execution)
    JobFactory.create(success=True, n8n_execution_id="17")
    assert post("callback", {"status": "failure", "execution_id": "17"}).status_code == 404


def test_a_failure_that_names_no_execution_ends_a_job_in_its_first_round() -> None:
    job = delivered(uploaded())
    assert report(job, status="failure").json() == {"job_id": str(job.pk), "status": "failure", "duplicate": False}
