"""Hours that are sealed while the clock stands where a test wants it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from jobs.models import JobLog, Seal
from jobs.proof.sealing import seal_finished_hours, verify_seals
from jobs.stats import GRACE, HOUR
from jobs.transitions import begin, lock_job
from receipts.models import Client
from tests.support.job_lifecycle import filed

NINE = datetime(2031, 5, 6, 9, tzinfo=UTC)  # to come, so that what is uploaded now is due by then


@contextmanager
def clock_at(moment: datetime) -> Iterator[None]:
    """Let all that is written down within be written down as of then."""

    def lock(job_id: Any, *_related: str) -> JobLog:
        job = lock_job(job_id)
        job.now = moment
        return job

    def begin_then(job: JobLog, **event: Any) -> None:
        job.now = moment
        begin(job, **event)

    with (
        patch("jobs.services.submission.begin", begin_then),
        patch("jobs.services.delivery.lock_job", lock),
        patch("jobs.services.delivery.lock_free_job", lock),
        patch("jobs.services.completion.lock_job", lock),
    ):
        yield


def due(hour: datetime) -> datetime:
    """Return when an hour may be sealed."""
    return hour + HOUR + GRACE


def three_hours() -> list[JobLog]:
    """Let a job be filed in each of three hours, the last of which began in the one before, and seal them."""
    jobs = []
    for number in range(3):
        with clock_at(NINE + number * HOUR + timedelta(minutes=59)):
            jobs.append(filed(Client.objects.create(name=f"Shop {number}")))
        seal_finished_hours(due(NINE + number * HOUR))
    assert Seal.objects.count() == 3
    return jobs


def wrong(now: datetime | None = None, since: datetime | None = None) -> list[str]:
    now = now or due(NINE + 2 * HOUR)
    return [sentence for _, sentences in verify_seals(since, now) for sentence in sentences]
