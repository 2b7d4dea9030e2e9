"""One run: prepare, let it storm, wait until it is calm and everything has ended."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from .clients import Client
from .databases import start_database
from .evidence import Evidence, gather, select
from .faults import Storm
from .installation import Installation
from .ledger import Ledger
from .n8n import StubN8N

CLIENTS = 4
PROGRESS_SECONDS = 5.0
CALM_SECONDS = 120.0

Say = Callable[[str], None]
OPEN_JOBS = "SELECT COUNT(*) AS number FROM jobs_joblog WHERE due_at IS NOT NULL"


class Interrupted(Exception):
    """Somebody asked for the end."""


@dataclass(kw_only=True)
class Outcome:
    """What a run came to; the evidence is for the checker."""

    evidence: Evidence
    audit: list[str]
    struck: dict[str, int]
    calm_seconds: float


def run(folder: Path, *, seed: int, duration: float, database: str, say: Say) -> Outcome:
    """Run a whole installation in the folder, and leave there what the checker wants to see.

    Args:
        duration: seconds in which faults strike.
        say: takes a line for people, now and then.

    Raises:
        Interrupted: nothing can be said.
    """
    with ExitStack() as stack:
        ledgers = {name: stack.enter_context(Ledger(folder / f"{name}.jsonl")) for name in ("clients", "n8n", "faults")}
        store = start_database(database, folder)
        stack.callback(store.stop)
        n8n = stack.enter_context(StubN8N(seed, ledgers["n8n"]))
        place = stack.enter_context(Installation(folder, database=store.url, webhook=n8n.url, faults=ledgers["faults"]))
        keys = place.prepare([f"till-{number}" for number in range(1, CLIENTS + 1)])
        place.start_all()
        clients = [
            Client(name, seed=seed, url=place.url, api_key=key, ledger=ledgers["clients"]) for name, key in keys.items()
        ]
        stack.callback(_leave, clients)
        storm = Storm(seed, place, n8n, store, ledgers["faults"])
        for client in clients:
            client.start()
        storm.blow(duration, _progress(storm, clients, n8n, say))
        ledgers["faults"].write(kind="calm")
        n8n.mood = "taken"  # from now on it treats every delivery well
        calm_at = time.monotonic()
        for client in clients:
            client.close()
        say("The faults are over; waiting until every job has ended ...")
        place.watch(seconds=CALM_SECONDS, until=lambda: _is_over(clients, n8n, store.url))
        if place.stopping:
            raise Interrupted
        calm_seconds = time.monotonic() - calm_at
        evidence, audit = gather(folder, store.url), place.verify_audit()
    return Outcome(evidence=evidence, audit=audit, struck=storm.struck, calm_seconds=calm_seconds)


def _is_over(clients: list[Client], n8n: StubN8N, database: str) -> bool:
    """Tell whether every client knows, N8N has nothing more to report, and no job is open."""
    if any(client.is_alive() for client in clients) or not n8n.is_idle:
        return False
    return not next(select(database, OPEN_JOBS))["number"]


def _leave(clients: list[Client]) -> None:
    for client in clients:
        client.leave()
    for client in clients:
        client.join(timeout=10)


def _progress(storm: Storm, clients: list[Client], n8n: StubN8N, say: Say) -> Callable[[], None]:
    """Return a function that says now and then how far it has come."""
    started = said = time.monotonic()

    def look() -> None:
        nonlocal said
        if (now := time.monotonic()) - said >= PROGRESS_SECONDS:
            said = now
            accepted = sum(client.accepted for client in clients)
            faults = sum(storm.struck.values())
            say(f"{now - started:5.0f} s: {accepted} receipts accepted, {n8n.posts} posts to N8N, {faults} faults")

    return look
