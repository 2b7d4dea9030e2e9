"""A job's events as people read them: what, by whom, how long after the start, and what was said to N8N and back."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .models import JobEvent, JobLog

SAID_ELSEWHERE = frozenset({"message", "request", "answer"})
MOST = 500  # N8N may call back as often as it likes


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the timeline."""

    event: JobEvent
    offset: float
    facts: list[tuple[str, str]]
    request: list[tuple[str, str]] = field(default_factory=list)
    answer: list[tuple[str, str]] = field(default_factory=list)

    @property
    def label(self) -> str:
        """What happened."""
        return self.event.get_kind_display()

    @property
    def by(self) -> str:
        """Which part of the system did it, and who."""
        return " · ".join(filter(None, [self.event.source, self.event.actor]))

    @property
    def message(self) -> str:
        """The sentence that came with it."""
        return str(self.event.detail.get("message", ""))

    @property
    def body(self) -> str:
        """What N8N answered, as far as it was kept."""
        return str(_part(self.event, "answer").get("body", ""))


def timeline(job: JobLog) -> list[Entry]:
    """Return the job's events, oldest first."""
    return [_entry(event, job.created_at) for event in job.events.order_by("id")[:MOST]]


def _entry(event: JobEvent, start: datetime) -> Entry:
    facts = {"attempt": event.attempt} if event.attempt else {}
    facts |= {key: value for key, value in event.detail.items() if key not in SAID_ELSEWHERE}
    return Entry(
        event=event,
        offset=(event.at - start).total_seconds(),
        facts=_named(facts),
        request=_named(_part(event, "request")),
        answer=_named({key: value for key, value in _part(event, "answer").items() if key != "body"}),
    )


def _part(event: JobEvent, name: str) -> dict[str, Any]:
    part = event.detail.get(name)
    return part if isinstance(part, dict) else {}


def _named(facts: dict[str, Any]) -> list[tuple[str, str]]:
    return [(key.replace("_", " "), _text(value)) for key, value in facts.items()]


def _text(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
