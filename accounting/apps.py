"""The entries of the project's own app, and of the admin with our site in the place of Django's."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core.checks import CheckMessage, Tags, register
from django.db.models.signals import post_migrate

from .memory import keep_what_is_loaded


class AccountingConfig(AppConfig):
    """What both apps share."""

    name = "accounting"

    def ready(self) -> None:
        """Have the roles made after migrations, and errors reported where somebody asks for it."""
        from .roles import make_roles

        post_migrate.connect(make_roles, dispatch_uid="accounting.roles")
        if settings.SENTRY_DSN:
            from .monitoring.sentry import init_sentry

            init_sentry(settings.SENTRY_DSN)
        keep_what_is_loaded()


class OperationsConfig(SimpleAdminConfig):
    """`django.contrib.admin` with our site, whose pages are loaded by `accounting.urls`: a worker has none."""

    default_site = "accounting.admin_site.site.OperationsSite"

    def ready(self) -> None:
        """Register the checks of Django's own entry, the second so that it finds the pages."""
        register(check_dependencies, Tags.admin)
        register(_check_pages, Tags.admin)


def _check_pages(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    admin.autodiscover()
    return check_admin_app(app_configs)
