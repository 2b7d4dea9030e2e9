"""Where is my receipt? The jobs' list, each job's page, and what staff can do from there."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import PermissionDenied
from django.db.models import BooleanField, ExpressionWrapper, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from accounting.admin.base import CursorAdmin
from accounting.admin.change_list import CursorChangeList
from accounting.admin_site.lookups import MEANINGLESS
from accounting.clock import DatabaseNow
from accounting.staff import staff_of
from jobs import live, services
from jobs.models import JobLog
from jobs.search import HELP, HELP_IN_FULL, named_in_full, search
from jobs.services.bulk import AT_ONCE, VERBS
from jobs.staff_forms import reason_in, seen_in
from jobs.summaries import receipt_summaries
from receipts.admin.filters import ClientFilter

from . import actions, export, jobpage
from .date_filters import DayFilter, LatelyFilter, SpanFilter
from .filters import CanaryFilter, DelayFilter, FoldedChoicesFilter, ProgressFilter
from .left_out import left_out, searched
from .upload import UploadsReceipts


@admin.register(JobLog)
class JobLogAdmin(UploadsReceipts, CursorAdmin[JobLog]):
    """Shows jobs to whoever may view them, and lets those who may operate change them by the audited verbs."""

    change_list_template = "admin/jobs/joblog/list.html"
    change_form_template = "admin/jobs/joblog/job.html"
    list_display = ["__str__"]  # the rows are drawn by templates/admin/jobs/joblog/rows.html
    list_filter = [
        "status", "needs_attention", ProgressFilter, DelayFilter, ("failure_code", FoldedChoicesFilter),
        ("client", ClientFilter), ("created_at", LatelyFilter), CanaryFilter, DayFilter, SpanFilter,
    ]  # fmt: skip
    list_select_related = ["client", "receipt"]
    search_fields = ["job_id"]  # shows the field; `search` does it
    search_help_text = format_html("<details><summary>{}</summary><div>{}</div></details>", HELP, HELP_IN_FULL)
    actions = ["retry_selected", "resend_selected", "cancel_selected"]

    # -- the list

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[JobLog], search_term: str
    ) -> tuple[QuerySet[JobLog], bool]:
        """Return what the words mean."""
        return (searched(request, queryset, search_term) if search_term.strip() else queryset), False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list, or what of it has changed; an id alone, in full, opens its job."""
        is_id_alone = request.GET.keys() == {SEARCH_VAR} and self.has_view_permission(request)
        if is_id_alone and (job_id := named_in_full(request.GET[SEARCH_VAR])):
            return HttpResponseRedirect(reverse("admin:jobs_joblog_change", args=[job_id]))
        may_see = request.user.has_perm("receipts.view_receipt")
        own = {"may_see_receipt": may_see, "at_once": AT_ONCE}
        page = super().changelist_view(request, {**(extra_context or {}), **own})
        shown = getattr(page, "context_data", None) or {}
        if "cl" not in shown:
            return page
        version = live.version_of(map(jobpage.seen_of, shown["cl"].result_list))
        if live.is_known(request, version):
            return HttpResponseNotModified()
        shown |= _context_of(shown["cl"]) | {"left_out": left_out(request)}
        return live.answer(request, page, version, "admin/jobs/joblog/rows.html")

    def get_queryset(self, request: HttpRequest) -> QuerySet[JobLog]:
        """Return the jobs without what was read from their receipts, which their own pages show whole."""
        told = {"is_overdue": ExpressionWrapper(JobLog.overdue(DatabaseNow()), BooleanField())}
        return super().get_queryset(request).defer("result").annotate(**told)

    # -- one job

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show one job: what it is, what happened to it, and what can be done; or what of that has changed."""
        job = self.get_object(request, object_id)
        if job is None or not self.has_view_permission(request, job):
            return super().change_view(request, object_id, form_url, extra_context)
        version = live.version_of([jobpage.seen_of(job), job.events.count()])
        if live.is_known(request, version):
            return HttpResponseNotModified()
        context = jobpage.context_of(request, job, may_operate=self.has_operate_permission(request))
        page = super().change_view(request, object_id, form_url, {**(extra_context or {}), **context})
        return live.answer(request, page, version, "admin/jobs/joblog/job_live.html")

    def operate_view(self, request: HttpRequest, job_id: UUID, verb: str) -> HttpResponse:
        """Retry, send again or cancel one job, for the reason that the form brings."""
        if request.method != "POST" or verb not in VERBS or not self.has_operate_permission(request):
            raise PermissionDenied
        job = get_object_or_404(JobLog, pk=job_id)
        try:
            services.operate(verb, job_id, staff_of(request), reason_in(request), seen=seen_in(request))
            self.message_user(request, f"{VERBS[verb].done}: {job}.", messages.SUCCESS)
        except services.NotNow as refusal:
            self.message_user(request, f"Nothing was changed. {refusal}", messages.ERROR)
        return HttpResponseRedirect(reverse("admin:jobs_joblog_change", args=[job_id]))

    # -- many jobs

    @admin.action(description="Retry failed jobs…", permissions=["operate"])
    def retry_selected(self, request: HttpRequest, queryset: QuerySet[JobLog]) -> HttpResponse:
        """Ask why the chosen failed jobs get another round."""
        return actions.confirmation_page(self, request, queryset, "retry")

    @admin.action(description="Send queued jobs now…", permissions=["operate"])
    def resend_selected(self, request: HttpRequest, queryset: QuerySet[JobLog]) -> HttpResponse:
        """Ask why the chosen queued jobs are sent now."""
        return actions.confirmation_page(self, request, queryset, "resend")

    @admin.action(description="Cancel queued jobs…", permissions=["operate"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[JobLog]) -> HttpResponse:
        """Ask why the chosen queued jobs are cancelled."""
        return actions.confirmation_page(self, request, queryset, "cancel")

    def bulk_view(self, request: HttpRequest) -> HttpResponse:
        """Do what `actions.confirmation_page` asked for."""
        if request.method != "POST" or not self.has_operate_permission(request):
            raise PermissionDenied
        return actions.operate_on_chosen(request)

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Hand out the list, as it is filtered, as CSV; lead to it whoever only calls up the address."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseRedirect(reverse("admin:jobs_joblog_changelist", query=request.GET))
        try:
            rows = self.get_changelist_instance(request).queryset
        except (IncorrectLookupParameters, *MEANINGLESS):
            messages.warning(request, "Nothing was exported: the filter in the address cannot be understood.")
            return HttpResponseRedirect(reverse("admin:jobs_joblog_changelist"))
        return export.csv_response(request, rows)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Tell whether the user may retry, send again and cancel."""
        return request.user.has_perm("jobs.operate_joblog")

    def get_urls(self) -> list[URLPattern]:
        """Return Django's addresses and those of the changes that staff can make."""
        guarded = self.admin_site.admin_view
        return [
            path("export/", guarded(self.export_view), name="jobs_joblog_export"),
            path("bulk/", guarded(self.bulk_view), name="jobs_joblog_bulk"),
            path("<uuid:job_id>/operate/<str:verb>/", guarded(self.operate_view), name="jobs_joblog_operate"),
            *super().get_urls(),
        ]


def _context_of(changelist: CursorChangeList) -> dict[str, Any]:
    """Return what the list's template draws besides Django's."""
    jobs, text = changelist.result_list, changelist.query
    is_any_open = any(job.is_open for job in jobs)
    canaries = JobLog.objects.filter(is_canary=True)
    return {
        "is_of_canaries": bool(text and not jobs) and search(canaries, text).jobs.exists(),
        "is_live": changelist.is_newest or is_any_open,
        "seconds": 3 if is_any_open else 10,
        # a search looks into what was read: what it finds says what that was
        "summaries": receipt_summaries(jobs) if text else {},
    }
