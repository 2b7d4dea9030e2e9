"""What was sealed, hour by hour; `manage.py verify_audit` tells whether it still holds."""

from django.contrib import admin

from accounting.admin.base import CursorAdmin, in_utc
from jobs.models import Seal


@admin.register(Seal)
class SealAdmin(CursorAdmin[Seal]):
    """All seals, newest first."""

    time_field = "hour"
    list_display = ["from_hour", "number", "events", "jobs", "digest"]
    fields = ["from_hour", "number", "last_event", "events", "jobs", "digest"]
    readonly_fields = ["from_hour"]
    from_hour = in_utc("hour", "hour")
