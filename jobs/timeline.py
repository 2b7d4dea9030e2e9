"""A job's events as people read them: what, by whom, how long after the start."""

from dataclasses import dataclass
from datetime import datetime

from .models import JobEvent, JobLog

SAID_ELSEWHERE = frozenset({"message"})


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the timeline."""

    event: JobEvent
    offset: float
    facts: list[tuple[str, str]]

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


def timeline(job: JobLog) -> list[Entry]:
    """Return the job's events, oldest first."""
    return [_entry(event, job.created_at) for event in job.events.all()]


def _entry(event: JobEvent, start: datetime) -> Entry:
    facts = {"attempt": event.attempt} if event.attempt else {}
    facts |= {key: value for key, value in event.detail.items() if key not in SAID_ELSEWHERE}
    return Entry(
        event=event,
        offset=(event.at - start).total_seconds(),
        facts=[(key.replace("_", " "), str(value)) for key, value in facts.items()],
    )
