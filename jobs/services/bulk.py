"""What staff do to one job or to many: each change is in its events and in their own log, in one transaction."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import OperationalError, transaction

from accounting.outages import DATABASE_AWAY, is_locked
from accounting.staff import log_action
from jobs.models import JobLog
from jobs.transitions import lock_job

from .operation import CANARY, NotNow, Seen, cancel_job, resend_job, retry_job

AT_ONCE = 500  # each is a transaction of its own, and a browser, or a proxy of 30 s, waits for all of them

AWAY = "The database could not be reached just now."
GONE = "There is no such job any more."
LOCKED = "Somebody else is at it just now."


@dataclass(frozen=True, kw_only=True)
class StaffVerb:
    """One thing that staff may do to jobs.

    Attributes:
        action: does it to one job.
        label: what a button calls it.
        done: says that it was done.
        touches: the status of the jobs that it is done to, where many are chosen.
    """

    action: Callable[..., JobLog]
    label: str
    done: str
    touches: JobLog.Status


VERBS = {
    "retry": StaffVerb(action=retry_job, label="Retry", done="Retried", touches=JobLog.Status.FAILURE),
    "resend": StaffVerb(
        action=resend_job, label="Send now", done="Queued to be sent now", touches=JobLog.Status.QUEUED
    ),
    "cancel": StaffVerb(action=cancel_job, label="Cancel", done="Cancelled", touches=JobLog.Status.QUEUED),
}


@dataclass(frozen=True, kw_only=True)
class BulkOutcome:
    """What became of many.

    Attributes:
        done: how many were changed.
        left_alone: how many were not, by the sentence that says why.
        not_known: those of which nobody knows whether they were.
    """

    done: int
    left_alone: Counter[str]
    not_known: list[UUID]


class NotHeard(OperationalError):
    """The connection broke at the commit, and the database could not be asked afterwards whether that was done."""


def operate(verb: str, job_id: UUID, actor: User, reason: str, **meant: bool | Seen | None) -> None:
    """Do it to one job, and log it; where the connection breaks at the commit, look whether that was done.

    Args:
        verb: one of `VERBS`.
        actor: who asks.
        meant: what the verb takes besides: `seen` or `cancelled_too`.

    Raises:
        NotNow: its state does not allow it; nothing was changed.
        JobLog.DoesNotExist: there is no such job.
        NotHeard: it may have been done.
    """
    entry = None
    try:
        with transaction.atomic():
            job = VERBS[verb].action(job_id, actor=actor.get_username(), reason=reason, **meant)
            if job.is_canary:
                raise NotNow(CANARY)
            entry = log_action(actor, job, f"{VERBS[verb].done}: {reason}")
    except DATABASE_AWAY:
        if entry is None or not _is_kept(entry, job_id):
            raise


def _is_kept(entry: LogEntry, job_id: UUID) -> bool:
    """Tell whether what was logged was committed, for all that was heard of it.

    Raises:
        NotHeard: the database does not say.
    """
    try:
        with transaction.atomic():
            lock_job(job_id)  # PostgreSQL may be at the commit still, and holds the row until it is done
            return LogEntry.objects.filter(pk=entry.pk, object_id=str(job_id)).exists()
    except DATABASE_AWAY as error:
        raise NotHeard from error.__cause__


def operate_on_all(
    verb: str, job_ids: Iterable[UUID], actor: User, reason: str, *, cancelled_too: bool = False
) -> BulkOutcome:
    """Do it to those whose state allows it, each in a transaction of its own, for as long as the database is there.

    Args:
        cancelled_too: whether a retry is meant for those that staff cancelled as well.
    """
    meant: dict[str, dict[str, bool | Seen]] = {
        "retry": {"cancelled_too": cancelled_too},
        # of many at once, what N8N has already is not sent a second time
        "resend": {"seen": Seen(VERBS["resend"].touches)},
    }
    done, left_alone, not_known, pending = 0, Counter[str](), list[UUID](), list(job_ids)
    for number, job_id in enumerate(pending):
        try:
            operate(verb, job_id, actor, reason, **meant.get(verb, {}))
            done += 1
        except NotNow as refusal:
            left_alone[str(refusal)] += 1
        except JobLog.DoesNotExist:
            left_alone[GONE] += 1
        except NotHeard:
            not_known.append(job_id)
        except DATABASE_AWAY as error:
            if is_locked(error):
                left_alone[LOCKED] += 1
                continue
            left_alone[AWAY] += len(pending) - number
            break
    return BulkOutcome(done=done, left_alone=left_alone, not_known=not_known)
