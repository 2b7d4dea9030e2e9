"""The doorbell: Redis wakes a worker, the database decides what there is to do."""

import secrets
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

import django_rq
import structlog
from django.db import transaction
from redis.exceptions import RedisError
from rq import Queue

from accounting.redis.shared import SharedRedis, shared_redis

logger = structlog.get_logger(__name__)

TASK = "jobs.tasks.trigger_n8n_workflow"
ID_LENGTH = len(str(UUID(int=0)))
WAITING_AT_MOST = 50_000  # or a call's rings more: a Redis that they filled would give none of them to a worker
# The job's events say what became of it, and kept ones would fill a small Redis at the peak. By 0 RQ would look for a
# ring that a flushed Redis has forgotten, and call it failed.
ANSWERED_KEPT_SECONDS = 1
FAILED_KEPT_SECONDS = 86_400
FAILED_KEPT = 1_000  # the latest: a bug that all rings meet would fill Redis with them


@runtime_checkable
class QueueServiceProtocol(Protocol):
    """What the services ask of a queue."""

    def ring(self, job_ids: Iterable[UUID], *, request_id: str = "", in_front: bool = False) -> int:
        """Wake a worker for each job; return how many rings went through. Raises nothing of Redis'.

        Args:
            request_id: of the upload, under which the worker's logs are written; one that is not told it looks it up.
            in_front: whether they are answered before all that wait already, in their order.
        """

    def depth(self) -> int | None:
        """Return how many rings wait for a worker, or None where nobody can tell."""

    def rung_next(self, at_most: int) -> set[str] | None:
        """Return the ids of the jobs that the next so many rings are for, or None where nobody can tell."""

    def is_reachable(self) -> bool:
        """Tell whether a ring would go through now."""


class RQService:
    """Rings by putting the job's id in RQ's queue.

    A ring that is lost is no loss: the sweep rings again for whatever is overdue. One too many does nothing: the
    second claim finds no queued job. So no RQ job has the id of another, by which it could silence a later ring: the
    job's begins it, and tells without a look at the ring whom it is for.
    """

    def __init__(self, redis: SharedRedis) -> None:
        self._redis = redis
        self._queue: Queue = django_rq.get_queue("default", connection=redis.client)
        self._waiting = 0  # rings, after the last one

    def ring(self, job_ids: Iterable[UUID], *, request_id: str = "", in_front: bool = False) -> int:
        """Wake a worker for each job; return how many rings went through."""
        rings = list(job_ids)
        with suppress(RedisError):
            if not rings or self._ring_together(rings, request_id, in_front):
                return len(rings)
        logger.info("ring_lost", job_ids=[str(job_id) for job_id in rings])
        return 0

    def depth(self) -> int | None:
        """Return how many rings wait for a worker, or None while Redis is away."""
        try:
            with self._redis.guarded():
                return self._queue.count
        except RedisError:
            return None

    def rung_next(self, at_most: int) -> set[str] | None:
        """Return the ids of the jobs that the next so many rings are for, or None while Redis is away."""
        try:
            with self._redis.guarded() as client:
                rings: Any = client.lrange(self._queue.key, 0, at_most - 1)
        except RedisError:
            return None
        return {ring[:ID_LENGTH].decode(errors="replace") for ring in rings}  # others may write there, too

    def is_reachable(self) -> bool:
        """Tell whether Redis takes writes: a replica, and one whose memory or disk is full, would answer a ping."""
        try:
            with self._redis.guarded() as client:
                return bool(client.set("rq:is-reachable", "", px=1))
        except RedisError:
            return False

    def _ring_together(self, job_ids: list[UUID], request_id: str, in_front: bool) -> bool:
        """Put all of them in the queue, or none, on one way there and back; tell whether they are in it.

        Those in front are few, and whoever rings bounds them: they go in however many wait.
        """
        with self._redis.guarded() as client, client.pipeline() as pipeline:
            if not in_front and self._is_crowded():
                return False
            for job_id in reversed(job_ids) if in_front else job_ids:  # each comes before those put in front so far
                self._queue.enqueue(
                    TASK,
                    str(job_id),
                    job_id=f"{job_id}-{secrets.token_hex(4)}",
                    at_front=in_front,
                    description=f"deliver {job_id}",
                    result_ttl=ANSWERED_KEPT_SECONDS,
                    failure_ttl=FAILED_KEPT_SECONDS,
                    meta={"request_id": request_id},
                    pipeline=pipeline,
                )
            pipeline.llen(self._queue.key)
            self._waiting = pipeline.execute()[-1]
            return True

    def _is_crowded(self) -> bool:
        """Tell whether too many wait; Redis is asked only where they did after the last ring."""
        if self._waiting >= WAITING_AT_MOST:
            self._waiting = self._queue.count
        return self._waiting >= WAITING_AT_MOST


@cache
def queue_service() -> QueueServiceProtocol:
    """Return this process' doorbell."""
    return RQService(shared_redis())


def ring_on_commit(job_id: UUID, *, request_id: str = "") -> None:
    """Ring once the transaction is committed; whether or not that succeeds, the job is accepted then.

    Args:
        request_id: of the upload; a worker that is not told it looks it up.
    """
    transaction.on_commit(lambda: queue_service().ring([job_id], request_id=request_id), robust=True)
