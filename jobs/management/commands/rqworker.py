"""`manage.py rqworker`: the worker process, which outlives every fault of Redis."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.core.management import CommandError
from django_rq.management.commands import rqworker
from redis.exceptions import RedisError
from rq import Queue
from rq.job import Job
from rq.utils import import_attribute
from rq.worker import BaseWorker

from accounting.outages import wait_for_database
from jobs.checks import SETTINGS
from jobs.queue import TASK, queue_service
from jobs.worker import HeartbeatTimer, NameTaken, told_to_stop

logger = structlog.get_logger(__name__)

PAUSE_SECONDS = 1.0
REDIS_AWAY = "Redis cannot be reached, or takes no writes: look at REDIS_URL, and whether it runs."
BOUNDS = ("burst", "max_jobs", "max_idle_time")
CLASSES = {"worker_class": BaseWorker, "queue_class": Queue, "job_class": Job}


class Command(rqworker.Command):
    """django-rq's command, and a new worker whenever RQ has given up.

    RQ waits for a Redis that refuses connections while it listens, but not for one that goes away in mid-delivery, that
    answers errors (full, read only, loading, a new password), or that is not there yet.
    """

    help = "Deliver receipts to N8N, one at a time, until told to stop; any number of workers may run."
    requires_system_checks = (SETTINGS,)  # the others load all views and the admin, which a worker has no use for

    def handle(self, *args: Any, **options: Any) -> None:
        """Work until told to stop, or until the bound that the caller has set.

        Raises:
            CommandError: there is no such queue or class, a bound is none, the file for its id cannot be written,
                another worker has its name, or it is bounded and Redis is away.
        """
        if unknown := sorted(set(args) - settings.RQ_QUEUES.keys()):
            raise CommandError(f"There is no queue {unknown[0]}; there is {', '.join(settings.RQ_QUEUES)}.")
        _check_bounds(options)
        _check_classes(options)
        import_attribute(TASK)  # not at the first ring, when an upgrade may have put another version's in its place
        if options["pid"]:
            _write_pid(options.pop("pid"))
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


def _check_bounds(options: Mapping[str, Any]) -> None:
    for bound in ("max_jobs", "max_idle_time"):
        if options[bound] is not None and options[bound] < 1:
            raise CommandError(f"{_option(bound)} takes a whole number from 1 on; without it, there is no such bound.")


def _check_classes(options: Mapping[str, Any]) -> None:
    for name, base in CLASSES.items():
        if options[name] and not _is_class(options[name], base):
            raise CommandError(f"{_option(name)}: there is no such class of RQ's at {options[name]}.")


def _is_class(path: str, base: type) -> bool:
    try:
        found = import_attribute(path)
    except (ValueError, TypeError, ImportError):  # there is none, or a path such as "..x"
        return False
    return isinstance(found, type) and issubclass(found, base)


def _write_pid(path: str) -> None:
    """Write it here, and once: django-rq would do so for each worker, and end all by a folder that is gone."""
    try:
        Path(os.path.expanduser(path)).write_text(str(os.getpid()))
    except (OSError, ValueError) as error:
        raise CommandError(f"--pid: {path} cannot be written ({getattr(error, 'strerror', error)}).") from None


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
