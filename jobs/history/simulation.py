"""Simulations of jobs, as rows for `manage.py make_history`: what the services would have written, at speed.

Nothing here asks the database, so that other processes can do it.
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from jobs.models import JobEvent, JobLog
from jobs.proof.chain import FINGERPRINT_BYTES, extend, facts_of
from jobs.stats import COUNTED, HOUR, CountedEvent, Figures, added_up, hour_of, tally
from receipts.models import Receipt

from .scenarios import SCENARIOS

Kind, Source = JobEvent.Kind, JobEvent.Source
Facts = dict[str, Any]
T = TypeVar("T")

SHOPS = {"Bakery": 60, "Corner shop": 25, "Café": 10, "Phone of the office": 4, "Scanner": 1}
DATABASES = [f"{number:08x}-4567-89ab-cdef-0123456789ab" for number in range(0x0123ABCD, 0x0123ABCD + 20)]
NAMES = ("IMG_{0:%Y%m%d}_{1:06}.jpg", "scan-{1}.pdf", "Beleg {1}.png", "receipt.jpg", "Rechnung Bäckerei {1}.jpg")
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


@dataclass(frozen=True)
class Batch:
    """The rows of some jobs, in the order of time, and what they come to by hour."""

    receipts: list[Receipt]
    jobs: list[JobLog]
    events: list[JobEvent]
    figures: dict[datetime, Figures]


def make(plan: BatchPlan) -> Batch:
    """Return jobs with all that has happened to them."""
    chance = random.Random(plan.seed)  # noqa: S311 - no secret
    seconds = (plan.end - plan.begin).total_seconds()
    moments = sorted(plan.begin + timedelta(seconds=chance.uniform(0, seconds)) for _ in range(plan.jobs))
    simulations = [_simulate(chance, at, plan) for at in moments]
    return Batch(
        receipts=[simulation.job.receipt for simulation in simulations],
        jobs=[simulation.job for simulation in simulations],
        events=[event for simulation in simulations for event in simulation.events],
        figures=_by_hour(simulations),
    )


def add_figures(total: dict[datetime, Figures], more: dict[datetime, Figures]) -> None:
    """Add what happened in some hours to what is known of them."""
    for hour, figures in more.items():
        total[hour] = added_up([total[hour], figures]) if hour in total else figures


def _by_hour(simulations: "Iterable[Simulation]") -> dict[datetime, Figures]:
    hours: dict[datetime, list[CountedEvent]] = {}
    for simulation in simulations:
        for event in simulation.events:
            if event.kind in COUNTED:
                counted = CountedEvent(event.kind, event.at - simulation.job.created_at, event.detail.get("code"))
                hours.setdefault(hour_of(event.at), []).append(counted)
    return {hour: tally(events) for hour, events in hours.items()}


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


def _simulate(chance: random.Random, at: datetime, plan: BatchPlan) -> Simulation:
    shop = _chosen(chance, SHOPS.items(), plan)
    receipt = Receipt(
        id=_uuid(chance), client_id=plan.clients[shop], sha256=chance.randbytes(32).hex(), size=chance.randrange(2**21),
        content_type="image/jpeg", width=3000, height=4000, created_at=at,
        file=f"receipts/{at:%Y/%m/%d}/{chance.randbytes(16).hex()}.jpg",
    )  # fmt: skip
    job = JobLog(
        job_id=_uuid(chance), receipt=receipt, client_id=receipt.client_id, due_at=at, created_at=at,
        filename=chance.choice(NAMES).format(at, chance.randrange(1_000_000)),
        notion_database_id=chance.choice(DATABASES),
    )  # fmt: skip
    simulation = Simulation(chance, job, plan)
    detail = {"request_id": chance.randbytes(16).hex(), "size": receipt.size, "sha256": receipt.sha256}
    simulation.happen(0, Kind.RECEIVED, Source.API, actor=shop, detail=detail)
    _chosen(chance, SCENARIOS, plan)(simulation)
    return simulation


def _chosen(chance: random.Random, shares: Iterable[tuple[T, float]], plan: BatchPlan) -> T:
    pairs = list(shares)
    weights = None if plan.is_even else [share for _, share in pairs]
    return chance.choices([choice for choice, _ in pairs], weights)[0]


def _uuid(chance: random.Random) -> UUID:
    return UUID(int=chance.getrandbits(128), version=4)
