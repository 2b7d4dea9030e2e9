"""N8N is away, slow, or says what nobody understands: what is overdue ends without it, and nobody waits for it."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings

from jobs import n8n_api, reconciliation
from jobs.executions import Execution
from jobs.failures import FailureCode
from jobs.models import JobLog
from jobs.sweep import sweep
from tests.factories import JobFactory
from tests.support.client_runs import scripted
from tests.support.overdue_jobs import PAST, after_a_sweep, n8n_to_be_asked, overdue
from tests.support.servers import free_port, made_up
from tests.support.stub_executions import API_KEY, WORKFLOW_ID, StubExecutions
from tests.support.stub_server import answering, response, stub_server

Status = JobLog.Status
pytestmark = pytest.mark.django_db


@pytest.fixture
def n8n(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[StubExecutions]:
    with n8n_to_be_asked(settings, monkeypatch) as stub:
        yield stub


@pytest.mark.parametrize("said", [b"<h1>Not Found</h1>", b'{"message": "not found"}', b'{"detail": "Not Found"}'])
def test_a_404_that_is_not_n8ns_word_of_an_execution_is_no_answer(
    n8n: StubExecutions, settings: LazySettings, caplog: pytest.LogCaptureFixture, said: bytes
) -> None:
    with stub_server(answering(response(404, said))) as server:
        settings.N8N_BASE_URL = server.url
        for _ in range(2):
            job = after_a_sweep(overdue())
            assert job.failure_code == FailureCode.CALLBACK_TIMEOUT
    assert "n8n_not_asked" in caplog.text
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [None, [], "text", {"status": None}, {"status": "unknown"}, {"data": []}, {"workflowData": {"nodes": {"a": 1}}}],
)
def test_an_odd_answer_says_nothing_of_how_the_execution_stands(n8n: StubExecutions, answer: Any) -> None:
    n8n.executions["17"] = answer if isinstance(answer, dict) else {"data": answer}
    job = after_a_sweep(overdue())
    assert (job.status, job.failure_code) == (Status.FAILURE, FailureCode.CALLBACK_TIMEOUT)
    assert job.result_message.endswith("seconds. N8N did not say how the execution stands.")


def test_an_answer_that_nobody_foresaw_keeps_no_other_job_from_its_turn(
    n8n: StubExecutions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(found: Any, execution_id: str) -> Execution:
        return Execution(id=execution_id, status={"17": "success"}[execution_id], workflow_id=WORKFLOW_ID)

    monkeypatch.setattr(n8n_api, "read_execution", read)
    n8n.run("16", "success")
    n8n.run("17", "success")
    odd, plain = overdue("16"), overdue("17")
    assert after_a_sweep(plain).failure_code == FailureCode.CALLBACK_LOST
    odd.refresh_from_db()
    assert odd.failure_code == FailureCode.CALLBACK_TIMEOUT


@pytest.mark.parametrize(("pause", "code"), [(60.0, "callback_timeout"), (0.0, "callback_lost")])
def test_an_api_that_is_away_is_left_alone_for_a_while(
    n8n: StubExecutions, settings: LazySettings, monkeypatch: pytest.MonkeyPatch, pause: float, code: str
) -> None:
    monkeypatch.setattr(reconciliation, "PAUSE_SECONDS", pause)
    n8n.run("18", "success")
    settings.N8N_BASE_URL = f"http://127.0.0.1:{free_port()}"
    job = after_a_sweep(overdue("17"))
    assert job.failure_code == FailureCode.CALLBACK_TIMEOUT
    assert job.result_message.endswith("It could not be asked about it: N8N could not be reached.")

    settings.N8N_BASE_URL = n8n.url
    assert after_a_sweep(overdue("18")).failure_code == code
    assert bool(n8n.asked) == (code == "callback_lost")


def test_a_wrong_key_is_told_in_the_jobs_message(n8n: StubExecutions, settings: LazySettings) -> None:
    settings.N8N_PUBLIC_API_KEY = made_up("another key")
    assert after_a_sweep(overdue()).result_message.endswith("N8N's API answered 401.")


def test_what_answers_instead_of_n8n_has_no_word_in_the_job_and_no_secret_in_the_log(
    n8n: StubExecutions, settings: LazySettings, caplog: pytest.LogCaptureFixture
) -> None:
    said = json.dumps({"message": f"Nobody knows {API_KEY} here"})
    with stub_server(answering(response(500, said.encode()))) as server:
        settings.N8N_BASE_URL = server.url
        job = after_a_sweep(overdue())
    assert job.result_message.endswith("It could not be asked about it: N8N's API answered 500.")
    assert "Nobody knows" not in json.dumps(job.events.get().detail)
    assert "Nobody knows … here" in caplog.text
    assert API_KEY not in caplog.text


def test_an_error_too_long_to_be_read_ends_the_job_all_the_same(
    n8n: StubExecutions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(n8n_api, "MAX_ANSWER_BYTES", 1000)
    n8n.run("17", "error", node="Create page", error="x" * 2000)
    job = after_a_sweep(overdue())
    assert (job.failure_code, job.result_message) == (FailureCode.WORKFLOW_FAILED, "N8N: error.")


def test_why_an_error_was_not_read_is_logged_without_a_secret(
    n8n: StubExecutions, settings: LazySettings, caplog: pytest.LogCaptureFixture
) -> None:
    n8n.run("17", "error")
    refusal = {"message": f"Nobody knows {API_KEY} here"}
    answers = [response(200, json.dumps(n8n.executions["17"]).encode()), response(500, json.dumps(refusal).encode())]
    with stub_server(scripted(*answers)) as server:
        settings.N8N_BASE_URL = server.url
        assert after_a_sweep(overdue()).result_message == "N8N: error."
    (line,) = [record.msg for record in caplog.records if "n8n_error_not_read" in str(record.msg)]
    assert "Nobody knows … here" in str(line)
    assert API_KEY not in caplog.text


def test_a_slow_n8n_is_asked_for_a_bounded_time_and_the_others_wait_for_the_next_pass(
    n8n: StubExecutions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "PASS_SECONDS", 1.2)
    n8n.prompt, n8n.pause = 1, 30.0
    jobs = [overdue(str(number)) for number in range(3)]
    for job in jobs:
        n8n.run(job.n8n_execution_id, "success")
    lease_over = JobFactory.create(sending=True, due_at=PAST)

    assert after_a_sweep(lease_over).status == Status.QUEUED
    still_open = JobLog.objects.filter(status=Status.PROCESSING)
    assert still_open.count() == 2  # the second was asked about, too, until the pass was over

    n8n.pause = 0.0
    sweep()
    codes = JobLog.objects.filter(pk__in=[job.pk for job in jobs]).values_list("failure_code", flat=True)
    assert set(codes) == {"callback_lost"}


def test_what_an_execution_failed_of_is_read_though_the_pass_is_over_meanwhile(
    n8n: StubExecutions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "PASS_SECONDS", 1.2)
    n8n.pause = 0.8
    n8n.run("17", "error", node="Create page", error="Vendor is not a property that exists.")
    first = overdue()
    JobFactory.create(processing=True, due_at=PAST + timedelta(milliseconds=1), n8n_execution_id="18")
    assert after_a_sweep(first).failure_code == FailureCode.NOTION_PROPERTY_WRONG
    assert n8n.asked == ["/api/v1/executions/17", "/api/v1/executions/17?includeData=true"]
    assert JobLog.objects.filter(status=Status.PROCESSING).count() == 1  # that is asked about in the next pass


def test_what_an_execution_failed_of_is_not_waited_for_longer_than_one_call_may_take(
    n8n: StubExecutions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "DEADLINE_SECONDS", 1.2)
    n8n.prompt, n8n.pause = 1, 30.0
    n8n.run("17", "error", node="Create page", error="Vendor is not a property that exists.")
    job = after_a_sweep(overdue())
    assert (job.failure_code, job.result_message) == (FailureCode.WORKFLOW_FAILED, "N8N: error.")
