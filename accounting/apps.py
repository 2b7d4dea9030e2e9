"""The entries of the project's own app, and of the admin with our site in the place of Django's."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class AccountingConfig(AppConfig):
    """What both apps share."""

    name = "accounting"


class OperationsConfig(AdminConfig):
    """`django.contrib.admin` with our site."""

    default_site = "accounting.admin_site.OperationsSite"
