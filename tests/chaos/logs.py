"""No line in a log that nobody would expect of a service whose Redis or database is away."""

import re
from collections.abc import Iterator
from datetime import datetime

from .evidence import Evidence, log_lines
from .ledger import Entry
from .reasons import end_of, stops_worker
from .ways import TASK_SECONDS

# the last line of a traceback; what speaks of a database or of Redis being away is what the faults are about
AWAY = re.compile(
    r"(django\.db\.utils|psycopg(\.\w+)*|sqlite3)\.(OperationalError|InterfaceError|AdminShutdown|CrashShutdown)\b"
    r"|redis\.exceptions\.\w+(Error)?\b"
)
ERROR = re.compile(r"^([A-Za-z_][\w.]*(?:Error|Exception|Shutdown|Interrupt|Exit|Warning|NotAllowed|Exists))\b")
TIMED_OUT = "rq.timeouts.JobTimeoutException"
CONSEQUENCES = ("The above exception", "During handling")


def check_logs(evidence: Evidence) -> Iterator[str]:
    """Tracebacks speak of absent servers only; requests are answered with no 5xx but 503."""
    for name, text in evidence.logs:
        lines = list(log_lines(text))
        for line in lines:
            yield from _check_line(name, line, evidence)
        raw = "\n".join(line["raw"] for line in lines if "raw" in line)
        for error in _unexpected_errors(raw):
            yield f"log: {name} wrote a traceback: {error}"


def _check_line(name: str, line: Entry, evidence: Evidence) -> Iterator[str]:
    if line.get("event") == "request" and line["status"] >= 500 and line["status"] != 503:
        yield f"log: {name} answered {line['method']} {line['path']} with {line['status']}"
    for error in _unexpected_errors(line.get("exception", "")):
        if not (error.startswith(TIMED_OUT) and _was_stopped(line, evidence)):
            yield f"log: {name} logged {line['event']!r} with {error}"


def _was_stopped(line: Entry, evidence: Evidence) -> bool:
    """Tell whether the worker was kept from its work in the time that RQ gives a task."""
    at = datetime.fromisoformat(line["timestamp"]).timestamp()
    return any(
        fault["at"] < at
        and end_of(fault, evidence) > at - TASK_SECONDS
        and stops_worker(fault, line["worker"], evidence)
        for fault in evidence.faults
        if fault["kind"] == "freeze"
    )


def _unexpected_errors(text: str) -> Iterator[str]:
    """Return the error at the end of each chain of tracebacks, unless one in the chain says that a server was away."""
    for chain in _chains(text):
        errors = [line for line in chain if ERROR.match(line) or AWAY.match(line)]
        if not any(AWAY.match(error) for error in errors):
            # what a time-out broke off in mid-query is its consequence
            yield next((error for error in errors if error.startswith(TIMED_OUT)), [*chain, *errors][-1])


def _chains(text: str) -> Iterator[list[str]]:
    """Split a text into chains of tracebacks; one that caused another, or was handled meanwhile, is of its chain."""
    chain: list[str] = []
    joined = False
    for line in text.splitlines():
        if line.startswith("Traceback (most recent call last)") and not joined and chain:
            yield chain
            chain = []
        joined = line.startswith(CONSEQUENCES) or (joined and not line.strip())
        if chain or line.startswith("Traceback (most recent call last)"):
            chain.append(line)
    if chain:
        yield chain
