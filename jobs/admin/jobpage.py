"""What a job's page shows."""

from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest
from django.urls import reverse

from jobs.causes import cause_of_failure
from jobs.models import JobLog
from jobs.proof.audit import verify_job
from jobs.timeline import MOST, timeline
from receipts.formats import SHOWN_BY_BROWSERS
from receipts.models import Receipt
from receipts.services import rendition_to_show

MOST_SIBLINGS = 20
VERBS_OF_STATUS = {
    JobLog.Status.FAILURE: [("retry", "Retry")],
    JobLog.Status.PROCESSING: [("resend", "Send again")],
    JobLog.Status.QUEUED: [("resend", "Send now"), ("cancel", "Cancel the job")],
}


def seen_of(job: JobLog) -> tuple[object, ...]:
    """Return what of a job makes a page that shows it another one."""
    return (
        str(job.pk), str(job.status), job.attempts, job.due_at, job.delivered_at, job.completed_at,
        job.needs_attention, job.last_error, job.result_message,
    )  # fmt: skip


def context_of(request: HttpRequest, job: JobLog, *, may_operate: bool) -> dict[str, Any]:
    """Return what the template draws."""
    siblings = list(job.receipt.jobs.exclude(pk=job.pk).order_by("-created_at")[: MOST_SIBLINGS + 1])
    return {
        "job": job,
        "timeline": timeline(job),
        "verbs": VERBS_OF_STATUS.get(JobLog.Status(job.status), []) if may_operate and not job.is_canary else [],
        "cure": cause_of_failure(job.failure_code).cure if job.failure_code else "",
        "verification": verify_job(job) if job.chain_length <= MOST else None,  # it reads them all
        "execution_url": "",  # of the execution at N8N, where it is known how to get there
        "notion_url": https_only(job.notion_page_url),
        "may_see_receipt": request.user.has_perm("receipts.view_receipt"),
        "picture_url": _picture_url(job.receipt),
        "siblings": siblings[:MOST_SIBLINGS],
        "are_more_siblings": len(siblings) > MOST_SIBLINGS,
    }


def https_only(address: str) -> str:
    """Return an address that may be a link, "" for any other: what N8N sends may be `javascript:`."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return address if parts.scheme == "https" and parts.hostname else ""


def _picture_url(receipt: Receipt) -> str:
    """Return where a browser finds a picture: as N8N gets it, or as it came; "" where it could show neither."""
    if receipt.purged_at is not None:
        return ""
    if rendition_to_show(receipt) is not None:
        return reverse("receipt-rendition", args=[receipt.pk])
    if receipt.content_type in SHOWN_BY_BROWSERS:
        return reverse("receipt-file", args=[receipt.pk])
    return ""
