"""Who is guessing at passwords."""

from typing import Any

from axes.models import AccessAttempt
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.formats import date_format

from accounting.clock import DatabaseNow
from accounting.lockout import Counter

from .base import ReadOnlyAdmin, in_utc


@admin.register(AccessAttempt)
class AccessAttemptAdmin(ReadOnlyAdmin[AccessAttempt]):
    """Who is guessing at passwords, for superusers; to delete a row is to let its address try again."""

    list_display = ["name", "ip_address", "failures_since_start", "since", "locked_until"]
    fields = ["name", "ip_address", "failures_since_start", "since", "locked_until"]
    readonly_fields = ["name", "since", "locked_until"]
    since = in_utc("attempt_time", "since")
    search_fields = ["username", "ip_address"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[AccessAttempt]:
        """Return the rows with the time by which a lock ends."""
        rows: QuerySet[AccessAttempt] = super().get_queryset(request).annotate(now=DatabaseNow())
        return rows

    @admin.display(description="name", ordering="username")
    def name(self, attempt: AccessAttempt) -> str:
        """Return the name that was tried; an address' row of all its guesses has none."""
        return attempt.username or "any name"

    @admin.display(description="locked until (UTC)")
    def locked_until(self, attempt: AccessAttempt) -> str:
        """Return until when the address is locked out, for the name or for any."""
        counter = Counter(attempt)
        return date_format(counter.ends_at, "DATETIME_FORMAT") if counter.is_full else "not locked"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show one row, headed by the name that was tried."""
        attempt = self.get_object(request, object_id)
        heading = {"subtitle": f"Attempts as {self.name(attempt)}"} if attempt else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **heading})

    def has_view_permission(self, request: HttpRequest, obj: AccessAttempt | None = None) -> bool:
        """Tell whether it is a superuser: names and addresses are nobody else's business."""
        return request.user.is_superuser

    def has_delete_permission(self, request: HttpRequest, obj: AccessAttempt | None = None) -> bool:
        """Tell the same."""
        return request.user.is_superuser
