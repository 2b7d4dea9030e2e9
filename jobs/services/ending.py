"""A job ends without a page."""

from collections.abc import Collection
from typing import Any

from django.db.models import Q

from jobs.failures import ENDED_BY_N8N, MAY_BE_FILED, FailureCode
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
    **changes: Any,
) -> None:
    """End a locked job without a page, for a reason of ours or because N8N's answer said so.

    Args:
        changes: further fields to save with it.
    """
    change_status(
        job,
        Status.FAILURE,
        kind=kind,
        source=source,
        actor=actor,
        detail={**(detail or {}), "code": code, "message": sentence},
        failure_code=code,
        result_message=sentence,
        **changes,
    )


def may_be_filed(job: JobLog) -> bool:
    """Tell whether N8N may have filed a job that has no page: of one of its deliveries nobody knows what became."""
    if job.failure_code in MAY_BE_FILED:
        return True
    sent = Q(kind__in=(Kind.DELIVERED, Kind.UNCONFIRMED, Kind.LEASE_ENDED)) | _failed_with(MAY_BE_FILED)
    attempts = job.events.values_list("attempt", flat=True)
    return not set(attempts.filter(sent)) <= set(attempts.filter(_failed_with(ENDED_BY_N8N)))


def why_refused(job: JobLog) -> str:
    """Say why the latest report on the present attempt was refused; "" where none was.

    Whoever reports under a right token has the receipt, whatever came of its delivery.
    """
    refused = job.events.filter(kind=Kind.CALLBACK_REFUSED, attempt=job.attempts).last()
    if refused is None:
        return ""
    fields = f" ({refused.told['fields']})" if "fields" in refused.told else ""
    return f"N8N called back, and the report was refused: {refused.told.get('code')}{fields}."


def _failed_with(codes: Collection[FailureCode]) -> Q:
    return Q(kind=Kind.FAILED, detail__code__in=codes)
