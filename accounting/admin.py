"""What our admin pages share."""

from typing import TypeVar

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

T = TypeVar("T", bound=Model)

admin.site.site_header = admin.site.site_title = "Receipt automation"
admin.site.index_title = "Operations"


class ReadOnlyAdmin(admin.ModelAdmin[T]):
    """Shows rows to whoever may view them; nobody adds, changes or deletes one by hand."""

    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: T | None = None) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: T | None = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: T | None = None) -> bool:
        """Refuse."""
        return False
