"""`manage.py canary`: does the way to N8N and back work? One receipt of the service's own tells."""

import time
from contextlib import nullcontext
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounting.logging import only_warnings
from accounting.terminal.argument_types import seconds
from accounting.terminal.progress import say
from jobs import canary
from jobs.canary import Step
from jobs.models import JobEvent, JobLog

LOOK_EVERY_SECONDS = 0.1


class Command(BaseCommand):
    """Sends a canary and tells each step of its way as it happens."""

    help = (
        "Send a canary to N8N and wait until it is back; exits with 1, and names the cure, where it does not come back."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare how long to wait."""
        parser.add_argument("--timeout", type=seconds(0.1, 3600), default=60.0, help="seconds to wait for it (60)")
        parser.add_argument("--no-wait", action="store_true", help="send it, and do not wait")

    def handle(self, *args: Any, **options: Any) -> None:
        """Send it and follow it.

        Raises:
            CommandError: it did not come back in time.
        """
        with only_warnings() if self.stderr.isatty() else nullcontext():
            job = self._send()
            if not options["no_wait"]:
                self._judge(self._follow(job, options["timeout"]), options["timeout"])

    def _send(self) -> JobLog:
        try:
            job = canary.send(source=JobEvent.Source.ADMIN, actor="manage.py canary")
        except OSError as error:
            raise CommandError(canary.why_not_stored(error)) from error
        say(self.stdout, f"Canary {job.pk} is on its way.")
        return job

    def _follow(self, job: JobLog, timeout: float) -> JobLog:
        """Tell each step as it happens, until there is no further one, or the time is over."""
        end, printed = time.monotonic() + timeout, 0
        while True:
            job = JobLog.objects.get(pk=job.pk)
            steps = canary.steps(job)
            for step in steps[printed:]:
                say(self.stdout, _line(step))
            printed = len(steps)
            if canary.is_settled(job) or time.monotonic() >= end:
                return job
            time.sleep(LOOK_EVERY_SECONDS)

    def _judge(self, job: JobLog, timeout: float) -> None:
        steps = canary.steps(job)
        if cause := canary.stalled(steps):
            why = "It does not come back" if canary.is_settled(job) else f"It is not back after {timeout:g} s"
            raise CommandError(f"{why}. {cause.sentence} {cause.cure}")
        say(self.stdout, f"It is back after {steps[-1].ms} ms: the way to N8N and back works.")
        if job.status == JobLog.Status.FAILURE:
            say(self.stdout, "N8N reported a failure, as a workflow does that knows no canaries.")


def _line(step: Step) -> str:
    why = step.cause.sentence if step.cause else ""
    return f"{step.ms:>8} ms  {step.label:<24}{' '.join(filter(None, [step.fact, why]))}".rstrip()
