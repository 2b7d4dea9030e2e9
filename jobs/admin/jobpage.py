"""What a job's page shows."""

from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest

from accounting.clock import database_now
from jobs.causes import cause_of_delay, cause_of_failure
from jobs.failures import MAY_BE_FILED
from jobs.models import JobEvent, JobLog
from jobs.proof.audit import verify_job
from jobs.proof.sealing import is_missed, seal_of_event
from jobs.reports import pages_named_in
from jobs.services import may_be_filed, why_not_retry
from jobs.stats import hour_of
from jobs.summaries import receipt_summaries
from jobs.timeline import MOST, timeline
from receipts.evidence import FilesSeen, look_at_files
from receipts.models import Receipt
from receipts.pictures import original_url, picture_url

MAX_SIBLINGS = 20
EARLIER_TRY = "Look in Notion first, since an earlier try may have been filed."
VERBS_OF_STATUS = {
    JobLog.Status.FAILURE: [("retry", "Retry")],
    JobLog.Status.PROCESSING: [("resend", "Send again")],
    JobLog.Status.QUEUED: [("resend", "Send now"), ("cancel", "Cancel the job")],
}


def seen_of(job: JobLog) -> tuple[object, ...]:
    """Return what of a job makes a page that shows it another one."""
    return (
        str(job.pk), str(job.status), job.attempts, job.due_at, job.delivered_at, job.completed_at,
        job.needs_attention, job.last_error, job.result_message, job.is_overdue,
    )  # fmt: skip


def context_of(request: HttpRequest, job: JobLog, *, may_operate: bool) -> dict[str, Any]:
    """Return what the template draws."""
    job.receipt = Receipt.objects.get(jobs=job)  # joined, for by an id in another form, which is named, it is not found
    entries = timeline(job)
    pages = pages_named_in(entry.event for entry in entries)
    files = look_at_files(job.receipt)
    may_operate = may_operate and not job.is_canary
    no_retry = why_not_retry(job, job.receipt) if job.status == JobLog.Status.FAILURE else ""
    siblings = list(job.receipt.jobs.exclude(pk=job.pk).defer("result").order_by("-created_at")[: MAX_SIBLINGS + 1])
    return {
        "job": job,
        "timeline": entries,
        "is_timeline_cut": len(entries) >= MOST,
        "verbs": VERBS_OF_STATUS.get(JobLog.Status(job.status), []) if may_operate and not no_retry else [],
        "no_retry": no_retry,
        "cure": _cure(job, no_retry),
        "pages": pages if len(pages) > 1 else [],
        "cancelled": _cancellation(job),
        "delay": cause_of_delay(job.last_error) if job.last_error else None,
        "verification": verify_job(job, files) if job.chain_length <= MOST else None,  # it reads them all
        "execution": execution_link(job, (entry.event for entry in reversed(entries))),
        "may_see_receipt": request.user.has_perm("receipts.view_receipt"),
        "files": files,
        "picture_url": _picture_url(job, files),
        "siblings": siblings[:MAX_SIBLINGS],
        "read": receipt_summaries([job]).get(job.pk, ""),
        "are_more_siblings": len(siblings) > MAX_SIBLINGS,
        **_seal_of(job),
    }


def _picture_url(job: JobLog, files: FilesSeen) -> str:
    """Return where a picture is that nobody has swapped."""
    if files.is_receipt_broken or files.are_away:
        return ""
    return original_url(job.receipt) if files.faults else picture_url(job.receipt)


def _cure(job: JobLog, no_retry: str) -> str:
    """Return what to do about a failure; most cures end with a retry. Of a canary, what to do before the next one."""
    if not job.failure_code or (no_retry and not job.is_canary):
        return ""
    cure = cause_of_failure(job.failure_code).cure
    is_told = job.failure_code in MAY_BE_FILED
    return cure if is_told or job.is_canary or not may_be_filed(job) else f"{EARLIER_TRY} {cure}"


def _seal_of(job: JobLog) -> dict[str, Any]:
    """Return the seal that covers all events of a job that has ended; where there is none, whether it is missed."""
    latest = None if job.is_open else job.events.order_by("id").values_list("id", "at").last()
    if latest is None:
        return {"seal": None, "is_seal_missed": False}
    last_event, at = latest
    seal = seal_of_event(last_event)
    return {"seal": seal, "is_seal_missed": seal is None and is_missed(hour_of(at), database_now())}


def _cancellation(job: JobLog) -> JobEvent | None:
    """Return the event of a cancelled job that says by whom, and why: the last, where it was retried in between."""
    return job.events.filter(kind=JobEvent.Kind.CANCELLED).last() if job.is_cancelled else None


class ExecutionLink(NamedTuple):
    """Where staff see an execution in N8N, and what they will see there."""

    url: str
    words: str


def execution_link(job: JobLog, events: Iterable[JobEvent]) -> ExecutionLink | None:
    """Return the link to the execution; to the list of all where no event says of which workflow it is.

    Args:
        events: the job's, newest first.
    """
    if not settings.N8N_BASE_URL or not job.n8n_execution_id:
        return None
    of_it = (event.told for event in events if event.told.get("execution_id") == job.n8n_execution_id)
    workflow_id = next((detail["workflow_id"] for detail in of_it if detail.get("workflow_id")), "")
    if not workflow_id:
        return ExecutionLink(f"{settings.N8N_BASE_URL}/executions", "Look for the execution in N8N's list")
    path = f"workflow/{quote(workflow_id, safe='')}/executions/{quote(job.n8n_execution_id, safe='')}"
    return ExecutionLink(f"{settings.N8N_BASE_URL}/{path}", "Open the execution in N8N")
