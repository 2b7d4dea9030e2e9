"""Who touched this, and when?"""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin import ChoicesFieldListFilter
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html

from accounting.admin.base import RECENT, CursorAdmin, TimeFilter, among_newest, in_utc
from jobs.models import JobEvent
from jobs.search import FOUND, find_by_id
from jobs.timeline import entry_of

Kind = JobEvent.Kind

# Names of kinds whose events have more than one label.
BROADER = {
    str(Kind.SUCCEEDED.label): "Succeeded",
    str(Kind.REFUSED.label): "Not sent, or not taken by N8N",
    str(Kind.RESENT.label): "Queued to be sent now, or again",
}


class KindFilter(ChoicesFieldListFilter):
    """The kinds, each under a name that fits all that it finds."""

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Yield the choices."""
        for choice in super().choices(changelist):
            yield choice | {"display": BROADER.get(str(choice["display"]), choice["display"])}


@admin.register(JobEvent)
class JobEventAdmin(CursorAdmin[JobEvent]):
    """All events, newest first."""

    time_field = ""  # in the order in which they were written
    list_display = ["time", "label", "by", "job", "step", "which_attempt"]
    list_filter = [("kind", KindFilter), "source", ("at", TimeFilter)]
    list_select_related = ["job"]
    fields = ["job", "time", "label", "source", "actor", "step", "said"]
    readonly_fields = ["time", "label", "step", "said"]  # the kind would say "Filed in Notion" of what is nowhere
    time = in_utc("at", "time")
    search_fields = ["actor"]
    search_help_text = f"Job id (8 digits of it will do), or an actor among the newest {RECENT:,}."

    class Media:
        css = {"all": ["jobs/jobs.css"]}

    @admin.display(description="event")
    def label(self, event: JobEvent) -> str:
        """Return what happened."""
        return event.label

    @admin.display(description="by")
    def by(self, event: JobEvent) -> str:
        """Return which part of the system did it, and who."""
        return event.by

    @admin.display(description="job")
    def its_job(self, event: JobEvent) -> str:
        """Return a link to the job that it happened to."""
        address = reverse("admin:jobs_joblog_change", args=[event.job_id])
        return format_html('<a href="{}">{}</a>', address, event.job)

    @admin.display(description="status")
    def step(self, event: JobEvent) -> str:
        """Return from where to where it led, where it led anywhere."""
        return " → ".join(filter(None, [event.get_from_status_display(), event.get_to_status_display()])) or "–"

    @admin.display(description="attempt")
    def which_attempt(self, event: JobEvent) -> str:
        """Return at which attempt it happened, where there was one."""
        return str(event.attempt or "–")

    @admin.display(description="detail")
    def said(self, event: JobEvent) -> str:
        """Return what came with it, as its job's timeline tells it."""
        entry = entry_of(event, event.job.created_at)
        if not (entry.message or entry.facts or entry.request or entry.answer):
            return "–"
        return render_to_string("admin/jobs/joblog/said.html", {"entry": entry, "level": 2})

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
            return queryset.filter(job__in=jobs[:FOUND]), False
        return among_newest(queryset).filter(actor=search_term.strip()), False
