"""Finds a job by whatever one has at hand; what it costs does not grow with the number of jobs."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast

from receipts.models import Client, Receipt
from receipts.notion import parse_sought_id
from receipts.search import UUID_DIGITS, find_receipts, id_digits, uuids_from

from .models import IdempotencyKey, JobLog
from .reports import LOOKED_THROUGH, jobs_told_of
from .spellings import QUOTES, SIGNS, as_reported, composed_or_not, in_json, spellings

RECENT = 20_000  # so many are looked through for words
FOUND = 200  # so few that a database looks each of them up, and does not read all jobs, newest first, in search of them
LOOKED_UP = 1_000  # so many are put in order by their time, where an index has them in another one
MAX_WORDS = 8
LAST_LETTER = "\U0010ffff"
NAME = re.compile(r" \(([0-9a-f]{8})\)$")  # of a job, as `JobLog.__str__` makes it: the beginning of its id ends it
# What follows a word of JSON in no field's name, as "total" is of nearly every job; nobody looks for a longer one's end
IN_NO_NAME = r'(?!([^"\\]|\\.){0,200}":)'

HELP = "An id, a file's name, words, amounts or days"
HELP_IN_FULL = (
    "Among all jobs: the id or SHA-256 of a job, receipt or file (8 digits will do, or an address or line that has "
    "all), a job's name, an Idempotency-Key, the beginning of a file name, or a Notion database. Among the newest "
    f"{RECENT:,}: words, amounts and days of file name, client, message or what was read, a page in Notion, an N8N "
    f"execution, or an X-Request-ID. The newest {FOUND} that fit are found; of a database all."
)
CUT = f"Only the newest {FOUND} that fit are found. To see others, narrow the dates or another filter, or write more."
NOT_LOOKED_THROUGH = (
    f"There may be older ones: only the newest {RECENT:,} jobs were looked through, and the beginnings of older ones' "
    "file names. Choose a month or a day to look further back."
)
TOO_MANY_OF_IT = f"Others may fit, too: it has more than {LOOKED_UP:,} jobs, and only so many were looked through."
TOO_MANY_NAMES = (
    f"There may be older ones: more than {LOOKED_UP:,} file names begin so, and only the newest {RECENT:,} jobs were "
    "looked through. Write more of the name, or narrow the dates."
)
OLDER_EVENTS = (
    f"An older report or upload may be meant: only the newest {LOOKED_THROUGH:,} events were looked through for an "
    "execution, a page or a request, whatever the dates."
)

Key = tuple[datetime, UUID]  # the time and the id of a job, by which lists are in order


class Found(NamedTuple):
    """The jobs that a text means, the newest of them where they are many; and if others fit, too, a sentence."""

    jobs: QuerySet[JobLog]
    left_out: str = ""


def search(jobs: QuerySet[JobLog], text: str) -> Found:
    """Return those of the jobs that the text means: what the first of the ways to take it finds."""
    found = (take(jobs, text.strip()) for take in (_as_id, _as_database, _as_words))
    return next(filter(None, found))


def _as_id(jobs: QuerySet[JobLog], text: str) -> Found | None:
    """Return the jobs of that id.

    Ids are looked up among all jobs first, by an index each, and only then held against what `jobs` is narrowed by: so
    no database is led to read a whole status or client in search of one id.
    """
    ids = find_by_id(text)
    return _newest(jobs, _keys(jobs, ids), TOO_MANY_OF_IT if len(ids) > LOOKED_UP else "") if ids else None


def _as_database(jobs: QuerySet[JobLog], text: str) -> Found | None:
    """Return the jobs that file in that Notion database."""
    of_it = Q(notion_database_id__in=_notion_ids(text)[:1])
    return Found(jobs.filter(of_it)) if JobLog.objects.filter(of_it).order_by().exists() else None


def _as_words(jobs: QuerySet[JobLog], text: str) -> Found:
    """Return recent jobs that have the words, and those that an index finds by the text, however old."""
    recent = jobs.order_by("-created_at", "-pk")
    oldest = list(jobs.order_by("-created_at").values_list("created_at", flat=True)[RECENT : RECENT + 1])
    for at in oldest:
        recent = recent.filter(created_at__gt=at)
    begins = _begins(text)
    fits = _has_all(text) | begins | _has_page(text) | Q(n8n_execution_id=text)
    recent = recent.alias(read=Cast("result", TextField())).filter(fits)
    fit = list(recent.values_list("created_at", "pk")[: FOUND + 1])
    keyed = _keys(jobs, _of_idempotency_key(text))
    if len(fit) > FOUND:
        return _newest(jobs, fit, first=keyed)
    named, left_out = _of_old_names(begins) if oldest else ([], "")
    told = jobs_told_of(text, _notion_ids(text))
    found = {*fit, *keyed, *_keys(jobs, named + told.jobs)}
    return _newest(jobs, found, left_out or (OLDER_EVENTS if told.are_older and not found else ""))


def _of_idempotency_key(text: str) -> list[UUID]:
    """Return the jobs that clients have sent under that key, which is looked up for each client."""
    of_any = IdempotencyKey.objects.filter(client__in=Client.objects.values("pk"), key=text)
    return list(of_any.values_list("job", flat=True)[:FOUND])


def _of_old_names(begins: Q) -> tuple[list[UUID], str]:
    """Return the jobs of such names, none where they are too many to put in order; and what is left out."""
    named = _ids(begins)
    return ([], TOO_MANY_NAMES) if len(named) > LOOKED_UP else (named, NOT_LOOKED_THROUGH)


def find_by_id(text: str) -> list[UUID]:
    """Return the jobs whose id, or whose receipt's id or SHA-256, begins so; the text may be a job's name."""
    named = NAME.search(text)
    digits = named[1] if named else id_digits(text)
    if not digits:
        return []
    of_jobs = _ids(Q(pk__range=uuids_from(digits))) if len(digits) <= UUID_DIGITS else []
    return of_jobs or _of_receipts(digits)


def named_in_full(text: str) -> UUID | None:
    """Return the job of whose id the text has every digit; None of canaries, which are sought among themselves."""
    digits = id_digits(text)
    if len(digits) != UUID_DIGITS:
        return None
    return JobLog.objects.filter(pk=UUID(digits), is_canary=False).values_list("pk", flat=True).first()


def _ids(condition: Q) -> list[UUID]:
    return list(JobLog.objects.filter(condition).order_by().values_list("pk", flat=True)[: LOOKED_UP + 1])


def _of_receipts(digits: str) -> list[UUID]:
    receipts = list(find_receipts(Receipt.objects.order_by(), digits).values_list("pk", flat=True)[:FOUND])
    return _ids(Q(receipt__in=receipts)) if receipts else []


def _keys(jobs: QuerySet[JobLog], ids: list[UUID]) -> list[Key]:
    return list(jobs.order_by().filter(pk__in=ids).values_list("created_at", "pk"))


def _newest(jobs: QuerySet[JobLog], fit: Iterable[Key], left_out: str = "", first: Sequence[Key] = ()) -> Found:
    """Return the newest that fit, and `first` whatever came since."""
    newest = list(dict.fromkeys(pk for _, pk in [*first, *sorted(fit, reverse=True)]))
    return Found(jobs.filter(pk__in=newest[:FOUND]), CUT if len(newest) > FOUND else left_out)


def _notion_ids(text: str) -> list[str]:
    """Return the id of Notion that it is, dashed and as addresses have it; none of anything else."""
    try:
        dashed = parse_sought_id(text)
    except ValueError:
        return []
    return [dashed, dashed.replace("-", "")]


def _begins(text: str) -> Q:
    """Return the condition that a file name begins so, in that spelling; it has an index."""
    begins = Q()
    for form in composed_or_not(text):
        if connection.vendor == "sqlite":  # its LIKE knows no case, and uses no index for that
            begins |= Q(filename__gte=form, filename__lt=form + LAST_LETTER)
        else:
            begins |= Q(filename__startswith=form)
    return begins & Q(is_canary=False)  # all canaries have one name


def _has_all(text: str) -> Q:
    """Return the condition that a job has all of the words, in any order; what is beyond the eighth narrows nothing."""
    words = Q()
    for word in [word.strip(QUOTES) for word in text.split() if word.strip(QUOTES + SIGNS)][:MAX_WORDS]:
        words &= _has(word)
    return words


def _has_page(text: str) -> Q:
    """Return the condition that it was filed as that page, whose address ends in the id."""
    page = Q()
    for page_id in _notion_ids(text):
        page |= Q(notion_page_url__icontains=page_id)
    return page


def _has(word: str) -> Q:
    """Return the condition that a job's file name, message or result has the word, or its client's name does."""
    has, named = Q(), Q()
    for form in spellings(word):
        has |= Q(filename__icontains=form) | Q(result_message__icontains=form)
        named |= Q(name__icontains=form)
    reported = as_reported(word)
    for form in in_json(word):
        has |= _was_read(form, (reported.alone if reported else "") + re.escape(form))
    if reported:
        has |= _was_read(reported.common, f"{reported.alone}(?:{'|'.join(map(re.escape, reported.forms))})")
    clients = list(Client.objects.filter(named).order_by().values_list("pk", flat=True)[:FOUND])
    return has | Q(client__in=clients) if clients else has


def _was_read(part: str, pattern: str) -> Q:
    """Return the condition that the result has the pattern, of which that is a part, in no field's name."""
    return Q(read__icontains=part) & Q(read__iregex=pattern + IN_NO_NAME)  # the first is the faster
