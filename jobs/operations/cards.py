"""The figures at the top of the operations page, each with what it was before, in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import NamedTuple

from django.db.models import Count, Min

from jobs.durations import format_duration
from jobs.models import JobLog
from jobs.periods import PeriodFigures
from jobs.stats import Figures

Status = JobLog.Status


@dataclass(frozen=True, kw_only=True)
class Card:
    """One figure.

    Attributes:
        value, unit: the figure; the unit is set smaller.
        note: what it means, or how it changed.
        tone: good or bad, where the note is either.
        alarm: whether the figure itself is bad.
        status: of the jobs that it counts, where the list shows them; "" where there are none, or they are of a period.
    """

    title: str
    value: str
    unit: str = ""
    note: str = ""
    tone: str = ""
    alarm: bool = False
    status: str = ""


class OpenJobs(NamedTuple):
    """What is open now, by status: how many, and since when the one that came in first."""

    counts: Mapping[str, int]
    since: Mapping[str, datetime]


def open_jobs() -> OpenJobs:
    """Count the open jobs: an index has each status together, by age."""
    found = JobLog.objects.filter(status__in=JobLog.OPEN, is_canary=False).order_by()
    rows = list(found.values_list("status").annotate(count=Count("*"), since=Min("created_at")))
    return OpenJobs({status: count for status, count, _ in rows}, {status: since for status, _, since in rows})


def cards(
    figures: PeriodFigures, open_jobs: OpenJobs, overdue: Mapping[str, int], delayed: int, now: datetime
) -> list[Card]:
    """Return the page's figures.

    Args:
        overdue: how many open jobs are overdue, by status, but for those that wait for a setting.
        delayed: how many wait for a setting; they are queued, or tried once more at this moment.
        now: by the database's clock.
    """
    oldest = open_jobs.since.get(Status.QUEUED)
    waits = f"oldest came in {format_duration(now - oldest)} ago" if oldest else "nothing waits"
    return [
        _open_jobs_card(Status.QUEUED, open_jobs, overdue, waits, delayed),
        _open_jobs_card(Status.SENDING, open_jobs, overdue, "on their way to N8N"),
        _open_jobs_card(Status.PROCESSING, open_jobs, overdue, "at N8N"),
        *_period_cards(figures),
    ]


def _open_jobs_card(
    status: JobLog.Status, open_jobs: OpenJobs, overdue: Mapping[str, int], note: str, delayed: int = 0
) -> Card:
    late = overdue.get(status, 0)
    note = f"{note}; {late:,} overdue" if late else note
    wait = "waits" if delayed == 1 else "wait"
    note = f"{note}; {delayed:,} {wait} for a setting" if delayed else note
    is_bad = bool(late or delayed)
    count = open_jobs.counts.get(status, 0)
    listed = str(status) if count else ""
    tone = "bad" if is_bad else ""
    return Card(title=f"{status.label} now", value=f"{count:,}", note=note, tone=tone, alarm=is_bad, status=listed)


def _period_cards(figures: PeriodFigures) -> list[Card]:
    now, before, label = figures.total, figures.before, figures.period.label
    return [
        _count_card("Received", now.received, before.received, label),
        _count_card("Succeeded", now.succeeded, before.succeeded, label),
        _count_card("Failed", now.failures, before.failures, label, is_bad=True),
        _success_rate_card(now, before, label),
        _latency_card(now, before),
    ]


def _count_card(title: str, now: int, before: int, label: str, *, is_bad: bool = False) -> Card:
    if now == before:
        return Card(title=title, value=f"{now:,}", note=f"as in the {label} before")
    word = "more" if now > before else "fewer"
    note = f"{_signed(now - before, ',')}: {word} than in the {label} before ({before:,})"
    worse = is_bad and now > before
    return Card(title=title, value=f"{now:,}", note=note, tone=_tone(is_good=not worse) if is_bad else "", alarm=worse)


def _signed(number: float, form: str) -> str:
    return format(number, f"+{form}").replace("-", "−")


def _tone(*, is_good: bool) -> str:
    return "good" if is_good else "bad"


def _success_rate_card(now: Figures, before: Figures, label: str) -> Card:
    rate, former = now.success_rate, before.success_rate
    if rate is None:
        return Card(title="Success rate", value="–", note="nothing has ended")
    card = partial(Card, title="Success rate", value=f"{rate * 100:.1f}", unit="%")
    if former is None:
        return card(note=f"nothing ended in the {label} before")
    points = round(rate * 100, 1) - round(former * 100, 1)
    if abs(points) < 0.05:
        return card(note=f"as in the {label} before")
    word = "better" if points > 0 else "worse"
    note = f"{_signed(points, '.1f')} points: {word} than in the {label} before"
    return card(note=note, tone=_tone(is_good=points > 0))


def _latency_card(now: Figures, before: Figures) -> Card:
    median, slow, former = now.seconds(0.5), now.seconds(0.95), before.seconds(0.5)
    if median is None or slow is None:
        return Card(title="Latency", value="–", note="nothing has succeeded")
    value, unit = format_duration(median).split(" ")
    before_that = "" if former is None else f"; p50 was {format_duration(former)} before"
    return Card(title="Latency", value=value, unit=f"{unit} p50", note=f"p95 {format_duration(slow)}{before_that}")
