"""`manage.py upload_receipts`: the API's client, as a command of an installation."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounting.progress import say
from receipts.client.options import add_options, read_options
from receipts.client.refusals import Misused
from receipts.client.run import INTERRUPTED, MISUSED, run


class Command(BaseCommand):
    """Uploads to any installation, by its API; needs no database."""

    help = "Upload pictures to a service by its API, wait for what becomes of them, and tell of each. Safe to repeat."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare what `python -m receipts.client` takes."""
        add_options(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run it.

        Raises:
            CommandError: with the exit code, where not all is filed.
        """
        try:
            code = run(read_options(options), lambda line: say(self.stdout, line))
        except Misused as misused:
            raise CommandError(str(misused), returncode=MISUSED) from None
        except KeyboardInterrupt:
            raise CommandError("Interrupted; the same command goes on from there.", returncode=INTERRUPTED) from None
        if code:
            raise CommandError("Not all is filed.", returncode=code)
