"""The jobs' list as staff see it."""

from datetime import datetime
from typing import Any

from jobs.models import JobLog
from tests.factories import JobFactory, ReceiptFactory

LIST = "/admin/jobs/joblog/"


def shown(answer: Any) -> list[Any]:
    """Return the rows of a list, of jobs or of anything else."""
    return list(answer.context["cl"].result_list)


def jobs_at(*moments: datetime) -> list[JobLog]:
    """Make a job for each of these moments."""
    receipt = ReceiptFactory.create()
    return [JobFactory.create(receipt=receipt, created_at=at) for at in moments]
