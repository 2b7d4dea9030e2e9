"""`manage.py serve`: the web process."""

import os
from collections.abc import Mapping
from typing import Any

import structlog
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.servers.basehttp import get_internal_wsgi_application
from django.db import DatabaseError, InterfaceError, connection

from accounting.memory import share_memory_among_threads
from accounting.outages import unapplied_migrations, unreachable
from accounting.web_server.lanes import Lanes
from accounting.web_server.listening import listen, port_number
from accounting.web_server.proxies import believe_proxies
from accounting.web_server.server import Server

logger = structlog.get_logger(__name__)


class Command(BaseCommand):
    """Checks the settings and the database, then serves until it is told to stop."""

    help = "Serve the API and the admin: system checks, migrations checked (or applied), then waitress."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare where to listen, and whether to migrate first."""
        parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1)")
        parser.add_argument(
            "--port",
            type=port_number,
            default=os.environ.get("PORT") or "8000",
            help="the port to listen on ($PORT or 8000)",
        )
        parser.add_argument(
            "--migrate", action="store_true", help="apply migrations first; of several at once one does"
        )

    def get_check_kwargs(self, options: Mapping[str, Any]) -> Any:
        """Check the database, too."""
        return {"databases": ["default"]}

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve.

        Raises:
            CommandError: the port is taken, or the database cannot be reached or is not migrated; each in one sentence.
        """
        share_memory_among_threads()
        try:
            if options["migrate"]:
                call_command("migrate", interactive=False, verbosity=options["verbosity"])
            _require_migrations()
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(unreachable(error)) from error
        listener = listen(options["host"], options["port"])
        application = believe_proxies(get_internal_wsgi_application(), settings.TRUSTED_PROXIES)
        lanes = Lanes(pictures=settings.PICTURE_THREADS, all_else=settings.WEB_THREADS - settings.PICTURE_THREADS)
        server = Server(application, listener, lanes)
        logger.info("serving", host=options["host"], port=listener.getsockname()[1], threads=settings.WEB_THREADS)
        server.run()
        logger.info("stopped")


def _require_migrations() -> None:
    missing = unapplied_migrations()
    if missing and not connection.introspection.table_names():
        raise CommandError(
            f"The database {connection.settings_dict['NAME']} is empty: look at DATABASE_URL, and if it is to be a new "
            "one run `manage.py migrate`, or start with --migrate."
        )
    if missing:
        raise CommandError(
            f"The database lacks {len(missing)} migrations, the first is {missing[0]}: "
            "run `manage.py migrate`, or start with --migrate."
        )
