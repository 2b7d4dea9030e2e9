"""`manage.py upload_receipts`: the API's client, as a command of an installation."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounting.terminal.progress import say
from receipts.client.ending import Ended, ending_in_a_sentence
from receipts.client.options import add_options, read_options
from receipts.client.run import run


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
            with ending_in_a_sentence():
                code = run(read_options(options), lambda line: say(self.stdout, line))
        except Ended as ended:
            raise CommandError(ended.sentence, returncode=ended.code) from None
        if code:
            raise CommandError("Not all is filed.", returncode=code)
