"""The admin's site: Django's, without what could fail or leak."""

from django.contrib.admin import AdminSite
from django.urls import URLPattern, URLResolver


class OperationsSite(AdminSite):
    """Where staff work."""

    site_header = site_title = "Receipt automation"
    index_title = "Operations, times in UTC"

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Return Django's addresses without `r/…`: no row has a page elsewhere, and the queue has no table to ask."""
        return [address for address in super().get_urls() if getattr(address, "name", "") != "view_on_site"]
