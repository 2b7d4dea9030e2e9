"""The app's entry."""

from django.apps import AppConfig


class ReceiptsConfig(AppConfig):
    """What was uploaded, and by whom."""

    name = "receipts"
    verbose_name = "Receipts and clients"
