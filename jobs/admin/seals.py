"""What was sealed, hour by hour; `manage.py verify_audit` tells whether it still holds."""

from django.contrib import admin

from accounting.admin.base import CursorAdmin
from jobs.models import Seal


@admin.register(Seal)
class SealAdmin(CursorAdmin[Seal]):
    """All seals, newest first."""

    time_field = "hour"
    list_display = ["hour", "number", "events", "jobs", "digest"]
