"""What staff do to many jobs at once: each by the verb for one, each with its event and its line in Django's log."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from . import services
from .models import JobLog

VERBS: dict[str, Callable[..., JobLog]] = {
    "retry": services.retry_job,
    "resend": services.resend_job,
    "cancel": services.cancel_job,
}


@dataclass
class Outcome:
    """What came of it.

    Attributes:
        done: how many were changed.
        refusals: how many were left alone, by the sentence that says why.
    """

    done: int = 0
    refusals: Counter[str] = field(default_factory=Counter)


def operate_on_all(verb: str, jobs: Iterable[JobLog], actor: AbstractBaseUser | AnonymousUser, reason: str) -> Outcome:
    """Retry, resend or cancel each of the jobs that may be now.

    Args:
        verb: one of `VERBS`.
        actor: who asks; every change names them, in the job's timeline and in Django's log.
        reason: as they gave it.
    """
    # of many at once, what N8N has already is not sent a second time
    seen = {"seen_as": JobLog.Status.QUEUED} if verb == "resend" else {}
    outcome = Outcome()
    for job in jobs:
        try:
            VERBS[verb](job.pk, actor=actor.get_username(), reason=reason, **seen)
        except services.NotNow as refusal:
            outcome.refusals[str(refusal)] += 1
            continue
        LogEntry.objects.log_actions(actor.pk, [job], CHANGE, f"{verb}: {reason}", single_object=True)
        outcome.done += 1
    return outcome
