"""Whoever writes to Redis may ring, and no more.

RQ takes Redis at its word: it calls what a job names, unpickles what it holds, and posts to the addresses that it
brings. Not all of RQ can be given a class of ours (its registries, and django-rq's pages that read them, take RQ's
own), so that RQ's own are changed, in every process.
"""

from typing import Any

from rq.exceptions import DeserializationError
from rq.job import Job
from rq.serializers import DefaultSerializer, JSONSerializer

from .queue import TASK


class NoRing(Exception):
    """What lies in the queue calls something else than our task."""


class Ring(Job):
    """RQ's job, as a worker answers it: our task is called, and nothing else."""

    def perform(self) -> Any:
        """Answer the ring.

        Raises:
            NoRing: it is none, and nothing was called.
        """
        if self.func_name != TASK:
            raise NoRing
        return super().perform()


def take_nothing_but_rings() -> None:
    """Let no job of RQ's have a function of its choice called, an object made, or an address asked."""
    for name, harmless in HARMLESS.items():
        setattr(Job, name, harmless)
    for name in ("dumps", "loads"):
        setattr(DefaultSerializer, name, staticmethod(getattr(JSONSerializer, name)))


def rung_for(ring: Job) -> str:
    """Return the id of the job that a ring wakes a worker for, "" of any other ring."""
    try:
        return str(ring.args[0]) if ring.func_name == TASK and ring.args else ""
    except DeserializationError:  # whoever shows the ring says what of it cannot be read
        return ""


def _send_no_webhooks(job: Job, *args: object, **kwargs: object) -> None:
    """Send nothing: N8N alone is told of a job, by `jobs.n8n`."""


HARMLESS = {
    "success_callback": None,
    "failure_callback": None,
    "stopped_callback": None,
    "send_webhooks": _send_no_webhooks,
}
