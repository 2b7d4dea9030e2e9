"""How pages write what they say of jobs: status, times, addresses."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django import template
from django.template import Context
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.timesince import timesince

from jobs.causes import cause_of_delay
from jobs.durations import format_duration, format_milliseconds
from jobs.models import JobLog
from jobs.rings import rung_for
from jobs.summaries import format_amount

register = template.Library()
register.filter("milliseconds", format_milliseconds)
register.filter("duration", format_duration)
register.filter("rung_for", rung_for)

MINUTE = 60
MAX_COLUMNS = 6
MAX_VALUES = 500  # of a result on a page
TOO_DEEP = format_html('<p class="quiet">{}</p>', "It is nested too deep to be shown.")  # somebody put it there
CUT = format_html('<p class="quiet">Only the first {} values are shown; the API has them all.</p>', MAX_VALUES)
ATTENTION = ("attention", "Needs attention")


@register.simple_tag
def badge(job: JobLog) -> str:
    """Return the state as a word and a sign; the colour only repeats it, and what was done on purpose has none."""
    needy = format_html(' <span class="badge badge-{}">{}</span>', *ATTENTION) if job.needs_attention else ""
    tone = "cancelled" if job.is_cancelled else job.status
    return format_html('<span class="badge badge-{}">{}</span>{}', tone, job.state, needy)


@register.simple_tag
def ago(at: datetime) -> str:
    """Return the age in words, with the exact time on hover."""
    words = timesince(at, depth=1)
    return _time(at, "just now" if timezone.now() < at or words.startswith("0") else f"{words} ago")


@register.simple_tag
def when(at: datetime) -> str:
    """Return the age of what came within a day, and of all else the day and the time, which tell it from others."""
    return ago(at) if timezone.now() - at < timedelta(days=1) else _time(at, f"{at:%-d %b %Y %H:%M}")


@register.simple_tag
def clock(at: datetime) -> str:
    """Return the time of day of what `when` tells the age of: a finger cannot hover."""
    return f"{at:%H:%M}" if timezone.now() - at < timedelta(days=1) else ""


@register.simple_tag
def moment(at: datetime) -> str:
    """Return when something happens, today by the clock, with the exact time on hover."""
    is_today = at.date() == timezone.now().date()
    return _time(at, f"at {at:%H:%M:%S}" if is_today else f"on {at:%-d %b at %H:%M}")


@register.simple_tag
def exact(at: datetime) -> str:
    """Return a time in full."""
    return _time(at, date_format(at, "DATETIME_FORMAT"))


@register.filter
def ring_time(at: datetime | None) -> str:
    """Return a time that RQ tells, in UTC whether it says so or not, as all others are written."""
    return exact(at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)) if at else "–"


def _time(at: datetime, words: str) -> str:
    title = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), title, words)


@register.simple_tag
def extracted(result: Any) -> str:
    """Return what a workflow read: objects and lists as lists, as deep as any is accepted; of much the beginning."""
    try:
        shown, _ = _beginning(result, MAX_VALUES)
        return format_html("{}{}", nested(shown), "" if shown == result else CUT)
    except RecursionError:
        return TOO_DEEP


@register.simple_tag
def nested(value: Any) -> str:
    """Return a part of it."""
    table = _table(value)
    return render_to_string(
        "admin/jobs/joblog/nested.html", {"table": table, "rows": None if table else _rows(value), "value": value}
    )


def _beginning(value: Any, room: int) -> tuple[Any, int]:
    """Return as much of it as has room, in values, lists and objects among them, and the room that is left then."""
    room -= 1
    if not isinstance(value, dict | list):
        return value, room
    kept: list[Any] = []
    for key, below in value.items() if isinstance(value, dict) else enumerate(value):
        if room <= 0:
            break
        shown, room = _beginning(below, room)
        kept.append((key, shown))
    return (dict(kept) if isinstance(value, dict) else [shown for _, shown in kept]), room


def _table(value: Any) -> tuple[list[str], list[list[Any]]] | None:
    """Return the columns and the rows of a list of things that hold nothing deeper, as a receipt's lines are."""
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        return None
    columns = list(dict.fromkeys(name for row in value for name in row))
    is_flat = not any(isinstance(cell, dict | list) for row in value for cell in row.values())
    if not is_flat or not 0 < len(columns) <= MAX_COLUMNS:
        return None
    rows = [[format_amount(name, row.get(name)) for name in columns] for row in value]
    return [name.replace("_", " ") for name in columns], rows


def _rows(value: Any) -> list[tuple[str, Any]] | None:
    if isinstance(value, dict):
        return [(str(name).replace("_", " "), format_amount(str(name), below)) for name, below in value.items()]
    return [(str(number), below) for number, below in enumerate(value, 1)] if isinstance(value, list) else None


@register.simple_tag(takes_context=True)
def receipt_summary(context: Context, job: JobLog) -> str:
    """Return by what its receipt is known again, where the page has looked that up."""
    summaries: dict[UUID, str] = context.get("summaries") or {}
    return summaries.get(job.pk, "")


@register.filter
def elapsed(since: float) -> str:
    """Return how long after the beginning it was: to hundredths of a second, then as `format_duration` says."""
    return f"{since:.2f} s" if since < MINUTE else format_duration(since)


@register.filter
def delay_reason(code: str) -> str:
    """Return why the latest delivery did not arrive, in a sentence."""
    return cause_of_delay(code).sentence


@register.filter
def short_id(job_id: UUID | str) -> str:
    """Return the beginning of an id, long enough to search by."""
    return str(job_id)[:13]
