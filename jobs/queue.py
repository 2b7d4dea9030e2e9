"""The doorbell: Redis wakes a worker, the database decides what there is to do."""

import time
from collections.abc import Iterable
from functools import cache
from typing import Protocol, runtime_checkable
from uuid import UUID

import django_rq
import structlog
from django.conf import settings
from django.db import transaction
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue

logger = structlog.get_logger(__name__)

TASK = "jobs.tasks.trigger_n8n_workflow"
SOCKET_TIMEOUT_SECONDS = 0.5
SILENCE_SECONDS = 5  # after a failure: an upload must not wait for a dead Redis each time
FINISHED_KEPT_SECONDS = 600
FAILED_KEPT_SECONDS = 86_400


@runtime_checkable
class QueueServiceProtocol(Protocol):
    """What the services ask of a queue."""

    def ring(self, job_ids: Iterable[UUID], *, request_id: str = "") -> int:
        """Wake a worker for each job; return how many rings went through. Never raises.

        Args:
            request_id: under which the worker's logs are written, where the ring is for a request's own job.
        """

    def depth(self) -> int | None:
        """Return how many rings wait for a worker, or None where nobody can tell."""

    def is_reachable(self) -> bool:
        """Tell whether a ring would go through now."""


class RQService:
    """Rings by putting the job's id in RQ's queue, on one pooled client with short time-outs.

    A ring that is lost is no loss: the sweep rings again for whatever is overdue. One too many does nothing: the
    second claim finds no queued job. So no RQ job has an id of its own that could silence a later ring.
    """

    def __init__(self, client: "Redis") -> None:
        self._client = client
        self._queue: Queue = django_rq.get_queue("default", connection=client)
        self._silent_until = 0.0

    def ring(self, job_ids: Iterable[UUID], *, request_id: str = "") -> int:
        """Wake a worker for each job; return how many rings went through."""
        rung = 0
        for job_id in job_ids:
            if time.monotonic() < self._silent_until:
                break
            try:
                self._enqueue(job_id, request_id)
            except RedisError as error:
                self._silent_until = time.monotonic() + SILENCE_SECONDS
                logger.warning("redis_unreachable", error=type(error).__name__, job_id=str(job_id))
                break
            rung += 1
        return rung

    def depth(self) -> int | None:
        """Return how many rings wait for a worker, or None while Redis is away."""
        try:
            return self._queue.count
        except RedisError:
            return None

    def is_reachable(self) -> bool:
        """Tell whether Redis answers."""
        try:
            return bool(self._client.ping())
        except RedisError:
            return False

    def _enqueue(self, job_id: UUID, request_id: str) -> None:
        self._queue.enqueue(
            TASK,
            str(job_id),
            description=f"deliver {job_id}",
            result_ttl=FINISHED_KEPT_SECONDS,
            failure_ttl=FAILED_KEPT_SECONDS,
            meta={"request_id": request_id},
        )


@cache
def queue_service() -> QueueServiceProtocol:
    """Return this process' doorbell."""
    client = Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=SOCKET_TIMEOUT_SECONDS,
        socket_connect_timeout=SOCKET_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 1),  # one: a pooled connection may have died with a restart of Redis
    )
    return RQService(client)


def ring_on_commit(job_id: UUID) -> None:
    """Ring once the transaction is committed; whether or not that succeeds, the job is accepted then."""
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    transaction.on_commit(lambda: queue_service().ring([job_id], request_id=request_id), robust=True)
