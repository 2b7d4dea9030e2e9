"""What was sealed, hour by hour; `manage.py verify_audit` tells whether it still holds."""

from django.contrib import admin
from django.contrib.admin import ShowFacets
from django.http import HttpRequest

from accounting.admin import ReadOnlyAdmin
from accounting.change_list import EndlessList
from jobs.models import Seal


class SealList(EndlessList):
    """Seals by their hours."""

    time_field = "hour"


@admin.register(Seal)
class SealAdmin(ReadOnlyAdmin[Seal]):
    """All seals, newest first."""

    change_list_template = "admin/endless_list.html"
    list_display = ["hour", "number", "events", "jobs", "digest"]
    sortable_by = ()
    show_facets = ShowFacets.NEVER

    def get_changelist(self, request: HttpRequest, **kwargs: object) -> type[SealList]:
        """Return the list that counts nothing."""
        return SealList
