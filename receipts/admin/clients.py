"""Clients, for staff."""

from django.contrib import admin
from django.http import HttpRequest

from receipts.models import Client

from .forms import ClientForm


@admin.register(Client)
class ClientAdmin(admin.ModelAdmin[Client]):
    """Whoever uploads; clients with receipts are never deleted."""

    form = ClientForm
    list_display = ["name", "created_at"]
    search_fields = ["name"]

    def has_delete_permission(self, request: HttpRequest, obj: Client | None = None) -> bool:
        """Refuse: a client's receipts and jobs are evidence; revoke its keys instead."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Client | None = None) -> tuple[str, ...]:
        """Return what stays as it is: the service finds its own clients by their names."""
        return ("name",) if obj is not None and obj.name in Client.OWN else ()
