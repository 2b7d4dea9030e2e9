"""Who touched this, and when?"""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from accounting.admin.base import CursorAdmin
from jobs.models import JobEvent
from jobs.search import find_by_id
from jobs.timeline import Entry

RECENT = 50_000  # so many are looked through for an actor


@admin.register(JobEvent)
class JobEventAdmin(CursorAdmin[JobEvent]):
    """All events, newest first."""

    time_field = ""  # in the order in which they were written
    list_display = ["at", "label", "by", "job", "step", "attempt"]
    list_filter = ["kind", "source", "at"]
    list_select_related = ["job"]
    fields = ["job", "at", "label", "source", "actor", "from_status", "to_status", "attempt", "detail"]
    readonly_fields = ["label"]  # the kind would say "Filed in Notion" of what was filed nowhere
    search_fields = ["actor"]
    search_help_text = f"Job id (8 digits of it will do), or an actor among the newest {RECENT:,}."

    @admin.display(description="event")
    def label(self, event: JobEvent) -> str:
        """Return what happened."""
        return event.label

    @admin.display(description="by")
    def by(self, event: JobEvent) -> str:
        """Return which part of the system did it, and who."""
        return Entry(event=event).by

    @admin.display(description="job")
    def its_job(self, event: JobEvent) -> str:
        """Return a link to the job that it happened to."""
        address = reverse("admin:jobs_joblog_change", args=[event.job_id])
        return format_html('<a href="{}">{}</a>', address, event.job)

    @admin.display(description="status")
    def step(self, event: JobEvent) -> str:
        """Return from where to where it led, where it led anywhere."""
        return " → ".join(filter(None, [event.get_from_status_display(), event.get_to_status_display()]))

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Return the columns; those who may see jobs are led to them."""
        columns = list(super().get_list_display(request))
        leads = request.user.has_perm("jobs.view_joblog")
        return ["its_job" if leads and column == "job" else column for column in columns]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[JobEvent], search_term: str
    ) -> tuple[QuerySet[JobEvent], bool]:
        """Return the events of the job, or those of the actor."""
        if not search_term:
            return queryset, False
        if jobs := find_by_id(search_term.strip()):
            return queryset.filter(job__in=jobs), False
        newest = JobEvent.objects.order_by("-id").values_list("id", flat=True).first() or 0
        return queryset.filter(actor=search_term.strip(), id__gt=newest - RECENT), False
