"""What two do to one job or receipt at once: the second waits for the first, or finds something else to do."""

from collections.abc import Iterator
from functools import partial

import pytest
from django.conf import LazySettings
from django.db import connection

from jobs import services
from jobs.callbacks import Report, Verdict
from jobs.models import JobLog
from jobs.transitions import lock_job
from receipts.models import Receipt
from receipts.services import has_file
from tests.factories import JobFactory
from tests.support.at_once import beside
from tests.support.job_lifecycle import delivered, reported, uploaded

Status = JobLog.Status
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("config.getoption('--database') == 'sqlite'", reason="SQLite locks no rows"),
]


def test_no_more_jobs_are_claimed_by_two_workers_than_n8n_may_have(settings: LazySettings) -> None:
    settings.N8N_MAX_IN_FLIGHT = 1
    first, second = JobFactory.create(), JobFactory.create()
    claim = partial(services.claim_job, worker="w")
    assert beside(lambda: claim(first.pk), lambda: claim(second.pk)) is None
    first.refresh_from_db()
    assert first.status == Status.SENDING


def test_a_job_that_somebody_acts_on_is_not_claimed() -> None:
    job = JobFactory.create()
    assert beside(lambda: lock_job(job.pk), partial(services.claim_job, job.pk, worker="w1")) is None


def test_a_job_is_claimed_while_the_same_bytes_are_uploaded_again() -> None:
    job = JobFactory.create()
    upload = Receipt.objects.select_for_update().filter(pk=job.receipt_id)
    assert beside(upload.get, partial(services.claim_job, job.pk, worker="w1")) is not None


def test_a_report_waits_for_whoever_acts_on_its_job() -> None:
    job = JobFactory.create(processing=True)
    report = partial(services.complete_job, job.pk, Report(status=Status.SUCCESS), actor="token")
    assert beside(lambda: lock_job(job.pk), report).verdict is Verdict.ACCEPT


def test_of_two_jobs_of_a_receipt_that_are_retried_at_once_one_is() -> None:
    first = JobFactory.create(failure=True)
    second = JobFactory.create(failure=True, receipt=first.receipt)
    retry = partial(services.retry_job, actor="anna", reason="")
    with pytest.raises(services.NotNow, match="Another job"):
        beside(lambda: retry(first.pk), lambda: retry(second.pk))


def test_of_two_equal_uploads_of_a_receipt_that_failed_one_makes_a_job() -> None:
    failed = reported(delivered(uploaded()), Status.FAILURE)
    job = beside(uploaded, uploaded)
    assert set(JobLog.objects.all()) == {failed, job}


@pytest.fixture
def _shown_the_past() -> Iterator[None]:
    """Let the database show each transaction what was there when that began, unless it asks for something else."""
    setting = f'ALTER DATABASE "{connection.settings_dict["NAME"]}" %s default_transaction_isolation'
    with connection.cursor() as cursor:
        cursor.execute((setting % "SET") + " = 'repeatable read'")
    connection.close()
    yield
    with connection.cursor() as cursor:
        cursor.execute(setting % "RESET")
    connection.close()


@pytest.mark.usefixtures("_shown_the_past")
def test_so_it_is_where_the_database_would_show_each_of_them_the_past() -> None:
    failed = reported(delivered(uploaded()), Status.FAILURE)
    job = beside(uploaded, uploaded)
    assert set(JobLog.objects.all()) == {failed, job}


def test_a_purge_waits_for_an_upload_of_the_same_bytes_and_leaves_their_file() -> None:
    failed = reported(delivered(uploaded()), Status.FAILURE)
    assert beside(uploaded, partial(services.purge_receipt, failed.receipt_id)) is None
    assert has_file(Receipt.objects.get())
