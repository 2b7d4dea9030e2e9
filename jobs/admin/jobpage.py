"""What a job's page shows."""

from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest
from django.urls import reverse

from jobs.models import FailureCode, JobLog
from jobs.timeline import timeline
from receipts.formats import SHOWN_BY_BROWSERS
from receipts.models import Receipt
from receipts.services import find_rendition

MOST_SIBLINGS = 20
VERBS_OF_STATUS = {
    JobLog.Status.FAILURE: [("retry", "Retry")],
    JobLog.Status.PROCESSING: [("resend", "Send again")],
    JobLog.Status.QUEUED: [("resend", "Send now"), ("cancel", "Cancel the job")],
}
CURES = {
    FailureCode.WORKFLOW_FAILED: "Look at the execution in N8N, mend the workflow, then retry.",
    FailureCode.CALLBACK_TIMEOUT: "Look in Notion whether it was filed after all; if it was not, retry.",
    FailureCode.DELIVERY_UNCONFIRMED: "Look in N8N and Notion whether it arrived; if it did not, retry.",
    FailureCode.N8N_UNAVAILABLE: "See that N8N runs and its workflow is active, then retry.",
    FailureCode.N8N_REJECTED: "See what N8N's answer says below, mend it, then retry.",
    FailureCode.N8N_REDIRECTED: "Set N8N_WEBHOOK_URL to the address that it leads to, then retry.",
    FailureCode.FILE_MISSING: "Restore the file where workers read it, then retry; or have it uploaded again.",
    FailureCode.FILE_UNREADABLE: "Have the receipt photographed again and uploaded.",
    FailureCode.CANCELLED: "Retry it if it should be filed after all.",
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
        "verbs": VERBS_OF_STATUS.get(JobLog.Status(job.status), []) if may_operate else [],
        "cure": CURES.get(FailureCode(job.failure_code), "") if job.failure_code else "",
        "verification": None,  # of its events' digests, where they have any
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
    if find_rendition(receipt) is not None:
        return reverse("receipt-rendition", args=[receipt.pk])
    if receipt.content_type in SHOWN_BY_BROWSERS:
        return reverse("receipt-file", args=[receipt.pk])
    return ""
