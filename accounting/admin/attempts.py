"""Who is guessing at passwords."""

from typing import Any

from axes.models import AccessAttempt
from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from .base import ReadOnlyAdmin


@admin.register(AccessAttempt)
class AccessAttemptAdmin(ReadOnlyAdmin[AccessAttempt]):
    """Who is guessing at passwords, for superusers; to delete a row is to let its address try again."""

    list_display = ["username", "ip_address", "failures_since_start", "attempt_time"]
    fields = ["username", "ip_address", "failures_since_start", "attempt_time"]
    search_fields = ["username", "ip_address"]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show one row, headed by the name that was tried."""
        attempt = self.get_object(request, object_id)
        heading = {"subtitle": f"Attempts as {attempt.username or 'nobody'}"} if attempt else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **heading})

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Tell whether it is a superuser: names and addresses are nobody else's business."""
        return request.user.is_superuser

    def has_view_permission(self, request: HttpRequest, obj: AccessAttempt | None = None) -> bool:
        """Tell the same."""
        return request.user.is_superuser

    def has_delete_permission(self, request: HttpRequest, obj: AccessAttempt | None = None) -> bool:
        """Tell the same."""
        return request.user.is_superuser
