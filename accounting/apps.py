"""The entries of the project's own app, and of the admin with our site in the place of Django's."""

from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin.apps import AdminConfig
from django.db.models.signals import post_migrate


class AccountingConfig(AppConfig):
    """What both apps share."""

    name = "accounting"

    def ready(self) -> None:
        """Have the roles made after migrations, and errors reported where somebody asks for it."""
        from .roles import make_roles

        post_migrate.connect(make_roles, dispatch_uid="accounting.roles")
        if settings.SENTRY_DSN:
            from .reporting import report_errors

            report_errors(settings.SENTRY_DSN)


class OperationsConfig(AdminConfig):
    """`django.contrib.admin` with our site."""

    default_site = "accounting.admin_site.OperationsSite"
