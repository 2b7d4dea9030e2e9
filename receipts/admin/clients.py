"""Clients, for staff."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html_join

from accounting.admin.base import in_utc
from receipts.models import Client

from .forms import ClientForm

BELONGINGS = {"jobs_joblog": "Jobs", "receipts_receipt": "Receipts", "receipts_apikey": "API keys"}
VIEWED = ["jobs.view_joblog", "receipts.view_receipt", "receipts.view_apikey"]


@admin.register(Client)
class ClientAdmin(admin.ModelAdmin[Client]):
    """Whoever uploads; clients with receipts are never deleted."""

    form = ClientForm
    list_display = ["name", "created"]
    readonly_fields = ["belongings"]
    search_fields = ["name"]
    created = in_utc("created_at", "created")

    @admin.display(description="of this client")
    def belongings(self, client: Client) -> str:
        """Return links to the lists of what is its own."""
        narrowed = {"client__id__exact": client.pk}
        links = ((reverse(f"admin:{model}_changelist", query=narrowed), name) for model, name in BELONGINGS.items())
        return format_html_join(" · ", '<a href="{}">{}</a>', links)

    def get_fields(self, request: HttpRequest, obj: Client | None = None) -> list[Any]:
        """Return the rows; those who may see what it has are led there, and lists leave canaries out."""
        leads = obj is not None and obj.name != Client.CANARY and request.user.has_perms(VIEWED)
        return ["name", "belongings"] if leads else ["name"]

    def has_delete_permission(self, request: HttpRequest, obj: Client | None = None) -> bool:
        """Refuse: a client's receipts and jobs are evidence; revoke its keys instead."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Client | None = None) -> bool:
        """Refuse where the service finds its own clients by their names."""
        return (obj is None or obj.name not in Client.OWN) and super().has_change_permission(request, obj)
