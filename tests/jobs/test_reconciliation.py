"""Reconciliation: N8N is asked about jobs whose callback is overdue, and what it says ends them."""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.conf import LazySettings
from django.utils import timezone

from jobs import sweep as sweeping
from jobs.callbacks import Report, Verdict
from jobs.failures import FailureCode
from jobs.models import JobLog
from jobs.reconciliation import Finding, Inquiry
from jobs.services import complete_job, note_refused_callback, resend_job, retry_job
from jobs.signatures import callback_token
from jobs.sweep import sweep
from tests.factories import JobFactory
from tests.support.job_lifecycle import delivered, uploaded
from tests.support.overdue_jobs import PAST, after_a_sweep, n8n_to_be_asked, overdue
from tests.support.stub_executions import WORKFLOW_ID, StubExecutions

Status = JobLog.Status
pytestmark = pytest.mark.django_db
CALLS_BACK = {"method": "POST", "url": "={{ $('Receipt').first().json.body.callback_url }}"}


@pytest.fixture
def n8n(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[StubExecutions]:
    with n8n_to_be_asked(settings, monkeypatch) as stub:
        yield stub


# -- what N8N says, and what then becomes of the job


def test_a_finished_execution_without_a_callback_ends_the_job_as_lost_and_is_not_sent_again(
    n8n: StubExecutions,
) -> None:
    n8n.run("17", "success")
    job = after_a_sweep(overdue())
    assert (job.status, job.failure_code) == (Status.FAILURE, FailureCode.CALLBACK_LOST)
    event = job.events.get()
    assert (event.kind, event.source, event.detail) == (
        "failed",
        "sweep",
        {
            "code": "callback_lost",
            "message": "N8N ran the workflow to its end. Its callback never came: it failed, or a node before it "
            "passed nothing on.",
            "execution_id": "17",
            "workflow_id": WORKFLOW_ID,
            "n8n_status": "success",
        },
    )
    assert after_a_sweep(job).status == Status.FAILURE
    assert n8n.asked == ["/api/v1/executions/17"]


@pytest.mark.parametrize("standing", ["success", "running"])
def test_of_a_report_that_was_refused_it_is_not_said_that_none_came(n8n: StubExecutions, standing: str) -> None:
    n8n.run("17", standing)
    job = overdue()
    note_refused_callback(job.pk, code="invalid", actor="job token", fields=["data"])
    after_a_sweep(job)
    JobLog.objects.filter(pk=job.pk).exclude(due_at=None).update(due_at=PAST)
    refused = "N8N called back, and the report was refused: invalid (data)."
    assert after_a_sweep(job).result_message.split(". ", 1)[1] == refused


@pytest.mark.parametrize("standing", ["success", "error", "crashed", "canceled"])
def test_a_success_that_is_late_is_accepted_whatever_was_concluded(n8n: StubExecutions, standing: str) -> None:
    n8n.run("17", standing, node="A node of somebody's that calls back", error="The service refused the connection")
    job = after_a_sweep(overdue())
    assert job.status == Status.FAILURE
    report = Report(status=Status.SUCCESS, execution_id="17", notion_page_url="https://www.notion.so/1")
    assert complete_job(job.pk, report, actor="job token").job.status == Status.SUCCESS
    assert job.events.last().detail["late"]  # type: ignore[union-attr] # there are two


def test_a_failure_that_n8n_reported_stands_whatever_an_earlier_attempt_was_concluded_to_be(
    n8n: StubExecutions,
) -> None:
    n8n.run("17", "error")
    job = after_a_sweep(overdue())
    retry_job(job.pk, actor="anna", reason="again")
    failure = Report(status=Status.FAILURE, execution_id="18", message="No receipt in the picture.")
    success = Report(status=Status.SUCCESS, execution_id="18", notion_page_url="https://www.notion.so/1")
    JobLog.objects.filter(pk=job.pk).update(status=Status.PROCESSING, attempts=2, tries=1, due_at=PAST)
    assert complete_job(job.pk, failure, actor="job token").verdict is Verdict.ACCEPT
    assert complete_job(job.pk, success, actor="job token").verdict is Verdict.CONTRADICTION


def test_an_execution_that_failed_ends_the_job_with_its_node_and_message(n8n: StubExecutions) -> None:
    n8n.run("17", "error", node="Create page", error="Vendor is not a property that exists.")
    job = after_a_sweep(overdue())
    assert (job.status, job.failure_code) == (Status.FAILURE, FailureCode.NOTION_PROPERTY_WRONG)
    assert job.result_message == "N8N: error in node 'Create page': Vendor is not a property that exists."
    assert job.events.get().detail["message"] == job.result_message
    assert n8n.asked == ["/api/v1/executions/17", "/api/v1/executions/17?includeData=true"]


def test_what_failed_only_to_call_back_was_probably_filed(n8n: StubExecutions) -> None:
    n8n.run("17", "error", node="Report", error="The service refused the connection", parameters=CALLS_BACK)
    assert after_a_sweep(overdue()).failure_code == FailureCode.CALLBACK_LOST


def test_no_secret_that_an_error_quotes_is_kept(n8n: StubExecutions) -> None:
    job = overdue()
    token = callback_token(job.pk)
    n8n.run("17", "error", node="Report", error=f"Cannot send {token} for receipt.jpg")
    assert after_a_sweep(job).result_message == "N8N: error in node 'Report': Cannot send … for …"
    assert token not in json.dumps(job.events.get().detail)


def test_an_execution_that_still_runs_gives_the_job_as_much_time_again_once(
    n8n: StubExecutions, settings: LazySettings
) -> None:
    settings.CALLBACK_TIMEOUT_SECONDS = 900
    n8n.run("17", "running")
    job = delivered(uploaded())
    JobLog.objects.filter(pk=job.pk).update(due_at=PAST)
    assert sweep().stopped_waiting == 0
    job.refresh_from_db()
    assert job.status == Status.PROCESSING
    assert job.due_at is not None
    assert timedelta(seconds=890) < job.due_at - timezone.now() <= timedelta(seconds=900)
    for _ in range(3):
        sweep()
    assert [event.kind for event in job.events.all()] == ["received", "claimed", "delivered", "still_running"]
    told = {"execution_id": "17", "workflow_id": WORKFLOW_ID, "n8n_status": "running"}
    assert job.events.get(kind="still_running").detail == told

    JobLog.objects.filter(pk=job.pk).update(due_at=PAST)
    assert sweep().stopped_waiting == 1
    job.refresh_from_db()
    assert (job.status, job.failure_code) == (Status.FAILURE, FailureCode.CALLBACK_TIMEOUT)
    assert job.result_message == "N8N is still running it."
    end = {"code": job.failure_code, "message": job.result_message}
    assert job.events.get(kind="failed").detail == told | end


def test_two_sweeps_that_ask_at_once_give_it_that_time_once_and_do_not_end_it(n8n: StubExecutions) -> None:
    n8n.run("17", "running")
    job = overdue()
    finding = sweeping.inquiry.ask([job])[job.pk]
    assert after_a_sweep(job).status == Status.PROCESSING
    assert not sweeping._act_once(job.pk, Status.PROCESSING, lambda job: sweeping._stop_waiting(job, finding=finding))
    job.refresh_from_db()
    assert job.status == Status.PROCESSING


def test_another_attempt_has_more_time_of_its_own(n8n: StubExecutions) -> None:
    n8n.run("17", "running")
    job = after_a_sweep(overdue())
    JobLog.objects.filter(pk=job.pk).update(due_at=PAST, attempts=2)
    assert after_a_sweep(job).status == Status.PROCESSING


# -- whom nobody asks about


def test_an_execution_that_n8n_no_longer_knows_leaves_it_as_it_was(n8n: StubExecutions) -> None:
    job = after_a_sweep(overdue())
    assert job.failure_code == FailureCode.CALLBACK_TIMEOUT
    assert job.result_message.endswith(
        "seconds. N8N did not keep the execution, keeps it no longer, or does not show it to whoever made the API key."
    )


@pytest.mark.parametrize("fields", [{"processing": True, "n8n_execution_id": ""}, {"unconfirmed": True}])
def test_nobody_asks_about_what_n8n_named_no_execution_of(n8n: StubExecutions, fields: dict[str, Any]) -> None:
    assert not after_a_sweep(JobFactory.create(**fields, due_at=PAST)).events.filter(kind="still_running")
    assert n8n.asked == []


@pytest.mark.parametrize("missing", ["N8N_BASE_URL", "N8N_PUBLIC_API_KEY"])
def test_without_both_settings_nothing_is_asked_and_nothing_changes(
    n8n: StubExecutions, settings: LazySettings, missing: str
) -> None:
    setattr(settings, missing, "")
    n8n.run("17", "success")
    job = after_a_sweep(overdue())
    assert (job.failure_code, n8n.asked) == (FailureCode.CALLBACK_TIMEOUT, [])
    assert job.result_message == "N8N took it, but did not call back within 900 seconds."


def test_n8n_is_asked_when_all_else_is_done(rung: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    waiting, lease_over = JobFactory.create(due_at=PAST), JobFactory.create(sending=True, due_at=PAST)
    seen: list[tuple[str, list[str]]] = []

    class Watched(Inquiry):
        def ask(self, jobs: Iterable[JobLog]) -> dict[UUID, Finding]:
            lease_over.refresh_from_db()
            seen.append((lease_over.status, rung()))
            return super().ask(jobs)

    monkeypatch.setattr(sweeping, "inquiry", Watched())
    assert after_a_sweep(overdue()).status == Status.FAILURE
    ((status, rings),) = seen
    assert (status, str(waiting.pk) in rings) == (Status.QUEUED, True)


def test_what_was_sent_again_while_n8n_was_asked_is_left_alone(n8n: StubExecutions) -> None:
    n8n.run("17", "success")
    job = overdue()
    finding = sweeping.inquiry.ask([job])[job.pk]
    resend_job(job.pk, actor="anna", reason="now")
    assert not sweeping._act_once(job.pk, Status.PROCESSING, lambda job: sweeping._stop_waiting(job, finding=finding))
    JobLog.objects.filter(pk=job.pk).update(
        status=Status.PROCESSING, delivered_at=PAST, due_at=PAST, n8n_execution_id="18"
    )
    assert sweeping._act_once(job.pk, Status.PROCESSING, lambda job: sweeping._stop_waiting(job, finding=finding))
    job.refresh_from_db()
    assert job.failure_code == FailureCode.CALLBACK_TIMEOUT
