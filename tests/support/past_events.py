"""Jobs whose events lie in the past, for tests of figures over time."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from jobs.models import HourlyFigures, JobEvent, JobLog
from jobs.proof.chain import extend
from jobs.stats import HOUR, begins
from tests.factories import JobFactory

Kind, Source = JobEvent.Kind, JobEvent.Source

NOON = datetime.fromisoformat("2026-03-10T12:20:00+00:00")


def ago(**span: float) -> datetime:
    """Return the moment that lies so long before now."""
    return timezone.now() - timedelta(**span)


def event(job: JobLog, kind: JobEvent.Kind, at: datetime, source: JobEvent.Source, **detail: Any) -> JobEvent:
    """Write one event as of that time, in the job's chain."""
    written = JobEvent(job=job, kind=kind, at=at, source=source, attempt=1, detail=detail)
    ends = extend(written, JobLog.objects.get(pk=job.pk), {})
    written.save()
    JobLog.objects.filter(pk=job.pk).update(**ends)
    return written


def received(at: datetime, **fields: Any) -> JobLog:
    """Return a job that came in at that time."""
    job: JobLog = JobFactory.create(created_at=at, **fields)
    event(job, Kind.RECEIVED, at, Source.API)
    return job


def succeeded(at: datetime, *, seconds: float = 4.0) -> JobLog:
    """Return a job that succeeded at that time, so many seconds after it came in."""
    job = received(at - timedelta(seconds=seconds), success=True, completed_at=at)
    event(job, Kind.SUCCEEDED, at, Source.CALLBACK)
    return job


def failed(at: datetime, code: str = "callback_timeout") -> JobLog:
    """Return a job that failed at that time; what N8N reports brings no code of ours."""
    job = received(at - timedelta(seconds=9), failure=True, completed_at=at, failure_code=code)
    detail = {} if code == "workflow_failed" else {"code": code}
    event(job, Kind.FAILED, at, Source.SWEEP if detail else Source.CALLBACK, **detail)
    return job


def closed_hours(begin: datetime, end: datetime) -> None:
    """Write down figures of each hour that differ from those of any other: of the first 0 succeeded, then 1, then 2."""
    HourlyFigures.objects.bulk_create(
        HourlyFigures(
            hour=hour,
            received=2 * number,
            succeeded=number,
            failed={"cancelled": number * number},
            latencies={str(number % 7): number},
        )
        for number, hour in enumerate(begins(begin, end, HOUR))
    )
