"""The worker class that plain `manage.py rqworker` runs."""

import logging
import threading
import time
from contextlib import suppress
from types import FrameType
from typing import Any, cast

import structlog
from django.conf import settings
from django.db import close_old_connections, connection
from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import SimpleWorker
from rq.exceptions import NoSuchJobError, StopRequested
from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus

from accounting.every import SAID_EVERY_SECONDS, Every
from accounting.outages import DATABASE_AWAY, error_fields
from accounting.stopping import StopSign

from .heartbeats import beat
from .identity import PROCESS_NAME
from .models import Heartbeat
from .queue import FAILED_KEPT, ID_LENGTH
from .rings import Ring, rung_for

logger = structlog.get_logger(__name__)

BEAT_EVERY_SECONDS = 15
LOOK_AT_NAME_EVERY_SECONDS = 5
REDIS_BEAT_SECONDS = 1  # RQ would beat four times a delivery, each time on three ways there and back
LOOKS_PER_BEAT = 3  # of the thread, which has a phase of its own: no beat is later by more than a look

told_to_stop = StopSign()  # a signal came; when `work` returns without it, RQ has given up


class HeartbeatTimer:
    """Tells the database now and then that this worker lives."""

    def __init__(self) -> None:
        self._beats = Every(BEAT_EVERY_SECONDS)

    def beat_if_due(self) -> None:
        """Beat, unless it has just done so; a database that is away costs a beat and nothing else."""
        if not self._beats.is_due():
            return
        try:
            close_old_connections()
            beat(PROCESS_NAME, Heartbeat.Kind.WORKER)
        except DATABASE_AWAY as error:
            logger.warning("heartbeat_failed", **error_fields(error))


class AwayNowAndThen(logging.Filter):
    """Lets RQ say now and then, as a warning, that Redis is away; it would every 5 s, as an error that Sentry gets."""

    def __init__(self) -> None:
        super().__init__()
        self._away = Every(SAID_EVERY_SECONDS)

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the line is written; an error of Redis' among its arguments shows what it is about."""
        if not any(isinstance(argument, RedisError) for argument in record.args or ()):
            return True
        if not self._away.is_due():
            return False
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


away_now_and_then = AwayNowAndThen()  # one for all workers that this process makes in turn


class NameTaken(Exception):
    """Another worker of this name lives."""


class DeliveryWorker(SimpleWorker):
    """Keeps its HTTP and database connections between jobs, and tells the database that it lives.

    It forks for no job (a fork costs more than the job, and every connection), so one delivery at a time; run more
    workers for more.
    It brings its serializer and its tuning along: `rqworker` without options is right.
    """

    max_connection_wait_time = 5.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs |= {
            "serializer": JSONSerializer,
            "job_class": Ring,
            "worker_ttl": 20,  # listens for 5 s at a time, and hangs on a dead connection for 15
            "maintenance_interval": 30,
            "log_job_description": False,
        }
        self.heartbeat_timer = HeartbeatTimer()
        self._next_in_redis = self._busy_until = 0.0
        super().__init__(*args, **kwargs)

    def bootstrap(self, logging_level: str | None = None, *args: Any, **kwargs: Any) -> None:
        """Begin to work; what RQ says of every small step stays out of the log, though `rqworker` asks for it."""
        self.log.addFilter(away_now_and_then)
        super().bootstrap("WARNING", *args, **kwargs)

    def subscribe(self) -> None:
        """Listen to no command that comes by Redis: a worker is told to stop by a signal, and no delivery is to be.

        The thread for it would complain of a Redis that is away every 2 s.
        """

    def register_birth(self) -> None:
        """Take its name in Redis, which remembers a worker that was killed for a while: wait until it forgets.

        Raises:
            NameTaken: what Redis remembers does not age, so that it lives.
            StopRequested: it was told to stop while it waited.
        """
        remembered = cast(int, self.connection.ttl(self.key))  # in seconds, rounded
        forgotten_at = time.monotonic() + max(0, remembered) + 1
        while True:
            with suppress(ValueError):  # all that RQ says of a name that is taken
                super().register_birth()  # type: ignore[no-untyped-call] # RQ has types elsewhere only
                return
            if time.monotonic() > forgotten_at:
                raise NameTaken(self.name)
            logger.warning("worker_waits_for_its_name", name=self.name)
            if told_to_stop.wait(LOOK_AT_NAME_EVERY_SECONDS):
                raise StopRequested

    def work(self, *args: Any, **kwargs: Any) -> bool:
        """Work until told to stop or until RQ gives up; to take leave of a Redis that is away is no error."""
        is_over = threading.Event()
        threading.Thread(target=self._beat_while_busy, args=(is_over,), name="heartbeat", daemon=True).start()
        try:
            return super().work(*args, **kwargs)
        except (RedisError, StopRequested) as error:
            logger.warning("worker_left_without_goodbye", error=type(error).__name__)
            return False
        finally:
            is_over.set()

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Stop after the delivery at hand."""
        told_to_stop.set()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call] # the same

    def _install_signal_handlers(self) -> None:
        """Take the signals; one that came while the worker was being made counts."""
        super()._install_signal_handlers()  # type: ignore[no-untyped-call] # the same
        self._stop_requested = told_to_stop.is_set()

    def set_shutdown_requested_date(self) -> None:
        """Tell Redis; this runs in the signal's handler, where an error would break off the delivery at hand."""
        with suppress(RedisError):
            super().set_shutdown_requested_date()  # type: ignore[no-untyped-call] # the same

    def perform_job(self, job: Job, queue: Queue, execution: Execution) -> bool:
        """Run one job for as long as this worker's settings say, under the request id that the ring brings, if any.

        Who rang may have others, from before a change: a shorter time-out would cut a delivery that N8N is answering.
        """
        close_old_connections()
        job.timeout = settings.RQ_TIMEOUT_SECONDS
        self._busy_until = time.monotonic() + settings.RQ_TIMEOUT_SECONDS
        brought = {"request_id": str(job.meta["request_id"])} if job.meta.get("request_id") else {}
        try:
            with structlog.contextvars.bound_contextvars(**brought, worker=PROCESS_NAME):
                return super().perform_job(job, queue, execution)
        finally:
            self._busy_until = 0.0
            close_old_connections()

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """Write what nobody expected to our log, and begin the next job on a new connection.

        RQ would write the same traceback again, in the text of a line, and call handlers, of which there are none.
        """
        _renew_connection()
        logger.error("task_failed", rq_job_id=job.id, job_id=rung_for(job)[:ID_LENGTH], exc_info=exc_info)

    def handle_job_failure(self, job: Job, *args: Any, **kwargs: Any) -> None:
        """Keep the ring that failed, and forget the oldest of too many: a full Redis lets no worker take a ring."""
        super().handle_job_failure(job, *args, **kwargs)
        with suppress(RedisError, NoSuchJobError):  # another worker forgets them, too; the next failure goes on
            _forget_oldest(job.failed_job_registry)

    def heartbeat(self, timeout: int | None = None, pipeline: "Pipeline | None" = None) -> None:
        """Beat now and then: in the database, whether or not Redis is away, and in Redis, less often than RQ would.

        Raises:
            StopRequested: it was told to stop, and what RQ raised then was lost: logging swallows whatever comes while
                it writes, and RQ writes much while Redis is away.
        """
        self.heartbeat_timer.beat_if_due()
        is_plain = timeout is None and pipeline is None  # the others lengthen how long it passes for alive
        if is_plain and told_to_stop.is_set() and self.get_state() != WorkerStatus.BUSY:
            raise StopRequested
        if is_plain and time.monotonic() < self._next_in_redis:
            return
        self._next_in_redis = time.monotonic() + REDIS_BEAT_SECONDS
        super().heartbeat(timeout, pipeline)

    def _beat_while_busy(self, is_over: threading.Event) -> None:
        """Beat on, in a thread, while a delivery takes long: RQ does so between deliveries only.

        No longer than RQ lets a delivery last: a worker that hangs is not to pass for alive.
        """
        while not is_over.wait(BEAT_EVERY_SECONDS / LOOKS_PER_BEAT):
            if time.monotonic() < self._busy_until:
                self._try_to_beat()

    def _try_to_beat(self) -> None:
        try:
            self.heartbeat_timer.beat_if_due()
            connection.close()  # this thread's own, which is not kept for so little
        except Exception:  # the thread outlives whatever one beat meets
            logger.exception("heartbeat_failed")


def _forget_oldest(failed: FailedJobRegistry) -> None:
    for ring_id in failed.get_job_ids(end=-FAILED_KEPT - 1):
        failed.remove(ring_id, delete_job=True)


def _renew_connection() -> None:
    """Begin with a new connection to the database, whatever Django believes of the present one's transaction.

    RQ's time-out comes as a signal, between any two lines: also where a transaction has begun and nobody has noted it
    yet, or has ended and is believed to be open. Kept, such a connection would fail all that comes, or lock out others.
    """
    connection.in_atomic_block = connection.closed_in_transaction = False
    with suppress(*DATABASE_AWAY):
        connection.close()
    with suppress(*DATABASE_AWAY), connection.wrap_database_errors:
        connection.connect()  # forgets what was believed, also where nobody answers
