"""When it makes sense to ask for a job again."""

import math
from datetime import datetime, timedelta

from django.utils import timezone

from .models import JobLog

YOUNG = timedelta(minutes=1)


def polling_headers(job: JobLog) -> dict[str, str]:
    """Return the headers that say when to ask again; none of a job that has ended."""
    return {"Retry-After": str(retry_after(job, timezone.now()))} if job.is_open else {}


def retry_after(job: JobLog, now: datetime) -> int:
    """Return in how many seconds it makes sense to ask again: soon for a young job, later for one that waits."""
    if now - job.created_at < YOUNG:
        return 2
    until_due = (job.due_at - now).total_seconds() if job.due_at else 0.0
    return max(5, min(math.ceil(until_due), 60))
