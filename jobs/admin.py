"""Jobs and their events for staff: everything can be seen, only the audited actions change anything."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.timesince import timesince

from accounting.admin import ReadOnlyAdmin
from receipts.formats import SHOWN_BY_BROWSERS
from receipts.models import Receipt
from receipts.services import find_rendition

from . import queue_admin, services  # noqa: F401 - queue_admin registers by being imported
from .models import JobEvent, JobLog
from .timeline import timeline
from .upload_admin import UploadsReceipts

SHORT_MESSAGE = 80

Verb = Callable[..., JobLog]
VERBS: dict[str, Verb] = {"retry": services.retry_job, "resend": services.resend_job, "cancel": services.cancel_job}
VERBS_OF_STATUS = {
    JobLog.Status.FAILURE: [("retry", "Retry")],
    JobLog.Status.PROCESSING: [("resend", "Send again")],
    JobLog.Status.QUEUED: [("resend", "Send now"), ("cancel", "Cancel the job")],
}


@admin.register(JobLog)
class JobLogAdmin(UploadsReceipts):
    """Where is my receipt?"""

    change_form_template = "admin/jobs/joblog/job.html"
    list_display = ["job", "badge", "client", "age", "attempts", "message"]
    list_display_links = ["job"]
    list_filter = ["status", "needs_attention", "created_at", "failure_code", "client"]
    list_select_related = ["client"]
    search_fields = ["job_id", "filename", "notion_database_id", "result_message"]
    search_help_text = "Job id, file name, Notion database id or message"
    date_hierarchy = "created_at"
    actions = ["retry_selected", "resend_selected", "cancel_selected"]

    @admin.display(description="job", ordering="filename")
    def job(self, job: JobLog) -> str:
        """Return the file's name over the short id."""
        return format_html("{}<br><code>{}</code>", job.filename or "–", str(job.job_id)[:13])

    @admin.display(description="status", ordering="status")
    def badge(self, job: JobLog) -> str:
        """Return the status as a word on a colour."""
        warning = " ⚠ needs attention" if job.needs_attention else ""
        return format_html('<span class="badge badge-{}">{}{}</span>', job.status, job.get_status_display(), warning)

    @admin.display(description="age", ordering="created_at")
    def age(self, job: JobLog) -> str:
        """Return the age in words, with the exact time on hover."""
        return format_html('<span title="{}">{}</span>', job.created_at.isoformat(), timesince(job.created_at, depth=1))

    @admin.display(description="message")
    def message(self, job: JobLog) -> str:
        """Return why it failed, or what N8N said."""
        text = job.result_message or job.last_error
        code = f"{job.failure_code}: " if job.failure_code else ""
        return f"{code}{text}"[:SHORT_MESSAGE]

    @admin.action(description="Retry failed jobs", permissions=["operate"])
    def retry_selected(self, request: HttpRequest, queryset: QuerySet[JobLog]) -> None:
        """Give the chosen failed jobs another round."""
        self._operate_on_all(request, queryset, "retry")

    @admin.action(description="Send queued jobs now", permissions=["operate"])
    def resend_selected(self, request: HttpRequest, queryset: QuerySet[JobLog]) -> None:
        """Send the chosen queued jobs now."""
        self._operate_on_all(request, queryset, "resend")

    @admin.action(description="Cancel queued jobs", permissions=["operate"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[JobLog]) -> None:
        """Cancel the chosen queued jobs."""
        self._operate_on_all(request, queryset, "cancel")

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Tell whether the user may retry, send again and cancel."""
        return request.user.has_perm("jobs.operate_joblog")

    def get_urls(self) -> list[URLPattern]:
        """Return Django's addresses and that of the one change that staff can make to one job."""
        operate = self.admin_site.admin_view(self.operate_view)
        return [path("<uuid:job_id>/operate/<str:verb>/", operate, name="jobs_joblog_operate"), *super().get_urls()]

    def operate_view(self, request: HttpRequest, job_id: UUID, verb: str) -> HttpResponse:
        """Retry, send again or cancel one job, for the reason that the form brings."""
        if request.method != "POST" or verb not in VERBS or not self.has_operate_permission(request):
            raise PermissionDenied
        job = get_object_or_404(JobLog, pk=job_id)
        reason = request.POST.get("reason", "").replace("\0", "").strip()[:200]
        if not reason:
            self.message_user(request, "Give a reason: it is kept with the job.", messages.ERROR)
        elif refusal := self._operate(request, job, verb, reason, **_seen(request, verb)):
            self.message_user(request, f"Nothing was changed. {refusal}", messages.ERROR)
        else:
            self.message_user(request, f"Done: {verb} {job}.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:jobs_joblog_change", args=[job_id]))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show one job: what it is, what happened to it, and what can be done."""
        job = self.get_object(request, object_id)
        context = {} if job is None else self._page_of(request, job)
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **context})

    def _page_of(self, request: HttpRequest, job: JobLog) -> dict[str, Any]:
        verbs = VERBS_OF_STATUS.get(JobLog.Status(job.status), [])
        return {
            "job": job,
            "timeline": timeline(job),
            "verbs": verbs if self.has_operate_permission(request) else [],
            "result_text": json.dumps(job.result, indent=2, ensure_ascii=False),
            "may_see_receipt": request.user.has_perm("receipts.view_receipt"),
            "picture_url": _picture_url(job.receipt),
            "siblings": job.receipt.jobs.exclude(pk=job.pk),
        }

    def _operate_on_all(self, request: HttpRequest, queryset: QuerySet[JobLog], verb: str) -> None:
        # of many at once, what N8N has already is not sent a second time
        seen = {"seen_as": JobLog.Status.QUEUED} if verb == "resend" else {}
        reason = "chosen in the list"
        refusals = [refusal for job in queryset if (refusal := self._operate(request, job, verb, reason, **seen))]
        done = len(queryset) - len(refusals)
        self.message_user(request, f"Done: {verb} {done} of {len(queryset)} jobs.", messages.SUCCESS)
        for sentence in sorted(set(refusals)):
            left = refusals.count(sentence)
            self.message_user(request, f"Left {left} alone: {sentence}", messages.WARNING)

    def _operate(self, request: HttpRequest, job: JobLog, verb: str, reason: str, **seen: str) -> str:
        """Do it and log it; return why not, where it may not be done now."""
        try:
            VERBS[verb](job.pk, actor=request.user.get_username(), reason=reason, **seen)
        except services.NotNow as refusal:
            return str(refusal)
        LogEntry.objects.log_actions(str(request.user.pk), [job], CHANGE, f"{verb}: {reason}", single_object=True)
        return ""


def _picture_url(receipt: Receipt) -> str:
    """Return where a browser finds a picture: as N8N gets it, or as it came; "" where it could show neither."""
    if find_rendition(receipt) is not None:
        return reverse("receipt-rendition", args=[receipt.pk])
    if receipt.content_type in SHOWN_BY_BROWSERS:
        return reverse("receipt-file", args=[receipt.pk])
    return ""


def _seen(request: HttpRequest, verb: str) -> dict[str, str]:
    """Return the status that the page showed when its form was drawn."""
    return {"seen_as": request.POST.get("status", "")} if verb == "resend" else {}


@admin.register(JobEvent)
class JobEventAdmin(ReadOnlyAdmin[JobEvent]):
    """Who touched this, and when?"""

    list_display = ["at", "kind", "source", "actor", "job", "from_status", "to_status", "attempt"]
    list_filter = ["kind", "source", "at"]
    list_select_related = ["job"]
    search_fields = ["job__job_id", "actor"]
    ordering = ["-id"]
