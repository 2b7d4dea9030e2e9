"""One made-up job on its way."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from jobs.models import JobEvent, JobLog
from jobs.proof.chain import FINGERPRINT_BYTES, extend, facts_of
from jobs.stats import HOUR

Facts = dict[str, Any]

UNSIGNED = "0" * 64


class BatchPlan(NamedTuple):
    """What one batch is to make.

    Attributes:
        begin, end: when its jobs came in, spread evenly.
        now: nothing has happened after that.
        clients: keys of those that sent them, by name.
        most_events: what a job has lived through at the most; the rest is still to come.
        is_even: whether each client and each scenario is as likely as any other, so that few jobs show what many do.
    """

    seed: int
    jobs: int
    begin: datetime
    end: datetime
    now: datetime
    clients: dict[str, int]
    is_signed: bool = True
    most_events: int = 100
    is_even: bool = False


class Simulation:
    """One job on its way, without a database; what would happen after `plan.now` does not."""

    def __init__(self, chance: random.Random, job: JobLog, plan: BatchPlan) -> None:
        self.chance, self.job, self.plan = chance, job, plan
        self.at = job.created_at
        self.events: list[JobEvent] = []

    def happen(
        self,
        after: float,
        kind: JobEvent.Kind,
        source: JobEvent.Source,
        to: str = "",
        actor: str = "",
        detail: Facts | None = None,
        changes: Callable[[datetime], Facts] = lambda _: {},
    ) -> None:
        """Let something happen so many seconds after what was last, as `transitions` writes it down."""
        self.at += timedelta(seconds=after)
        if self.at > self.plan.now or len(self.events) >= self.plan.most_events:
            self.at = self.plan.now + HOUR  # nor does what comes after it
            return
        job, changed = self.job, changes(self.at)
        event = JobEvent(
            job_id=job.pk, at=self.at, kind=kind, source=source, actor=actor, from_status=job.status if to else "",
            to_status=to, attempt=changed.get("attempts", job.attempts), detail=detail or {},
        )  # fmt: skip
        changed["status"] = to or job.status
        chained = extend if self.plan.is_signed else _number
        vars(job).update(changed | chained(event, job, changed if self.events else facts_of(job)))
        self.events.append(event)


def _number(event: JobEvent, job: JobLog, covered: Facts) -> Facts:
    """Do what `extend` does with blanks of the same width instead of signatures, which take most of the time."""
    event.number, event.digest = job.chain_length + 1, UNSIGNED
    event.facts = dict.fromkeys(covered, UNSIGNED[: 2 * FINGERPRINT_BYTES])
    return {"chain_length": event.number, "chain_head": UNSIGNED}
