"""`manage.py sweep_jobs`: the loop that lets no job wait for ever."""

import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from math import inf
from typing import Any

import structlog
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.management.base import BaseCommand, CommandParser
from django.db import close_old_connections

from accounting.clock import ClocksApart, DatabaseNow, database_now, doubt_clocks
from accounting.every import SAID_EVERY_SECONDS, Every
from accounting.lockout import forget_old_attempts
from accounting.outages import DATABASE_AWAY, error_fields, spares_others, wait_for_database
from accounting.stopping import StopSign
from accounting.terminal.argument_types import seconds
from jobs.canary import send_scheduled
from jobs.checks import SETTINGS
from jobs.heartbeats import beat, forget_dead_processes
from jobs.identity import PROCESS_NAME
from jobs.metrics.counting import count_events
from jobs.models import Heartbeat
from jobs.proof.sealing import seal_finished_hours
from jobs.retention import is_overdue
from jobs.rollups import write_rollups
from jobs.sweep import bring_forward, sweep
from receipts.orphans import Distrusted, remove_orphans

logger = structlog.get_logger(__name__)

SEAL_EVERY_SECONDS = 60
BRING_FORWARD_EVERY_SECONDS = 60
TIDY_EVERY_SECONDS = 3600
LOOK_FOR_ORPHANS_EVERY_SECONDS = 86_400
LOOK_FOR_ORPHANS_SECONDS = 1.0  # in one pass
DATABASE = "database"


class Command(BaseCommand):
    """Sweeps again and again until it is told to stop; any number of copies may run."""

    help = "Act on overdue jobs: ring again, take back ended leases, stop waiting for callbacks."
    requires_system_checks = (SETTINGS,)  # the others load all views and the admin, which a sweep has no use for

    _once = False
    _next_look = 0.0  # for orphans
    _look: Iterator[int] | None = None  # the same, while it is under way

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._bringing_forward = Every(BRING_FORWARD_EVERY_SECONDS)
        self._sealing = Every(SEAL_EVERY_SECONDS)
        self._tidying = Every(TIDY_EVERY_SECONDS)
        self._failing = defaultdict[str, Every](partial(Every, SAID_EVERY_SECONDS))  # the database, and parts

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the interval, and a single pass for cron or a test."""
        parser.add_argument(
            "--interval", type=seconds(0.1, 30), default=5.0, help="seconds between two passes, 0.1 to 30 (5)"
        )
        parser.add_argument("--once", action="store_true", help="one pass, then exit")

    def handle(self, *args: Any, **options: Any) -> None:
        """Sweep; a database that is away for a while is waited for."""
        if options["once"]:
            self._once = True
            for part in self._parts():
                part()
            return
        told_to_stop = StopSign()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, told_to_stop.set)
        wait_for_database(told_to_stop.is_set)
        while not told_to_stop.is_set():
            self._try_pass()
            told_to_stop.wait(options["interval"])

    def _try_pass(self) -> None:
        """Do each part; what one of them meets keeps the others from nothing, but for a database that is away."""
        close_old_connections()
        for part in self._parts():
            try:
                part()
            except DATABASE_AWAY as error:
                if not spares_others(error):
                    if self._failing[DATABASE].is_due():
                        logger.error("sweep_failed", **error_fields(error))
                    return
                if self._failing[part.__name__].is_due():
                    logger.error("sweep_failed", part=part.__name__, **error_fields(error))
            except Exception:  # the loop outlives it
                if self._failing[part.__name__].is_due():
                    logger.exception("sweep_failed", part=part.__name__)
            else:
                self._failing.pop(part.__name__, None)
        self._failing.pop(DATABASE, None)

    def _parts(self) -> tuple[Callable[[], None], ...]:
        return (
            self._bring_forward,
            self._sweep,
            self._count,
            self._send_canary,
            self._seal,
            self._tidy,
            self._look_for_orphans,
        )

    def _bring_forward(self) -> None:
        if self._bringing_forward.is_due() and (number := bring_forward()):
            logger.warning("brought_forward", jobs=number)

    def _sweep(self) -> None:
        swept = sweep()
        beat(PROCESS_NAME, Heartbeat.Kind.SWEEP)
        if any(swept):
            logger.info("swept", **swept._asdict())

    def _count(self) -> None:
        write_rollups(now := database_now())
        count_events(now)

    def _send_canary(self) -> None:
        try:
            send_scheduled()
        except OSError as error:  # a full disk keeps the sweep from nothing else
            logger.error("canary_not_sent", error=type(error).__name__)

    def _seal(self) -> None:
        if self._sealing.is_due():
            seal_finished_hours(database_now())

    def _tidy(self) -> None:
        if not self._tidying.is_due():
            return
        forget_dead_processes()
        forget_old_attempts()
        Session.objects.filter(expire_date__lt=DatabaseNow()).delete()  # whatever this machine's clock says
        if is_overdue(database_now()):
            logger.warning("purge_overdue", days=settings.RETENTION_DAYS)

    def _look_for_orphans(self) -> None:
        """Begin a look for orphans, or go on with it, for a while: of millions of files, it keeps nothing waiting."""
        if not self._look and time.monotonic() < self._next_look:
            return
        end = time.monotonic() + (inf if self._once else LOOK_FOR_ORPHANS_SECONDS)
        look = self._look or _removed_orphans(database_now())
        self._look, self._next_look = None, time.monotonic() + TIDY_EVERY_SECONDS  # should it be broken off
        try:
            for removed in look:
                if removed:
                    logger.warning("orphans_removed", files=removed)
                if time.monotonic() > end:
                    self._look = look
                    return
            self._next_look = time.monotonic() + LOOK_FOR_ORPHANS_EVERY_SECONDS
        except (Distrusted, ClocksApart) as doubt:
            logger.error("orphans_kept", reason=str(doubt))
        except OSError as error:  # there is another time
            logger.error("orphans_not_removed", error=type(error).__name__)


def _removed_orphans(now: datetime) -> Iterator[int]:
    doubt_clocks(now)
    yield from remove_orphans(now=now)
