"""Whether a fault explains what happened to a worker, and not only that it struck at about that time."""

from .evidence import Evidence
from .ledger import Entry

SOON_SECONDS = 0.1  # what was in a worker's hands when it was frozen may have been written already


def is_of_worker(fault: Entry, worker: str) -> bool:
    """Tell whether the worker of that name, `host:pid-token`, was struck."""
    return f":{fault['pid']}-" in worker


def stops_worker(fault: Entry, worker: str, evidence: Evidence) -> bool:
    """Tell whether a freeze kept this worker from its work: its own, or that of the holder of SQLite's write lock."""
    return is_of_worker(fault, worker) or (evidence.is_sqlite and _held_lock(fault, evidence))


def _held_lock(freeze: Entry, evidence: Evidence) -> bool:
    """Tell whether a worker was frozen with SQLite's lock in its hands: then nobody wrote any event meanwhile."""
    begin, end = freeze["at"] + SOON_SECONDS, end_of(freeze, evidence)
    return not any(begin < event["at"] < end for events in evidence.events.values() for event in events)


def end_of(fault: Entry, evidence: Evidence) -> float:
    """Return when a fault that lasts was mended, or the thing was killed; infinity where neither was written down."""
    ends = {"freeze": ("thaw", "kill"), "database harmed": ("database back",)}[fault["kind"]]
    later = (
        entry["at"]
        for entry in evidence.faults
        if entry["kind"] in ends and entry["name"] == fault["name"] and entry["at"] >= fault["at"]
    )
    return next(later, float("inf"))
