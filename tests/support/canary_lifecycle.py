"""Canaries that are sent, delivered and called back for, by the verbs of the service."""

from datetime import timedelta
from typing import Any

from jobs import canary, services
from jobs.answers import Answer
from jobs.callbacks import Report
from jobs.models import JobEvent, JobLog

from .job_lifecycle import delivered

Status = JobLog.Status
TAKEN = Answer(status=200, content_type="application/json", body=b'{"execution_id": "17"}', milliseconds=12)
NOT_REGISTERED = Answer(  # as N8N says it of a workflow that is not active
    status=404,
    content_type="application/json",
    body=b'{"code":404,"message":"The requested webhook \\"POST receipts\\" is not registered.",'
    b'"hint":"The workflow must be active for a production URL to run successfully."}',
    milliseconds=7,
)


def sent(key: str = "") -> JobLog:
    """Send one."""
    return canary.send(source=JobEvent.Source.ADMIN, actor="manage.py canary", key=key)


def answered(job: JobLog, answer: Answer = TAKEN) -> JobLog:
    """Let a worker take it to N8N, which answers so."""
    delivered(job, answer)
    return JobLog.objects.get(pk=job.pk)


def returned(job: JobLog | None = None, status: JobLog.Status = Status.SUCCESS, message: str = "Back.") -> JobLog:
    """Let N8N call back."""
    job = job or answered(sent())
    services.complete_job(job.pk, Report(status=status, message=message, execution_id="17"), actor="job token")
    return JobLog.objects.get(pk=job.pk)


def aged(job: JobLog, seconds: float) -> JobLog:
    """Let all of it have happened so much earlier, behind the service's back."""
    fields = ("created_at", "completed_at", "due_at")
    moved: dict[str, Any] = {
        name: getattr(job, name) - timedelta(seconds=seconds) for name in fields if getattr(job, name)
    }
    JobLog.objects.filter(pk=job.pk).update(**moved)
    return JobLog.objects.get(pk=job.pk)
