"""A receipt that was given up, uploaded again, and reported as filed after all: it is filed once."""

import pytest
from django.db import transaction

from jobs import services
from jobs.models import FailureCode, JobEvent, JobLog
from jobs.timeline import timeline
from jobs.transitions import lock_job

from .factories import DATABASE_ID
from .histories import PAGE, READ, delivered, reported, uploaded

OTHER_DATABASE = DATABASE_ID.replace("0", "f")
Status = JobLog.Status
pytestmark = pytest.mark.django_db


def given_up(database: str = DATABASE_ID, *, again: bool = False) -> JobLog:
    """Upload the picture, deliver it, and wait for its callback in vain."""
    job = delivered(uploaded(database=database, again=again))
    with transaction.atomic():
        services.fail(lock_job(job.pk), FailureCode.CALLBACK_TIMEOUT, "No callback came.", source=JobEvent.Source.SWEEP)
    return job


def claimed(job: JobLog) -> JobLog | None:
    return services.claim_job(job.pk, worker="w1")


def test_what_was_filed_meanwhile_is_not_sent_again_and_ends_with_the_same_page() -> None:
    former, job = given_up(), uploaded()
    reported(former)
    assert claimed(job) is None
    job.refresh_from_db()
    assert (job.status, job.attempts, job.due_at) == (Status.SUCCESS, 0, None)
    assert (job.notion_page_url, job.result) == (PAGE, READ)
    *_, end = timeline(job)
    assert end.facts == [("filed by job", str(former.pk)), ("Notion page", PAGE)]


def test_what_has_not_been_filed_is_sent_again() -> None:
    given_up()
    assert claimed(uploaded()) is not None


def test_what_was_filed_in_another_database_is_sent() -> None:
    former, job = given_up(OTHER_DATABASE), uploaded()
    reported(former)
    assert claimed(job) is not None


def test_a_deliberate_duplicate_is_sent_although_the_receipt_was_filed() -> None:
    first = uploaded()
    duplicate = uploaded(again=True)
    reported(delivered(first))
    assert claimed(duplicate) is not None


def test_a_deliberate_duplicate_files_its_receipt_for_itself_only() -> None:
    first = uploaded()
    reported(delivered(uploaded(again=True)))
    assert claimed(first) is not None
