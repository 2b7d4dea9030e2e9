"""The log of what staff did in the admin."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from accounting.admin_site.access import staff_actions

from .base import RECENT, CursorAdmin, among_newest, in_utc


@admin.register(LogEntry)
class LogEntryAdmin(CursorAdmin[LogEntry]):
    """Who did what in the admin, and when."""

    list_display = ["at", "user", "row", "change"]
    time_field = ""  # it has no index
    list_filter = ["user"]
    list_select_related = ["user", "content_type"]
    search_fields = ["=object_id", "object_repr", "change_message", "=user__username"]
    search_help_text = f"A row's id, its name, or words of the message, among the newest {RECENT:,}."
    fields = ["at", "user", "action", "content_type", "object_id", "row", "change"]
    readonly_fields = ["at", "action", "row", "change"]
    at = in_utc("action_time", "time")

    def get_queryset(self, request: HttpRequest) -> QuerySet[LogEntry]:
        """Return the log, whose entries know where they lead."""
        return staff_actions(request)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[LogEntry], search_term: str
    ) -> tuple[QuerySet[LogEntry], bool]:
        """Return what has the words, of the newest: no index knows words."""
        rows = among_newest(queryset) if search_term.strip() else queryset
        return super().get_search_results(request, rows, search_term)

    @admin.display(description="action")
    def action(self, entry: LogEntry) -> str:
        """Return what kind of action it was."""
        return entry.get_action_flag_display()

    @admin.display(description="row")
    def row(self, entry: Any) -> str:
        """Return a link to what it was done to, where that has a page that the user may open."""
        address = entry.get_admin_url() if entry.leads else None
        return format_html('<a href="{}">{}</a>', address, entry.object_repr) if address else entry.object_repr

    @admin.display(description="message")
    def change(self, entry: LogEntry) -> str:
        """Return what was done, in words."""
        return entry.get_change_message() or entry.get_action_flag_display()
