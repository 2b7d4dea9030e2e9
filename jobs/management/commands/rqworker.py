"""`manage.py rqworker`: the worker process, which outlives every fault of Redis."""

import signal
from typing import Any

import structlog
from django.conf import settings
from django.core.management import CommandError
from django.core.management.base import CommandParser
from django_rq.management.commands import rqworker
from redis.exceptions import RedisError
from rq.utils import import_attribute

from accounting.outages import wait_for_database
from accounting.terminal.argument_types import whole_number
from jobs.checks import SETTINGS
from jobs.queue import TASK, queue_service
from jobs.worker import HeartbeatTimer, NameTaken, told_to_stop

logger = structlog.get_logger(__name__)

PAUSE_SECONDS = 1.0
REDIS_AWAY = "Redis cannot be reached, or takes no writes: look at REDIS_URL, and whether it runs."
BOUNDS = ("burst", "max_jobs", "max_idle_time")
# of django-rq's other options: the worker brings these along, or has no use for them
BROUGHT_ALONG = ("worker_class", "queue_class", "job_class", "worker_ttl", "serializer", "with_scheduler", "pid")


class Command(rqworker.Command):
    """django-rq's command, and a new worker whenever RQ has given up.

    RQ waits for a Redis that refuses connections while it listens, but not for one that goes away in mid-delivery, that
    answers errors (full, read only, loading, a new password), or that is not there yet.
    """

    help = "Deliver receipts to N8N, one at a time, until told to stop; any number of workers may run."
    requires_system_checks = (SETTINGS,)  # the others load all views and the admin, which a worker has no use for

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare what a worker may be told: its queues, its name, and when it is to end by itself."""
        bound = whole_number(1, 10**9)
        parser.add_argument("args", nargs="*", metavar="queue", help="the queues to work on (default)")
        parser.add_argument("--name", help="its name in Redis; without it, each has its own")
        parser.add_argument("--burst", action="store_true", help="end once no ring waits")
        parser.add_argument("--max-jobs", type=bound, help="end after so many rings")
        parser.add_argument("--max-idle-time", type=bound, help="end after so many seconds without a ring")
        parser.set_defaults(**dict.fromkeys(BROUGHT_ALONG))

    def handle(self, *args: Any, **options: Any) -> None:
        """Work until told to stop, or until the bound that the caller has set.

        Raises:
            CommandError: there is no such queue, another worker has its name, or it is bounded and Redis is away.
        """
        if unknown := sorted(set(args) - settings.RQ_QUEUES.keys()):
            raise CommandError(f"There is no queue {unknown[0]}; there is {', '.join(settings.RQ_QUEUES)}.")
        import_attribute(TASK)  # not at the first ring, when an upgrade may have put another version's in its place
        if any(options[bound] for bound in BOUNDS):
            if not queue_service().is_reachable():
                raise CommandError(REDIS_AWAY)
            self._run(*args, **options)
            return
        self._take_signals()
        wait_for_database(told_to_stop.is_set)
        while not told_to_stop.is_set():
            self._take_signals()
            if queue_service().is_reachable():
                self._work(*args, **options)
            if not told_to_stop.is_set():
                self._wait_for_redis()

    def _take_signals(self) -> None:
        """Take them until a worker does."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, told_to_stop.set)

    def _wait_for_redis(self) -> None:
        """Wait until it answers or somebody says stop; who waits is alive, and says so."""
        logger.warning("worker_waits_for_redis")
        heartbeat_timer = HeartbeatTimer()
        while not told_to_stop.wait(PAUSE_SECONDS) and not queue_service().is_reachable():
            heartbeat_timer.beat_if_due()

    def _work(self, *args: Any, **options: Any) -> None:
        try:
            self._run(*args, **options)
        except (RedisError, SystemExit) as error:  # django-rq exits where RQ could not connect
            logger.warning("redis_unreachable", error=type(error).__name__)

    def _run(self, *args: Any, **options: Any) -> None:
        try:
            super().handle(*args, **options)  # type: ignore[no-untyped-call] # django-rq has no types
        except NameTaken as taken:
            raise CommandError(f"--name: a worker named {taken} runs; without it, each has its own name.") from None
