"""`manage.py create_api_key`: a key for a client, shown once."""

import sys
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from accounting.terminal.argument_types import whole_number
from accounting.terminal.progress import write_no_more
from receipts.models import ApiKey, Client
from receipts.services import create_api_key

MAX_DAYS = 36_500  # a century
UNPRINTED = "The key cannot be printed, so none was made."


class Command(BaseCommand):
    """Makes an API key and prints it; the database keeps only its hash."""

    help = "Make an API key for a client (and the client, where it is new) and print it once."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the client, the key's name and its life."""
        parser.add_argument("client", help="the client's name")
        parser.add_argument("--name", default="made by command", help="what the key is for, to tell it from others")
        parser.add_argument(
            "--days", type=whole_number(1, MAX_DAYS), help="after how many days it expires; without it, never"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the key on standard output, alone, so that a script can take it; one that nobody saw is not kept.

        Raises:
            CommandError: an argument means nothing, or the key cannot be printed.
        """
        for what, field in (("client", Client._meta.get_field("name")), ("name", ApiKey._meta.get_field("name"))):
            if not options[what].strip() or not options[what].isprintable():
                raise CommandError(f"The {what} needs letters, and nothing that cannot be seen.")
            if len(options[what]) > (field.max_length or 0):
                raise CommandError(f"The {what} is longer than {field.max_length} characters.")
        if options["client"] in Client.OWN:
            raise CommandError(f"{options['client']} is the service's own client, and has no key: choose another name.")
        expires_at = timezone.now() + timedelta(days=options["days"]) if options["days"] else None
        if sys.__stdout__ is None:  # it was closed before we began
            raise CommandError(UNPRINTED)
        try:
            with transaction.atomic():
                self.stdout.write(
                    create_api_key(client_name=options["client"], key_name=options["name"], expires_at=expires_at)
                )
                self.stdout.flush()
        except OSError as error:
            write_no_more()
            raise CommandError(UNPRINTED) from error
        self.stderr.write("This key is shown once: store it where the client finds it.")
