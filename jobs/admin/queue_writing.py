"""What administrators may do to the queue. It holds rings, not receipts, so that nothing can be lost by any of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django_rq.utils import requeue_job
from rq import Queue
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Job

# What is done to how many rings, one by one: what was done before Redis fell silent is written down all the same.
Action = Callable[[Queue, str], Iterator[int]]


@dataclass(frozen=True)
class Verb:
    """One thing that may be done.

    Args:
        label: what the button and the log call it.
        effect: what it comes to, in a sentence.
        action: does it, to the whole queue or to the ring of an id, and yields how many rings it was done to.
    """

    label: str
    effect: str
    action: Action


def _empty(queue: Queue, _: str) -> Iterator[int]:
    yield queue.empty()  # type: ignore[no-untyped-call] # RQ is typed in part


def _delete_failed(queue: Queue, _: str) -> Iterator[int]:
    for ring_id in queue.failed_job_registry.get_job_ids():
        yield from _delete(queue, ring_id)


def _requeue_failed(queue: Queue, _: str) -> Iterator[int]:
    for ring_id in queue.failed_job_registry.get_job_ids():
        yield from _requeue(queue, ring_id)


def _delete(queue: Queue, ring_id: str) -> Iterator[int]:
    """Delete a ring, unless a worker has it in hand."""
    ring = _find_ring(queue, ring_id)
    if ring is not None and not ring.is_started:
        ring.delete()
        yield 1


def _requeue(queue: Queue, ring_id: str) -> Iterator[int]:
    """Put a ring that failed into the queue again; one that did not stays where it is."""
    try:
        queue.failed_job_registry.requeue(ring_id)
        yield 1
    except (InvalidJobOperation, NoSuchJobError):
        return


def _enqueue(queue: Queue, ring_id: str) -> Iterator[int]:
    """Put a ring that waits for a time or for another one into the queue now."""
    ring = _find_ring(queue, ring_id)
    if ring is not None and (ring.is_scheduled or ring.is_deferred):
        requeue_job(queue, ring)
        yield 1


def _find_ring(queue: Queue, ring_id: str) -> Job | None:
    """Return the ring, or None where it went away meanwhile."""
    return Job.fetch_many([ring_id], queue.connection, queue.serializer)[0]


VERBS = {
    "clear": Verb("Empty the queue", "Every ring that waits is deleted.", _empty),
    "delete_failed_jobs": Verb("Delete all failed", "The records of rings that failed are deleted.", _delete_failed),
    "requeue_all": Verb("Requeue all failed", "Each ring that failed is rung again.", _requeue_failed),
    "delete_job": Verb("Delete", "This ring is deleted.", _delete),
    "requeue_job": Verb("Requeue", "This ring, which failed, is rung again.", _requeue),
    "enqueue_job": Verb("Ring now", "This ring no longer waits for its time, or for another one.", _enqueue),
}
