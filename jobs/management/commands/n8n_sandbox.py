"""`manage.py n8n_sandbox`: a stand-in for N8N, to try the service without one."""

import signal
import threading
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounting.terminal.argument_types import seconds
from accounting.web_server.listening import listen, port_number
from jobs.sandbox import Behaviour, Sandbox, running_sandbox

RETRY_SECONDS = 5.0  # between two tries of a report, as the workflows in n8n/ do


class Command(BaseCommand):
    """Serves the sandbox until it is told to stop."""

    help = "Run a stand-in for N8N that takes receipts and calls back, and files nothing in Notion."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare where it listens, and what it does with receipts."""
        parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1)")
        parser.add_argument("--port", type=port_number, default=5679, help="the port to listen on (5679)")
        parser.add_argument(
            "--behaviour",
            choices=[behaviour.value for behaviour in Behaviour],
            default="success",
            help="what becomes of a receipt (success), unless the webhook's URL says ?behaviour=",
        )
        parser.add_argument(
            "--delay",
            type=seconds(0, 3600),
            default=0.5,
            help="seconds before it calls back, and before `slow` answers at all (0.5)",
        )
        parser.add_argument("--force", action="store_true", help="run although DEBUG is off")

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises:
            CommandError: DEBUG is off, or the address cannot be listened on.
        """
        if not (settings.DEBUG or options["force"]):
            raise CommandError("The sandbox files nothing in Notion, so with DEBUG off it starts only with --force.")
        listener = listen(options["host"], options["port"])
        behaviour = Behaviour(options["behaviour"])
        with (
            suppress(KeyboardInterrupt),
            running_sandbox(
                listener, behaviour=behaviour, delay=options["delay"], retry_delay=RETRY_SECONDS
            ) as sandbox,
        ):
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.default_int_handler)
            self._announce(sandbox)
            threading.Event().wait()

    def _announce(self, sandbox: Sandbox) -> None:
        self.stdout.write(
            "This is a sandbox in place of N8N: it reads no receipt and files nothing in Notion.\n"
            f"Webhook: {sandbox.url}/webhook/receipts (?behaviour= {', '.join(Behaviour)})\n"
            f"Counts: {sandbox.url}/stats"
        )
        self.stdout.flush()
