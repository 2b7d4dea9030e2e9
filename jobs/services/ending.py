"""A job ends without a page."""

from jobs.failures import FailureCode
from jobs.models import JobEvent, JobLog
from jobs.transitions import Detail, change_status

Kind, Status = JobEvent.Kind, JobLog.Status


def fail(
    job: JobLog,
    code: FailureCode,
    sentence: str,
    *,
    source: JobEvent.Source,
    actor: str = "",
    kind: JobEvent.Kind = Kind.FAILED,
    detail: Detail | None = None,
) -> None:
    """End a locked job without a page, for a reason of ours or because N8N's answer said so."""
    change_status(
        job,
        Status.FAILURE,
        kind=kind,
        source=source,
        actor=actor,
        detail={**(detail or {}), "code": code, "message": sentence},
        failure_code=code,
        result_message=sentence,
    )
