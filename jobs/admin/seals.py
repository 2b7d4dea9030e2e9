"""What was sealed, hour by hour; `manage.py verify_audit` tells whether it still holds."""

from django.contrib import admin

from accounting.admin import EndlessAdmin
from jobs.models import Seal


@admin.register(Seal)
class SealAdmin(EndlessAdmin[Seal]):
    """All seals, newest first."""

    time_field = "hour"
    list_display = ["hour", "number", "events", "jobs", "digest"]
