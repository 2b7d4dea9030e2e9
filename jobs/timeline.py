"""A job's events as people read them: what, by whom, how long after the start, and what was said to N8N and back."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.template.defaultfilters import filesizeformat
from django.utils.formats import date_format

from accounting.clock import moment_in

from .durations import format_duration, format_milliseconds
from .masking import KEPT
from .models import JobEvent, JobLog

SAID_ELSEWHERE = frozenset({"message", "request", "answer"})
NAMES = {
    "again_in_seconds": "again in", "execution_id": "execution", "filed_by": "filed by job",
    "http_status": "HTTP status", "ms": "took", "notion_page_url": "Notion page", "refused_for": "last try",
    "sha256": "SHA-256",
}  # fmt: skip
MEASURES: dict[str, Callable[[Any], str]] = {
    "again_in_seconds": format_duration,
    "bytes": filesizeformat,
    "ms": format_milliseconds,
    "size": filesizeformat,
}
DUE_BEFORE = "was_due_at"
MOST = 500  # staff may retry as often as they like


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the timeline."""

    event: JobEvent
    offset: float
    facts: list[tuple[str, str]]
    request: list[tuple[str, str]]
    answer: list[tuple[str, str]]

    @property
    def message(self) -> str:
        """The sentence that came with it, where it says more than the label."""
        said = str(self.event.told.get("message", ""))
        return "" if said == f"{self.event.label}." else said

    @property
    def body(self) -> str:
        """What N8N answered, as far as it was kept."""
        return str(_part(self.event, "answer").get("body", ""))

    @property
    def most_letters(self) -> str:
        """How much of that is kept at the most."""
        return f"{KEPT:,}"


def timeline(job: JobLog) -> list[Entry]:
    """Return the job's events, oldest first."""
    return [entry_of(event, job.created_at) for event in job.events.order_by("id")[:MOST]]


def entry_of(event: JobEvent, start: datetime) -> Entry:
    """Return one event as people read it.

    Args:
        start: when its job was created.
    """
    facts = {"attempt": event.attempt} if event.attempt else {}
    facts |= {key: value for key, value in event.told.items() if key not in SAID_ELSEWHERE}
    return Entry(
        event=event,
        offset=(event.at - start).total_seconds(),
        facts=_named(facts),
        request=_named(_part(event, "request")),
        answer=_named({key: value for key, value in _part(event, "answer").items() if key != "body"}),
    )


def _part(event: JobEvent, name: str) -> dict[str, Any]:
    part = event.told.get(name)
    return part if isinstance(part, dict) else {}


def _named(facts: dict[str, Any]) -> list[tuple[str, str]]:
    return [(NAMES.get(key) or key.replace("_", " "), _text(key, value)) for key, value in facts.items()]


def _text(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key == DUE_BEFORE:
        at = moment_in(str(value))
        return date_format(at, "DATETIME_FORMAT") if at else str(value)  # of no event of ours
    return MEASURES[key](value) if key in MEASURES and isinstance(value, int | float) else str(value)
