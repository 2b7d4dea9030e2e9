"""Simulated jobs as rows for `manage.py make_history`: what the services would have written, at speed.

Nothing here asks the database, so that other processes can do it.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from jobs.models import JobEvent, JobLog
from jobs.stats import COUNTED, CountedEvent, Figures, added_up, hour_of, tally
from receipts.models import Receipt

from .scenarios import SCENARIOS
from .simulation import BatchPlan, Simulation

Kind, Source = JobEvent.Kind, JobEvent.Source
T = TypeVar("T")

SHOPS = {"Bakery": 60, "Corner shop": 25, "Café": 10, "Phone of the office": 4, "Scanner": 1}
DATABASES = [f"{number:08x}-4567-89ab-cdef-0123456789ab" for number in range(0x0123ABCD, 0x0123ABCD + 20)]
NAMES = ("IMG_{0:%Y%m%d}_{1:06}.jpg", "scan-{1}.pdf", "Beleg {1}.png", "receipt.jpg", "Rechnung Bäckerei {1}.jpg")


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


def _by_hour(simulations: Iterable[Simulation]) -> dict[datetime, Figures]:
    hours: dict[datetime, list[CountedEvent]] = {}
    for simulation in simulations:
        for event in simulation.events:
            if event.kind in COUNTED:
                counted = CountedEvent(event.kind, event.at - simulation.job.created_at, event.detail.get("code"))
                hours.setdefault(hour_of(event.at), []).append(counted)
    return {hour: tally(events) for hour, events in hours.items()}


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
