"""Whoever writes to Redis may ring, and no more.

RQ takes Redis at its word: it calls what a job names, unpickles what it holds, and posts to the addresses that it brings.
Not all of RQ can be given a class of ours (its registries, and django-rq's pages that read them, take RQ's own), so that
RQ's own are changed, in every process.
"""

from rq.job import Job
from rq.serializers import DefaultSerializer, JSONSerializer

NOT_CALLED = ("success_callback", "failure_callback", "stopped_callback")


def take_nothing_but_rings() -> None:
    """Let no job of RQ's have a function of its choice called, an object made, or an address asked."""
    for name in NOT_CALLED:
        setattr(Job, name, None)
    for name in ("dumps", "loads"):
        setattr(DefaultSerializer, name, staticmethod(getattr(JSONSerializer, name)))
    Job.send_webhooks = _send_no_webhooks  # type: ignore[method-assign] # which is what this is about


def _send_no_webhooks(job: Job, *args: object, **kwargs: object) -> None:
    """Send nothing: whoever is told of a job is told by `jobs.services`."""
