"""What N8N may have filed is not forgotten, whatever keeps the tries after it from N8N."""

import pytest
from django.conf import LazySettings

from jobs import services
from jobs.admin.jobpage import EARLIER_TRY
from jobs.answers import Answer
from jobs.delivery_errors import ErrorCode
from jobs.failures import FailureCode
from jobs.models import JobLog
from jobs.services.operation import FILE_GONE, FILE_GONE_AND_MAYBE_FILED
from jobs.sweep import sweep
from receipts.models import Receipt
from tests.support.job_lifecycle import delivered, json_answer, reported, uploaded
from tests.support.old_receipts import purge
from tests.support.staff import staff

pytestmark = pytest.mark.django_db
Status = JobLog.Status

UNREACHABLE = Answer(error=ErrorCode.UNREACHABLE)


@pytest.fixture(autouse=True)
def _hurried(settings: LazySettings) -> None:
    settings.DELIVERY_RETRY_SCHEDULE = [0]
    settings.N8N_LEASE_SECONDS = settings.CALLBACK_TIMEOUT_SECONDS = 0


def unconfirmed() -> JobLog:
    """Upload a receipt and let N8N take it without a word, so that it is to be sent again."""
    job = delivered(uploaded(), Answer(error=ErrorCode.CUT))
    sweep()
    return job


def left_by_a_dead_worker() -> JobLog:
    """Upload a receipt, let a worker claim it and fall silent, and take its lease back."""
    job = uploaded()
    assert services.claim_job(job.pk, worker="w1")
    sweep()
    return job


def ended(job: JobLog) -> JobLog:
    job.refresh_from_db()
    assert job.status == Status.FAILURE
    return job


def without_its_file(job: JobLog) -> str:
    """Return why it cannot be retried once its file is gone."""
    purge(job.receipt)
    return services.why_not_retry(job, Receipt.objects.get(pk=job.receipt_id))


@pytest.mark.parametrize(
    "last",
    [
        UNREACHABLE,
        Answer(error=ErrorCode.FILE_MISSING),
        Answer(error=ErrorCode.FILE_UNREADABLE),
        Answer(status=413),
        Answer(status=422),
    ],
)
def test_whatever_ends_it_after_that_it_is_unconfirmed_and_the_last_answer_is_told(last: Answer) -> None:
    job = ended(delivered(unconfirmed(), last))
    assert job.failure_code == FailureCode.DELIVERY_UNCONFIRMED
    event = job.events.get(kind="failed")
    assert job.result_message == event.detail["message"]
    assert job.last_error == event.detail.get("refused_for", "") == (last.error or "")
    assert without_its_file(job) == FILE_GONE_AND_MAYBE_FILED


def test_unless_n8n_says_itself_that_it_failed() -> None:
    job = ended(delivered(unconfirmed(), json_answer(500, {"message": "Error in workflow"})))
    assert job.failure_code == FailureCode.WORKFLOW_FAILED


def test_what_staff_cancel_after_that_says_so_on_its_page() -> None:
    job = unconfirmed()
    services.cancel_job(job.pk, actor="anna", reason="a private picture")
    operator = staff("jobs.view_joblog", "jobs.operate_joblog")
    assert EARLIER_TRY in operator.get(f"/admin/jobs/joblog/{job.pk}/change/").content.decode()
    assert without_its_file(ended(job)) == FILE_GONE_AND_MAYBE_FILED


def test_so_does_one_whose_round_before_ended_unconfirmed() -> None:
    job = delivered(unconfirmed(), UNREACHABLE)
    services.retry_job(job.pk, actor="anna", reason="N8N is back")
    services.cancel_job(job.pk, actor="anna", reason="a private picture")
    assert without_its_file(ended(job)) == FILE_GONE_AND_MAYBE_FILED


def test_what_a_worker_that_died_may_have_sent_is_never_said_to_be_unsent() -> None:
    job = ended(delivered(left_by_a_dead_worker(), UNREACHABLE))
    assert job.failure_code == FailureCode.DELIVERY_UNCONFIRMED


def test_nor_is_it_where_that_was_the_last_try_and_staff_retry_it(settings: LazySettings) -> None:
    settings.DELIVERY_RETRY_SCHEDULE = []
    job = ended(left_by_a_dead_worker())
    services.retry_job(job.pk, actor="anna", reason="the worker is back")
    assert ended(delivered(job, UNREACHABLE)).failure_code == FailureCode.DELIVERY_UNCONFIRMED


def test_of_what_never_came_to_n8n_or_was_reported_as_failed_nobody_need_look() -> None:
    job = reported(delivered(uploaded()), Status.FAILURE)
    services.retry_job(job.pk, actor="anna", reason="mended")
    delivered(job, UNREACHABLE)
    sweep()
    delivered(job, UNREACHABLE)
    assert ended(job).failure_code == FailureCode.N8N_UNAVAILABLE
    operator = staff("jobs.view_joblog", "jobs.operate_joblog")
    assert EARLIER_TRY not in operator.get(f"/admin/jobs/joblog/{job.pk}/change/").content.decode()
    assert without_its_file(job) == FILE_GONE
