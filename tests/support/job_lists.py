"""The jobs' list as staff see it."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from jobs.models import JobLog
from tests.factories import JobFactory, ReceiptFactory

from .staff import auditor

LIST = "/admin/jobs/joblog/"


def shown(answer: Any) -> list[Any]:
    """Return the rows of a list, of jobs or of anything else."""
    return list(answer.context["cl"].result_list)


def found(text: str, **query: str) -> list[Any]:
    """Return the ids of the jobs that an auditor's search finds."""
    return [job.pk for job in shown(auditor().get(LIST, {"q": text, **query}))]


def jobs_at(*moments: datetime) -> list[JobLog]:
    """Make a job for each of these moments."""
    receipt = ReceiptFactory.create()
    return [JobFactory.create(receipt=receipt, created_at=at) for at in moments]


def many(number: int, **fields: Any) -> list[JobLog]:
    """Make rows in one go, a minute apart, the newest first."""
    receipt, now = ReceiptFactory.create(), timezone.now()
    rows = [
        JobLog(receipt=receipt, client=receipt.client, notion_database_id="x", due_at=now, filename="many.jpg",
               created_at=now - timedelta(minutes=minute), **fields)
        for minute in range(number)
    ]  # fmt: skip
    return JobLog.objects.bulk_create(rows)
