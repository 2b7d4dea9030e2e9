"""What needs somebody's attention, grouped by what would cure it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from django.db import models
from django.db.models import Count, QuerySet
from django.urls import reverse

from jobs.causes import OVERDUE, Cause, cause_of_delay, cause_of_failure
from jobs.failures import FailureCode
from jobs.models import JobLog
from jobs.services.operation import done_elsewhere, why_not_retry

Status = JobLog.Status

EXAMPLES = 3
LOOKED_AT = 1000  # failures, the latest: a page is to cost no more where an outage brings very many
EARLIER = timedelta(days=30)  # before yesterday: who is away for long still finds what was never filed
SHOWN = ("filename", "completed_at", "due_at", "result_message")  # of an example


class AttentionKind(models.TextChoices):
    """Why a job needs attention."""

    OVERDUE = "overdue", "Overdue"  # what had to happen has not happened
    DELAYED = "delayed", "Not delivered"  # its deliveries fail because of a setting
    FAILED = "failed", "Failed since yesterday"


@dataclass(frozen=True, kw_only=True)
class Group:
    """Jobs that one thing cures.

    Attributes:
        code: of the cause; of overdue jobs, their status.
        examples: the latest; of overdue jobs, those that are so for longest.
        verb: what staff may do with all of them; "" where only a setting or a process cures them.
        address: of the list that shows them.
    """

    kind: AttentionKind
    code: str
    cause: Cause
    count: int
    examples: list[JobLog]
    verb: str
    address: str

    @property
    def no_retry(self) -> str:
        """The sentence that says why its one job cannot be retried; "" where it can, or where there are more."""
        if self.verb != "retry" or self.count > 1 or not self.examples:  # which has moved on since it was counted
            return ""
        job = JobLog.objects.select_related("receipt").get(pk=self.examples[0].pk)
        return why_not_retry(job, job.receipt)


class _GroupQuery(NamedTuple):
    """How jobs of one kind are found and grouped.

    Attributes:
        field: what they are grouped by; the list has a filter by it.
        order: which are shown, and operated on, first. What is sent again goes to the other end.
        listed: the list's filters for all of them.
    """

    jobs: Callable[[datetime], QuerySet[JobLog]]
    field: str
    order: str
    cause: Callable[[str], Cause]
    verb: Callable[[str], str]
    listed: dict[str, str]


def since_yesterday(now: datetime) -> datetime:
    """Return when yesterday began, so that the whole of last night counts."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)


def _overdue_jobs(now: datetime) -> QuerySet[JobLog]:
    # whatever is due is open: saying so leads SQLite, which is to group by status, to the few that are
    late = JobLog.objects.filter(JobLog.overdue(now), status__in=JobLog.OPEN)
    return late.filter(needs_attention=False, is_canary=False)


def _delayed_jobs(now: datetime) -> QuerySet[JobLog]:
    return JobLog.objects.filter(needs_attention=True, due_at__isnull=False, is_canary=False)


def failed_lately(now: datetime) -> QuerySet[JobLog]:
    """Return what failed since yesterday, and what nobody has seen to: neither cancelled it, nor filed it otherwise."""
    failed = _failed(completed_at__gte=since_yesterday(now))
    return failed.exclude(pk__in=_ids_done_elsewhere(failed))


def failed_earlier(now: datetime) -> QuerySet[JobLog]:
    """Return the same of the month before; of very many, among the latest."""
    return JobLog.objects.filter(~done_elsewhere(), pk__in=_failed_earlier(now)[:LOOKED_AT].values("pk"))


def count_failed_earlier(now: datetime) -> str:
    """Return how many those are, for people to read; "" for none."""
    count, is_cut = failed_earlier(now).count(), _failed_earlier(now)[LOOKED_AT : LOOKED_AT + 1].exists()
    return f"{count or ''}{' or more' if count and is_cut else ''}"


def _failed_earlier(now: datetime) -> QuerySet[JobLog]:
    yesterday = since_yesterday(now)
    failed = _failed(completed_at__gte=yesterday - EARLIER, completed_at__lt=yesterday)
    return failed.order_by("-completed_at")


def _failed(**ended: datetime) -> QuerySet[JobLog]:
    failed = JobLog.objects.filter(**ended, status=Status.FAILURE, is_canary=False)
    return failed.exclude(failure_code=FailureCode.CANCELLED)


def _ids_done_elsewhere(failed: QuerySet[JobLog]) -> list[UUID]:
    """Return those of the latest whose receipt another job files, or has; where very many failed, each is one more."""
    latest = failed.order_by("-completed_at").values("pk")[:LOOKED_AT]
    return list(JobLog.objects.filter(done_elsewhere(), pk__in=latest).values_list("pk", flat=True))


QUERIES = {
    AttentionKind.OVERDUE: _GroupQuery(
        jobs=_overdue_jobs,
        field="status",
        order="due_at",
        cause=lambda status: OVERDUE[Status(status)],
        verb=lambda status: "resend" if status == Status.QUEUED else "",
        listed={"progress": "overdue", "needs_attention__exact": "0"},
    ),
    AttentionKind.DELAYED: _GroupQuery(
        jobs=_delayed_jobs,
        field="last_error",
        order="-due_at",
        cause=cause_of_delay,
        verb=lambda _: "resend",
        listed={"needs_attention__exact": "1"},
    ),
    AttentionKind.FAILED: _GroupQuery(
        jobs=failed_lately,
        field="failure_code",
        order="-completed_at",
        cause=cause_of_failure,
        verb=lambda _: "retry",
        listed={"progress": "failed"},
    ),
}


def groups(now: datetime) -> list[Group]:
    """Return what needs attention now, overdue jobs first, and the largest group of each kind first.

    Args:
        now: by the database's clock.
    """
    return [group for kind, query in QUERIES.items() for group in _groups(kind, query, now)]


def jobs_of(kind: AttentionKind, code: str, now: datetime) -> QuerySet[JobLog]:
    """Return the jobs of one group, in the order in which they are operated on."""
    query = QUERIES[kind]
    return _of_group(query, code, query.jobs(now))


def _of_group(query: _GroupQuery, code: str, jobs: QuerySet[JobLog]) -> QuerySet[JobLog]:
    return jobs.filter(**{query.field: code}).order_by(query.order)


def verb_for(kind: str, code: str) -> str:
    """Return what staff may do with all jobs of a group; "" where that is nothing, or there can be no such group."""
    return QUERIES[AttentionKind(kind)].verb(code) if kind in QUERIES else ""


def _groups(kind: AttentionKind, query: _GroupQuery, now: datetime) -> list[Group]:
    jobs = query.jobs(now)
    counts = jobs.order_by().values_list(query.field).annotate(count=Count("*"))
    return [_group(kind, query, code, count, jobs) for code, count in counts.order_by("-count", query.field)]


def _group(kind: AttentionKind, query: _GroupQuery, code: str, count: int, jobs: QuerySet[JobLog]) -> Group:
    filters = query.listed | {f"{query.field}__exact": code}
    return Group(
        kind=kind,
        code=code,
        cause=query.cause(code),
        count=count,
        examples=list(_of_group(query, code, jobs).only(*SHOWN)[:EXAMPLES]),
        verb=query.verb(code),
        address=f"{reverse('admin:jobs_joblog_changelist')}?{urlencode(filters)}",
    )
